from dataclasses import dataclass

import numpy as np
import pytest

from napari_atomseg.plots.frame import Margins
from napari_atomseg.plots.frame_axis import ROOM, AlongFrames, limits_of

SIZE = (400.0, 200.0)
HALVES = (Margins(left=40, right=210), Margins(left=240, right=10))


@dataclass(frozen=True)
class TwoAxes(AlongFrames):
    times: tuple[float, ...] = (0.0, 0.5, 1.0, 1.5)

    @property
    def along(self):
        return np.array(self.times)

    def margins_in(self, size):
        return HALVES


def test_ends_leave_room_beyond_the_first_and_the_last_frame():
    assert limits_of(np.array([0.0, 1.0, 4.0])) == pytest.approx((-4 * ROOM, 4 + 4 * ROOM))
    assert limits_of(np.array([3.0])) == (2.5, 3.5)


@pytest.mark.parametrize("margins", HALVES)
def test_the_frame_is_found_in_each_of_the_axes(margins):
    plot = TwoAxes()
    left, _, width, _ = margins.frame(SIZE)
    low, high = plot.limits
    places = [left + (time - low) / (high - low) * width for time in plot.times]
    assert [plot.frame_at(x, SIZE) for x in places] == [0, 1, 2, 3]
    assert [plot.frame_at(x, SIZE) for x in (left, left + width)] == [0, 3]


def test_beside_the_axes_there_is_none():
    plot = TwoAxes()
    gap = (HALVES[0].frame(SIZE)[0] + HALVES[0].frame(SIZE)[2] + HALVES[1].frame(SIZE)[0]) / 2
    assert [plot.frame_at(x, SIZE) for x in (0, gap, SIZE[0])] == [None] * 3
