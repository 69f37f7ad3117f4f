"""Atomic columns in an image: find them, refine their positions, snap a hand-placed point to the nearest one."""
