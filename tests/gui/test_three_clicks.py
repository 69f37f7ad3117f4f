"""From a dropped file to a saved table in three clicks of the mouse, in a small window."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import drop, nearest, open_panel, truth, wait_until_idle
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QFileDialog
from shared_files import shared

SMALL = (1000, 600)


@pytest.fixture
def walk(make_napari_viewer, qtbot, monkeypatch, tmp_path):
    """Drop a file, find, refine, save; the table and its description."""
    viewer = make_napari_viewer(show=True)
    panel = open_panel(viewer)
    viewer.window._qt_window.resize(*SMALL)
    proposed = []

    def accept(parent, title, path, kinds):
        proposed.append(path)
        return str(tmp_path / "out.csv"), "Columns (*.csv)"

    monkeypatch.setattr(QFileDialog, "getSaveFileName", accept)

    def click(button):
        QApplication.processEvents()
        assert button.visibleRegion().boundingRect().size() == button.size(), f"{button.text()} is out of view"
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        wait_until_idle(qtbot, panel)

    def go(path):
        drop(viewer, path)
        page = panel.pages["Columns"]
        clicks = (panel.run_button, page.refine_button, page.save_button)
        for button in clicks:
            click(button)
        assert len(clicks) == 3
        assert Path(proposed[0]).name.startswith(path.stem)
        table = pd.read_csv(tmp_path / "out.csv")
        return table, json.loads((tmp_path / "out.json").read_text())

    return go


def test_on_a_simulated_lattice(walk, files):
    table, said = walk(files.tif)
    assert nearest(table[["y_px", "x_px"]].to_numpy(), truth()).max() < 0.2
    assert (table["fit"] == "ok").sum() > 0.9 * len(truth())
    assert said["image"]["name"] == "lattice"


@pytest.mark.slow
def test_on_a_recorded_crystal(walk):
    table, _ = walk(shared("micrographs/BTO_crystal_1.dm4"))
    assert len(table) > 1000
    assert np.isfinite(table["y_std_px"]).mean() > 0.95
    assert table["y_angstrom"].notna().all()
