"""Whole images made from specimen, imaging and noise."""
