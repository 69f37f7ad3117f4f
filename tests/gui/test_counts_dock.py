"""Atoms counted on the page "Measure": numbers on the image, a histogram whose number of counts can be dragged."""

import numpy as np
import pytest
from conftest import add_image
from napari.layers import Points
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QMouseEvent

from napari_atomseg.core.columns import Columns
from napari_atomseg.gui.docks.counts import CountsDock
from napari_atomseg.gui.documents.results import show_columns

PX, SPACING, SIGMA, SIDE = 0.2, 11.0, 2.5, 14
PLACES = 10 + SPACING * np.stack(np.mgrid[:SIDE, :SIDE], -1).reshape(-1, 2)
ATOMS = np.random.default_rng(4).integers(1, 8, SIDE**2)


def picture():
    side = int(20 + SPACING * (SIDE - 1))
    y, x = np.mgrid[:side, :side]
    clean = np.full((side, side), 0.3)
    for (py, px), atoms in zip(PLACES, ATOMS, strict=True):
        clean += 0.2 * atoms * np.exp(-((y - py) ** 2 + (x - px) ** 2) / (2 * SIGMA**2))
    return (np.random.default_rng(0).poisson(4000 * clean) / 4000).astype(np.float32)


@pytest.fixture
def counted(viewer, panel, idle):
    """The page after atoms were counted, and the document."""
    panel.pages.turn_to_title("Measure")
    image = add_image(viewer, picture(), pixel_size=(PX, PX))
    columns = Columns(positions=PLACES, pixel_size=(PX, PX), image_shape=image.data.shape)
    columns = columns.with_features(intensity=0.2 * ATOMS, background=0.3, sigma_px=SIGMA, fit="ok", y_std_px=0.05, x_std_px=0.05)
    session, _ = show_columns(viewer, image, columns)
    panel.documents.watch(session)
    page = panel.pages["Measure"]
    for name, tick in page.ticks.items():
        tick.setChecked(name in ("counts", "existence"))
    page.run()
    idle(panel)
    return page, session


def mouse(view, kind, x):
    held = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseButtonRelease else Qt.MouseButton.LeftButton
    place = QPointF(x, view.height() / 2)
    return QMouseEvent(kind, place, place, Qt.MouseButton.LeftButton, held, Qt.KeyboardModifier.NoModifier)


def test_numbers_stand_on_the_image_and_in_the_histogram(counted, viewer, panel):
    page, session = counted
    assert np.mean(session.columns.features["atom_count"] == ATOMS) > 0.98
    assert session.colour_by == "atom_count"
    (numbers,) = [layer for layer in viewer.layers if isinstance(layer, Points) and layer.name.endswith("| counts")]
    assert list(numbers.text.values) == [str(one) for one in session.columns.features["atom_count"].astype(int)]
    assert viewer.layers.selection.active is session.layer
    dock = panel.dock(CountsDock)
    assert dock.number.value() == 7
    assert "7 different counts by ICL" in dock.reading.text()
    assert "atoms in 196 columns" in page.reading.text()
    assert "sites filled" in page.reading.text()


def test_the_number_of_counts_is_dragged_and_undone(counted, panel, idle):
    page, session = counted
    view = panel.dock(CountsDock).plot
    view.resize(700, 180)
    left, _, width, _ = view.plot.rooms((700, 180))[1]
    at = {number: 700 * (left + width * (number - 0.5) / 24) for number in (7, 9, 5)}
    view.mousePressEvent(mouse(view, QEvent.Type.MouseButtonPress, at[7]))
    view.mouseMoveEvent(mouse(view, QEvent.Type.MouseMove, at[9]))
    assert view.plot.marked == 9
    view.mouseMoveEvent(mouse(view, QEvent.Type.MouseMove, at[5]))
    view.mouseReleaseEvent(mouse(view, QEvent.Type.MouseButtonRelease, at[5]))
    idle(panel)
    dock = panel.dock(CountsDock)
    assert dock.number.value() == 5
    assert "that you chose (5)" in dock.reading.text()
    assert session.columns.provenance["steps"][-1]["intensities"]["components"] == 5
    page.undo_button.click()
    assert dock.number.value() == 7


def test_a_click_selects_the_columns_of_a_count(counted, panel):
    _, session = counted
    view = panel.dock(CountsDock).plot
    view.resize(700, 180)
    left, _, width, _ = view.plot.rooms((700, 180))[0]
    view.mousePressEvent(mouse(view, QEvent.Type.MouseButtonPress, 700 * (left + 0.02 * width)))
    chosen = sorted(session.layer.selected_data)
    assert chosen == np.flatnonzero(session.columns.features["atom_count"] == 1).tolist()


def test_plot_and_numbers_are_saved(counted, panel, tmp_path):
    written = panel.dock(CountsDock).save(str(tmp_path / "counts.svg"))
    assert [path.name for path in written] == ["counts.svg", "counts.csv"]
    assert (tmp_path / "counts.csv").read_text().splitlines()[0] == "atoms,mean,width,weight"
