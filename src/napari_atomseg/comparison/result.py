"""What a comparison gives, and what may be adjusted for it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from napari_atomseg.comparison.params import CompareParams
from napari_atomseg.core.micrograph import Micrograph

NUMBERS = ("shift", "rotation_deg", "magnification", "gain", "offset", "one_minus_r2", "frms", "ssim")


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """A simulated image on the experiment, and how well it explains it; see ``docs/comparison.md``.

    Attributes
    ----------
    simulated : Micrograph
        On the pixels of the experiment with its intensities; NaN where it does not reach.
    experimental : Micrograph
        One image.
    residual : Micrograph
        Experiment minus simulation, NaN likewise.
    shift : tuple of float, Å, (y, x)
        Of the simulated image's first pixel from the experiment's first.
    rotation_deg : float
        Of the simulated image about that pixel, from x towards y.
    magnification : float
        Lengths of the experiment in units of those of the simulation.
    gain, offset : float
        The simulated intensities were multiplied by the one, then raised by the other.
    one_minus_r2, frms, ssim : float
        See :class:`napari_atomseg.comparison.similarity.Similarity`.
    columns : DataFrame or None
        See :func:`napari_atomseg.comparison.similarity.columns_compared`.
    notes : tuple of str
        What to keep in mind.
    params : CompareParams
    """

    simulated: Micrograph
    experimental: Micrograph
    residual: Micrograph
    shift: tuple[float, float]
    rotation_deg: float
    magnification: float
    gain: float
    offset: float
    one_minus_r2: float
    frms: float
    ssim: float
    columns: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()
    params: CompareParams = field(default_factory=CompareParams)


def comparison_summary(comparison: Comparison) -> str:
    """The scores and the registration in one line."""
    y, x = comparison.shift
    return (
        f"1-R2 {comparison.one_minus_r2:.4g}, FRMS {comparison.frms:.4g}, SSIM {comparison.ssim:.4f}, "
        f"shift {y:.3f}, {x:.3f} Å (y, x), rotation {comparison.rotation_deg:.3f} deg, "
        f"magnification {comparison.magnification:.5f}"
    )
