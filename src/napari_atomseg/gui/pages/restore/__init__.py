"""The page "Restore": an image without noise and distortions, by a network."""
