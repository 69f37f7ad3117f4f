"""Images by multislice: potential slices, probes or plane waves through them, detectors; slow, one structure at a time."""
