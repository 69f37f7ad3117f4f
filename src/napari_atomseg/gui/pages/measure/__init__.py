"""The page "Measure"."""
