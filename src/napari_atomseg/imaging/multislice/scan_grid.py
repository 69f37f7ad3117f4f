r"""Where probes are calculated, and how their values become pixels.

An image of incoherent probes holds no frequency beyond :math:`2\alpha/\lambda`, so probes at that Nyquist distance determine it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from napari_atomseg.core.quantities import Angstrom
from napari_atomseg.optics.electron import wavelength
from napari_atomseg.optics.probe import FWHM_PER_SIGMA, ProbeParams

FAINT_TRANSFER = 0.05
"""Transfer of the source below which frequencies may hold the folded tail of the highest ones, itself nearly nothing."""
PADDING = 4
"""Probes beyond each edge of a field that is no period, at least: the interpolation near an edge needs both sides."""


@dataclass(frozen=True, kw_only=True)
class ScanAxis:
    """Probes and pixels along one axis, in Angstrom from the corner of the field.

    Attributes
    ----------
    length : float, Å
        Field of view.
    periodic : bool
        Whether the field is a period of the specimen.
    step : float, Å
        Distance of neighbouring probes.
    count : int
        Probes, those beyond the edges included.
    padding : int
        Probes beyond each edge.
    pixel_size : float, Å
    pixels : int
    """

    length: float
    periodic: bool
    step: float
    count: int
    padding: int
    pixel_size: float
    pixels: int

    @property
    def probes(self) -> np.ndarray:
        """Positions of the probes, shape (count,), Å."""
        return (np.arange(self.count) - self.padding) * self.step

    @property
    def inside(self) -> slice:
        """Which probes lie in the field."""
        return slice(self.padding, self.count - self.padding)


def nyquist_step(probe: ProbeParams) -> Angstrom:
    r"""Distance of probes that determines an image.

    Notes
    -----
    :math:`\lambda / 4\alpha` without a source; with one, steps may be so coarse that the highest frequency,
    :math:`2\alpha/\lambda`, is folded to one that the source no longer shows.
    """
    highest = 2 * probe.semiangle * 1e-3 / wavelength(probe.energy)
    seen = highest
    if probe.source_size > 0:
        sigma = probe.source_size / FWHM_PER_SIGMA
        seen = min(highest, math.sqrt(-math.log(FAINT_TRANSFER) / 2) / (math.pi * sigma))
    return 1 / (highest + seen)


def scan_axis(
    length: Angstrom, periodic: bool, largest_step: Angstrom, pixel_size: Angstrom, source_size: Angstrom, padded: bool
) -> ScanAxis:
    """Probes and pixels that cover a field along one axis.

    Parameters
    ----------
    length : float, Å
    periodic : bool
        Then the pixels divide the period.
    largest_step, pixel_size : float, Å
    source_size : float, Å
        Full width at half maximum of the source: what it blurs into the field must have been calculated.
    padded : bool
        Whether there is anything to see beyond the edges of a field that is no period.
    """
    steps = max(1, math.ceil(length / largest_step - 1e-9))
    step = length / steps
    if periodic:
        pixels = max(1, round(length / pixel_size))
        return ScanAxis(
            length=length,
            periodic=True,
            step=step,
            count=steps,
            padding=0,
            pixel_size=length / pixels,
            pixels=pixels,
        )
    padding = max(PADDING, math.ceil(1.3 * source_size / step)) if padded else 0
    return ScanAxis(
        length=length,
        periodic=False,
        step=step,
        count=steps + 1 + 2 * padding,
        padding=padding,
        pixel_size=pixel_size,
        pixels=max(1, math.ceil(length / pixel_size - 1e-6)),
    )


def interpolation_matrix(axis: ScanAxis, source_size: Angstrom) -> np.ndarray:
    r"""Weights of the probes in each pixel along one axis, float64, shape (pixels, count).

    Exact trigonometric interpolation, and the Gaussian source with it. A field that is no period is continued by its mirror
    image, so that it has no jump at its ends.

    Parameters
    ----------
    axis : ScanAxis
    source_size : float, Å
        Full width at half maximum.

    Notes
    -----
    With N probes in a period :math:`L = N d` and :math:`g_k = e^{-2 \pi^2 \sigma^2 k^2 / L^2}`,

    .. math:: A_{pj} = \frac{1}{N} \sum_{k=-N/2}^{N/2} g_k \cos \frac{2 \pi k (x_p - x_j)}{L}
    """
    probes, pixels = axis.probes, np.arange(axis.pixels) * axis.pixel_size
    if axis.periodic:
        return _kernel(pixels, probes, axis.step, axis.count, source_size)
    start = probes[0] - axis.step / 2
    mirrored = 2 * start - probes
    here, there = (_kernel(pixels, some, axis.step, 2 * axis.count, source_size) for some in (probes, mirrored))
    return here + there


def _kernel(pixels: np.ndarray, probes: np.ndarray, step: float, count: int, source_size: float) -> np.ndarray:
    """Trigonometric interpolation of a period of `count` probes, shape (pixels, probes)."""
    mode = np.arange(count // 2 + 1)
    weight = np.where((mode == 0) | (2 * mode == count), 1.0, 2.0) / count
    frequency = mode / (count * step)
    weight *= np.exp(-2 * (math.pi * source_size / FWHM_PER_SIGMA * frequency) ** 2)
    at_pixels, at_probes = (2 * math.pi * where[:, None] * frequency for where in (pixels, probes))
    return np.asarray((np.cos(at_pixels) * weight) @ np.cos(at_probes).T + (np.sin(at_pixels) * weight) @ np.sin(at_probes).T)
