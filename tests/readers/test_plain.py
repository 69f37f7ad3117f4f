from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from napari_atomseg.readers.registry import read


@pytest.mark.parametrize(
    ("told", "size"),
    [
        ({"field_of_view_x": 4.0, "field_of_view_units": "nm"}, 1.0),
        ({"a": {"b": {"field_of_view_x": 4.0, "field_of_view_y": 2.0, "field_of_view_units": "nm"}}}, 1.0),
        ({"field_of_view_x": 0.004, "units": "µm"}, 1.0),
        ({"field_of_view_x": "4"}, None),
        ({"field_of_view_x": -4}, None),
        ({"field_of_view_x": 4, "field_of_view_units": "mrad"}, None),
        ([1, 2], None),
    ],
)
def test_the_field_of_view_beside_an_array(told, size, tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((20, 40)))
    (tmp_path / "a.json").write_text(json.dumps(told), encoding="utf-8")
    (image,) = read(tmp_path / "a.npy")
    assert image.pixel_size == (None if size is None else pytest.approx((size, size)))
    assert image.pixel_size_source == ("" if size is None else "a.json")


def test_a_broken_json_beside_an_array_is_ignored(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((20, 40)))
    (tmp_path / "a.json").write_bytes(b"{\xff")
    assert read(tmp_path / "a.npy")[0].pixel_size is None


@pytest.mark.parametrize(("text", "energy"), [("60 kV", 60e3), ("300 keV", 300e3), ("high", None), ("x kV", None)])
def test_the_voltage_beside_an_array(text, energy, tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((20, 40)))
    (tmp_path / "a.json").write_text(json.dumps({"field_of_view_x": 4.0, "voltage": text}))
    assert read(tmp_path / "a.npy")[0].energy == energy


def test_bytes_in_three_channels_are_a_picture(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((20, 30, 3), np.uint8))
    np.save(tmp_path / "b.npy", np.zeros((20, 30, 3), np.uint16))
    assert read(tmp_path / "a.npy")[0].shape == (20, 30)
    assert read(tmp_path / "b.npy")[0].shape == (20, 30, 3)


def test_only_the_first_of_several_pictures(tmp_path):
    frames = [Image.fromarray(np.full((8, 9), value, np.uint8)) for value in (10, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    (image,) = read(tmp_path / "a.gif")
    assert image.shape == (8, 9)
    assert "the first of 2 pictures" in image.notes
