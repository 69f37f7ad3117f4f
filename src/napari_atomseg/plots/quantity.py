"""Features in words with their units, for axes, bars and reports."""

from __future__ import annotations

from napari_atomseg.core.columns import CROSS_SECTION

UNITS = {"_px": "px", "_angstrom": "Å", "_pm": "pm", "_rad": "rad", "_deg": "°", CROSS_SECTION: "Å²"}
"""Units by the end of a feature's name."""


def unit_of(feature: str) -> str:
    """Unit of a feature, from its name; empty if it has none."""
    return next((unit for end, unit in UNITS.items() if feature.endswith(end)), "")


def title_of(feature: str) -> str:
    """A feature in words, without its unit."""
    end = next((end for end in UNITS if end.startswith("_") and feature.endswith(end)), "")
    return feature.removesuffix(end).replace("_", " ")


def quantity_of(feature: str) -> str:
    """A feature in words, with its unit, for an axis."""
    return f"{title_of(feature)}, {unit_of(feature)}" if unit_of(feature) else title_of(feature)
