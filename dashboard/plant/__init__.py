"""The plant: every line, its champion, its last verdicts and its alarms."""
