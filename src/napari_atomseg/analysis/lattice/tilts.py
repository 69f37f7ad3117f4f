"""Octahedral tilts of a perovskite seen along [001]: how far the four anion columns around a cation turn about the beam.

Only tilts whose sense is the same all along a column are seen (c+ in Glazer's notation, Acta Cryst. B 28 (1972) 3384): those
that alternate along the beam (c-) split the anion columns to both sides and leave their centres where they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_atomseg.analysis.lattice.indexed import Indexed

_ALIKE = 0.25  # relative difference of the four distances from the centre
_OPPOSITE = 0.3  # of such a distance: how far the mean of two opposite anions may be from the centre
_NEAR = 0.3  # of the distance of centres: the next centre is looked for so near to where it should be
_CORNERS = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Octahedra:
    """Which sublattices form octahedra, and how these are turned.

    Attributes
    ----------
    centres, anions : tuple of int
        Sublattices.
    rows : ndarray of int, shape (M,)
        Columns of the grain in the middle of an octahedron of which all is seen that is needed.
    tilt, std : ndarrays, shape (M,), degrees
        Positive clockwise on the screen, against the lines to the next octahedra, so that a turn of the lattice is no tilt.
    checkerboard : ndarray of int, shape (M,)
        1 and -1 in turn from octahedron to octahedron.
    alternating, alternating_std : float, degrees
        Mean of the tilts with these signs, and its standard deviation.
    """

    centres: tuple[int, ...]
    anions: tuple[int, ...]
    rows: np.ndarray
    tilt: np.ndarray
    std: np.ndarray
    checkerboard: np.ndarray
    alternating: float
    alternating_std: float


def octahedra_of(grain: Indexed, intensity: np.ndarray, contents: tuple[str, ...] = ()) -> Octahedra | None:
    """Octahedra of a grain; None if its sublattices are not those of a perovskite along [001].

    Parameters
    ----------
    grain : Indexed
    intensity : ndarray, shape (K,)
        Of each sublattice. Without `contents` the weaker half of the sublattices are anions, and the brightest quarter are
        the cations between the octahedra.
    contents : tuple of str, optional
        Atoms of each sublattice's columns, such as ``Ti O``: then the centres are those cations that share their column with
        the anion.

    Notes
    -----
    With the opposite anions O, O' and the centres C, C' of the octahedra on the same line (of one of them and the own centre
    at an edge), each line gives the angle from C' - C to O' - O, and the tilt is the mean over both lines. A shear of the
    lattice and a distortion of the octahedron without rotation change both angles oppositely.
    """
    kinds = _kinds(len(grain.motif), intensity, contents)
    if kinds is None:
        return None
    centres, anions = kinds
    found = [one for site in centres if (one := _of_site(grain, site, centres, anions)) is not None]
    if len(found) < len(centres):
        return None
    rows, tilt, variance, by_anions, along = (np.concatenate(parts) for parts in zip(*found, strict=True))
    if not len(rows):
        return None
    signs = _checkerboard(grain.positions[rows], along[0])
    # Each anion belongs to two octahedra and turns both; errors of the centres cancel between the next but one.
    return Octahedra(
        centres=centres,
        anions=anions,
        rows=rows,
        tilt=np.degrees(tilt),
        std=np.degrees(np.sqrt(variance)),
        checkerboard=signs,
        alternating=float(np.degrees(np.mean(signs * tilt))),
        alternating_std=float(np.degrees(np.sqrt(2 * np.nansum(by_anions)) / len(rows))),
    )


def _kinds(count: int, intensity: np.ndarray, contents: tuple[str, ...]) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Sublattices at centres of octahedra, and those of their anions in the plane."""
    if contents:
        atoms = [set(_symbols(one)) for one in contents]
        alone = [one for one in atoms if len(one) == 1]
        for anion in sorted({next(iter(one)) for one in alone}):
            anions = tuple(site for site, one in enumerate(atoms) if one == {anion})
            centres = tuple(site for site, one in enumerate(atoms) if anion in one and len(one) > 1)
            if centres and len(anions) == 2 * len(centres):
                return centres, anions
        return None
    if count % 4 or not np.isfinite(intensity).all():
        return None
    order = np.argsort(-np.abs(intensity), kind="stable")
    return tuple(map(int, order[count // 4 : count // 2])), tuple(map(int, order[count // 2 :]))


def _symbols(contents: str) -> list[str]:
    return ["".join(letter for letter in part if letter.isalpha()) for part in contents.split()]


def _of_site(
    grain: Indexed, site: int, centres: tuple[int, ...], anions: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
    """Rows, tilts (rad), their variance, the anions' share of it, and lines (M, 4)."""
    offsets, steps = _around(grain, site, anions)
    nearest = np.argsort(np.hypot(*offsets.T), kind="stable")[: _CORNERS + 1]
    length = np.hypot(*offsets[nearest].T)
    if len(nearest) <= _CORNERS or np.ptp(length[:_CORNERS]) > _ALIKE * length[0] or length[-1] < (1 + _ALIKE) * length[0]:
        return None
    corners = nearest[:_CORNERS]
    first = corners[0]
    opposite = _closest(offsets[corners], -offsets[first])
    second = next(one for place, one in enumerate(corners) if place not in (0, opposite))
    lines = [(first, corners[opposite]), (second, corners[_closest(offsets[corners], -offsets[second])])]
    if any(np.hypot(*(offsets[one] + offsets[two])) > _OPPOSITE * length[0] for one, two in lines):
        return None
    others, other_steps = _around(grain, site, centres)
    table, low = grain.table()
    rows = np.flatnonzero(grain.site == site)

    def held(step: np.ndarray) -> np.ndarray:
        return np.asarray(table[(step[2], *(grain.indices[rows] + step[:2] - low).T)])

    tilt, variance, by_anions = np.zeros(len(rows)), np.zeros(len(rows)), np.zeros(len(rows))
    known, along = np.ones(len(rows), bool), []
    for plus, minus in lines:
        line = offsets[plus] - offsets[minus]
        ends = [_closest(others, line), _closest(others, -line)]
        if any(np.hypot(*(others[end] - sign * line)) > _NEAR * np.hypot(*line) for end, sign in zip(ends, (1, -1), strict=True)):
            return None
        anion, centre = (held(steps[plus]), held(steps[minus])), [held(other_steps[end]) for end in ends]
        # At an edge the octahedron's own centre stands for the one that is not there.
        both = [np.where(one >= 0, one, rows) for one in centre]
        known &= (anion[0] >= 0) & (anion[1] >= 0) & ((centre[0] >= 0) | (centre[1] >= 0))
        seen, error = _direction(grain, *anion)
        straight, error_of_lattice = _direction(grain, *both)
        tilt += 0.5 * np.mod(seen - straight + np.pi, 2 * np.pi) - 0.5 * np.pi
        variance += 0.25 * (error + error_of_lattice)
        by_anions += 0.25 * error
        along.append(np.broadcast_to(others[ends[0]], (len(rows), 2)))
    return rows[known], tilt[known], variance[known], by_anions[known], np.concatenate(along, axis=1)[known]


def _around(grain: Indexed, site: int, others: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Offsets (M, 2), Angstrom, from a site to those of other sublattices, and their cells and sublattices (M, 3)."""
    cells = np.stack(np.meshgrid(*[np.arange(-3, 4)] * 2, indexing="ij"), -1).reshape(-1, 2)
    steps = np.concatenate([np.column_stack([cells, np.full(len(cells), other)]) for other in others])
    offsets = (steps[:, :2] + grain.motif[steps[:, 2]] - grain.motif[site]) @ grain.basis
    apart = np.hypot(*offsets.T) > 1e-6
    return offsets[apart], steps[apart]


def _closest(offsets: np.ndarray, wanted: np.ndarray) -> int:
    return int(np.argmin(np.hypot(*(offsets - wanted).T)))


def _direction(grain: Indexed, ends: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Angles of lines from columns to columns, clockwise from +x on the screen, and their variances, rad."""
    vectors = grain.positions[ends] - grain.positions[starts]
    squares = np.maximum((vectors**2).sum(axis=1), 1e-12)
    spread = grain.std[ends] ** 2 + grain.std[starts] ** 2
    variance = (vectors[:, 1] ** 2 * spread[:, 0] + vectors[:, 0] ** 2 * spread[:, 1]) / squares**2
    return np.arctan2(*vectors.T), variance


def _checkerboard(places: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """1 and -1 in turn along both lines (4,) between the octahedra, 1 at the first place."""
    cells = np.rint((places - places[0]) @ np.linalg.inv(lines.reshape(2, 2))).astype(int)
    return np.asarray(1 - 2 * (cells.sum(axis=1) % 2))
