"""A real window with the panel, small synthetic micrographs, and nothing of the user's read or written."""

from __future__ import annotations

import gc
import importlib
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QMimeData, QPointF, QSettings, QStandardPaths, Qt, QTimer, QUrl
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QApplication

from napari_atomseg.core.micrograph import Micrograph

sys.path.append(str(Path(__file__).parents[1] / "readers"))

HANGING = 600_000
"""Milliseconds after which something hangs: no test asks how long anything takes."""
SIGMA = 2.5
SPACING = 14.0
SIDE = 160
PIXEL_SIZE = 0.2  # Angstrom


# -- what keeps the user's own things out ------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def private_settings(tmp_path, monkeypatch):
    """Our settings, napari's settings, the recovery folder and the models, all in a folder of the test."""
    from napari import settings

    from napari_atomseg.gui.settings import _pending
    from napari_atomseg.networks import zoo

    _pending.clear()
    home = tmp_path / "private"
    home.mkdir()
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(home))
    # The name without an underscore is a deprecated stand-in, of which napari itself asks nothing.
    monkeypatch.setattr(settings, "_SETTINGS", settings.NapariSettings(config_path=home / "napari.yaml"))
    monkeypatch.setenv(zoo.ENVIRONMENT, str(home / "models"))
    monkeypatch.setattr(zoo, "shipped_folder", lambda: home / "shipped")
    monkeypatch.setattr(QStandardPaths, "writableLocation", staticmethod(lambda *_: str(home / "data")))
    return home


@dataclass
class Dialogs:
    """Modal dialogs that came up; each is closed at once, since it would block the test for ever."""

    seen: list[str] = field(default_factory=list)

    def dismiss(self):
        dialog = QApplication.activeModalWidget()
        if dialog is not None:
            self.seen.append(f"{type(dialog).__name__}: {dialog.windowTitle()}")
            dialog.close()


@pytest.fixture(autouse=True)
def dialogs(qapp):
    """No test expects a modal dialog."""
    watch = Dialogs()
    timer = QTimer()
    timer.timeout.connect(watch.dismiss)
    timer.start(50)
    yield watch
    timer.stop()
    assert watch.seen == []


@pytest.fixture
def notices():
    """Texts of napari's notifications since the test began, newest last."""
    from napari.utils.notifications import notification_manager

    notification_manager.records.clear()
    return lambda: [record.message for record in notification_manager.records]


@pytest.fixture(autouse=True, scope="session")
def frozen_modules(qapp):
    """What the imports made stays out of the many garbage collections that napari's viewer fixture asks for."""
    for name in ("napari.viewer", "napari._qt.qt_main_window", "napari_atomseg.gui.shell.panel", "napari_atomseg.workflows"):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True, scope="module")
def frozen_meanwhile(frozen_modules):
    """So does what earlier files have imported and kept."""
    gc.collect()
    gc.freeze()


# -- the window --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def shared_window(qapp, frozen_modules):
    """One hidden viewer for all tests that neither show nor close theirs: making and closing one takes longer than most tests."""
    import napari
    from napari._qt.qt_viewer import QtViewer
    from napari._qt.threads.status_checker import StatusChecker

    before = StatusChecker.start
    StatusChecker.start = lambda *_: None
    viewer = napari.Viewer(show=False, show_welcome_screen=False)
    StatusChecker.start = before
    # napari's own fixture takes every viewer that it finds for one that an earlier test has left.
    QtViewer._instances.clear()
    yield viewer
    viewer.close()


@pytest.fixture
def viewer(shared_window, private_settings):
    """The shared viewer, as new."""
    from napari._qt.qt_viewer import QtViewer

    instances = set(QtViewer._instances)
    yield shared_window
    clean(shared_window)
    QtViewer._instances.difference_update(set(QtViewer._instances) - instances)


def clean(viewer):
    """Take everything out of a viewer that a test has put there."""
    from napari_atomseg.gui import preferences

    viewer.layers.selection.clear()
    viewer.window.remove_dock_widget("all")
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    for group in (viewer.events, viewer.layers.events, viewer.layers.selection.events, viewer.dims.events, viewer.canvas.events):
        forget_callbacks(group)
    forget_callbacks(viewer.scene.camera.events)
    viewer.layers.clear()
    viewer.dims.reset()
    viewer.canvas.grid.enabled = False
    viewer.theme = "dark"
    preferences._dressed.discard(viewer)
    viewer.canvas.overlays.scale_bar.visible = False
    QApplication.processEvents()
    viewer.reset_view()


def forget_callbacks(group):
    """Disconnect what is ours: a panel that was closed may live on as long as Python pleases."""
    for emitter in getattr(group, "emitters", {}).values():
        for callback in [*emitter.callbacks]:
            owner = callback[0]() if isinstance(callback, tuple) else callback
            modules = (type(owner).__module__, getattr(owner, "__module__", None) or "")
            if any(module.startswith("napari_atomseg") for module in modules):
                emitter.disconnect(callback)


