"""The page "Simulate": images of a structure."""
