"""Simulated images as they would have been recorded."""

import numpy as np
import pytest

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.noise.counting import electrons_in_dwell
from napari_atomseg.workflows import AcquisitionParams, record


def test_dwell_time_and_current_give_the_electrons_of_a_pixel():
    # 10 µs of 16 pA.
    assert electrons_in_dwell(10, 16.02176634) == pytest.approx(1000)


def test_a_current_takes_the_place_of_a_dose():
    clean = Micrograph(data=np.full((64, 64), 0.2), pixel_size=(0.1, 0.1))
    found = record(clean, AcquisitionParams(dwell_time=10, current=16.02176634))
    assert found.dose == pytest.approx(1e5)
    # Each pixel counts a fifth of a thousand electrons.
    assert found.data.mean() == pytest.approx(0.2, rel=0.01)
    assert found.data.std() == pytest.approx(np.sqrt(200) / 1000, rel=0.05)
    same = record(clean, AcquisitionParams(dose=1e5))
    assert np.array_equal(found.data, same.data)


def test_half_of_what_a_current_needs_is_refused():
    with pytest.raises(AtomsegError, match="both or neither"):
        AcquisitionParams(current=20)
