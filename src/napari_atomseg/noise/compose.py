"""Many effects in a row, for a batch whose samples need not have the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.noise.annotation import AnnotationParams, annotation
from napari_atomseg.noise.batch import Corruption, apply_to
from napari_atomseg.noise.black_pixels import BlackPixelsParams, black_pixels
from napari_atomseg.noise.blur import BlurParams, blur
from napari_atomseg.noise.clipping import ClippingParams, clipping
from napari_atomseg.noise.counting import CountingParams, counting
from napari_atomseg.noise.cropping import CroppingParams, cropping
from napari_atomseg.noise.dark_current import DarkCurrentParams, dark_current
from napari_atomseg.noise.fast_scan import FastScanParams, fast_scan
from napari_atomseg.noise.fixed_pattern import FixedPatternParams, fixed_pattern
from napari_atomseg.noise.flicker import FlickerParams, flicker
from napari_atomseg.noise.interpolation import InterpolationParams, interpolation
from napari_atomseg.noise.line_noise import LineNoiseParams, line_noise
from napari_atomseg.noise.quantisation import QuantisationParams, quantisation
from napari_atomseg.noise.row_line import RowLineParams, row_line
from napari_atomseg.noise.row_reset import RowResetParams, row_reset
from napari_atomseg.noise.scan_jitter import ScanJitterParams, scan_jitter
from napari_atomseg.noise.scintillator import ScintillatorParams, scintillator
from napari_atomseg.noise.thermal import ThermalParams, thermal
from napari_atomseg.noise.zingers import ZingersParams, zingers

Step = tuple[str, Any, int]
"""Name of an effect, its parameters, and its seed."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One way of corrupting an image.

    Attributes
    ----------
    params : type
        Class of its parameters.
    function : callable
        Image, parameters and seeds in, image out.
    order : int
        Place in the order in which the papers' effects happen; an image need not keep to it.
    instruments : tuple of str
        Where the effect belongs: any of stem, sem, tem.
    """

    params: type
    function: Corruption[Any]
    order: int
    instruments: tuple[str, ...]


_SCANNED = ("stem", "sem")
_CAMERA = ("tem",)
_ALL = (*_SCANNED, *_CAMERA)
_IN_ORDER: tuple[tuple[type, Corruption[Any], tuple[str, ...]], ...] = (
    (ScanJitterParams, scan_jitter, _SCANNED),
    (LineNoiseParams, line_noise, _SCANNED),
    (CountingParams, counting, _ALL),
    (ScintillatorParams, scintillator, _SCANNED),
    (FastScanParams, fast_scan, _SCANNED),
    (RowLineParams, row_line, _SCANNED),
    (FixedPatternParams, fixed_pattern, _CAMERA),
    (DarkCurrentParams, dark_current, _CAMERA),
    (ThermalParams, thermal, _CAMERA),
    (FlickerParams, flicker, _CAMERA),
    (RowResetParams, row_reset, _CAMERA),
    (BlackPixelsParams, black_pixels, ("stem", "tem")),
    (ZingersParams, zingers, _ALL),
    (ClippingParams, clipping, _ALL),
    (QuantisationParams, quantisation, _ALL),
    (InterpolationParams, interpolation, _ALL),
    (BlurParams, blur, _ALL),
    (AnnotationParams, annotation, _ALL),
    (CroppingParams, cropping, _ALL),
)
EFFECTS: dict[str, Effect] = {
    function.__name__: Effect(params=params, function=function, order=order, instruments=instruments)
    for order, (params, function, instruments) in enumerate(_IN_ORDER)
}
"""Every effect by its name, in the order of Lobato et al.: Eq. 30-40 for TEM, 41-55 for STEM and SEM, then after the fact."""


def apply(image: Tensor, steps: Sequence[Sequence[Step]]) -> Tensor:
    """The batch with each sample's own effects applied in its own order.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X), float32
    steps : sequence of length B of sequences of (name, params, seed)
        Names as in :data:`EFFECTS`.

    Returns
    -------
    Tensor, shape (B, 1, Y, X), float32
        A sample without an effect is left untouched by it.

    Raises
    ------
    AtomsegError
        If an effect is unknown, or was given another effect's parameters.
    """
    if len(steps) != len(image):
        raise ValueError(f"{len(image)} images need as many lists of steps, got {len(steps)}")
    waiting = [list(reversed([_checked(step) for step in one])) for one in steps]
    while any(waiting):
        # The effect that comes earliest in the papers' order: samples that keep to that order meet again at each effect.
        name = min((one[-1][0] for one in waiting if one), key=lambda name: EFFECTS[name].order)
        chosen = [n for n, one in enumerate(waiting) if one and one[-1][0] == name]
        now: list[Any] = [one.pop() if n in chosen else (name, None, 0) for n, one in enumerate(waiting)]
        image = apply_to(chosen, EFFECTS[name].function, image, [step[1] for step in now], [step[2] for step in now])
    return image


def _checked(step: Step) -> Step:
    name, params, _ = step
    if name not in EFFECTS:
        raise AtomsegError(f'there is no effect "{name}"; choose one of {", ".join(EFFECTS)}')
    if not isinstance(params, EFFECTS[name].params):
        raise AtomsegError(f'"{name}" takes {EFFECTS[name].params.__name__}, got {params!r}')
    return step
