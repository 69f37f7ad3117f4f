"""The axis of plots of a series: its ends, and the frame at a place of the picture."""

from __future__ import annotations

import numpy as np

from napari_atomseg.plots.frame import Margins

ROOM = 0.03
"""Left free beyond the first and the last frame, in parts of the axis."""


def limits_of(along: np.ndarray) -> tuple[float, float]:
    """Left and right end of an axis of frames or times, shape (T,), in order."""
    first, last = float(along[0]), float(along[-1])
    room = ROOM * (last - first) or 0.5
    return first - room, last + room


def frame_near(
    along: np.ndarray,
    margins: Margins,
    x: float,
    size: tuple[float, float],
    limits: tuple[float, float] | None = None,
) -> int | None:
    """The frame at a place of a picture; None beside the axes.

    Parameters
    ----------
    along : ndarray, shape (T,)
        Frames or times, in order.
    margins : Margins
        Of the axes in the picture.
    x : float, px
        From the left.
    size : tuple of float, px
        Width and height of the picture.
    limits : tuple of float, optional
        Left and right end of the axis; by default those of :func:`limits_of`.
    """
    left, _, width, _ = margins.frame(size)
    if not left <= x <= left + width:
        return None
    low, high = limits if limits is not None else limits_of(along)
    return int(np.argmin(np.abs(along - (low + (x - left) / width * (high - low)))))
