"""The page "Train": a network for one crystal."""
