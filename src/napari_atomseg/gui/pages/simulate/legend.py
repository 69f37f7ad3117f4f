"""A structure in words and colours, as the page "Simulate" shows it."""

from __future__ import annotations

from html import escape
from typing import Any

from napari_atomseg.gui.layers.structures import element_colours
from napari_atomseg.workflows import describe_structure
from napari_atomseg.workflows import structure_summary as summary


def legend_of(atoms: Any, repeat: str) -> str:
    """Elements with their colours, what the structure is, and what was assumed as it was read."""
    symbols = dict(zip(atoms.get_chemical_symbols(), atoms.numbers, strict=True))
    parts = []
    for symbol, number in symbols.items():
        red, green, blue = (round(255 * value) for value in element_colours(int(number)))
        parts.append(f'<span style="color: rgb({red},{green},{blue})">&#9679;</span>&nbsp;{symbol}')
    told = describe_structure(atoms, repeat)
    lines = [f"{'&nbsp; '.join(parts)}&nbsp; {escape(summary(told))}", *(f"<i>{escape(note)}</i>" for note in told.notes)]
    return "<br>".join(lines)
