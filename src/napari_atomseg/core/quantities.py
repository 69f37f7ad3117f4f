"""Units: the house speaks Angstrom, eV, mrad and e/A2; this is the only place that converts.

Parameter dataclasses annotate their fields with a :class:`Quantity`, which carries the unit, the limits and the
number of decimals that a form needs, so that a parameter is described once.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated

from napari_atomseg.core.errors import AtomsegError


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """Unit and limits of one number.

    Attributes
    ----------
    unit : str
        Unit shown to people; empty for a pure number.
    low, high : float
        Smallest and largest legal value, both included.
    decimals : int
        Digits after the point in forms.
    """

    unit: str = ""
    low: float = -math.inf
    high: float = math.inf
    decimals: int = 2


Angstrom = Annotated[float, Quantity(unit="Å", low=0, high=1e9, decimals=3)]
Pixels = Annotated[float, Quantity(unit="px", low=0, high=1e6, decimals=2)]
Fraction = Annotated[float, Quantity(low=0, high=1)]

_METRE_POWERS = {"m": 10, "mm": 7, "um": 4, "nm": 1, "pm": -2, "fm": -5}
_MICRO = str.maketrans({"\u00b5": "u", "\u03bc": "u"})
_ANGSTROM_SPELLINGS = {"a", "å", "\u212b", "ang", "angs", "angst", "angstrom", "angstroms", "ångström", "ångstrom", "angström"}
_LONG_NAMES = {
    "meter": "m", "meters": "m", "metre": "m", "metres": "m",
    "millimeter": "mm", "millimeters": "mm", "millimetre": "mm", "millimetres": "mm",
    "micron": "um", "microns": "um", "micrometer": "um", "micrometers": "um", "micrometre": "um", "micrometres": "um",
    "nanometer": "nm", "nanometers": "nm", "nanometre": "nm", "nanometres": "nm",
    "picometer": "pm", "picometers": "pm", "picometre": "pm", "picometres": "pm",
}  # fmt: skip


_TEX_LETTERS = (
    (re.compile(r"\\(?:AA|angstrom|r\s*\{?A\}?|mathring\s*\{?A\}?)(?![A-Za-z])"), "Å"),
    (re.compile(r"\\(?:up)?(?:mu|micro)(?![A-Za-z])\s*"), "\u00b5"),
    (re.compile(r"\\circ(?![A-Za-z])"), "°"),
    (re.compile(r"\\(?:math|text)?(?:rm|it|sf|bf|up|text|mathregular)(?![A-Za-z])\s*"), ""),
    (re.compile(r"\\[,;:! ]|[$~]"), ""),
)
_PER_PIXEL = re.compile(r"(?<=[^\W\d])\s*(?:/|\bper\b)\s*(?:px|pix|pixels?)$", re.IGNORECASE)


def plain_unit(unit: str | None) -> str:
    r"""A unit as it would be typed: without LaTeX, brackets around it, or "per pixel"; empty if there is none.

    ``$\mathrm{nm}^{-1}$`` becomes ``nm^-1``, ``\AA`` the letter Å, ``[n_m]`` ``n_m``, ``nm/px`` ``nm``.
    """
    spelling = "" if unit is None else str(unit).strip()
    if "$" in spelling or "\\" in spelling:
        for written, meant in _TEX_LETTERS:
            spelling = written.sub(meant, spelling)
        spelling = spelling.replace("{", "").replace("}", "").replace("\\", "")
    spelling = spelling.replace("\u2212", "-").strip("[]()<>^ ")
    return _PER_PIXEL.sub("", spelling)


def angstrom_per(unit: str | None) -> float | None:
    r"""Number of Angstrom in one `unit` of length, or None if `unit` is no length.

    Every spelling met in microscope files is understood: ``nm``, ``n_m``, ``µm`` with either micro sign, ``micron``,
    the letter Å or the Angstrom sign, ``A``, ``$\AA$``, ``nm/px``. Reciprocal lengths, angles, energies, times,
    centimetres (which in microscope files are detector or print sizes, not specimen lengths), pixels and empty strings
    give None.
    """
    if unit is None:
        return None
    spelling = plain_unit(unit).replace("_", "").replace(" ", "").translate(_MICRO)
    if spelling in ("M", "MM", "NM", "PM", "UM"):
        # One capital letter changes a prefix ("Mm" is no micrograph's unit), a whole capital word does not.
        spelling = spelling.lower()
    if spelling.lower() in _ANGSTROM_SPELLINGS:
        return 1.0
    spelling = _LONG_NAMES.get(spelling.lower(), spelling)
    power = _METRE_POWERS.get(spelling)
    return None if power is None else 10.0**power


_LENGTH = re.compile(r"^\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(\D*)$")


SMALLEST_PIXEL, LARGEST_PIXEL = 1e-3, 1e8  # Angstrom: no microscope's pixel lies outside


def believable_pixel_size(size: float) -> float:
    """The same size in Angstrom, if a microscope can have such pixels.

    Raises
    ------
    AtomsegError
        If none has.
    """
    if not SMALLEST_PIXEL <= size <= LARGEST_PIXEL:
        raise AtomsegError(
            f"a pixel size of {size:.3g} Å cannot be meant: between {format_length(SMALLEST_PIXEL)} and "
            f"{format_length(LARGEST_PIXEL)} is possible; check the number and its unit"
        )
    return size


def parse_length(text: str) -> float:
    """Length in Angstrom from a text such as ``"1.2um"``, ``"0.8A"`` or ``"9,77 pm"``; a bare number is in Angstrom.

    One comma without a point is the decimal comma of many countries, and ``9.77 pm/px`` the same as ``9.77 pm``.

    Raises
    ------
    AtomsegError
        If the text is not a number followed by a unit of length.

    Examples
    --------
    >>> parse_length("1.2um"), parse_length("9,77 pm"), parse_length("0.8")
    (12000.0, 0.0977, 0.8)
    """
    match = _LENGTH.match(text if "." in text or text.count(",") != 1 else text.replace(",", "."))
    factor = None
    if match:
        factor = 1.0 if not match[2].strip() else angstrom_per(match[2])
    if match is None or factor is None:
        raise AtomsegError(f'"{text}" is not a length: write a number and a unit, for example 0.2A, 9.77pm or 1.2um')
    return float(match[1]) * factor


def format_pixel_size(pixel_size: tuple[float, float] | None) -> str:
    """Pixel size as people read it: ``9.77 pm/px``, ``0.126 nm/px``; both axes only where they differ.

    Examples
    --------
    >>> format_pixel_size((0.0977, 0.0977))
    '9.77 pm/px'
    """
    if pixel_size is None:
        return "no pixel size"
    y, x = pixel_size
    if abs(y - x) <= 1e-3 * x:
        return f"{format_length(x)}/px"
    return f"{format_length(y)} x {format_length(x)} per px (y, x)"


def format_length(length: float) -> str:
    """Length in Angstrom, written in the unit in which it is easiest to read."""
    for limit, factor, unit in ((1, 100.0, "pm"), (10, 1.0, "Å"), (1e4, 0.1, "nm"), (1e7, 1e-4, "µm")):
        if abs(length) < limit:
            return f"{length * factor:.4g} {unit}"
    return f"{length * 1e-7:.4g} mm"
