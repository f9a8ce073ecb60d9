"""What it is worth: rates, calibration, thresholds, metrics, truth of CAMs, parity."""
