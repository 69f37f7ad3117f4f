"""Noiseless image to recorded image."""
