"""The domain: parts, views, labels, regions, crops, scores, verdicts. No stage, server or path is known here."""
