"""Own pictures: the verdict on a part that is not in the data, by any model at hand."""
