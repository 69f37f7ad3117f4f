"""Which of the images of a file is most likely meant: raw ones before maps, copies for the screen, and thumbnails."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

import numpy as np

from napari_atomseg.readers.signals import Kind, Signal, is_of_spectra

_ORDER: tuple[Kind, ...] = get_args(Kind)
_SAID = {
    "map": "a map of an element or of spectra, not the image",
    "copy": "an 8-bit copy of another image of the file",
    "thumbnail": "a smaller version of another image of the file",
}
_MAP_TITLE = re.compile(
    r"([A-Z][a-z]?)([ _-]?[KLMN](α|a|alpha|β|b|beta)?\d?)?"
    r"([ _-]?(map|counts|net( intensity)?|intensity|(at|wt|mass|atomic)[ _.-]?(%|percent|fraction)?))?"
    r"|(?i:.*\b(spectr(um|a|al)|eds|edx|elemental|chemical|colou?r) ?(image|mix|sum|overlay)\b.*|.*\bmaps?\b.*)",
)
_THUMBNAIL_TITLE = re.compile(r".*\b(thumb(nail)?|preview|icon)\b.*", re.IGNORECASE)
_ASPECT = 0.05  # relative difference of the sides' ratios of an image and a smaller version of it
_SMALLER = 0.5  # of the side: a thumbnail is at most so large


def preferred(signals: Sequence[Signal], usable: Sequence[bool]) -> list[tuple[int, Signal]]:
    """Datasets with their index in the file, the image most likely meant first, each with its kind and a word on it.

    Parameters
    ----------
    signals : sequence of Signal
        Tidied.
    usable : sequence of bool
        Which of them are images at all.
    """
    images = [signal for signal, good in zip(signals, usable, strict=True) if good]
    known = [
        (index, _marked(signal, images) if good else signal)
        for index, (signal, good) in enumerate(zip(signals, usable, strict=True))
    ]
    return sorted(known, key=lambda pair: _ORDER.index(pair[1].kind))


def _marked(signal: Signal, images: Sequence[Signal]) -> Signal:
    kind = _kind(signal, [image for image in images if image is not signal and image.kind == "raw"])
    note = _SAID.get(kind, "")
    return replace(signal, kind=kind, notes=(*signal.notes, *([note] if note else [])))


def _kind(signal: Signal, others: Sequence[Signal]) -> Kind:
    """What an image is beside the other raw ones; alone it is what it says."""
    if signal.kind != "raw" or not others:
        return signal.kind
    if _THUMBNAIL_TITLE.fullmatch(signal.title):
        return "thumbnail"
    if _is_map(signal):
        return "map"
    if signal.data.dtype != np.uint8:
        return "raw"
    alike = [other for other in others if _same_aspect(signal, other)]
    if any(other.data.shape[-1] * _SMALLER >= signal.data.shape[-1] for other in alike):
        return "thumbnail"
    return "copy" if any(other.data.dtype.itemsize > 1 for other in alike) else "raw"


def _is_map(signal: Signal) -> bool:
    """Whether an image is called after an element, one of its lines, or spectra, or has places and no signal of its own.

    The latter is what is left of a spectrum image that was summed over its energies.
    """
    from ase.data import chemical_symbols

    if is_of_spectra(signal) or all(axis.get("navigate") for axis in signal.axes):
        return True
    match = _MAP_TITLE.fullmatch(signal.title)
    return match is not None and (match[1] is None or match[1] in chemical_symbols[1:])


def _same_aspect(one: Signal, other: Signal) -> bool:
    (y, x), (other_y, other_x) = one.data.shape[-2:], other.data.shape[-2:]
    return abs(y * other_x / (x * other_y) - 1) < _ASPECT
