"""What the foot says of columns that were found, refined, or are there."""

from types import SimpleNamespace

import numpy as np
import pytest

from napari_atomseg.core.columns import Columns
from napari_atomseg.gui.pages.columns.sentences import (
    LINKS,
    found_sentence,
    nothing_found,
    refined_sentence,
    state_of,
    state_sentence,
)


def columns(count=3, provenance=None, **features):
    places = np.arange(2.0 * count).reshape(count, 2)
    made = Columns(positions=places, pixel_size=(0.2, 0.2), image_shape=(40, 40), provenance=provenance or {})
    return made.with_features(**{name: np.array(values) for name, values in features.items()})


def document(found, *, edited, unsaved):
    return SimpleNamespace(columns=found, edited=edited, unsaved=unsaved)


def test_found_columns_are_counted_and_the_other_frames_offered():
    found = columns(1200)
    assert found_sentence(found, found, None, 0.34, beside_edited=False) == f"1,200 columns, 0.3 s. {LINKS}"
    of_frame = found_sentence(found, found, 4, 2.0, beside_edited=True)
    assert of_frame.startswith("1,200 columns in frame 5, 2.0 s. Your edited columns were kept")
    assert of_frame.endswith(f'<a href="every_frame">every frame</a> · {LINKS}')


def test_where_none_is_sure_enough_the_surest_is_told():
    unsure = columns(confidence=[0.2, 0.31, 0.1])
    assert "confidence 0.50; the surest has 0.31" in nothing_found(unsure, 0.5)
    assert "other polarity" in nothing_found(columns(0, {"model": "classical"}), 0.5)
    assert "The network sees no columns" in nothing_found(columns(0, {"model": "adf-columns"}), 0.5)


def test_refined_columns_that_need_a_look_are_counted():
    fit = np.array(["ok", "ok", "failed"], dtype=object)
    said = refined_sentence(columns(fit=fit), 1.26)
    assert said.startswith('3 columns refined, 1.3 s, 1 flagged (<a href="flagged">show next</a>).')
    assert "flagged" not in refined_sentence(columns(fit=np.array(["ok"] * 3, dtype=object)), 1.26)


@pytest.mark.parametrize(
    ("edited", "unsaved", "more"), [(False, True, ""), (True, True, ", edited and not saved"), (True, False, "")]
)
def test_the_state_of_a_document_is_told(edited, unsaved, more):
    session = document(columns(), edited=edited, unsaved=unsaved)
    assert state_sentence(session) == f"3 columns{more}. {LINKS}"
    assert state_of(session) == (3, 0, unsaved)


def test_where_no_columns_are_nothing_is_said():
    assert state_of(None) is None
    assert state_sentence(None) == state_sentence(document(columns(0), edited=True, unsaved=True)) == ""
