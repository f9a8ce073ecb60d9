"""What stages do with one view, in threads, processes or a cluster (`inspection.over_views`)."""
