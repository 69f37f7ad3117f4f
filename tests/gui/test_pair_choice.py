"""What the page "Compare" offers to compare with the recorded image, and what stays chosen."""

import numpy as np
import pytest
from conftest import add_image

from napari_atomseg.core.columns import Columns
from napari_atomseg.gui.documents.results import show_columns


@pytest.fixture
def recorded(viewer):
    return add_image(viewer, np.zeros((3, 40, 50), np.float32), "recorded")


@pytest.fixture
def pair(panel, recorded):
    panel.image_bar.choose(recorded)
    return panel.pages["Compare"].pair


def choose(box, name):
    """As a hand does."""
    row = box.findText(name)
    box.setCurrentIndex(row)
    box.activated.emit(row)


def test_what_was_asked_for_stays_chosen_while_it_is_there(viewer, panel, recorded, pair):
    assert not pair.any_image
    first = add_image(viewer, np.zeros((40, 50), np.float32), "first")
    panel.image_bar.choose(recorded)
    assert pair.any_image
    assert pair.chosen is None  # it was not simulated
    choose(pair.simulated, "first")
    second = add_image(viewer, np.zeros((40, 50), np.float32), "second")
    panel.image_bar.choose(recorded)
    assert pair.chosen is first
    choose(pair.simulated, "second")
    assert pair.chosen is second
    viewer.layers.remove(second)
    panel.image_bar.choose(recorded)
    assert pair.chosen is None


def test_columns_are_those_of_the_frame_that_is_compared(viewer, recorded, pair):
    assert pair.columns_of(0) is None
    places = np.array([[10.0, 10.0], [20.0, 30.0], [30.0, 15.0]])
    found = Columns(positions=places, frame=np.array([0, 1, 1]), pixel_size=(0.2, 0.2), image_shape=(40, 50))
    session, _ = show_columns(viewer, recorded, found)
    pair.fill()
    assert pair.columns.currentText() == session.layer.name
    columns = pair.columns_of(1)
    np.testing.assert_array_equal(columns.positions, places[1:])
    assert not columns.frame.any()
    assert pair.columns_of(2) is None
    choose(pair.columns, "none")
    pair.fill()
    assert pair.columns_of(1) is None
