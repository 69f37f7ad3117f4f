"""The pages of the panel, one folder each."""
