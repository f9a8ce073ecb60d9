"""What a run of a flow stands on: DVC processes, overrides, the branch, artifacts, the store."""
