"""A sequence to look at: the time line of a site, and a line through the frames against time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy import ndimage

from napari_atomseg.core.jobs import Progress, Steps


def time_line(presence: np.ndarray, site: int, frame_time: float | None = None) -> pd.DataFrame:
    """Whether a column stands at a site, frame by frame: ``frame, presence`` and, where known, ``time_s``.

    Parameters
    ----------
    presence : ndarray, shape (S, T)
        Probabilities; NaN in frames that tell nothing.
    site : int
    frame_time : float, s, optional
        Time between frames.
    """
    table = pd.DataFrame({"frame": np.arange(presence.shape[1]), "presence": presence[site]})
    return table.assign(time_s=table["frame"] * frame_time) if frame_time else table


def kymograph(
    frame_of: Callable[[int], np.ndarray],
    shifts: np.ndarray,
    begin: Sequence[float],
    end: Sequence[float],
    width: float = 1.0,
) -> Steps[np.ndarray]:
    """Intensity along a line that goes with the drift, one row a frame.

    Parameters
    ----------
    frame_of : callable
        Gives frame k, shape (Y, X).
    shifts : ndarray, shape (T, 2), px, (y, x)
        Where the content moved; NaN for frames that are left out.
    begin, end : sequence of float, px, (y, x)
        Of the line in frame 0.
    width : float, px
        What is averaged across it.

    Returns
    -------
    ndarray, float32, shape (T, N)
        A value a pixel of the line; NaN beyond a frame and for frames that are left out.
    """
    start, way = np.asarray(begin, float), np.subtract(end, begin).astype(float)
    length = float(np.hypot(*way))
    along = np.linspace(0, 1, round(length) + 1)[:, None] * way
    normal = np.array([-way[1], way[0]]) / max(length, 1e-12)
    across = np.arange(max(round(width), 1)) - (max(round(width), 1) - 1) / 2
    places = start + along + across[:, None, None] * normal
    found = np.full((len(shifts), len(along)), np.nan, np.float32)
    for k, shift in enumerate(shifts):
        yield Progress(k, len(shifts), "reading the line")
        if np.isfinite(shift).all():
            at = (places + shift).transpose(2, 0, 1)
            read = ndimage.map_coordinates(frame_of(k), at, order=1, mode="constant", cval=np.nan)
            known = np.isfinite(read)
            total = np.where(known, read, 0.0).sum(axis=0)
            found[k] = np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)
    return found
