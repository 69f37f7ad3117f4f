"""The page "Measure": lattice, strain and polarisation written into the table as one step of undo, shown and saved."""

import numpy as np
import pandas as pd
import pytest
from conftest import add_image
from napari.layers import Image, Vectors

from napari_atomseg.core.columns import Columns
from napari_atomseg.gui.docks.measured_profile import MeasuredProfileDock
from napari_atomseg.gui.documents.results import show_columns

A, PX, SIDE = 3.9, 0.2, 240


@pytest.fixture
def measuring(viewer, panel):
    """The page, with the columns of a perovskite whose second sublattice is displaced by 0.15 Angstrom along +x."""
    panel.pages.turn_to_title("Measure")
    image = add_image(viewer, np.zeros((SIDE, SIDE), np.float32), pixel_size=(PX, PX))
    cells = np.stack(np.mgrid[1:11, 1:11], -1).reshape(-1, 2) * A
    places = np.concatenate([cells, cells + np.array([A / 2, A / 2 + 0.15])]) + np.random.default_rng(0).normal(0, 0.01, (200, 2))
    kind = np.repeat([0, 1], len(cells))
    features = pd.DataFrame({"intensity": np.where(kind == 0, 1.0, 0.5), "y_std_px": 0.01 / PX, "x_std_px": 0.01 / PX})
    columns = Columns(positions=places / PX, features=features, pixel_size=(PX, PX), image_shape=(SIDE, SIDE))
    session, _ = show_columns(viewer, image, columns)
    panel.documents.watch(session)
    return panel.pages["Measure"], session, kind


def test_without_columns_or_a_pixel_size_the_page_says_what_it_needs(viewer, panel):
    panel.pages.turn_to_title("Measure")
    page = panel.pages["Measure"]
    assert "Find or open columns" in page.why_not()
    image = add_image(viewer, np.zeros((50, 50), np.float32), pixel_size=None)
    session, _ = show_columns(viewer, image, Columns(positions=np.full((3, 2), 9.0)))
    panel.documents.watch(session)
    assert "pixel size" in page.why_not()


def test_what_is_measured_stands_in_the_table_and_is_undone_in_one_step(measuring, panel, idle):
    page, session, kind = measuring
    before = session.columns
    page.run()
    idle(panel)
    table = session.columns.features
    assert np.array_equal(table["sublattice"], kind)
    polar = table["polar_x_angstrom"][kind == 1]
    assert np.nanmean(polar) == pytest.approx(0.15, abs=0.01)
    assert table["strain_xx_std"].notna().any()
    assert "<b>a</b> = 3.9" in page.reading.text()
    assert "polarisation of sublattice 1: 14.9 pm (rms), error of one 1.1 pm" in page.reading.text()
    assert session.colour_by == "strain_xx"
    page.undo_button.click()
    assert list(session.columns.features) == list(before.features)
    assert page.reading.text() == ""


