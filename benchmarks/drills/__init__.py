"""Faults made on purpose under a whole pipeline, in a copy of a project that may be spoiled."""
