"""The CAM explorer: what a model sees in the views of a part, and where it errs."""
