"""The models page: what serves, what was promoted when, and what changed between two versions."""
