"""Boxes and polygons in numbers."""

import numpy as np
import pytest

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.region import Region, mask_of, region_from

SHAPE = (20, 30)


def test_a_box_holds_the_pixels_between_its_corners_and_on_its_border():
    mask = region_from("2,3,5,9").mask(SHAPE)
    assert np.argwhere(mask).min(axis=0).tolist() == [2, 3]
    assert np.argwhere(mask).max(axis=0).tolist() == [5, 9]
    assert mask.sum() == 4 * 7


def test_a_box_and_the_polygon_of_its_corners_are_the_same():
    box = region_from("1.5, 2.5, 7.5, 9.5")
    polygon = region_from("1.5,2.5,1.5,9.5,7.5,9.5,7.5,2.5")
    assert np.array_equal(box.mask(SHAPE), polygon.mask(SHAPE))


def test_a_triangle_holds_half_of_its_box_and_y_comes_first():
    mask = region_from("0.5,0.5,0.5,20.5,10.5,0.5").mask(SHAPE)
    assert mask.sum() == pytest.approx(100, abs=10)
    assert mask[1, 15]
    assert not mask[9, 15]


def test_what_reaches_beyond_the_image_is_cut():
    assert region_from("15,25,900,900").mask(SHAPE).sum() == 5 * 5


def test_it_is_written_as_it_is_read():
    assert str(region_from(" 1.50, 2,7,9 ")) == "1.5,2,7,9"
    assert region_from(str(region_from("1,2,7,9,3,4"))) == region_from("1,2,7,9,3,4")


def test_a_mask_is_taken_as_it_is():
    mask = np.ones(SHAPE, bool)
    assert mask_of(mask, SHAPE) is mask
    assert mask_of(None, SHAPE) is None
    assert mask_of(Region((0, 0, 5, 5)), (4, *SHAPE)).shape == SHAPE


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no region; give y0,x0,y1,x1"),
        ("1,2,3", "is no region"),
        ("1,2,3,4,5", "is no region"),
        ("a,b,c,d", "is no region"),
        ("0,0,nan,5", "is no region"),
        ("5,5,5,9", "has no area: y1 has to be larger"),
        ("5,5,2,9", "has no area"),
        ("0,0,1,1,2,2", "polygon 0,0,1,1,2,2 has no area"),
    ],
)
def test_what_is_none_is_refused_in_one_sentence(text, words):
    with pytest.raises(AtomsegError, match=words):
        region_from(text)


@pytest.mark.parametrize("text", ["100,100,120,120", "-9,-9,-2,-2", "3.2,3.2,3.4,3.4", "0.1,0.1,0.1,0.9,0.9,0.5"])
def test_what_lies_outside_of_the_image_or_between_its_pixels_is_refused(text):
    with pytest.raises(AtomsegError, match=r"holds no pixel of the image of 20 x 30 px \(y, x\)"):
        region_from(text).mask(SHAPE)
