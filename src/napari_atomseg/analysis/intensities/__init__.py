"""What columns scatter: cross-sections, atoms counted, columns that stand out, columns that exist."""
