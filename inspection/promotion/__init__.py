"""What may be promoted: the gate between challenger and champion (only pipelines/ imports it)."""
