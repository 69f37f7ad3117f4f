"""Principal components of square patches, sorted by what the flips and rotations of the square do to them.

The eight symmetries of the square (the point group 4mm) leave alone what belongs to its representation A1, change at
most the sign of A2, B1 and B2, and mix the two partners of E. Products within one representation, summed over the partners, are
therefore the same for every orientation of an image, and a polynomial of these alone treats all orientations alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Sign under a flip of y, of x, and under the transposition; E is even in y and odd in x, its partner is its transpose.
_SIGNS: dict[str, tuple[int, int, int]] = {
    "A1": (1, 1, 1),
    "A2": (-1, -1, -1),
    "B1": (1, 1, -1),
    "B2": (-1, -1, 1),
    "E": (1, -1, 0),
}

_FAINTEST = 1e-3
"""Least width of a component in parts of the highest intensity: noise of a tenth of it is a tenth of its response at most."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Variables that may be multiplied with each other.

    Attributes
    ----------
    rows : tuple of int
        Indices of the variables.
    partners : tuple of int
        For each its partner, where products are summed over both; else empty.
    linear : bool
        Also terms of first degree; legal only for what no flip changes.
    products : bool
        Terms of second degree.
    """

    rows: tuple[int, ...]
    partners: tuple[int, ...] = ()
    linear: bool = False
    products: bool = True


def project(patches: np.ndarray, representation: str) -> np.ndarray:
    """Part of patches that belongs to a representation; symmetric to the last bit.

    Parameters
    ----------
    patches : ndarray, shape (..., S, S)
    representation : {"A1", "A2", "B1", "B2", "E"}
        Of the symmetries of the square, by its usual name.

    Returns
    -------
    ndarray, shape (..., S, S)
    """
    flip_y, flip_x, swap = _SIGNS[representation]
    patches = (patches + flip_y * patches[..., ::-1, :]) / 2
    patches = (patches + flip_x * patches[..., ::-1]) / 2
    return (patches + swap * np.swapaxes(patches, -1, -2)) / 2 if swap else patches


def all_orientations(side: int) -> np.ndarray:
    """Order of the pixels of a patch after each of the eight symmetries, shape (8, S * S)."""
    pixels = np.arange(side * side).reshape(side, side)
    turned = [np.rot90(one, k) for one in (pixels, pixels.T) for k in range(4)]
    return np.stack([one.ravel() for one in turned])


def principal_filters(covariance: np.ndarray, side: int, count: int) -> tuple[np.ndarray, tuple[Group, ...]]:
    """Leading principal components, scaled to unit variance.

    Parameters
    ----------
    covariance : ndarray, shape (S * S, S * S)
        Of the pixels of patches, in units of the highest intensity; averaged over the orientations here.
    side : int
        S.
    count : int
        At most so many filters, both of a pair counted; those that noise would spoil are left out.

    Returns
    -------
    filters : ndarray, shape (F, S * S)
    groups : tuple of Group
        Filters of one representation; those of A1, if there are any, come first.
    """
    orders = all_orientations(side)
    covariance = np.mean([covariance[np.ix_(order, order)] for order in orders], axis=0)
    found = [one for name in _SIGNS for one in _components(covariance, side, name)]
    found.sort(key=lambda one: -one[0])
    chosen: dict[str, list[np.ndarray]] = {name: [] for name in _SIGNS}
    for variance, name, patch in found:
        count -= 2 if name == "E" else 1
        if count < 0 or variance < _FAINTEST**2:
            break
        chosen[name].append(project(patch, name) / np.sqrt(variance))
    return _in_groups(chosen)


def _components(covariance: np.ndarray, side: int, name: str) -> list[tuple[float, str, np.ndarray]]:
    """Variance, representation and patch of all components of one representation."""
    units = np.eye(side * side).reshape(-1, side, side)
    projected = project(units, name).reshape(-1, side * side)
    share, vectors = np.linalg.eigh((projected + projected.T) / 2)
    basis = vectors[:, share > 0.5]
    variances, mixed = np.linalg.eigh(basis.T @ covariance @ basis)
    patches = (basis @ mixed).T.reshape(-1, side, side)
    return [(float(variance), name, patch) for variance, patch in zip(variances, patches, strict=True)]


def _in_groups(chosen: dict[str, list[np.ndarray]]) -> tuple[np.ndarray, tuple[Group, ...]]:
    filters: list[np.ndarray] = []
    groups: list[Group] = []
    for name, patches in chosen.items():
        if not patches:
            continue
        rows = tuple(range(len(filters), len(filters) + len(patches)))
        filters += [patch.ravel() for patch in patches]
        partners: tuple[int, ...] = ()
        if name == "E":
            partners = tuple(range(len(filters), len(filters) + len(patches)))
            filters += [patch.T.ravel() for patch in patches]
        groups.append(Group(rows=rows, partners=partners, linear=name == "A1"))
    return np.array(filters), tuple(groups)
