"""What is slow to load is loaded while nobody waits for it."""

from __future__ import annotations

import contextlib
import gc
import importlib
import threading

from qtpy.QtCore import QTimer

LATER = (
    "matplotlib.backends.backend_qtagg",
    "matplotlib.backends.backend_agg",
    "napari_atomseg.gui.docks.diffractogram",
    "napari_atomseg.localise.refinement.refine",
    "napari_atomseg.localise.snap",
)
"""Modules behind the first click on something that is rarely wanted at once."""
PAUSE_MS = 1500
_begun = threading.Event()


def load_later() -> None:
    """Load the rest in a thread once the window has been open for a moment; once a session."""
    QTimer.singleShot(PAUSE_MS, _load)


def _load() -> None:
    if not _begun.is_set():
        _begun.set()
        threading.Thread(target=_import_all, name="atomseg-loading", daemon=True).start()


def _import_all() -> None:
    for name in LATER:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def keep_what_is_loaded() -> None:
    """Take what the imports have made out of Python's search for garbage, which napari begins whenever a layer is removed.

    Only for a process of our own, before there is a window: in somebody else's it is not ours to decide.
    """
    for name in ("napari.viewer", "napari._qt.qt_main_window", "napari_atomseg.gui.shell.panel", "napari_atomseg.workflows"):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
