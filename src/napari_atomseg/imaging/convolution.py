"""Images of structures by convolution: atoms as points of Z^gamma under a point spread function (Combs et al. 2019).

Exact at sub-pixel positions and in double precision, since a fitted correction (:mod:`.correction`) may magnify what is not.
It knows nothing of channelling: the correction or multislice does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity

if TYPE_CHECKING:
    from ase import Atoms

    from napari_atomseg.optics.probe import ProbeParams

REACH = 8.0
"""Standard deviations beyond which a Gaussian is left out: 1e-14 of its height, less than the last digit."""
MANY, SAME = 5_000, 1e-7
"""Number of atoms from which it is worth while to look for those on top of each other, within so many Angstrom."""
TILE = 128
"""Side of the pieces that images of many atoms are made in, px."""
MOST_AT_ONCE = 4_000_000
"""Values of one factor of the product that are held at a time."""
MOST_PIXELS = 16384**2


@dataclass(frozen=True, kw_only=True)
class ConvolutionParams:
    """Point spread function and scattering power of the convolution.

    Attributes
    ----------
    exponent : float
        Exponent of the atomic number; 1.7 for high-angle detectors.
    psf : str
        Probe shape: a Gaussian, or the aberrated probe of the lens with its source size.
    sigma : float
        Standard deviation of the Gaussian probe.
    """

    exponent: Annotated[float, Quantity(low=0, high=3)] = 1.7
    psf: Literal["gaussian", "probe"] = "gaussian"
    sigma: Annotated[float, Quantity(unit="Å", low=0.01, high=20, decimals=3)] = 0.38

    def __post_init__(self) -> None:
        check(self)


def convolve(
    atoms: Atoms,
    params: ConvolutionParams,
    pixel_size: tuple[float, float],
    shape: tuple[int, int],
    probe: ProbeParams | None = None,
) -> np.ndarray:
    r"""Image of atoms under a point spread function.

    Parameters
    ----------
    atoms : Atoms
        In a box as :mod:`napari_atomseg.specimens.cutting` makes them; periodic boxes wrap round.
    params : ConvolutionParams
    pixel_size : tuple of float, Angstrom, (y, x)
    shape : tuple of int
        (Y, X); the first pixel lies at the corner of the field.
    probe : ProbeParams, optional
        For ``psf="probe"``.

    Returns
    -------
    ndarray, float64, shape (Y, X), 1/A2
        Scattering power in units of hydrogen's per area: the sum over the pixels times their area is that of all
        :math:`Z^\gamma` whose point spread functions lie in the image.

    Raises
    ------
    AtomsegError
        If the image would be too large, or the probe is missing.

    Notes
    -----
    .. math:: I(r) = \sum_j Z_j^\gamma\, \mathrm{PSF}(r - r_j)

    with a Gaussian separable, so that the image is a product of two thin matrices. Thermal motion is not added: the Gaussian of
    the paper holds it already; under a probe each atom is blurred by its own.

    References
    ----------
    Combs et al., Adv. Struct. Chem. Imaging 5 (2019) 2, Eq. 1-3.
    """
    if shape[0] * shape[1] > MOST_PIXELS:
        raise AtomsegError(f"an image of {shape[0]} x {shape[1]} px is too large; take a larger pixel or a smaller field")
    if params.psf == "probe":
        if probe is None:
            raise AtomsegError("a convolution with the probe needs the lens; give its energy and semi-angle, or take a Gaussian")
        return _under_probe(atoms, params, pixel_size, shape, probe)
    reach = REACH * params.sigma
    places, numbers, _ = _around(atoms, reach)
    places, weights = _stacked(places, numbers.astype(float) ** params.exponent)
    return under_gaussian(places, weights, params.sigma, pixel_size, shape)


def total_scattering(atoms: Atoms, exponent: float) -> float:
    """Sum of Z^gamma over all atoms of a box.

    Parameters
    ----------
    atoms : Atoms
    exponent : float
        Gamma.
    """
    return float(np.sum(atoms.numbers.astype(float) ** exponent))


def under_gaussian(
    places: np.ndarray, weights: np.ndarray, sigma: float, pixel_size: tuple[float, float], shape: tuple[int, int]
) -> np.ndarray:
    """Images of weighted points under a Gaussian, in weights per area.

    Parameters
    ----------
    places : ndarray, shape (N, 2), Å, (y, x)
        Counted from the first pixel.
    weights : ndarray, shape (N,) or (K, N)
        For one image or for K of them.
    sigma : float, Å
        Standard deviation of the Gaussian.
    pixel_size : tuple of float, Å, (y, x)
    shape : tuple of int
        (Y, X).

    Returns
    -------
    ndarray, float64, shape (Y, X) or (K, Y, X)
    """
    given = np.atleast_2d(weights)
    image = np.zeros((len(given), *shape))
    reach = REACH * sigma
    # Few atoms at once; many in tiles, since each reaches only a few pixels.
    tile = max(shape) if len(places) * max(shape) < MOST_AT_ONCE else TILE
    for rows in _pieces(shape[0], tile):
        strip = _near(places[:, 0], rows, pixel_size[0], reach)
        for columns in _pieces(shape[1], tile):
            some = strip[_near(places[strip, 1], columns, pixel_size[1], reach)]
            for part in np.array_split(some, 1 + len(some) * tile // MOST_AT_ONCE):
                along_y = _gaussian(np.arange(*rows) * pixel_size[0], places[part, 0], sigma)
                along_x = _gaussian(np.arange(*columns) * pixel_size[1], places[part, 1], sigma)
                for one, own in zip(image, given, strict=True):
                    one[slice(*rows), slice(*columns)] += (along_y * own[part, None]).T @ along_x
    return image if weights.ndim == 2 else image[0]


def _stacked(places: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Atoms that lie exactly on top of each other as one."""
    if len(places) < MANY:
        return places, weights
    keys = np.round(places / SAME).astype(np.int64)
    _, first, column = np.unique(keys[:, 0] * (2**31) + keys[:, 1], return_index=True, return_inverse=True)
    return places[first], np.bincount(column.reshape(-1), weights)


