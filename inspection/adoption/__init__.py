"""A stranger's folder: the form it has, the plan that reads it, and what to ask where none fits."""
