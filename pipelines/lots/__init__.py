"""Many parts at once, and parts as they come: verdicts without the service."""
