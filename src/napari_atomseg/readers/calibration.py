"""From the axes of a file to a pixel size in Angstrom that can be believed, or none, with the reason said.

Nothing is guessed in silence: what is assumed, mended or not believed comes back as sentences.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_atomseg.core.quantities import LARGEST_PIXEL, SMALLEST_PIXEL, angstrom_per, format_length, plain_unit

SAME, NEARLY_SAME = 1e-3, 1e-2  # relative difference of y and x: one value / two values / resampled
LARGEST_RESAMPLED = 64_000_000  # pixels
LARGEST_RATIO = 10.0  # of y and x: no detector has longer pixels, one of the two was never calibrated

_NO_UNIT = {"", "px", "pix", "pixel", "pixels", "none", "undefined", "unknown", "au", "arb", "arbunits", "unit", "units"}
_PRINT = {
    **dict.fromkeys(("cm", "centimeter", "centimetre", "centimeters", "centimetres"), 1e8),
    **dict.fromkeys(("in", "inch", "inches", '"'), 2.54e8),
    **dict.fromkeys(("dpi", "dpcm"), math.nan),
}
"""Units of prints and their Angstrom; as one pixel of a microscope they are believed below `FINEST_PRINT` only."""
FINEST_PRINT = 1e4  # Angstrom: 1 micrometre, 25 400 dots per inch
_OTHER_KINDS = (
    (
        re.compile(
            r"1\s*/.*|.*(\^|\*\*)\s*[({]?\s*[-⁻]\s*[12¹²][)}]?|.*[a-zå]\s?-\s?[12]|.*⁻\s*[1¹2²]"
            r"|(cycles|lines|line pairs|lp)?\s*(/|per)\s*.*(m|å|a|angstroms?|px|pixels?)"
            r"|(inv(erse)?|recip(rocal)?|reziproke?)[\s._]*[a-zåµμ].*|r\.?l\.?u\.?",
            re.I,
        ),
        "a reciprocal length",
    ),
    (
        re.compile(
            r"(2?th(eta)?_)?([muµμ]|milli|micro)?(rad|rads|radian|radians)|(2?th(eta)?_)?(deg|degs|degree|degrees)|°", re.I
        ),
        "an angle",
    ),
    (re.compile(r"[mkKM]?e[Vv]|([Kk]ilo)?[Ee]lectron ?[Vv]olts?|[mkM]?J"), "an energy"),
    (re.compile(r"[fpnumµμ]?s|[mµμun]?secs?|(milli|micro|nano)?seconds?|mins?|minutes?|hours?|h", re.I), "a time"),
    (re.compile(r"[kMG]?Hz|[mkM]?V|[pnumµμ]?A/.*|°?[KC]|[mk]?Pa|mbar|[mµμ]?T", re.I), "no length"),
)


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What the axes of an image say.

    Attributes
    ----------
    pixel_size : tuple of float or None
        (y, x) in Angstrom as the file gives it, not yet made square; None if unknown or not believed.
    unit_in_file : str or None
        As spelled in the file; both, y first, where they differ.
    notes : tuple of str
        What was assumed or not believed.
    """

    pixel_size: tuple[float, float] | None = None
    unit_in_file: str | None = None
    notes: tuple[str, ...] = ()


def other_kind(unit: object) -> str | None:
    """What `unit` measures if that is something else than a length (``a time``, ``an angle`` ...); None otherwise.

    Units that are empty, unknown, or lengths give None.
    """
    spelling = _bare(unit)
    if not spelling or angstrom_per(spelling) is not None:
        return None
    return next((kind for pattern, kind in _OTHER_KINDS if pattern.fullmatch(spelling)), None)


