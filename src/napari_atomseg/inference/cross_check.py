"""The network's columns beside those of the classical finder, which knows nothing but the image.

A network believes what it was trained on: beside a crystal it takes specks of a support for atoms, and columns that stand
closer than any it has seen may be put between their places. The classical finder errs in other ways, so that what both see is
surer than what one of them does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import spatial

from napari_atomseg.core.columns import Columns

FEWEST = 20
"""Columns of the classical finder below which it witnesses nothing."""
SAME_PLACE = 0.6
"""Farthest distance of two positions of one column, Angstrom."""
AGREED = 0.5
"""Share of the classical finder's columns that the network must have found to be believed."""
SEEN = 0.7
"""Share of the network's columns that the classical finder must have found for its not seeing one to mean something."""
SURE = 0.8
"""Confidence of the network above which a column is believed although the classical finder does not see it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Checked:
    """What is left of a network's columns.

    Attributes
    ----------
    columns : Columns
        Those of the network that are believed, or those of the classical finder.
    verdict : str
        What was changed, in words; empty if nothing.
    agreed : bool
        False if the columns are those of the classical finder.
    """

    columns: Columns
    verdict: str
    agreed: bool


def cross_check(network: Columns, classical: Columns, angstrom_per_px: float) -> Checked:
    """Leave out what only the network sees and is not sure of, or believe the classical finder where the two contradict.

    Parameters
    ----------
    network : Columns
        With ``confidence``.
    classical : Columns
        Of the same image.
    angstrom_per_px : float
        Pixel size of the image.
    """
    if len(classical) < FEWEST:
        return Checked(columns=network, verdict="", agreed=True)
    reach = SAME_PLACE / angstrom_per_px
    if np.mean(_has_partner(classical.positions, network.positions, reach)) < AGREED:
        return Checked(
            columns=classical,
            verdict="the network did not find most of the columns that the classical finder sees, so these are kept",
            agreed=False,
        )
    seen = _has_partner(network.positions, classical.positions, reach)
    doubtful = ~seen & (network.features["confidence"].to_numpy() < SURE)
    if seen.mean() < SEEN or not doubtful.any():
        return Checked(columns=network, verdict="", agreed=True)
    number = int(doubtful.sum())
    verdict = f"{number} column{'s' if number > 1 else ''} left out: the network is unsure and the classical finder sees nothing"
    return Checked(columns=network.select(~doubtful), verdict=verdict, agreed=True)


def _has_partner(points: np.ndarray, others: np.ndarray, reach: float) -> np.ndarray:
    """True for points (N, 2) that have one of the others within reach, px."""
    if len(others) == 0:
        return np.zeros(len(points), bool)
    return np.asarray(spatial.cKDTree(others).query(points)[0] < reach)
