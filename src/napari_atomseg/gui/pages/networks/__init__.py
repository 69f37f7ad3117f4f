"""The page "Networks": maps of an image, and the networks at hand."""
