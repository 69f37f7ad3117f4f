from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_atomseg.analysis.calibrate import pixel_size_from_lattice, pixel_size_from_line, pixel_size_from_spacing
from napari_atomseg.core.errors import AtomsegError


def test_a_line():
    assert pixel_size_from_line((0, 0), (3, 4), 50) == (10, 10)
    assert pixel_size_from_line((7.5, 2), (7.5, 102), 20) == (0.2, 0.2)


@given(
    size=st.floats(0.01, 100),
    angle=st.floats(0, math.pi),
    spacing=st.floats(0.5, 20),
)
def test_a_spot_gives_back_the_pixel_size(size, angle, spacing):
    frequency = size / spacing
    spot = (frequency * math.sin(angle), frequency * math.cos(angle))
    assert pixel_size_from_spacing(spot, spacing) == pytest.approx((size, size))


def test_a_lattice():
    y, x = np.mgrid[:300, :300]
    image = np.cos(2 * np.pi * y / 13.8) + np.cos(2 * np.pi * x / 13.8)
    assert pixel_size_from_lattice(image, 2.761) == pytest.approx((2.761 / 13.8,) * 2, rel=1e-3)


def test_no_lattice_says_what_to_do():
    with pytest.raises(AtomsegError, match="no lattice stands out in the image; choose a part with a crystal, or draw a line"):
        pixel_size_from_lattice(np.zeros((64, 64)), 2.0)


@pytest.mark.parametrize("length", [0, -1, math.nan, math.inf])
def test_lengths_must_be_lengths(length):
    with pytest.raises(AtomsegError, match="must be a positive number of Angstrom"):
        pixel_size_from_line((0, 0), (0, 5), length)
    with pytest.raises(AtomsegError, match="must be a positive number of Angstrom"):
        pixel_size_from_spacing((0, 0.1), length)


def test_a_point_is_no_line_and_the_centre_no_spot():
    with pytest.raises(AtomsegError, match="the line has no length"):
        pixel_size_from_line((1, 2), (1, 2), 10)
    with pytest.raises(AtomsegError, match="the spot is in the centre"):
        pixel_size_from_spacing((0, 0), 2)