def calibrate(y_axis: Mapping[str, Any], x_axis: Mapping[str, Any]) -> Calibration:
    """Pixel size that two axes (``scale`` and ``units``, as RosettaSciIO gives them) stand for.

    Parameters
    ----------
    y_axis, x_axis : mapping
        With ``scale``, a number, and ``units``, a text.
    """
    units = [_spelled(axis.get("units")) for axis in (y_axis, x_axis)]
    steps = [_step(axis) for axis in (y_axis, x_axis)]
    unit_in_file = " x ".join(units) if units[0] != units[1] and all(units) else (units[1] or units[0] or None)
    if not all(math.isfinite(step) and step > 0 for step in steps):
        note = f"the pixel size in the file, {steps[0]:g} x {steps[1]:g}, is no size and was left out"
        return Calibration(unit_in_file=unit_in_file, notes=(note,))
    factors = [_factor(unit, step) for unit, step in zip(units, steps, strict=True)]
    notes: tuple[str, ...] = ()
    if (factors[0] is None) != (factors[1] is None):
        if (_bare(units[0]) and _bare(units[1])) or not _alike(steps[0], steps[1], SAME):
            return Calibration(unit_in_file=unit_in_file, notes=(_one_axis_only(steps, factors),))
        factors = [factors[0] or factors[1]] * 2
        notes = ("only one of the two axes has a unit; it was used for both",)
    if factors[0] is None or factors[1] is None:
        return Calibration(unit_in_file=unit_in_file, notes=(_why_uncalibrated(units, steps),))
    sizes = (steps[0] * factors[0], steps[1] * factors[1])
    doubt = _why_not_believed(sizes, steps[1], units[1])
    if _bare(units[1]).lower() in _PRINT:
        notes = (*notes, f"a resolution of {steps[1]:.4g} {units[1]} is no print's, and was taken for the pixel size")
    if doubt:
        return Calibration(unit_in_file=unit_in_file, notes=(*notes, doubt))
    return Calibration(pixel_size=sizes, unit_in_file=unit_in_file, notes=notes)


def squared(pixel_size: tuple[float, float]) -> tuple[tuple[float, float], str]:
    """Pixel size with rounding differences between y and x removed, and a note where a real difference below 1 % stays."""
    y, x = pixel_size
    if _alike(y, x, SAME):
        mean = (y + x) / 2
        return (mean, mean), ""
    return pixel_size, f"the pixels are not quite square: {y:.6g} x {x:.6g} Å (y, x), a difference of {abs(y / x - 1):.2%}"


def is_anisotropic(pixel_size: tuple[float, float]) -> bool:
    """Whether y and x differ so much (over 1 %) that the image must be resampled before anything is measured."""
    return not _alike(*pixel_size, NEARLY_SAME)


def resampled_shape(shape: Sequence[int], pixel_size: tuple[float, float]) -> tuple[int, ...]:
    """Shape of an image or stack after :func:`resample_square`.

    Parameters
    ----------
    shape : sequence of int
        (..., Y, X).
    pixel_size : tuple of float, Angstrom, (y, x)
    """
    finer = min(pixel_size)
    plane = [max(1, round(count * size / finer)) for count, size in zip(shape[-2:], pixel_size, strict=True)]
    return (*shape[:-2], *plane)


def resample_square(data: np.ndarray, pixel_size: tuple[float, float]) -> tuple[np.ndarray, str]:
    """Image or stack on square pixels of the finer of two pixel sizes, by cubic splines, and a note with the numbers.

    Parameters
    ----------
    data : ndarray, shape (Y, X) or (T, Y, X)
        Intensities.
    pixel_size : tuple of float, Angstrom, (y, x)
        Differing in y and x.

    Returns
    -------
    data : ndarray of float32
        The outer edges of the field of view keep their place.
    note : str
    """
    from scipy.ndimage import affine_transform

    y, x = pixel_size
    finer = min(pixel_size)
    shape = resampled_shape(data.shape, pixel_size)
    steps = np.array([finer / y, finer / x])
    # Pixel (0, 0) is the centre of the first pixel, so that half a pixel enters on both sides.
    offset = 0.5 * steps - 0.5
    # A spline of third order would spread one missing pixel over its whole row.
    order = 3 if np.isfinite(data).all() else 1
    planes = np.empty(shape, np.float32)
    for source, target in zip(data.reshape(-1, *data.shape[-2:]), planes.reshape(-1, *shape[-2:]), strict=True):
        target[...] = affine_transform(
            source.astype(np.float32), steps, offset=offset, output_shape=shape[-2:], order=order, mode="nearest"
        )
    was, now = " x ".join(map(str, data.shape[-2:])), " x ".join(map(str, shape[-2:]))
    note = f"the pixels were {y:.6g} x {x:.6g} Å (y, x); resampled from {was} to {now} square pixels of {finer:.6g} Å"
    return planes, note


