"""Atomic columns from electron micrographs: find, correct, measure, with error bars."""

__version__ = "0.1.0"
