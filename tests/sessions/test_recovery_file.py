"""The file in which unsaved edits wait."""

import numpy as np
import pandas as pd
import pytest

from napari_atomseg.core.columns import Columns
from napari_atomseg.sessions import recovery

FEATURES = {
    "origin": ["manual", "model", "snapped"],
    "fit": ["ok", "none", "failed"],
    "intensity": [1.0, np.nan, -3.5],
    "atom_count": [1, 2, 3],
    "straight": [True, False, True],
    "note": ["größer", np.nan, "a/b"],
}


def edits(count=3):
    features = pd.DataFrame({name: (values * count)[:count] for name, values in FEATURES.items()})
    return Columns(
        positions=np.random.default_rng(1).normal(size=(count, 2)),
        frame=np.arange(count),
        features=features,
        pixel_size=(0.1, 0.2),
        image_shape=(4, 20, 30),
        provenance={"image": {"name": "scan", "path": "", "sha256": "ab12"}, "deleted": [1, 2], "model": None},
    )


@pytest.mark.parametrize("count", [0, 1, 3, 500])
def test_all_of_the_columns_comes_back(tmp_path, count):
    columns, path = edits(count), tmp_path / "scan-1.npz"
    recovery.write(columns, path)
    again, _ = recovery.read(path)
    np.testing.assert_array_equal(again.positions, columns.positions)
    np.testing.assert_array_equal(again.frame, columns.frame)
    assert (again.pixel_size, again.image_shape) == (columns.pixel_size, columns.image_shape)
    assert list(again.features) == list(columns.features)
    pd.testing.assert_frame_equal(again.features, columns.features, check_dtype=count > 0)
    assert again.provenance["deleted"] == [1, 2]
    assert again.image_name == "scan"
    assert recovery.checksum_in(path) == "ab12"


def test_a_file_cut_short_is_no_file(tmp_path):
    path = tmp_path / "scan-1.npz"
    recovery.write(edits(), path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        assert recovery.read(path) is None
        assert recovery.checksum_in(path) is None
    path.write_bytes(whole[:300] + b"\xff" * 50 + whole[350:])
    assert recovery.read(path) is None


def test_a_disk_that_refuses_disturbs_nobody(tmp_path):
    (tmp_path / "file").write_text("")
    recovery.write(edits(), tmp_path / "file" / "scan-1.npz")
    assert recovery.read(tmp_path / "file" / "scan-1.npz") is None
