"""A pixel size where the file gives none: from a line of known length, or from a known lattice spacing.

Every function returns (y, x) in Angstrom per pixel, as :meth:`~napari_atomseg.core.micrograph.Micrograph.calibrated`
takes it. Pixels are taken to be square: one length cannot tell two sizes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from napari_atomseg.analysis.diffractogram import lattice_spacing
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.quantities import believable_pixel_size


def pixel_size_from_line(start: Sequence[float], end: Sequence[float], length: float) -> tuple[float, float]:
    """Pixel size from a line drawn over something of known length, such as a scale bar.

    Parameters
    ----------
    start, end : (y, x), px
        Ends of the line.
    length : float, Angstrom
        What it measures.
    """
    pixels = math.dist(start, end)
    if not math.isfinite(pixels) or pixels <= 0:
        raise AtomsegError("the line has no length; draw it from one end of a known distance to the other")
    return _square(_positive(length, "length of the line") / pixels)


def pixel_size_from_spacing(spot_frequency: Sequence[float], spacing: float) -> tuple[float, float]:
    """Pixel size from a spot of the diffractogram and the lattice spacing that it belongs to.

    Parameters
    ----------
    spot_frequency : (y, x), cycles/px
        Position of the spot relative to the centre.
    spacing : float, Angstrom
        Distance of the lattice planes.
    """
    frequency = math.hypot(*spot_frequency)
    if not math.isfinite(frequency) or frequency <= 0:
        raise AtomsegError("the spot is in the centre of the diffractogram; choose a spot away from it")
    return _square(_positive(spacing, "lattice spacing") * frequency)


def pixel_size_from_lattice(image: Any, spacing: float) -> tuple[float, float]:
    """Pixel size from the strongest lattice spots of an image and the spacing of those planes.

    Parameters
    ----------
    image : array, shape (Y, X)
        Of a crystal.
    spacing : float, Angstrom
        Of the planes with the strongest contrast: 2.761 for SrTiO3 [001], which are {110}.
    """
    found = lattice_spacing(image).spacing
    if found is None:
        raise AtomsegError("no lattice stands out in the image; choose a part with a crystal, or draw a line of known length")
    return _square(_positive(spacing, "lattice spacing") / found)


def _positive(value: float, what: str) -> float:
    if not math.isfinite(value) or value <= 0:
        raise AtomsegError(f"the {what} must be a positive number of Angstrom, got {value:g}")
    return float(value)


def _square(size: float) -> tuple[float, float]:
    return (believable_pixel_size(size),) * 2