def test_arrows_and_maps_are_layers_of_the_image(measuring, panel, viewer, idle):
    page, session, _ = measuring
    page.run()
    idle(panel)
    page.views.show_arrows()
    page.views.show_arrows()
    (arrows,) = [layer for layer in viewer.layers if isinstance(layer, Vectors)]
    assert arrows.scale == pytest.approx(session.image.scale)
    assert np.all(arrows.data[:, 1, 1] > 0)
    assert len(arrows.data) < 100
    page.map_button.click()
    idle(panel)
    # This image is empty.
    page.phase_button.click()
    idle(panel)
    assert "no two waves" in panel.status.text()
    (mapped,) = [layer for layer in viewer.layers if isinstance(layer, Image) and "strain xx" in layer.name]
    assert mapped.data.shape == (SIDE, SIDE)
    assert np.isfinite(mapped.data[SIDE // 2, SIDE // 2])
    assert viewer.layers.selection.active is session.layer


def test_a_profile_follows_the_feature_and_is_saved_with_its_numbers(measuring, panel, idle, tmp_path):
    page, _, _ = measuring
    page.run()
    idle(panel)
    page.profile_button.click()
    dock = panel.dock(MeasuredProfileDock)
    assert dock.table["mean"].abs().max() < 0.01
    page.colour.setCurrentText("polar_x_angstrom")
    page.colour.activated.emit(0)
    assert dock.table is None
    assert "choose a sublattice" in dock.reading.text()
    dock.sublattice.setValue(1)
    assert dock.table["mean"].to_numpy() == pytest.approx(0.15, abs=0.02)
    written = dock.save(str(tmp_path / "profile.pdf"))
    assert [path.name for path in written] == ["profile.pdf", "profile.csv"]
    assert all(path.stat().st_size > 50 for path in written)


def test_the_planes_of_the_selected_columns_are_selected(measuring, panel, idle):
    page, session, _ = measuring
    assert not page.planes_button.isEnabled()
    page.run()
    idle(panel)
    session.layer.selected_data = set()
    page.views.select_planes("a")
    assert "select a column" in panel.status.text()
    session.layer.selected_data = {44}
    page.views.select_planes("a")
    rows = np.array(sorted(session.layer.selected_data))
    places = session.columns.positions[rows]
    assert 44 in rows
    assert len(rows) > 8
    # One row of the lattice, which is drawn along x and y.
    assert min(np.ptp(places, axis=0)) < 2
    action = page.planes_button.menu().actions()[1]
    session.layer.selected_data = {44}
    action.trigger()
    others = session.columns.positions[sorted(session.layer.selected_data)]
    assert np.argmin(np.ptp(others, axis=0)) != np.argmin(np.ptp(places, axis=0))


def test_columns_and_tables_are_saved_together(measuring, panel, idle, tmp_path):
    page, session, _ = measuring
    page.ticks["cells"].setChecked(True)
    page.run()
    idle(panel)
    written = page.save(str(tmp_path / "out.csv"))
    assert {path.name for path in written} == {"out.csv", "out_sites.csv", "out_cells.csv"}
    assert len(pd.read_csv(tmp_path / "out_cells.csv")) == 81
    assert "strain_xx" in pd.read_csv(tmp_path / "out.csv")
    assert not session.unsaved


def test_a_structure_without_zone_axis_is_refused_in_the_foot(measuring, panel, notices):
    page, session, _ = measuring
    before = session.columns
    page.reference._editors["structure"].set_value("some.cif")
    page.run()
    assert session.columns is before


def test_directions_have_a_wheel_and_an_image_and_cells_have_maps(measuring, panel, viewer, idle):
    page, _, _ = measuring
    for name, tick in page.ticks.items():
        tick.setChecked(name in ("polarisation", "cells"))
    page.run()
    idle(panel)
    assert page.views.wheel.isHidden()
    page.links["arrows"]()
    assert not page.views.wheel.isHidden()
    assert float(page.views.wheel.plot.rim.removesuffix(" pm")) == pytest.approx(15, abs=2)
    page.links["directions"]()
    idle(panel)
    (directions,) = [layer for layer in viewer.layers if layer.name.endswith("polarisation, direction")]
    assert directions.rgb
    assert "shown in colours" not in panel.status.text()
    # Displaced to the right: red.
    red, green, blue, _ = directions.data[SIDE // 2, SIDE // 2]
    assert red > 0.8
    assert max(green, blue) < 0.35
    page.views.show_cell_map("ratio")
    idle(panel)
    (cells,) = [layer for layer in viewer.layers if "cell ratio" in layer.name]
    assert np.nanmedian(cells.data) == pytest.approx(1, abs=0.01)


def test_a_report_is_written_from_the_page(measuring, panel, idle, tmp_path):
    page, _, _ = measuring
    assert not page.report_button.isEnabled()
    page.run()
    idle(panel)
    page.views.write_report(str(tmp_path / "report.html"))
    idle(panel)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.count("data:image/png;base64,") >= 5
    assert "polar displacements were measured" in text
