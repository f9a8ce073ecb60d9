"""The review desk: people decide about labels, one view at a time."""
