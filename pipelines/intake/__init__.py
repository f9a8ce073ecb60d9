"""New data: from a folder in which the factory drops files into the data that is trained on."""
