"""Draw the pictures of the README and the guide: the real window on simulated scenes.

Run it where there is a display, or under Xvfb::

    xvfb-run -a -s "-screen 0 1400x900x24 +extension GLX +render -noreset" .venv/bin/python docs/make_screenshots.py
"""

import tempfile
import time
from pathlib import Path

from qtpy.QtCore import QSettings, QStandardPaths
from qtpy.QtWidgets import QApplication, QScrollArea

IMAGES = Path(__file__).parent / "images"


def spin(seconds):
    """Let the window work for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


def wait(panel):
    """Let the window work until the panel's job is done."""
    spin(0.1)
    while panel.busy:
        spin(0.05)
    spin(0.5)


def shoot(viewer, name):
    """Save a picture of the whole window."""
    spin(0.8)
    viewer.screenshot(str(IMAGES / name), canvas_only=False, flash=False)


def main():
    """Make every picture."""
    QStandardPaths.setTestModeEnabled(True)
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, tempfile.mkdtemp())
    IMAGES.mkdir(exist_ok=True)
    found()
    measured()
    simulated()
    averaged()


def found():
    """Columns of a sample, and a diffractogram."""
    from napari_atomseg.gui.docks.diffractogram import DiffractogramDock
    from napari_atomseg.gui.docks.table import ColumnsTable
    from napari_atomseg.gui.launch import make_window
    from napari_atomseg.gui.shell.panel import AtomSegPanel

    viewer = make_window([], "nanoparticle")
    window = viewer.window._qt_window
    window.resize(1280, 760)
    window.show()
    panel = window.findChild(AtomSegPanel)
    wait(panel)
    panel.run_button.click()
    wait(panel)
    panel.pages["Columns"].refine_button.click()
    wait(panel)
    panel.pages["Columns"].colour.setCurrentText("intensity")
    panel.pages["Columns"].colour.apply_choice()
    panel.pages["Columns"].show_table()
    spin(0.5)
    viewer.scene.camera.zoom *= 1.25
    shoot(viewer, "window.png")
    panel.dock(ColumnsTable).parent().hide()
    viewer.layers.clear()
    viewer.open_sample("napari-atomseg", "dumbbells")
    wait(panel)
    viewer.reset_view()
    panel.open_dock(DiffractogramDock)
    spin(1.5)
    shoot(viewer, "diffractogram.png")
    viewer.close()


def domains(cells=12, polar=0.15):
    """A film of lead titanate whose titanium is displaced to the right, beyond a wall in the middle to the left."""
    import numpy as np
    from ase import Atoms

    side = 3.95
    index = np.stack(np.mgrid[:cells, :cells], -1).reshape(-1, 2)
    lead = index * side
    moved = np.where(index[:, 1] < cells // 2, polar, -polar)
    titanium = (index + 0.5) * side + np.stack([0 * moved, moved], axis=1)
    places = np.concatenate([lead, titanium])
    atoms = Atoms([*["Pb"] * len(lead), *["Ti"] * len(titanium)], positions=np.column_stack([places, 0 * places[:, 0]]))
    atoms.set_cell([cells * side, cells * side, side])
    atoms.pbc = True
    return atoms


def measured():
    """Polarisation at a domain wall: arrows, the wheel, and a plot that is linked with the columns."""
    from napari.layers import Layer

    from napari_atomseg.gui.docks.columns_plot import ColumnsPlotDock
    from napari_atomseg.gui.launch import make_window
    from napari_atomseg.gui.layers.conversion import image_layer_data
    from napari_atomseg.gui.shell.panel import AtomSegPanel
    from napari_atomseg.workflows import AcquisitionParams, CutParams, SimulationParams, record, simulate

    params = SimulationParams(cut=CutParams(zone_axis="0,0,1", thickness=60, width_y=46, width_x=46))
    scene = record(simulate(domains(), params), AcquisitionParams(dose=1e5))
    viewer = make_window([], None)
    window = viewer.window._qt_window
    window.resize(1280, 900)
    window.show()
    panel = window.findChild(AtomSegPanel)
    data, options, kind = image_layer_data(scene)
    layer = viewer.add_layer(Layer.create(data, {**options, "name": "PbTiO3 [001]", "metadata": {}}, kind))
    panel.choose_image(layer)
    panel.run_button.click()
    wait(panel)
    panel.pages["Columns"].refine_button.click()
    wait(panel)
    panel.pages.turn_to_title("Measure")
    panel.run_button.click()
    wait(panel)
    page = panel.pages["Measure"]
    page.colour.setCurrentText("polar_x_angstrom")
    page.colour.apply_choice()
    page.views.show_arrows()
    dock = panel.open_dock(ColumnsPlotDock)
    dock.x.setCurrentText("x_px")
    dock.y.setCurrentText("polar_x_angstrom")
    dock.refresh()
    table = page.session.columns.features
    page.session.layer.selected_data = set(table.index[(table["sublattice"] == 1) & (table["polar_x_angstrom"] < -0.1)])
    spin(0.5)
    viewer.reset_view()
    scroll = next(area for area in panel.findChildren(QScrollArea) if area.isAncestorOf(page))
    scroll.ensureWidgetVisible(page.views.wheel)
    shoot(viewer, "measure.png")
    viewer.close()


def simulated():
    """A structure beside an experiment, which is a simulation with noise and another thickness."""
    from dataclasses import replace

    from napari.layers import Layer

    from napari_atomseg.gui.launch import make_window
    from napari_atomseg.gui.layers.conversion import image_layer_data
    from napari_atomseg.gui.shell.panel import AtomSegPanel
    from napari_atomseg.specimens.library import crystal
    from napari_atomseg.workflows import AcquisitionParams, CutParams, SimulationParams, record, simulate

    params = SimulationParams(cut=CutParams(zone_axis="1,1,0", thickness=80, width_y=36, width_x=36, vacancies=0.01))
    scene = record(simulate(crystal("SrTiO3"), params), AcquisitionParams(dose=2e5, jitter_x=0.08))
    viewer = make_window([], None)
    window = viewer.window._qt_window
    window.resize(1280, 760)
    window.show()
    panel = window.findChild(AtomSegPanel)
    data, options, kind = image_layer_data(replace(scene, data=scene.data[20:340, 30:350], name="SrTiO3 [110]", metadata={}))
    viewer.add_layer(Layer.create(data, options, kind))
    structure = crystal("SrTiO3")
    structure.info = {"name": "srtio3"}
    page = panel.pages["Simulate"]
    page.structure.add(structure)
    page.structure.zone.setCurrentText("1,1,0")
    page.as_image.setChecked(True)
    spin(4)
    viewer.reset_view()
    shoot(viewer, "simulate.png")
    panel.pages.turn_to_title("Compare")
    viewer.layers["srtio3"].visible = False
    panel.run_button.click()
    wait(panel)
    viewer.reset_view()
    shoot(viewer, "compare.png")
    viewer.close()


def averaged():
    """A series of fast frames beside its average, and the drift."""
    from napari_atomseg.gui.launch import make_window
    from napari_atomseg.gui.shell.panel import AtomSegPanel

    viewer = make_window([], "fast-scan")
    window = viewer.window._qt_window
    window.resize(1280, 760)
    window.show()
    panel = window.findChild(AtomSegPanel)
    wait(panel)
    panel.pages.turn_to_title("Series")
    panel.run_button.click()
    wait(panel)
    panel.pages["Series"].show_drift()
    viewer.dims.set_current_step(0, 12)
    spin(0.5)
    viewer.reset_view()
    shoot(viewer, "series.png")
    viewer.close()


if __name__ == "__main__":
    main()
