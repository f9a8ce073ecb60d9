"""What params.yaml may hold: the model of each stage's section, in a module of its name.

These modules import no library that a stage works with, so that the first stage checks all sections
in a second.
"""
