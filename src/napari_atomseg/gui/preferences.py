"""Which reader napari asks for which suffix, and the scale bar: set once, never against the user's own choice.

napari opens tif, png, jpg, npy, csv, h5 and img itself and forgets their calibration; with two readers for a suffix it
asks at each drop. The way that annoys least: the first time that this plugin is used, napari's own preference (Preferences
> Plugins > File extension readers) names it for these suffixes, unless the user has named another; and files that it
cannot read go on to napari's reader. Layers that napari opened itself are calibrated from their file by the panel.
"""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

from napari.settings import get_settings

PLUGIN = "napari-atomseg"
_dressed: weakref.WeakSet[Any] = weakref.WeakSet()


def prefer_our_reader() -> list[str]:
    """Name this plugin in napari's preferences for the suffixes that both read, where the user has not chosen.

    Returns
    -------
    list of str
        Patterns newly set.
    """
    settings = get_settings().plugins
    chosen = dict(settings.extension2reader)
    spelled = {pattern.lower() for pattern in chosen if chosen[pattern] != PLUGIN}
    # napari finds readers whatever the case, but compares its preferences letter by letter where the system does.
    both = [case for pattern in shared_patterns() if pattern not in spelled for case in (pattern, pattern.upper())]
    new = [pattern for pattern in both if pattern not in chosen]
    if new:
        settings.extension2reader = {**chosen, **dict.fromkeys(new, PLUGIN)}
    return new


def prefer_our_writers() -> None:
    """Let napari's Save offer and take our writers first: its own forget the pixel size of an image.

    Ours hand everything back to napari's that is no micrograph or document of columns. npe2 knows no preference for
    writers but the order in which they came.
    """
    from npe2 import PluginManager

    writers = getattr(PluginManager.instance()._contrib, "_writers", [])
    writers.sort(key=lambda entry: not entry[-1].command.startswith(f"{PLUGIN}."))


def shared_patterns() -> list[str]:
    """Patterns that this plugin and some other installed reader claim."""
    from npe2 import PluginManager

    manager = PluginManager.instance()
    ours: set[str] = set()
    others: set[str] = set()
    for manifest in manager.iter_manifests():
        for reader in manifest.contributions.readers or []:
            (ours if manifest.name == PLUGIN else others).update(reader.filename_patterns)
    return sorted(ours & others)


def napari_reads(path: Path) -> bool:
    """True if napari's own reader claims the suffix too."""
    return f"*{path.suffix.lower()}" in shared_patterns()


def show_scale_bar_once(viewer: Any) -> None:
    """Show the scale bar of a viewer; if the user hides it later, it stays hidden."""
    known = getattr(viewer, "__wrapped__", viewer)
    if known not in _dressed:
        _dressed.add(known)
        viewer.canvas.overlays.scale_bar.visible = True
