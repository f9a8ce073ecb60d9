"""What may be believed: label rules, duplicates, label issues, folds, baselines."""
