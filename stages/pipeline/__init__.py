"""What dvc.yaml says that a stage depends on: written from its source, watched while it runs."""
