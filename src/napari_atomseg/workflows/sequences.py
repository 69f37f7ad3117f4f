"""Sequences of frames: which columns are there when, and what becomes of them."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from napari_atomseg.analysis.sequences.params import SequenceParams
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.jobs import Progress, job
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.inference.params import NetworkParams


@dataclass(frozen=True, kw_only=True, eq=False)
class Sequence:
    """What the columns of a stack of frames do.

    Attributes
    ----------
    columns : Columns
        Of every frame, in its own pixels, with the features ``site`` (-1 for columns of no site), ``existence_probability`` and,
        where the time between frames is known, ``time_s``.
    sites : DataFrame
        ``site, y_px, x_px, occupancy, occupancy_std, appearances, disappearances, hops``: places in the pixels of the first
        frame, shares of the frames and expected numbers of events; further ``appearances_std, disappearances_std``.
    events : DataFrame
        ``frame, site, kind, from_site``: kind is appearance, disappearance or hop, `frame` the first one after it, `from_site`
        -1 but for hops; further ``probability`` and, where the time between frames is known, ``time_s``.
    drift : DataFrame
        ``frame, y_px, x_px``: where the content moved; empty (NaN) for frames that are left out; ``time_s`` if known.
    presence : ndarray, shape (S, T)
        Probability that a column stands at each site in each frame; NaN in frames that are left out.
    numbers : dict
        Rates, verdicts and parameters, fit for JSON.
    """

    columns: Columns
    sites: pd.DataFrame
    events: pd.DataFrame
    drift: pd.DataFrame
    presence: np.ndarray
    numbers: dict[str, Any]


@job
def sequence(
    micrograph: Micrograph,
    *,
    model: str | None = None,
    params: SequenceParams | None = None,
    network: NetworkParams | None = None,
    jobs: int = 1,
    cluster: str | None = None,
) -> Generator[Progress, None, Sequence]:
    """Follow the columns of a stack of frames: sites, occupancy, appearances, disappearances and hops.

    Parameters
    ----------
    micrograph : Micrograph
        A stack (T, Y, X), numpy or lazy.
    model : str, optional
        The finder, as of :func:`napari_atomseg.workflows.locate`.
    params : SequenceParams, optional
    network : NetworkParams, optional
        How a network is asked for columns.
    jobs : int
        Processes that work on the frames; the result is the same.
    cluster : str, optional
        Address of a dask scheduler that does so instead, such as ``tcp://host:8786``.

    Returns
    -------
    Sequence

    Raises
    ------
    AtomsegError
        If there is one frame only, nothing is seen, or the frames do not belong together.
    """
    yield Progress(0, 0, "aligning")
    raise NotImplementedError
