"""Intensities along a line in both images of a comparison."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from napari_atomseg.comparison.result import Comparison
from napari_atomseg.core.errors import AtomsegError


def line_profile(
    comparison: Comparison, start: tuple[float, float], end: tuple[float, float], width_px: float = 1
) -> pd.DataFrame:
    """Intensities along a line in both images, one point for each pixel of its length.

    Parameters
    ----------
    comparison : Comparison
    start, end : tuple of float, px, (y, x)
        Of the experiment.
    width_px : float
        Mean over so many pixels across the line.

    Returns
    -------
    DataFrame
        `distance_angstrom`, `experimental`, `simulated`; NaN outside an image.

    Raises
    ------
    AtomsegError
        If the line has no length.
    """
    from scipy.ndimage import map_coordinates

    first, way = np.array(start, float), np.array(end, float) - np.array(start, float)
    length = float(np.hypot(*way))
    if not length > 0 or not width_px > 0:
        raise AtomsegError("the profile needs a line with two different ends and a width above zero; draw a longer one")
    share = np.linspace(0, 1, math.ceil(length) + 1)
    count = max(1, round(width_px))
    across = (np.arange(count) - (count - 1) / 2)[:, None] * np.array([-way[1], way[0]]) / length
    places = (first + share[:, None] * way)[:, None] + across
    profile = {"distance_angstrom": share * float(np.hypot(*(way * comparison.experimental.require_pixel_size())))}
    for name, micrograph in (("experimental", comparison.experimental), ("simulated", comparison.simulated)):
        plane = micrograph.frame()
        known = np.isfinite(plane)
        at = places.transpose(2, 0, 1)
        values = map_coordinates(np.where(known, plane, 0).astype(float), at, order=1, mode="constant", cval=np.nan)
        values[map_coordinates(known.astype(float), at, order=1, mode="constant") < 1 - 1e-6] = np.nan
        profile[name] = values.mean(axis=1)
    return pd.DataFrame(profile)
