"""The lattice dock: numbers, lines, colours, and suggestions that become columns only when they are selected and added."""

import numpy as np
import pytest
from conftest import add_image, lattice, nearest, same, snapshot, truth

from napari_atomseg.gui.docks.lattice import LatticeDock, description
from napari_atomseg.gui.documents.results import documents_of
from napari_atomseg.gui.layers.lattice import cell_lines

OVERLOOKED, VACANT = 44, 66


@pytest.fixture
def dock(viewer, panel, idle):
    """A window whose columns lack two: one that the image shows, one whose column has been painted out of the image."""
    data = lattice()
    y, x = np.mgrid[: data.shape[0], : data.shape[1]]
    data[np.hypot(y - truth()[VACANT, 0], x - truth()[VACANT, 1]) < 7] = 30
    add_image(viewer, data)
    panel.pages["Columns"].find()
    idle(panel)
    session = panel.documents.session
    row = int(np.argmin(np.hypot(*(session.columns.positions - truth()[OVERLOOKED]).T)))
    session.apply(session.columns.remove(np.array([row])))
    panel.open_dock(LatticeDock)
    dock = panel.dock(LatticeDock)
    dock.estimate_button.click()
    idle(panel)
    return dock


def test_the_numbers_are_those_of_the_lattice(dock):
    assert dock.lattice.basis == pytest.approx(np.array([[0, 14.0], [-14.0, 0]]), abs=0.1)
    assert "Å" in dock.reading.text()
    assert "1 site in the cell" in dock.reading.text()
    assert "pm" in dock.reading.text()
    assert "px" in description(dock.lattice, None)
    assert "Å" not in description(dock.lattice, None)


def test_suggestions_become_columns_only_when_added(dock, viewer, panel, idle):
    session = panel.documents.session
    before, count = snapshot(session.layer), len(session.columns)
    dock.suggest_button.click()
    idle(panel)
    layer = dock.suggested
    assert layer.name == "lattice | suggested"
    assert len(layer.data) == 2
    assert nearest(layer.data, truth()[[OVERLOOKED, VACANT]]).max() < 0.15 * 14
    shown = layer.features["response"].to_numpy() > 0.5
    assert nearest(layer.data[shown], truth()[[OVERLOOKED]]) < 2
    assert layer not in documents_of(viewer, panel.image)
    assert same(before, snapshot(session.layer))
    dock.add_button.click()
    idle(panel)
    assert "Select the suggestions" in panel.status.text()
    layer.selected_data = {0, 1}
    dock.add_button.click()
    idle(panel)
    assert len(session.columns) == count + 2
    added = session.columns.select(np.arange(count, count + 2))
    origin = dict(zip(added.features["origin"], added.positions, strict=True))
    assert np.hypot(*(origin["snapped"] - truth()[OVERLOOKED])) < 0.5
    assert np.hypot(*(origin["manual"] - truth()[VACANT])) < 2
    assert added.features["intensity"].isna().all()
    assert dock.suggested is None
    session.undo()
    assert same(before, snapshot(session.layer))


def test_the_cells_are_drawn_below_the_rings_and_once(dock, viewer, panel):
    session = panel.documents.session
    for _ in range(2):
        dock.show_button.click()
    layers = [layer for layer in viewer.layers if layer.name == "lattice | lattice"]
    assert len(layers) == 1
    assert viewer.layers.index(layers[0]) < viewer.layers.index(session.layer)
    assert tuple(layers[0].scale) == tuple(session.layer.scale)
    assert layers[0].units == session.layer.units
    lines = cell_lines(dock.lattice, session.columns.positions)
    assert np.hypot(*lines[:, 1].T) == pytest.approx(14, abs=0.5)


def test_residuals_are_colours_and_on_request_features(dock, panel):
    session = panel.documents.session
    dock.colour_button.click()
    assert len(np.unique(session.layer.border_color, axis=0)) > 5
    assert "lattice_residual_y_px" not in session.columns.features
    dock.write_button.click()
    residual = session.columns.features[["lattice_residual_y_px", "lattice_residual_x_px"]].to_numpy()
    np.testing.assert_allclose(residual, dock.lattice.residual)
    assert dock.suggest_button.isEnabled()
    session.undo()
    assert "lattice_residual_y_px" not in session.columns.features
    assert not dock.suggest_button.isEnabled()
    assert "press Estimate again" in dock.suggest_button.toolTip()


def test_columns_without_order_are_refused_in_one_sentence(viewer, panel, idle, notices):
    from napari_atomseg.core.columns import Columns
    from napari_atomseg.gui.documents.results import show_columns

    image = add_image(viewer)
    panel.open_dock(LatticeDock)
    dock = panel.dock(LatticeDock)
    assert not dock.estimate_button.isEnabled()
    points = np.random.default_rng(0).uniform(5, 150, (80, 2))
    session, _ = show_columns(viewer, image, Columns(positions=points, image_shape=image.data.shape))
    panel.documents.watch(session)
    dock.estimate_button.click()
    idle(panel)
    assert "no lattice" in panel.status.text()
    assert not dock.suggest_button.isEnabled()
    assert "no lattice" in notices()[-1]


def test_another_image_shows_its_own_numbers_or_none(dock, viewer, panel, idle):
    """The first image's cell used to stay, in the unit of the second."""
    first = dock.reading.text()
    second = add_image(viewer, lattice(), "second", pixel_size=None)
    assert panel.image is second
    assert "press Estimate" in dock.reading.text()
    assert dock.suggested is None
    panel.pages["Columns"].find()
    idle(panel)
    assert "press Estimate" in dock.reading.text()
    dock.estimate_button.click()
    idle(panel)
    assert "Å" not in dock.reading.text()
    panel.image_bar.choose(viewer.layers["lattice"])
    assert dock.reading.text() == first
