"""Panels docked beside the canvas, one a file."""
