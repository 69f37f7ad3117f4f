"""A stack of three frames, and a network that takes a focal series: numbers and colours on the image."""

import shutil

import pytest

from napari_atomseg.core.columns import ATOM_COUNT
from napari_atomseg.networks.zoo import shipped_folder

PLUGIN, NAME = "napari-atomseg", "hrtem-particles"


@pytest.fixture
def series(viewer, private_settings, panel, page):
    shutil.copytree(shipped_folder() / NAME, private_settings / "models" / NAME)
    panel.networks.refresh()
    (image,) = viewer.open_sample(PLUGIN, "gold-series")
    panel.choose_image(image)
    page.finder.model.choose(NAME)
    return image


def test_a_series_is_counted_as_one_and_shown(series, viewer, panel, page, idle):
    box = page.finder.series
    assert box.isVisibleTo(page.finder)
    assert box.is_series
    page.find()
    idle(panel)
    columns = page.session.columns
    assert set(columns.frame) == {0}
    assert ATOM_COUNT in columns.features
    (numbers,) = [one for one in viewer.layers if one.name.endswith("| counts")]
    assert len(numbers.data) == len(columns) > 40
    assert page.session.colour_by == ATOM_COUNT
    assert viewer.dims.current_step[0] == 0


def test_foci_that_make_no_sense_are_said(series, panel, page, idle):
    page.finder.series.form._editors["foci"].set_value("a, b, c")
    page.find()
    idle(panel)
    assert "foci are numbers" in panel.status.text()


def test_single_frames_and_other_finders_are_offered_no_series(series, page):
    page.finder.series.box.setChecked(False)
    assert not page.finder.series.is_series
    page.finder.model.choose("classical")
    assert not page.finder.series.isVisibleTo(page.finder)
