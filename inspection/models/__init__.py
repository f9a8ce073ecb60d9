"""What learns: crops, framing, locator, classifier, training, CAM, anomaly model, export."""
