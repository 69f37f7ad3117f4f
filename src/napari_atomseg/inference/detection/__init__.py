"""Columns and structures from the maps of a network: candidates, what speaks for each, which are shown."""