def _pieces(count: int, size: int) -> list[tuple[int, int]]:
    return [(first, min(count, first + size)) for first in range(0, count, size)]


def _near(places: np.ndarray, pixels: tuple[int, int], pixel_size: float, reach: float) -> np.ndarray:
    """Indices of the atoms that reach a piece of an axis."""
    low, high = pixels[0] * pixel_size - reach, (pixels[1] - 1) * pixel_size + reach
    return np.flatnonzero((places > low) & (places < high))


def _gaussian(pixels: np.ndarray, centres: np.ndarray, sigma: float) -> np.ndarray:
    """Density of each Gaussian at the pixels, shape (N, count), 1/A."""
    scaled = (pixels - centres[:, None]) * (1 / sigma)
    return np.asarray(np.exp(-0.5 * scaled * scaled) / (math.sqrt(2 * math.pi) * sigma))


def _under_probe(
    atoms: Atoms, params: ConvolutionParams, pixel_size: tuple[float, float], shape: tuple[int, int], probe: ProbeParams
) -> np.ndarray:
    import torch

    from napari_atomseg.imaging.linear_adf import batch_columns, render_probes
    from napari_atomseg.optics.probe import probe_reach

    if not math.isclose(*pixel_size, rel_tol=0.02):
        raise AtomsegError("a convolution with the probe needs square pixels; take a Gaussian")
    places, numbers, thermal = _around(atoms, probe_reach(probe))
    size = float(np.mean(pixel_size))
    given = batch_columns(
        [torch.from_numpy(np.ascontiguousarray(places / np.array(pixel_size)))],
        [torch.from_numpy(numbers.astype(float) ** params.exponent)],
        [torch.from_numpy(np.ascontiguousarray(thermal / size))],
        "cpu",
    )
    return np.asarray(render_probes(given, [probe], shape, size)[0, 0].double().numpy() / np.prod(pixel_size))


def _around(atoms: Atoms, reach: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places (N, 2) in (y, x), atomic numbers and thermal displacements of all atoms whose tails reach into the field."""
    places = atoms.positions[:, [1, 0]]
    field = np.diag(atoms.cell.array)[[1, 0]]
    thermal = atoms.arrays.get("thermal", np.zeros(len(atoms)))
    if not atoms.pbc[0]:
        near = np.all((places > -reach) & (places < field + reach), axis=1)
        return places[near], atoms.numbers[near], thermal[near]
    copies = [np.arange(-int(np.ceil(reach / side)), int(np.ceil(reach / side)) + 1) * side for side in field]
    shifts = np.stack(np.meshgrid(*copies, indexing="ij"), -1).reshape(-1, 2)
    found = (places + shifts[:, None]).reshape(-1, 2)
    near = np.all((found > -reach) & (found < field + reach), axis=1)
    return found[near], np.tile(atoms.numbers, len(shifts))[near], np.tile(thermal, len(shifts))[near]
