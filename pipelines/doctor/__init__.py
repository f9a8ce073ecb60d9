"""What Knurl needs on this machine, and whether it is there: `make doctor`."""
