"""Draws the sample line: dark-field frames of rod assemblies, with the mess of a real line.

Nothing here is measured data. Every frame comes from a seed, and the truth about it (class,
boxes, mask, what was spoiled) is written to a folder of its own that no stage reads.
"""
