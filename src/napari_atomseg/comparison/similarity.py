"""How alike two registered images are: matched intensities, 1 - R2, FRMS, structural similarity, and column by column.

The first image is the simulated one, the second the experiment that it is measured by; both lie on one grid. Pixels at which
either is not finite do not count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.imaging.correction.scores import Scores

SSIM_SIGMA, SSIM_SIDE = 1.5, 11
"""Of the Gaussian window of Wang et al. (2004), px, and the side to which it is cut."""
PM = 100.0
"""Per Angstrom."""
_LONE_RADIUS = 1.0
"""Of the disc about a column without neighbours, Å."""


@dataclass(frozen=True, kw_only=True)
class Similarity:
    """How well a simulated image explains an experimental one, over the pixels known in both.

    Attributes
    ----------
    one_minus_r2 : float
        Share of the experiment's variance that is not explained.
    frms : float
        Fractional root mean square error, the root of it.
    ssim : float
        Mean structural similarity; NaN if no window of 11 x 11 px is known in both.
    """

    one_minus_r2: float
    frms: float
    ssim: float


def match_intensities(simulated: np.ndarray, experimental: np.ndarray) -> tuple[float, float]:
    r"""Gain and offset that make a simulated image most like an experimental one.

    Parameters
    ----------
    simulated, experimental : ndarray, shape (Y, X)

    Returns
    -------
    gain, offset : float

    Raises
    ------
    AtomsegError
        If the images have no overlap, or the simulated one is constant in it.

    Notes
    -----
    .. math:: \min_{a, b} \sum_i (E_i - a S_i - b)^2
    """
    known = overlap(simulated, experimental)
    expected, seen = simulated[known].astype(float), experimental[known].astype(float)
    level = expected - expected.mean()
    power = float(level @ level)
    if power <= 1e-12 * float(expected @ expected):
        raise AtomsegError("the simulated image is constant where it overlaps the experiment; take a larger field")
    gain = float(level @ seen) / power
    return gain, float(seen.mean() - gain * expected.mean())


def overlap(simulated: np.ndarray, experimental: np.ndarray) -> np.ndarray:
    """True where both images are known, shape (Y, X).

    Parameters
    ----------
    simulated, experimental : ndarray, shape (Y, X)
        NaN where they are unknown.

    Raises
    ------
    AtomsegError
        If that is nowhere.
    """
    known = np.isfinite(simulated) & np.isfinite(experimental)
    if not known.any():
        raise AtomsegError("the simulated and the experimental image have no overlap; check their pixel sizes and fields")
    return known


def similarity(simulated: np.ndarray, experimental: np.ndarray) -> Similarity:
    """Scores of a simulated image whose intensities are matched.

    Parameters
    ----------
    simulated, experimental : ndarray, shape (Y, X)
    """
    known = overlap(simulated, experimental)
    scores = Scores()
    scores.add(simulated[known].astype(float), experimental[known].astype(float))
    return Similarity(one_minus_r2=scores.one_minus_r2, frms=scores.frms, ssim=structural_similarity(simulated, experimental))


def structural_similarity(simulated: np.ndarray, experimental: np.ndarray) -> float:
    """Mean structural similarity over the windows that are known in both images; the range is that of the experiment.

    Parameters
    ----------
    simulated, experimental : ndarray, shape (Y, X)
        With matched intensities; NaN where they are unknown.

    Returns
    -------
    ssim : float
        From -1 to 1; 1 for equal images.

    References
    ----------
    Wang, Bovik, Sheikh and Simoncelli, IEEE Trans. Image Process. 13 (2004) 600, Eq. 13 and 17.
    """
    from scipy.ndimage import binary_erosion
    from skimage.metrics import structural_similarity as similarity

    known = overlap(simulated, experimental)
    whole = binary_erosion(known, np.ones((SSIM_SIDE, SSIM_SIDE)))
    if not whole.any():
        return math.nan
    first, second = (np.where(known, image, 0.0).astype(float) for image in (simulated, experimental))
    span = float(np.ptp(experimental[known]))
    _, local = similarity(
        first, second, data_range=span, gaussian_weights=True, sigma=SSIM_SIGMA, use_sample_covariance=False, full=True
    )
    return float(local[whole].mean())


def columns_compared(
    simulated: np.ndarray,
    experimental: np.ndarray,
    simulated_columns: Columns,
    experimental_columns: Columns,
    pixel_size: tuple[float, float],
) -> pd.DataFrame:
    """What each column has in the experiment and in the simulation.

    Parameters
    ----------
    simulated, experimental : ndarray, shape (Y, X)
    simulated_columns, experimental_columns : Columns
        The same columns, fitted in each image from the same starting points.
    pixel_size : tuple of float, Å, (y, x)

    Returns
    -------
    DataFrame
        `y_px`, `x_px` as fitted in the experiment; `intensity_experimental` and `intensity_simulated`, means over the same
        disc about it, of half the distance of nearest neighbours; `intensity_difference`; `dy_pm`, `dx_pm`, both experiment
        minus simulation. Empty where a fit failed or the simulation does not reach.
    """
    places = experimental_columns.positions
    fitted = _fitted(experimental_columns) & _fitted(simulated_columns)
    moved = (places - simulated_columns.positions) * np.array(pixel_size) * PM
    moved[~fitted] = np.nan
    radius = disc_radius(places, pixel_size)
    seen, expected = (disc_means(image, places, radius, pixel_size) for image in (experimental, simulated))
    return pd.DataFrame(
        {
            "y_px": places[:, 0],
            "x_px": places[:, 1],
            "intensity_experimental": seen,
            "intensity_simulated": expected,
            "intensity_difference": seen - expected,
            "dy_pm": moved[:, 0],
            "dx_pm": moved[:, 1],
        }
    )


def disc_radius(places: np.ndarray, pixel_size: tuple[float, float]) -> float:
    """Half the median distance of nearest neighbours, Å; at least one pixel.

    Parameters
    ----------
    places : ndarray, shape (N, 2), px, (y, x)
    pixel_size : tuple of float, Å, (y, x)
    """
    if len(places) < 2:
        return max(_LONE_RADIUS, *pixel_size)
    points = places * np.array(pixel_size)
    return max(float(np.median(cKDTree(points).query(points, k=2)[0][:, 1])) / 2, *pixel_size)


def disc_means(image: np.ndarray, places: np.ndarray, radius: float, pixel_size: tuple[float, float]) -> np.ndarray:
    """Mean intensity in a disc about each place (N, 2), px; NaN where not all of the disc is known, shape (N,).

    Parameters
    ----------
    image : ndarray, shape (Y, X)
    places : ndarray, shape (N, 2), px, (y, x)
    radius : float, Å
    pixel_size : tuple of float, Å, (y, x)
    """
    reach = [int(radius / size) + 1 for size in pixel_size]
    offsets = np.stack(np.meshgrid(*(np.arange(-far, far + 1) for far in reach), indexing="ij"), axis=-1).reshape(-1, 2)
    pixels = np.rint(places).astype(int)[:, None] + offsets
    inside = np.hypot(*((pixels - places[:, None]) * np.array(pixel_size)).transpose(2, 0, 1)) <= radius
    within = np.all((pixels >= 0) & (pixels < np.array(image.shape)), axis=-1)
    clipped = np.clip(pixels, 0, np.array(image.shape) - 1)
    values = np.where(within, image[clipped[..., 0], clipped[..., 1]], np.nan).astype(float)
    return np.asarray(np.where(inside, values, 0.0).sum(axis=1) / inside.sum(axis=1))


def _fitted(columns: Columns) -> np.ndarray:
    return ~columns.features["fit"].isin(("none", "failed")).to_numpy()
