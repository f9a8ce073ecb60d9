"""The domain: parts, views, labels, regions, crops, scores and verdicts. No path is known here."""
