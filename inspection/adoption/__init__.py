"""A stranger's folder: what it holds, and the params.yaml that reads it."""
