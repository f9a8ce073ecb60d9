"""The forms of data sets that adopt recognises, a module each."""
