"""Colours of kinds, which colour-blind people can tell apart."""

CATEGORY_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442")
"""Of Okabe and Ito (2008)."""
UNKNOWN_KIND = "#888888"
"""Of what belongs to no kind."""
