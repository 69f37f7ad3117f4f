"""Recovery files of unsaved edits, without a window."""

import os

import numpy as np
import pytest

from napari_atomseg.core.columns import Columns
from napari_atomseg.sessions import recovery
from napari_atomseg.sessions.autosave import Autosave


@pytest.fixture
def autosave(tmp_path):
    return Autosave(tmp_path / "recovery")


def edits(name="scan", path="", count=3):
    provenance = {"image": {"name": name, "path": path}}
    made = Columns(positions=np.arange(2.0 * count).reshape(-1, 2), image_shape=(20, 20), provenance=provenance)
    return made.with_features(origin="manual")


def files(autosave):
    autosave.wait()
    return sorted(path.name for path in autosave.folder.glob("*.npz"))


def test_what_is_unsaved_is_kept_and_read_again(autosave):
    columns = edits()
    autosave.keep([columns], [columns])
    again, _ = autosave.read(autosave.path_for(columns))
    np.testing.assert_allclose(again.positions, columns.positions)
    assert list(again.features["origin"]) == ["manual"] * 3


def test_edits_since_undone_leave_no_file(autosave):
    columns = edits()
    autosave.keep([columns], [columns])
    autosave.keep([], [columns])
    assert files(autosave) == []


def test_files_of_an_earlier_start_and_of_closed_documents_stay(autosave):
    earlier, closed = edits("earlier"), edits("closed")
    earlier_start = Autosave(autosave.folder)
    earlier_start.keep_one(earlier)
    earlier_start.wait()
    autosave.keep([closed], [closed])
    autosave.keep([], [])
    assert len(files(autosave)) == 2


def test_a_removal_comes_after_the_writing_before_it(autosave):
    columns = edits(count=2000)
    autosave.keep_one(columns)
    autosave.forget(autosave.path_for(columns))
    assert not autosave.path_for(columns).exists()
    assert autosave.read(autosave.path_for(columns)) is None


def test_a_path_is_the_same_however_it_is_spelled(autosave, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scan.tif").touch()
    spellings = ("scan.tif", "./scan.tif", str(tmp_path / "scan.tif"), os.path.join(".", "x", "..", "scan.tif"))
    assert len({autosave.path_for(edits(path=one)) for one in spellings}) == 1


def test_images_of_the_same_name_are_found_and_damaged_files_are_not(autosave, tmp_path):
    for folder in ("a", "b"):
        autosave.keep_one(edits(path=str(tmp_path / folder / "scan.tif")))
    autosave.wait()
    here = autosave.path_for(edits(path=str(tmp_path / "a" / "scan.tif")))
    assert len(recovery.by_name(autosave.folder, "scan", here)) == 1
    here.write_text("nothing of use")
    assert autosave.read(here) is None
