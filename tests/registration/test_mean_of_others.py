import numpy as np
import pytest

from napari_atomseg.core.jobs import run
from napari_atomseg.registration.mean_of_others import fit_to_the_others, one_of

NAN = np.nan
FRAMES = {0: [[1.0, 2.0, NAN]], 2: [[3.0, NAN, NAN]], 3: [[5.0, 6.0, 7.0]]}


def others_of(k, frame, others):
    return k, others


def fitted(placed=lambda k, frame: frame):
    return fit_to_the_others(lambda k: np.array(FRAMES[k]), np.array([0, 2, 3]), (1, 3), placed, others_of, "fitting")


def test_each_frame_meets_the_mean_of_the_known_pixels_of_the_others():
    found = dict(run(fitted()))
    assert found[0] == pytest.approx(np.array([[4, 6, 7]]))
    assert found[2] == pytest.approx(np.array([[3, 4, 7]]))
    assert found[3] == pytest.approx(np.array([[2, 2, NAN]]), nan_ok=True)


def test_the_mean_is_that_of_the_frames_as_they_are_placed():
    found = dict(run(fitted(lambda k, frame: frame + 10 * k)))
    assert found[2][0, 0] == pytest.approx((1 + 35) / 2)


def test_passes_share_one_bar():
    told = [one for number in range(2) for one in one_of(2, number, fitted())]
    assert [one.done for one in told] == list(range(12))
    assert {one.total for one in told} == {12}
    assert [one.message for one in told[:6]] == ["averaging"] * 3 + ["fitting"] * 3
