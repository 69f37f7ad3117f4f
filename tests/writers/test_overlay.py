import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.writers.overlay import FLAGGED_RING, RING, contrast, ring_diameter, round_length, write_overlay


@pytest.fixture
def micrograph():
    return Micrograph(data=np.zeros((2, 60, 90)), pixel_size=(0.1, 0.1))


@pytest.fixture
def columns():
    positions = np.array([[20, 20], [20, 50], [40, 20], [40, 50]])
    made = Columns(positions=positions, frame=[0, 0, 0, 1], pixel_size=(0.1, 0.1))
    return made.with_features(fit=["ok", "failed", "ok", "ok"])


def _share_of(picture, colour):
    return np.mean(np.abs(picture[..., :3] - to_rgb(colour)).max(axis=-1) < 0.1)


def test_picture_has_the_proportions_of_the_image_and_rings_of_both_kinds(micrograph, columns, tmp_path):
    picture = imread(write_overlay(micrograph, columns, tmp_path / "ö.png"))
    assert picture.shape[:2] == (800, 1200)
    assert _share_of(picture, RING) > 1e-4
    assert _share_of(picture, FLAGGED_RING) > 1e-4


def test_ring_lies_round_its_column(micrograph, tmp_path):
    one = Columns(positions=[[15, 60]])
    picture = imread(write_overlay(micrograph, one, tmp_path / "a.png"))
    rows, cols = np.nonzero(np.abs(picture[..., :3] - to_rgb(RING)).max(axis=-1) < 0.2)
    scale = picture.shape[0] / 60
    assert np.mean([rows.min(), rows.max()]) == pytest.approx((15 + 0.5) * scale, abs=2)
    assert np.mean([cols.min(), cols.max()]) == pytest.approx((60 + 0.5) * scale, abs=2)


def test_other_frame_and_no_columns(micrograph, columns, tmp_path):
    path = write_overlay(micrograph, columns.select(np.array([0])), tmp_path / "a.png", frame=1)
    assert _share_of(imread(path), RING) == 0


def test_svg_is_the_same_twice_but_for_ids(micrograph, columns, tmp_path):
    text = write_overlay(micrograph, columns, tmp_path / "a.svg").read_text(encoding="utf-8")
    assert text.startswith("<?xml")
    assert "dc:date" not in text


def test_other_suffix(micrograph, columns, tmp_path):
    with pytest.raises(AtomsegError, match=r"\.png or \.svg"):
        write_overlay(micrograph, columns, tmp_path / "a.gif")


@pytest.mark.parametrize(("longest", "expected"), [(1, 1), (1.99, 1), (2.5, 2), (74, 50), (0.06, 0.05), (1000, 1000)])
def test_round_length(longest, expected):
    assert round_length(longest) == pytest.approx(expected)


def test_contrast_of_odd_images():
    assert contrast(np.full((3, 3), np.nan)) == (0, 1)
    assert contrast(np.full((3, 3), 7.0)) == (7, 8)


def test_rings_do_not_touch():
    assert ring_diameter(np.array([[0, 0], [0, 10], [10, 0]]), (50, 50)) == pytest.approx(6)
    assert ring_diameter(np.array([[1, 1], [1, 1]]), (40, 80)) == pytest.approx(2)
