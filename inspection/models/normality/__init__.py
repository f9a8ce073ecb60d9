"""What says how unlike the normal crops each place of a crop is: anomalib's models, by name."""
