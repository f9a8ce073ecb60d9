"""Faults made on purpose in a copy of a project that may be spoiled."""
