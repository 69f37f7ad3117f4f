"""What a correction was fitted to, and what is asked of it beyond that."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from napari_atomseg.imaging.correction.variables import LOG_FLOOR

INTENSITY_TOLERANCE = 0.1
"""By which the highest intensity may lie above that of the fit, in parts of the range."""
FAINT_TOLERANCE = 0.8
"""By which the lowest may lie below, as a ratio, since the forms take logarithms."""
OPTICS_TOLERANCE, THICKNESS_TOLERANCE, SHARE_TOLERANCE = 0.01, 0.1, 0.05
ORDINARY_SCALE = (0.3, 3.0)
"""Multislice images over convolution images of the fit, if both are on the scale of the beam: first Born cross sections are up to
40 % too large, channelling makes crystals up to twice as bright."""
ASKED = {
    "pixel_size": "the pixel size (--pixel-size)",
    "elements": "the elements (--elements)",
    "thickness": "the thickness (--thickness)",
    "energy": "the beam energy (--energy)",
    "semiangle": "the semi-angle (--semiangle)",
    "inner_angle": "the inner angle of the detector (--inner)",
    "outer_angle": "its outer angle (--outer)",
    "source_size": "the source size (--source-size)",
}
"""What pairs should tell, and the option of ``fit-correction`` for those that do not."""


@dataclass(frozen=True, kw_only=True)
class FittedOn:
    """What the images of the fit showed, and how they were made; what is unknown is None or empty.

    Attributes
    ----------
    pixel_size : float or None, Å
    intensity_range : tuple of float
        Lowest and highest intensity of the convolution images.
    elements : tuple of str
    composition : mapping
        Least and greatest share of each element among the atoms.
    thickness : tuple of float or None, Å
        Least and greatest.
    optics : mapping
        Settings of the microscope by name, for example ``{"energy": 200e3, "semiangle": 24.5}`` in eV and mrad, and of the
        convolution.
    scale : float or None
        Brightness of the multislice images over that of the convolution images.
    images : int
        Number of pairs.
    """

    pixel_size: float | None = None
    intensity_range: tuple[float, float]
    elements: tuple[str, ...] = ()
    composition: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    thickness: tuple[float, float] | None = None
    optics: Mapping[str, float | str] = field(default_factory=dict)
    scale: float | None = None
    images: int = 0

    @property
    def untold(self) -> tuple[str, ...]:
        """What the pairs did not tell, in words."""
        told = {**self.optics, **{name: getattr(self, name) for name in ("pixel_size", "elements", "thickness")}}
        return tuple(words for name, words in ASKED.items() if told.get(name) in (None, (), ""))

    @property
    def off_scale(self) -> tuple[str, ...]:
        """A sentence if the convolution images cannot have been on the scale of the beam, as those made here are."""
        if self.scale is None or ORDINARY_SCALE[0] <= self.scale <= ORDINARY_SCALE[1]:
            return ()
        low, high = ORDINARY_SCALE
        return (
            f"the convolution images of the fit are on another scale: their multislice images are {self.scale:.3g} times as "
            f"bright as they are, and {low:g} to {high:g} times where both are made here; fit pairs of make-pairs",
        )


def out_of_range(
    told: FittedOn,
    image: np.ndarray | None = None,
    composition: Collection[str] | Mapping[str, float] | None = None,
    thickness: float | None = None,
    optics: Mapping[str, float | str] | None = None,
) -> list[str]:
    """What is asked of a correction that its fit did not show, in sentences with the numbers; empty if nothing is.

    Parameters
    ----------
    told : FittedOn
    image : ndarray, shape (Y, X), optional
        Convolution image.
    composition : collection of str, or mapping, optional
        Chemical symbols, or their shares among the atoms.
    thickness : float, Å, optional
    optics : mapping, optional
        Settings by the names that the fit was told; others are not compared.
    """
    sentences = [] if image is None else _brightness(image, told.intensity_range)
    unseen = sorted(set(composition or ()) - set(told.elements))
    if unseen and told.elements:
        sentences.append(f"the correction was fitted on {', '.join(told.elements)} and knows nothing of {', '.join(unseen)}")
    elif isinstance(composition, Mapping):
        sentences += _shares(composition, told.composition)
    if thickness is not None and told.thickness is not None:
        low, high = told.thickness
        room = THICKNESS_TOLERANCE * high
        if not low - room <= thickness <= high + room:
            sentences.append(
                f"the thickness of {thickness:.3g} Å lies outside {low:.3g} to {high:.3g} Å, on which the correction was fitted"
            )
    for name, value in (optics or {}).items():
        if name in told.optics and _differ(value, told.optics[name]):
            sentences.append(f"{name} is {_shown(value)}, and the correction was fitted at {_shown(told.optics[name])}")
    return sentences


def _brightness(image: np.ndarray, fitted: tuple[float, float]) -> list[str]:
    low, high = float(image.min()), float(image.max())
    floor = LOG_FLOOR * fitted[1]
    # The logarithm of the form is taken of the intensity and this floor.
    ratio = (max(low, 0.0) + floor) / (max(fitted[0], 0.0) + floor)
    bright = high > fitted[1] + INTENSITY_TOLERANCE * (fitted[1] - fitted[0])
    if ratio >= FAINT_TOLERANCE and low >= fitted[0] - INTENSITY_TOLERANCE * (fitted[1] - fitted[0]) and not bright:
        return []
    return [
        f"intensities from {low:.4g} to {high:.4g} leave the range {fitted[0]:.4g} to {fitted[1]:.4g} of the fit; "
        "beyond it the polynomial is a guess, so fit pairs that show such intensities"
    ]


def _shares(composition: Mapping[str, float], told: Mapping[str, tuple[float, float]]) -> list[str]:
    sentences = []
    for symbol, (low, high) in told.items():
        share = composition.get(symbol, 0.0)
        if not low - SHARE_TOLERANCE <= share <= high + SHARE_TOLERANCE:
            sentences.append(
                f"{100 * share:.3g} % of the atoms are {symbol}, and the correction was fitted on "
                f"{100 * low:.3g} to {100 * high:.3g} %"
            )
    return sentences


def _differ(one: float | str, other: float | str) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one != other
    return abs(one - other) > OPTICS_TOLERANCE * max(abs(one), abs(other))


def _shown(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"
