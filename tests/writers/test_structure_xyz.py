import numpy as np
import pytest
from ase.io import read

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import MissingCalibrationError
from napari_atomseg.readers.columns_table import is_columns_table, read_columns
from napari_atomseg.writers.structure_xyz import write_xyz


def test_atoms_lie_at_the_columns(tmp_path):
    columns = Columns(positions=[[1, 2], [3, 4]], pixel_size=(0.1, 0.2))
    atoms = read(write_xyz(columns, tmp_path / "a b.xyz"), format="extxyz")
    assert np.allclose(atoms.positions, [[0.4, 0.1, 0], [0.8, 0.3, 0]])
    assert atoms.get_chemical_symbols() == ["X", "X"]


def test_elements_and_features_come_back(tmp_path):
    columns = Columns(positions=[[10.5, 20.25], [30, 40]], pixel_size=(0.1, 0.1), image_shape=(64, 48), frame=[0, 3])
    columns = columns.with_features(element=["sr", "unknown"], site=["A 1", None], atom_count=[4, 5], intensity=[1.5, np.nan])
    path = write_xyz(columns, tmp_path / "a")
    assert path.name == "a.xyz"
    assert is_columns_table(path)
    assert read(path, format="extxyz").get_chemical_symbols() == ["Sr", "X"]
    back = read_columns(path)
    assert np.allclose(back.positions, columns.positions)
    assert back.pixel_size == columns.pixel_size
    assert back.image_shape == (64, 48)
    assert list(back.frame) == [0, 3]
    assert list(back.features["site"]) == ["A_1", "-"]
    assert list(back.features["atom_count"]) == [4, 5]
    assert np.array_equal(back.features["intensity"], [1.5, np.nan], equal_nan=True)


def test_needs_a_pixel_size(tmp_path):
    with pytest.raises(MissingCalibrationError, match="pixel size"):
        write_xyz(Columns(positions=[[1, 2]]), tmp_path / "a.xyz")
    assert list(tmp_path.iterdir()) == []
