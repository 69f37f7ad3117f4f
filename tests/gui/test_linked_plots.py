"""Plots and image share one selection: what is drawn round in the plot is selected on the image, and the other way round."""

import numpy as np
import pandas as pd
import pytest
from conftest import add_image
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_atomseg.core.columns import Columns
from napari_atomseg.gui.docks.columns_plot import COUNT, ColumnsPlotDock
from napari_atomseg.gui.docks.measured_profile import MeasuredProfileDock
from napari_atomseg.gui.documents.results import show_columns

SIDE = 200


@pytest.fixture
def plotted(viewer, panel):
    """The dock, with columns of which the lower half is brighter."""
    image = add_image(viewer, np.zeros((SIDE, SIDE), np.float32), pixel_size=(0.2, 0.2))
    places = np.stack(np.mgrid[1:11, 1:11], -1).reshape(-1, 2) * 18.0
    height = np.where(places[:, 0] > 100, 2.0, 1.0) + 1e-3 * np.arange(len(places))
    session, _ = show_columns(viewer, image, Columns(positions=places, features=pd.DataFrame({"intensity": height})))
    panel.documents.watch(session)
    dock = panel.open_dock(ColumnsPlotDock)
    dock.resize(600, 300)
    dock.plot.resize(500, 220)
    return dock, session, height


def drag(plot, corners, modifier=Qt.KeyboardModifier.NoModifier):
    """Draw along places given as numbers of the plot."""
    corners = np.array(corners, float)
    places = [QPoint(round(x), round(y)) for x, y in plot._on_screen(*corners.T)]
    QTest.mousePress(plot, Qt.MouseButton.LeftButton, modifier, places[0])
    for place in places:
        QTest.mouseMove(plot, place)
    QTest.mouseRelease(plot, Qt.MouseButton.LeftButton, modifier, places[-1])


def test_a_span_of_the_histogram_selects_columns_and_shift_adds(plotted):
    dock, session, height = plotted
    drag(dock.plot, [(1.5, 1), (2.5, 1)])
    assert set(session.layer.selected_data) == set(np.flatnonzero(height > 1.5))
    assert "selected" in dock.reading.text()
    drag(dock.plot, [(0.9, 1), (1.5, 1)], Qt.KeyboardModifier.ShiftModifier)
    assert len(session.layer.selected_data) == len(height)
    QTest.mouseClick(dock.plot, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, QPoint(300, 60))
    assert not session.layer.selected_data


def test_a_lasso_and_a_rectangle_in_the_scatter_select_columns(plotted):
    dock, session, height = plotted
    dock.y.setCurrentText("y_px")
    dock.refresh()
    places = session.columns.positions
    drag(dock.plot, [(1.5, 110), (2.5, 110), (2.5, 150), (1.5, 150)])
    wanted = set(np.flatnonzero((height > 1.5) & (places[:, 0] > 110) & (places[:, 0] < 150)))
    assert set(session.layer.selected_data) == wanted
    drag(dock.plot, [(0.9, 10), (1.5, 60)], Qt.KeyboardModifier.ControlModifier)
    assert set(session.layer.selected_data) == set(np.flatnonzero((height < 1.5) & (places[:, 0] < 60)))


def test_points_selected_on_the_image_stand_out_in_the_plot_and_in_what_is_saved(plotted, qtbot, tmp_path):
    dock, session, _ = plotted
    dock.y.setCurrentText("y_px")
    dock.refresh()
    session.layer.selected_data = {3, 4, 50}
    qtbot.waitUntil(lambda: len(dock.plot._marks) == 3)
    picture, numbers = dock.save(str(tmp_path / "plot.svg"))
    assert "<svg" in picture.read_text()
    table = pd.read_csv(numbers)
    assert set(np.flatnonzero(table["selected"])) == {3, 4, 50}
    dock.y.setCurrentText(COUNT)
    dock.refresh()
    picture, numbers = dock.save(str(tmp_path / "histogram.pdf"))
    assert pd.read_csv(numbers)[["columns", "selected"]].sum().tolist() == [100, 3]


def test_a_span_of_the_profile_selects_the_columns_in_it(plotted, panel):
    _, session, _ = plotted
    session.colour_by = "intensity"
    dock = panel.open_dock(MeasuredProfileDock)
    dock.angle.setValue(90)
    dock.plot.resize(500, 220)
    drag(dock.plot, [(0, 1.2), (10, 1.2)])
    chosen = session.columns.positions[sorted(session.layer.selected_data)]
    assert len(chosen) == 30
    assert chosen[:, 0].max() < 60
    assert len(dock.plot._marks) == 3


def test_groups_have_a_colour_each(plotted):
    dock, session, height = plotted
    lower = (height > 1.5).astype(float)
    lower[0] = -1
    session.apply(session.columns.with_features(sublattice=lower, atoms=np.where(lower > 0, "Sr", "Ti")))
    assert [dock.kinds.itemText(row) for row in range(dock.kinds.count())][:1] == ["all the same"]
    assert {"sublattice", "atoms"} <= {dock.kinds.itemText(row) for row in range(dock.kinds.count())}
    dock.kinds.setCurrentText("sublattice")
    dock.refresh()
    plot, numbers = dock.saved()
    upper = int((lower == 0).sum())
    assert [(name, len(rows)) for name, _, rows in plot.kinds.each] == [
        (f"0 ({upper})", upper),
        (f"1 ({int((lower == 1).sum())})", int((lower == 1).sum())),
        ("none (1)", 1),
    ]
    assert len({colour for _, colour, _ in plot.kinds.each}) == 3
    assert numbers[f"0 ({upper})"].sum() == upper
    dock.kinds.setCurrentText("atoms")
    dock.y.setCurrentText("y_px")
    dock.refresh()
    assert set(dock.saved()[1]["kind"]) == {"Sr", "Ti"}
    session.layer.selected_data = {3}
    assert dock.saved()[0].selected.tolist() == [3]
