"""A document without a window: steps, hand edits, saving."""

import numpy as np
import pytest

from napari_atomseg.core.columns import Columns
from napari_atomseg.sessions.document import UNDO_DEPTH, Document, deleted_of
from napari_atomseg.workflows import read_columns


@pytest.fixture
def found():
    places = np.array([[5.0, 6.0], [7.0, 18.0], [20.0, 9.0]])
    made = Columns(positions=places, pixel_size=(0.2, 0.2), image_shape=(30, 30), provenance={"model": "classical"})
    return made.with_features(origin="classical", intensity=[1.0, 2.0, 3.0], fit="ok", confidence=0.9)


@pytest.fixture
def document(found):
    return Document(found)


def test_as_found_there_is_nothing_to_save_or_to_take_back(document, found):
    assert document.columns is found
    assert [document.unsaved, document.edited, document.can_undo, document.can_redo] == [False] * 4
    assert [document.undo(), document.redo(), document.withdraw()] == [False] * 3


def test_steps_are_taken_back_and_repeated(document, found):
    document.remove([1])
    document.move([0], [[5.5, 6.5]])
    after = document.columns
    assert document.undo()
    assert document.undo()
    assert document.columns is found
    assert not document.unsaved
    assert document.redo()
    assert document.redo()
    assert document.columns is after
    document.undo()
    document.remove([0])
    assert not document.can_redo


def test_an_amendment_belongs_to_the_step_before(document, found):
    rows = document.add([[11.0, 12.0]])
    snapped = document.columns.positions.copy()
    snapped[rows] = 11.4
    document.amend(Columns(positions=snapped, features=document.columns.features))
    document.undo()
    assert document.columns is found


def test_what_a_hand_adds_or_moves_says_nothing_of_what_was_measured(document):
    (row,) = document.add([[11.0, 12.0]])
    document.move([0], [[5.5, 6.5]])
    features = document.columns.features
    for touched in (row, 0):
        assert features["origin"].iloc[touched] == "manual"
        assert np.isnan(features["intensity"].iloc[touched])
        assert features["fit"].iloc[touched] == "none"
    assert features["intensity"].iloc[1] == 2.0
    assert document.edited


def test_what_a_hand_deletes_is_remembered(document):
    document.remove([1])
    document.remove([0])
    np.testing.assert_allclose(document.deleted, [[7, 18], [5, 6]])
    assert document.columns.provenance["model"] == "classical"
    document.undo()
    np.testing.assert_allclose(deleted_of(document.columns), [[7, 18]])


def test_a_calibration_is_no_edit(document, found):
    document.remove([2])
    document.undo()
    document.recalibrate(Columns(positions=found.positions, features=found.features, pixel_size=(0.3, 0.3)))
    assert not document.unsaved
    document.redo()
    assert document.columns.pixel_size == (0.3, 0.3)


def test_saving_settles_it_until_the_next_step(document, tmp_path):
    document.remove([1])
    assert document.unsaved
    csv, _ = document.save(tmp_path / "out")
    assert csv.name == "out.csv"
    assert not document.unsaved
    assert len(read_columns(csv)) == 2
    document.undo()
    assert document.unsaved
    document.redo()
    assert not document.unsaved
    document.mark_unsaved()
    assert document.unsaved


def test_the_oldest_steps_go_first(document):
    for number in range(UNDO_DEPTH + 5):
        document.move([0], [[5.0, 6.0 + number]])
    count = 0
    while document.undo():
        count += 1
    assert count == UNDO_DEPTH
