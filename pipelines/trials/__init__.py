"""The line tried again with other parts held back: what it is worth on every part, and on defects
that nobody has shown."""
