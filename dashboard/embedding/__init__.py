"""The embedding map: views on a plane, those that the model takes for alike beside each other."""
