"""One program per DVC stage. Paths come from the command line; `dvc.yaml` is where they stand."""
