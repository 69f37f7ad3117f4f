"""The structures that the nearest columns around a column form: a library, and how well each one matches.

Structural template matching in projection, as Madsen et al., Adv. Theory Simul. 1 (2018) 1800037, use it on atoms that a
network has found. Several crystals look the same along some axes; a template has the name of one, and `alike` those of others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree

LEAST_MATCH = 0.98
"""Share of the neighbours' mean square distance that a template has to explain."""
NONE = "none"
_FARTHEST = 1.4  # of its usual distance: beyond it the last neighbour belongs to no shell


@dataclass(frozen=True, kw_only=True, eq=False)
class Template:
    """Columns around a column.

    Attributes
    ----------
    name : str
    alike : str
        Other structures that look the same.
    shell : ndarray, shape (n, 2)
        Neighbours, (y, x), in units of the distance of the nearest.
    fold : int
        Rotations are known up to a turn by 360 degrees over this.
    """

    name: str
    alike: str
    shell: np.ndarray
    fold: int

    @cached_property
    def points(self) -> np.ndarray:
        """Neighbours as x + i y, in the order of their angle."""
        points = self.shell[:, 1] + 1j * self.shell[:, 0]
        return np.asarray(points[np.argsort(np.angle(points))])


@dataclass(frozen=True, kw_only=True, eq=False)
class Matches:
    """What the neighbours of each column form.

    Attributes
    ----------
    template : ndarray of int, shape (N,)
        In the library; -1 where none matches.
    match : ndarray, shape (N,)
        Share of the mean square distance that the best template, turned and scaled, explains.
    rotation : ndarray, shape (N,), rad
        Clockwise on the screen, up to the symmetry of the template; NaN where none matches.
    strain : ndarray, shape (N, 3)
        xx, yy, xy of the left stretch (polar decomposition) against the template at the mean size of its columns.
    rotation_std, strain_std : ndarrays, shapes (N,) and (N, 3)
        One standard deviation.
    """

    template: np.ndarray
    match: np.ndarray
    rotation: np.ndarray
    strain: np.ndarray
    rotation_std: np.ndarray
    strain_std: np.ndarray


def _ring(count: int, radius: float, first: float) -> np.ndarray:
    angle = np.radians(first) + 2 * np.pi * np.arange(count) / count
    return np.asarray(radius * np.stack([np.sin(angle), np.cos(angle)], axis=1))


def _close_packed(below: float) -> np.ndarray:
    """Rows of close-packed planes on edge: the row itself, that above, and that below at a shift, in periods of a row."""
    height = 2 * np.sqrt(2) / 3
    rows = [(0, -1), (0, 1), (height, 1 / 3), (height, -2 / 3), (-height, below), (-height, below - np.sign(below))]
    return np.array(rows)


LIBRARY = (
    Template(name="graphene", alike="hcp [0001]", shell=np.concatenate([_ring(3, 1, 0), _ring(6, np.sqrt(3), 30)]), fold=6),
    Template(name="fcc [110]", alike="", shell=_close_packed(-1 / 3), fold=2),
    Template(name="hcp [11-20]", alike="twin boundary or stacking fault of fcc [110]", shell=_close_packed(1 / 3), fold=1),
    Template(
        name="square", alike="fcc [100], bcc [100]", shell=np.concatenate([_ring(4, 1, 0), _ring(4, np.sqrt(2), 45)]), fold=4
    ),
    Template(name="hexagonal", alike="fcc [111], bcc [111]", shell=_ring(6, 1, 0), fold=6),
    Template(
        name="bcc [110]",
        alike="",
        shell=np.array([(y, x * np.sqrt(2)) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)], float),
        fold=2,
    ),
)
"""Structures that are looked for."""


def match_templates(positions: np.ndarray, std: np.ndarray) -> Matches:
    """The template that the nearest neighbours of each column match best, and how it is turned and strained.

    Parameters
    ----------
    positions : ndarray, shape (N, 2), (y, x)
        In a unit of length, with square pixels.
    std : ndarray, shape (N, 2)
        Their errors in the same unit; NaN where unknown: then the scatter about the templates is taken.

    Notes
    -----
    The neighbours, sorted by angle, are laid on the template's in every cyclic order. With w the template and z the neighbours
    as complex numbers, the best turn and scale is s = sum(w* z) / sum(w* w), and the match |s|^2 sum|w|^2 / sum|z|^2. Strain is
    not free in this choice: with it every lattice would match every other one.
    """
    count = len(positions)
    best = np.full(count, -1)
    match = np.zeros(count)
    spare = np.full(count, -np.inf)
    order = {}
    tree = cKDTree(positions)
    for row, template in enumerate(LIBRARY):
        wanted = len(template.points)
        if count <= wanted:
            continue
        length, near = tree.query(positions, k=wanted + 1)
        near = _by_angle(positions, near[:, 1:])
        share, shift = _shares(_complex(positions[near] - positions[:, None]), template.points)
        share = np.where(length[:, -1] <= _FARTHEST * np.abs(template.points).max() * length[:, 1], share, 0.0)
        order[row] = (near, shift)
        # What is left over, for each degree of freedom: a template of few neighbours is matched more easily.
        left = -(1 - share) * wanted / (wanted - 1)
        better = left > spare
        spare, match, best = np.where(better, left, spare), np.where(better, share, match), np.where(better, row, best)
    best = np.where(match >= LEAST_MATCH, best, -1)
    rotation, turn_std = np.full(count, np.nan), np.full(count, np.nan)
    strain, strain_std = np.full((count, 3), np.nan), np.full((count, 3), np.nan)
    for row, (near, shift) in order.items():
        mine = np.flatnonzero(best == row)
        if len(mine):
            found = _deformed(positions, std, mine, near[mine], shift[mine], LIBRARY[row])
            rotation[mine], strain[mine], turn_std[mine], strain_std[mine] = found
    return Matches(template=best, match=match, rotation=rotation, strain=strain, rotation_std=turn_std, strain_std=strain_std)


