"""Which columns of the frames of a stack are one and the same: sites by their place, after the frames' common drift."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from napari_atomseg.core.columns import Columns

NEAR = 0.4
"""Of the usual distance of neighbours: columns of two frames that are nearer are one."""
ROUNDS = 3


def sites_of_frames(columns: Columns) -> np.ndarray:
    """Number of the site of each column, shape (N,): the same in each frame; -1 for places that are not known.

    Parameters
    ----------
    columns : Columns
        Of the frames of a stack whose frames are aligned up to a part of the distance of columns.
    """
    site = np.full(len(columns), -1)
    known = np.isfinite(columns.positions).all(axis=1)
    frames = np.unique(columns.frame[known])
    places = np.zeros((0, 2))
    seen = np.zeros(0)
    for frame in frames:
        rows = np.flatnonzero(known & (columns.frame == frame))
        here = columns.positions[rows]
        near = NEAR * _apart(here if len(here) > 1 else places)
        drift = np.zeros(2)
        owner, distance = np.full(len(rows), -1), np.full(len(rows), np.inf)
        for _ in range(ROUNDS if len(places) else 0):
            distance, owner = cKDTree(places).query(here - drift)
            close = distance < near
            if not close.any():
                break
            drift = drift + np.median((here - drift - places[owner])[close], axis=0)
        # One column a site and frame: the nearest.
        order = np.argsort(distance, kind="stable")
        taken: set[int] = set()
        for one in order:
            if distance[one] < near and int(owner[one]) not in taken:
                taken.add(int(owner[one]))
                site[rows[one]] = owner[one]
        fresh = np.flatnonzero(site[rows] < 0)
        site[rows[fresh]] = len(places) + np.arange(len(fresh))
        mine = rows[site[rows] < len(places)]
        seen[site[mine]] += 1
        places[site[mine]] += (columns.positions[mine] - drift - places[site[mine]]) / (seen[site[mine], None] + 1)
        places = np.concatenate([places, here[fresh] - drift])
        seen = np.concatenate([seen, np.zeros(len(fresh))])
    return site


def _apart(places: np.ndarray) -> float:
    if len(places) < 2:
        return np.inf
    return float(np.median(cKDTree(places).query(places, k=2)[0][:, 1]))
