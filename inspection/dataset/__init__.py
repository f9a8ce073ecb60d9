"""What lies in the folder: names, layouts, boxes, masks, the manifest, what was quarantined."""
