"""Parts that come as messages of an MQTT broker, and verdicts that go back there."""
