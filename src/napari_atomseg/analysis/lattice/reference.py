"""A lattice beside that of a known structure: which multiple of its cell is seen, how it is turned, and how much it differs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_atomseg.analysis.lattice.column_cell import ColumnCell
from napari_atomseg.core.errors import AtomsegError

_LARGEST = 4  # multiple of one cell in the other
_MOST = 0.08  # relative difference up to which the lattice is that of the structure
_AS_WELL = 0.01  # strain by which ways of laying the structure on the lattice may differ
_SIMPLE = 0.01  # strain that a multiple has to save, times the logarithm of the multiple


@dataclass(frozen=True, kw_only=True, eq=False)
class Reference:
    """The structure's lattice in the place of the seen one.

    Attributes
    ----------
    basis : ndarray, shape (2, 2), Angstrom
        Vectors of the structure that stand for those of the lattice, turned onto them.
    multiple : float
        Area of the seen cell in units of the smallest cell of the structure.
    strain : ndarray, shape (2, 2)
        Mean strain of the seen lattice, in the order (y, x).
    name : str
        Formula and zone axis.
    misfit : float
        Strain, and a little for a multiple of the cell.
    matrices : tuple of ndarray, shape (2, 2)
        Each way of laying the structure on the lattice that fits as well: the vectors that it makes of those of the structure
        are the seen ones, up to rotation, mirroring and strain.
    """

    basis: np.ndarray
    multiple: float
    strain: np.ndarray
    name: str
    misfit: float
    matrices: tuple[np.ndarray, ...]


def reference_of(basis: np.ndarray, cell: ColumnCell) -> Reference:
    """The vectors of a structure that a seen basis stands for.

    Parameters
    ----------
    basis : ndarray, shape (2, 2), Angstrom
        Of the seen lattice, one (y, x) in each row.
    cell : ColumnCell

    Raises
    ------
    AtomsegError
        If no multiple of the structure's cell fits within 8 %; says how large both are.

    Notes
    -----
    The seen cell may be a multiple of the structure's smallest one, or a part of it where light columns are not seen. Both
    handednesses are tried, as a crystal may be seen from either side. With the gradient F that turns the structure's vectors into
    the seen ones, F = R U by polar decomposition; U is the mean strain.
    """
    fits = []
    for mirror in (np.eye(2), np.diag([-1.0, 1.0])):
        for whole in _multiples():
            for matrix in (whole, np.linalg.inv(whole)):
                vectors = matrix @ cell.basis @ mirror
                gradient = np.linalg.solve(vectors, basis)
                if np.linalg.det(gradient) <= 0:
                    continue
                left, stretch, right = np.linalg.svd(gradient)
                multiple = abs(float(np.linalg.det(matrix)))
                if np.max(np.abs(stretch - 1)) <= _MOST:
                    cost = float(np.hypot(*(stretch - 1))) + _SIMPLE * abs(np.log(multiple))
                    fits.append((cost, matrix, multiple, vectors @ (left @ right)))
    if not fits:
        raise AtomsegError(
            f"the columns have a cell of {_described(basis)}, which is no multiple of that of {cell.name}, "
            f"{_described(cell.basis)}, within {_MOST:.0%}; check pixel size, structure and zone axis"
        )
    least, _, multiple, turned = min(fits, key=lambda one: one[0])
    strain = np.linalg.solve(turned, basis) - np.eye(2)
    alike = [matrix for cost, matrix, area, _ in fits if cost <= least + _AS_WELL and abs(area - multiple) < 1e-6]
    return Reference(
        basis=turned, multiple=multiple, strain=(strain + strain.T) / 2, name=cell.name, misfit=least, matrices=tuple(alike)
    )


def _multiples() -> list[np.ndarray]:
    """Whole matrices that make the reduced basis of a multiple of a cell, with small entries."""
    entries = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 4, indexing="ij"), -1).reshape(-1, 2, 2)
    size = np.abs(np.rint(np.linalg.det(entries)))
    return [one for one, area in zip(entries, size, strict=True) if 0 < area <= _LARGEST]


def _described(basis: np.ndarray) -> str:
    a, b = np.hypot(*basis.T)
    angle = np.degrees(np.arccos(np.clip(basis[0] @ basis[1] / (a * b), -1, 1)))
    return f"{a:.3f} x {b:.3f} Å, {angle:.1f}°"
