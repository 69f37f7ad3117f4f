import numpy as np
import pandas as pd
import pytest

from napari_atomseg.core.columns import FEATURES, Columns, join_frames
from napari_atomseg.core.errors import MissingCalibrationError


def three(**more):
    return Columns(positions=[[0, 1], [2, 3], [4, 5]], **more)


def test_every_feature_is_there_and_unknown():
    columns = three()
    assert list(columns.features) == list(FEATURES)
    assert columns.features["sigma_px"].isna().all()
    assert set(columns.features["origin"]) == {"manual"}
    assert columns.frame.tolist() == [0, 0, 0]


def test_further_features_stand_after_the_known_ones():
    columns = three(features=pd.DataFrame({"element": ["Sr", "Ti", "O"], "sigma_px": [1, 2, 3]}, index=[7, 8, 9]))
    assert list(columns.features)[-1] == "element"
    assert columns.features["sigma_px"].tolist() == [1, 2, 3]


def test_a_value_never_changes():
    columns = three()
    with pytest.raises(ValueError, match="read-only"):
        columns.positions[0, 0] = 9
    assert columns.with_features(origin="model").features["origin"].iloc[0] == "model"
    assert columns.features["origin"].iloc[0] == "manual"


def test_select_remove_and_join():
    columns = three(frame=[0, 1, 1])
    assert columns.select(np.array([True, False, True])).positions.tolist() == [[0, 1], [4, 5]]
    assert columns.remove([0]).frame.tolist() == [1, 1]
    assert len(columns.of_frame(1)) == 2
    assert columns.joined(columns).positions.shape == (6, 2)
    assert len(join_frames([columns, columns.remove([0, 1, 2])])) == 3
    with pytest.raises(ValueError, match="no tables"):
        join_frames([])


def test_lengths_need_a_pixel_size():
    assert three(pixel_size=(0.1, 0.2)).positions_angstrom[2] == pytest.approx([0.4, 1.0])
    with pytest.raises(MissingCalibrationError, match="--pixel-size"):
        _ = three().positions_angstrom


def test_flagged_are_the_fits_to_look_at_again():
    assert three().with_features(fit=["ok", "overlap", "failed"]).flagged.tolist() == [False, True, True]


def test_tables_of_another_length_are_refused():
    with pytest.raises(ValueError, match="3 positions"):
        three(frame=[1])


def test_no_columns():
    empty = Columns(positions=np.zeros((0, 2)))
    assert len(empty) == 0
    assert empty.joined(empty).flagged.shape == (0,)