def _factor(unit: str, step: float) -> float | None:
    """Angstrom in a unit of length, those of prints included where so fine a step was never printed."""
    factor = angstrom_per(unit)
    if factor is None:
        factor = _PRINT.get(_bare(unit).lower(), math.nan)
        return factor if step * factor <= FINEST_PRINT else None
    return factor


def _one_axis_only(steps: Sequence[float], factors: Sequence[float | None]) -> str:
    axis, step, factor = ("y", steps[0], factors[0]) if factors[0] is not None else ("x", steps[1], factors[1])
    size = step * (factor or 1.0)
    return (
        f"only one of the two axes has a known unit of length, so there is no pixel size; if the pixels are square, that of "
        f"{axis} is {format_length(size)}"
    )


def _why_not_believed(sizes: tuple[float, float], step: float, unit: str) -> str:
    """Reason why two sizes in Angstrom are none of a microscope's pixel; empty if they may be."""
    if not all(SMALLEST_PIXEL <= size <= LARGEST_PIXEL for size in sizes):
        return f"the pixel size in the file, {step:g} {unit}, is not believable and was left out"
    if max(sizes) > LARGEST_RATIO * min(sizes):
        return (
            f"the file says {format_length(sizes[0])} along y and {format_length(sizes[1])} along x, so that one of the two axes "
            "was not calibrated, and both were left out"
        )
    return ""


def _alike(a: float, b: float, tolerance: float) -> bool:
    return abs(a / b - 1) < tolerance


def _spelled(unit: object) -> str:
    return "" if unit is None else str(unit).strip()


def _bare(unit: object) -> str:
    """`unit` as it would be typed; empty if it stands for no unit at all."""
    spelling = plain_unit(_spelled(unit))
    return "" if spelling.lower().replace(".", "").replace(" ", "") in _NO_UNIT else spelling


def _step(axis: Mapping[str, Any]) -> float:
    """Size of one step along an axis; scales are negative in files whose axis was flipped."""
    try:
        if axis.get("scale") is None and axis.get("axis") is not None:
            steps = np.diff(np.asarray(axis["axis"], dtype=float))
            uniform = steps.size > 0 and np.allclose(steps, steps[0], rtol=SAME)
            return abs(float(steps[0])) if uniform else math.nan
        return abs(float(axis.get("scale", 1.0)))
    except (TypeError, ValueError):
        return math.nan


def _why_uncalibrated(units: Sequence[str], steps: Sequence[float]) -> str:
    unit, step = _bare(units[1]) or _bare(units[0]), steps[1]
    if unit.lower() in _PRINT:
        return f"the file gives a resolution in {unit}, a size of a print or detector, so there is no pixel size"
    if unit:
        return f'the file says {step:g} "{unit}", which is no unit of length known here, so there is no pixel size'
    if step == 1 and steps[0] == 1:
        return "the file gives no pixel size"
    guess = (
        f"; if that is nm, the pixel size is {format_length(10 * step)}" if SMALLEST_PIXEL <= 10 * step <= LARGEST_PIXEL else ""
    )
    return f"the file says {step:.4g} without a unit{guess}"
