"""What the atoms say that their convolution image does not: how deep each lies below others in its column.

A probe is focused by the atoms that it passes, then scattered away, so that an atom contributes more or less by how many lie
above it, and of which elements. Each layer is a convolution image in which the atoms count by one decaying function of that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from napari_atomseg.imaging.convolution import under_gaussian
from napari_atomseg.imaging.cross_section import phase_cross_section

REACHES = (0.2, 0.4)
"""Standard deviations, Angstrom, of how far beside an atom others count as lying above it."""
DEPTHS: dict[int, tuple[float, ...]] = {1: (3.0,), 3: (1.0, 3.0, 8.0)}
"""Numbers of atoms of mean strength above it after which an atom counts 1/e: one of them, or three where there are many pairs."""
WIDTHS = (1.0, 1.3, 2.1)
"""Of the point spread functions in units of the convolution's: columns broaden with depth, and a little is spread widely."""
MEAN_STRENGTH = 50.0
"""Atomic number of an atom that counts as one for those below it."""
FARTHEST = 3.5
"""Standard deviations beyond which an atom lies beside."""


@dataclass(frozen=True, kw_only=True)
class StructureOptics:
    """What the layers of a structure depend on besides its atoms.

    Attributes
    ----------
    energy : float, eV
    semiangle, inner_angle, outer_angle : float, mrad
    sigma : float, Å
        Of the Gaussian point spread function.
    depths : int
        How many of the depths there are layers of: 1 or 3.
    """

    energy: float
    semiangle: float
    inner_angle: float
    outer_angle: float
    sigma: float = 0.38
    depths: int = 3

    @property
    def layers(self) -> int:
        """Number of layers."""
        return number_of_layers(self.depths)


def number_of_layers(depths: int) -> int:
    """Number of layers of so many depths."""
    return len(WIDTHS) * (1 + len(REACHES) * len(DEPTHS[depths]))


def structure_layers(
    positions: np.ndarray, numbers: np.ndarray, optics: StructureOptics, pixel_size: float, shape: tuple[int, int]
) -> np.ndarray:
    r"""Convolution images of atoms by what lies above each.

    Parameters
    ----------
    positions : ndarray, shape (N, 3), Å, (x, y, z)
        Counted from the first pixel; the beam runs along z, towards larger values.
    numbers : ndarray of int, shape (N,)
        Atomic numbers.
    optics : StructureOptics
    pixel_size : float, Å
    shape : tuple of int
        (Y, X).

    Returns
    -------
    ndarray, float64, shape (L, Y, X)
        Fractions of the beam.

    Notes
    -----
    With the cross section :math:`\sigma_i` of each atom as a strong phase object,

    .. math::
        I_{s \tau}(r) = \sum_i \sigma_i\, e^{-c_i / \tau}\, G(r - r_i), \quad
        c_i = \sum_{z_j < z_i} \frac{Z_j}{50}\, e^{-d_{ij}^2 / 2 s^2}

    with the distance :math:`d_{ij}` in projection; before them one without the exponential, and all with Gaussians of
    several widths.
    """
    weights = _cross_sections(numbers, optics)
    counted = [weights]
    for above in atoms_above(positions, numbers):
        counted += [weights * np.exp(-above / depth) for depth in DEPTHS[optics.depths]]
    places, grid = positions[:, [1, 0]], (pixel_size, pixel_size)
    whole = np.stack(counted)
    return np.concatenate([under_gaussian(places, whole, width * optics.sigma, grid, shape) for width in WIDTHS])


def atoms_above(positions: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """How many atoms of mean strength lie above each, for each of the reaches, shape (R, N).

    Parameters
    ----------
    positions : ndarray, shape (N, 3), Å, (x, y, z)
    numbers : ndarray of int, shape (N,)
    """
    pairs = cKDTree(positions[:, :2]).query_pairs(FARTHEST * max(REACHES), output_type="ndarray")
    level = positions[pairs[:, 0], 2] == positions[pairs[:, 1], 2]
    pairs = pairs[~level]
    first = positions[pairs[:, 0], 2] < positions[pairs[:, 1], 2]
    upper, lower = np.where(first[:, None], pairs, pairs[:, ::-1]).T
    apart = ((positions[upper, :2] - positions[lower, :2]) ** 2).sum(axis=1)
    strength = numbers[upper] / MEAN_STRENGTH
    counts = [np.bincount(lower, strength * np.exp(-apart / (2 * reach**2)), minlength=len(numbers)) for reach in REACHES]
    return np.stack(counts)


def _cross_sections(numbers: np.ndarray, optics: StructureOptics) -> np.ndarray:
    kinds, index = np.unique(numbers, return_inverse=True)
    angles = optics.semiangle, optics.inner_angle, optics.outer_angle
    return np.array([phase_cross_section(int(kind), optics.energy, *angles) for kind in kinds])[index]
