"""Golden crops and frames, on which every way from a frame to a verdict must agree."""
