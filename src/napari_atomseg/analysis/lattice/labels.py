"""Which columns of a known structure the sublattices in an image are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_atomseg.analysis.lattice.column_cell import ColumnCell
from napari_atomseg.analysis.lattice.reference import Reference

_FAR = 0.7  # Angstrom: a sublattice farther than this from every column of the structure is none of them
_AS_NEAR = 0.15  # Angstrom, rms: arrangements that differ by less are told apart by intensity


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Atoms of the sublattices.

    Attributes
    ----------
    contents : tuple of str
        Of each sublattice, such as ``Ti O``; empty for one that stands at no column of the structure.
    unseen : tuple of str
        Columns of the structure that no sublattice stands for.
    rms : float, Angstrom
        Of the distances between sublattices and columns.
    """

    contents: tuple[str, ...]
    unseen: tuple[str, ...]
    rms: float


def labels_of(reference: Reference, cell: ColumnCell, motif: np.ndarray, intensity: np.ndarray) -> Labels | None:
    """Atoms of each sublattice, by its place and, where places agree alike, by intensity; None if no place agrees.

    Parameters
    ----------
    reference : Reference
        Of the seen lattice; every way of laying the structure on it that fits as well is tried.
    cell : ColumnCell
    motif : ndarray, shape (K, 2)
        In units of the seen basis.
    intensity : ndarray, shape (K,)
        Of the sublattices, NaN where unknown; brighter columns scatter more.

    Notes
    -----
    Where a cell smaller than that of the structure is seen, one sublattice stands for several columns, and none is named.
    """
    if reference.multiple < 1 - 1e-6:
        return None
    most = max(1, round(reference.multiple))
    tried = []
    for matrix in reference.matrices:
        for origin in cell.sites:
            apart, mine = _nearest(motif @ matrix + origin, cell)
            whole = apart < _FAR
            if whole.any() and np.bincount(mine[whole]).max() <= most:
                absent = np.bincount(mine[whole], minlength=len(cell.sites)) < most
                disorder = _disorder(intensity[whole], cell.scattering[mine[whole]], cell.scattering[absent])
                tried.append((np.count_nonzero(~whole), float(np.sqrt(np.mean(apart[whole] ** 2))), disorder, mine, whole))
    if not tried:
        return None
    fewest = min(one[0] for one in tried)
    nearest = min(one[1] for one in tried if one[0] == fewest)
    alike = [one for one in tried if one[0] == fewest and one[1] <= nearest + _AS_NEAR]
    _, rms, _, mine, whole = min(alike, key=lambda one: (round(one[2], 6), one[1]))
    named = tuple(cell.contents[site] if there else "" for site, there in zip(mine, whole, strict=True))
    seen = np.bincount(mine[whole], minlength=len(cell.sites))
    unseen = tuple(contents for contents, count in zip(cell.contents, seen, strict=True) if count < most)
    return Labels(contents=named, unseen=unseen, rms=rms)


def _nearest(places: np.ndarray, cell: ColumnCell) -> tuple[np.ndarray, np.ndarray]:
    """Distance in Angstrom (K,) to the nearest column of the structure, and its number."""
    apart = places[:, None] - cell.sites
    apart -= np.rint(apart)
    around = np.stack(np.meshgrid((-1, 0, 1), (-1, 0, 1), indexing="ij"), -1).reshape(-1, 2)
    length = np.linalg.norm((apart[:, :, None] + around) @ cell.basis, axis=-1).min(axis=-1)
    mine = np.argmin(length, axis=1)
    return length[np.arange(len(places)), mine], mine


def _disorder(intensity: np.ndarray, scattering: np.ndarray, unseen: np.ndarray) -> float:
    """How much two orders contradict each other: 0 if brighter columns scatter more throughout, and unseen ones less."""
    known = np.isfinite(intensity) & (np.abs(intensity) > 0)
    seen, asked = np.log(np.abs(intensity[known])), np.log(scattering[known])
    product = (seen[:, None] - seen) * (asked[:, None] - asked)
    stronger = np.log(unseen)[:, None] - np.log(scattering)
    return float(np.sum(np.sqrt(np.maximum(-product, 0.0))) + np.sum(np.maximum(stronger, 0.0)))
