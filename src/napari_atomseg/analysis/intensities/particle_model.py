"""Atoms in three dimensions from the atoms counted in each column."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

MODEL_COLUMNS = ("element", "x_angstrom", "y_angstrom", "z_angstrom", "column")


def particle_model(
    positions: np.ndarray, counts: np.ndarray, distance: float, heights: Literal["symmetric", "flat"], element: str = "X"
) -> pd.DataFrame:
    """Places of the atoms of all counted columns.

    Parameters
    ----------
    positions : ndarray, shape (N, 2), Angstrom, (y, x)
    counts : ndarray, shape (N,)
        Atoms; NaN and 0 give none.
    distance : float, Angstrom
        Of atoms along the beam, z.
    heights : str
        ``symmetric``: columns are centred on z = 0, those of an even and an odd number lie half a distance apart, as in a crystal
        whose neighbouring columns do. ``flat``: all begin at z = 0, as on a support.
    element : str

    Returns
    -------
    DataFrame
        One row an atom; `column` is the row of the column; z is along the beam, y points down in the image.
    """
    whole = np.where(np.isfinite(counts), counts, 0).astype(int)
    owner = np.repeat(np.arange(len(whole)), whole)
    level = np.arange(len(owner)) - np.repeat(np.cumsum(whole) - whole, whole)
    below = (whole[owner] - 1) / 2 if heights == "symmetric" else 0.0
    return pd.DataFrame(
        {
            "element": element,
            "x_angstrom": positions[owner, 1],
            "y_angstrom": positions[owner, 0],
            "z_angstrom": distance * (level - below),
            "column": owner,
        },
        columns=list(MODEL_COLUMNS),
    )
