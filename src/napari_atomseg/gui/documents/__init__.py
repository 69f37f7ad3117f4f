"""Columns as documents: edited, saved, recovered."""