def _complex(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors[..., 1] + 1j * vectors[..., 0])


def _by_angle(positions: np.ndarray, near: np.ndarray) -> np.ndarray:
    """The same neighbours of each column, by the angle at which they stand."""
    angle = np.angle(_complex(positions[near] - positions[:, None]))
    return np.take_along_axis(near, np.argsort(angle, axis=1), axis=1)


def _shares(around: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the best cyclic order explains, and which it is: neighbour j stands for point j + shift."""
    total = np.maximum(np.sum(np.abs(around) ** 2, axis=1), 1e-300)
    orders = np.stack([np.roll(points, -shift) for shift in range(len(points))])
    overlap = np.abs(around @ orders.conj().T) ** 2 / (np.sum(np.abs(points) ** 2) * total[:, None])
    shift = np.argmax(overlap, axis=1)
    return np.take_along_axis(overlap, shift[:, None], axis=1)[:, 0], shift


def _deformed(
    positions: np.ndarray, std: np.ndarray, mine: np.ndarray, near: np.ndarray, shift: np.ndarray, template: Template
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rotation and strain of columns that match a template, and the standard deviations of both."""
    vectors = positions[near] - positions[mine][:, None]
    wanted = template.points[(np.arange(len(template.points)) + shift[:, None]) % len(template.points)]
    turned = np.sum(wanted.conj() * _complex(vectors), axis=1) / np.sum(np.abs(template.points) ** 2)
    size = np.median(np.abs(turned))
    ideal = size * wanted * (turned / np.abs(turned))[:, None]
    ideal = np.stack([ideal.imag, ideal.real], axis=-1)
    inverse = np.linalg.inv(np.einsum("nka,nkb->nab", ideal, ideal))
    gradient = np.einsum("nkc,nka,nab->ncb", vectors, ideal, inverse)
    left, stretch, right = np.linalg.svd(gradient)
    pure = np.einsum("nab,nb,ncb->nac", left, stretch, left)
    more = np.einsum("nab,nbc->nac", left, right)
    angle = np.angle(turned) + np.arctan2(more[:, 0, 1], more[:, 0, 0])
    fold = 2 * np.pi / template.fold
    angle = angle - fold * np.rint(angle / fold)
    rest = vectors - np.einsum("ncb,nkb->nkc", gradient, ideal)
    variance = _variance(positions, std, mine, near, ideal, inverse, rest)
    values = np.stack([pure[:, 1, 1] - 1, pure[:, 0, 0] - 1, pure[:, 0, 1]], axis=1)
    cross = (variance[:, 0, 1] + variance[:, 1, 0]) / 4
    return angle, values, np.sqrt(cross), np.sqrt(np.stack([variance[:, 1, 1], variance[:, 0, 0], cross], axis=1))


def _variance(
    positions: np.ndarray,
    std: np.ndarray,
    mine: np.ndarray,
    near: np.ndarray,
    ideal: np.ndarray,
    inverse: np.ndarray,
    rest: np.ndarray,
) -> np.ndarray:
    """Variances (n, 2, 2) of the gradient; the errors of the centre are those of all its neighbours.

    Where errors are unknown or smaller than the scatter about the fits, the scatter is taken.
    """
    free = 2 * ideal.shape[1] - 4
    here, there = std[mine] ** 2, std[near] ** 2
    scale = 1.0
    if not np.isfinite(there).all(axis=(1, 2)).mean() > 0.5:
        # Each residual holds the error of a neighbour and that of the centre.
        scatter = np.median(np.sum(rest**2, axis=(1, 2)) / free) / 2
        here, there = np.full_like(here, scatter), np.full_like(there, scatter)
    else:
        expected = there + here[:, None]
        scale = max(1.0, float(np.nanmedian(np.sum(rest**2 / expected, axis=(1, 2)) / free)))
    weights = np.einsum("nka,nab->nkb", ideal, inverse)
    of_neighbours = np.einsum("nkb,nkc->ncb", weights**2, there)
    return np.asarray(scale * (of_neighbours + here[:, :, None] * weights.sum(axis=1)[:, None] ** 2))
