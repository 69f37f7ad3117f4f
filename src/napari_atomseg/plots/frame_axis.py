"""The axis of plots of a series: its ends, and the frame at a place of the picture."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from napari_atomseg.plots.frame import Margins

ROOM = 0.03
"""Left free beyond the first and the last frame, in parts of the axis."""


def limits_of(along: np.ndarray) -> tuple[float, float]:
    """Left and right end of an axis of frames or times, shape (T,), in order."""
    first, last = float(along[0]), float(along[-1])
    room = ROOM * (last - first) or 0.5
    return first - room, last + room


class AlongFrames(ABC):
    """What plots of a series have in common, whose axes all lie along its frames."""

    @property
    @abstractmethod
    def along(self) -> np.ndarray:
        """Time in s if known, else the frame, of the frames in order, shape (T,)."""

    @abstractmethod
    def margins_in(self, size: tuple[float, float]) -> tuple[Margins, ...]:
        """Room around each of the axes in a picture of so many px."""

    @property
    def limits(self) -> tuple[float, float]:
        """Left and right end of the axes."""
        return limits_of(self.along)

    def frame_at(self, x: float, size: tuple[float, float]) -> int | None:
        """The frame at a place of a picture; None beside the axes.

        Parameters
        ----------
        x : float, px
            From the left.
        size : tuple of float, px
            Width and height of the picture.
        """
        found = (self._frame_between(margins, x, size) for margins in self.margins_in(size))
        return next((frame for frame in found if frame is not None), None)

    def _frame_between(self, margins: Margins, x: float, size: tuple[float, float]) -> int | None:
        left, _, width, _ = margins.frame(size)
        if not left <= x <= left + width:
            return None
        low, high = self.limits
        return int(np.argmin(np.abs(self.along - (low + (x - left) / width * (high - low)))))
