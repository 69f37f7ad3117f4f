"""Where recovery files lie on this machine."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QStandardPaths


def recovery_folder() -> Path:
    """The folder of recovery files, in the user's application data."""
    base = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericDataLocation) or str(Path.home())
    return Path(base) / "napari-atomseg" / "recovery"