@pytest.fixture
def panel(viewer):
    return open_panel(viewer)


@pytest.fixture
def page(panel):
    return panel.pages["Columns"]


def open_panel(viewer):
    """Open the panel as the Plugins menu does."""
    _, widget = viewer.window.add_plugin_dock_widget("napari-atomseg", "AtomSeg")
    QApplication.processEvents()
    return widget


def drop(viewer, *paths):
    """Drop files on the canvas."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    event = QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    viewer.window._qt_viewer.dropEvent(event)
    QApplication.processEvents()


def wait_until_idle(qtbot, panel, timeout=HANGING):
    """Let the job under way end."""
    qtbot.waitUntil(lambda: not panel.busy, timeout=timeout)
    QApplication.processEvents()


@pytest.fixture
def idle(qtbot):
    return lambda panel: wait_until_idle(qtbot, panel)


@pytest.fixture
def found(viewer, page, idle, files):
    """The main job up to the points: a dropped micrograph and its columns."""
    drop(viewer, files.tif)
    page.find()
    idle(page._host)
    assert page.session is not None, page._host.status.text()
    return page.session


# -- micrographs -------------------------------------------------------------------------------------------------------


def truth(side=SIDE, spacing=SPACING):
    """Column positions of :func:`lattice`, (y, x) in px."""
    along = np.arange(spacing, side - spacing / 2, spacing)
    y, x = np.meshgrid(along + 0.3, along - 0.2, indexing="ij")
    return np.column_stack([y.ravel(), x.ravel()])


def lattice(side=SIDE, spacing=SPACING, dark=False, seed=1):
    """A square lattice of Gaussians on a background, with noise."""
    rng = np.random.default_rng(seed)
    along = np.arange(side)
    profile = np.zeros((2, side))
    for axis in (0, 1):
        centres = np.unique(truth(side, spacing)[:, axis])
        profile[axis] = np.exp(-((along[:, None] - centres) ** 2) / (2 * SIGMA**2)).sum(axis=1)
    signal = np.outer(profile[0], profile[1])
    image = (200 - 150 * signal) if dark else (30 + 150 * signal)
    return (image + rng.normal(0, 4, image.shape)).astype(np.float32)


def micrograph(data=None, name="lattice", pixel_size=(PIXEL_SIZE, PIXEL_SIZE)):
    return Micrograph(data=lattice() if data is None else data, pixel_size=pixel_size, name=name)


class Files:
    """Micrographs on disk, written when asked for."""

    def __init__(self, folder: Path):
        self.folder = folder

    @property
    def tif(self):
        return self.calibrated("lattice.tif")

    def calibrated(self, name, data=None):
        """A calibrated TIFF as the project writes it."""
        from napari_atomseg.writers.micrograph_tiff import write_tiff

        path = self.folder / name
        if not path.exists():
            write_tiff(micrograph(data), path.with_suffix(".tif"))
            path.with_suffix(".tif").rename(path)
        return path

    def of(self, suffix, data=None, stem="lattice"):
        """A micrograph in the format of a suffix."""
        from make_files import write

        path = self.folder / f"{stem}{suffix}"
        data = lattice() if data is None else data
        if suffix.lower() in (".png", ".jpg", ".ser", ".dm3"):
            data = np.clip(data, 0, 255).astype(np.uint8)
        target = path.with_suffix(suffix.lower())
        write(target, data)
        if target != path:
            target.rename(path)
        return path


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    return Files(folder)


def add_image(viewer, data=None, name="lattice", pixel_size=(PIXEL_SIZE, PIXEL_SIZE)):
    """Add a micrograph as our reader does, without a file."""
    from napari_atomseg.gui.layers.conversion import image_layer_data

    values, options, _ = image_layer_data(micrograph(data, name, pixel_size))
    return viewer.add_image(values, **options)


def nearest(positions, targets):
    """Distance of each target to the nearest position."""
    from scipy.spatial import cKDTree

    return cKDTree(positions).query(targets)[0]


def snapshot(layer):
    """Everything of a Points layer that undo must bring back."""
    return {
        "data": np.array(layer.data),
        "features": layer.features.copy(),
        "symbol": [str(getattr(one, "value", one)) for one in layer.symbol],
        "border_color": np.array(layer.border_color),
        "size": np.array(layer.size),
    }


def same(first, second):
    """Two snapshots are equal."""
    import pandas as pd

    pd.testing.assert_frame_equal(first["features"], second["features"])
    np.testing.assert_array_equal(first["data"], second["data"])
    np.testing.assert_array_equal(first["border_color"], second["border_color"])
    np.testing.assert_allclose(first["size"], second["size"])
    assert first["symbol"] == second["symbol"]
    return True
