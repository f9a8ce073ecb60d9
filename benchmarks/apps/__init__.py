"""The apps that the service is held against, and how any of them is started and ended."""
