"""What is sent to a service that nobody should send, and what a good client meets meanwhile."""
