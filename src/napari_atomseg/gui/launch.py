"""Start napari with the panel docked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_atomseg.gui.preferences import PLUGIN

WIDGET = "AtomSeg"


def open_window(files: list[Path], sample: str | None = None) -> None:
    """Show napari with the panel, open the files (or a sample), and run until the window is closed.

    Parameters
    ----------
    files : list of Path
    sample : str, optional
        Name of a sample of this plugin.
    """
    import napari

    from napari_atomseg.gui.shell.loading import keep_what_is_loaded

    keep_what_is_loaded()
    make_window(files, sample)
    napari.run()


def make_window(files: list[Path], sample: str | None = None) -> Any:
    """The viewer of :func:`open_window`, before it runs."""
    import napari

    viewer = napari.Viewer(title="napari-atomseg")
    viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
    for file in files:
        viewer.open(str(file), plugin=PLUGIN)
    if sample is not None:
        viewer.open_sample(PLUGIN, sample)
    return viewer
