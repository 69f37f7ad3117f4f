"""Microscope files through RosettaSciIO: its dictionaries become :class:`~napari_atomseg.readers.signals.Signal`.

Only the plugin that a file needs is imported. Adjust here what the plugins give differently from each other.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_atomseg.core.errors import UnreadableFileError
from napari_atomseg.core.micrograph import RECORDED, SOURCE_KEY
from napari_atomseg.readers import dm5, hdf5, metadata, mrc, tiff
from napari_atomseg.readers.signals import Kind, Signal

_LARGEST_WHOLE = 256 * 2**20  # bytes of file: what cannot be read lazily is read whole up to here
_WRONG_WHEN_LAZY = ("pantarhei",)  # it maps the bytes of a compressed archive as if they were pixels
# Lazily, these plan the chunks of whatever size a damaged header claims, for minutes; read whole, they fail at once.
_SLOW_WHEN_DAMAGED = ("blockfile", "quantumdetector", "tvips")


def read_signals(path: Path, plugin: str) -> list[Signal]:
    """All datasets of a file, lazily where the plugin can.

    Parameters
    ----------
    path : Path
        The file.
    plugin : str
        Name of a package below ``rsciio``.
    """
    return _READERS.get(plugin, _read_plainly)(path, plugin)


def _read_plainly(path: Path, plugin: str) -> list[Signal]:
    return [_signal(dictionary) for dictionary in _read_lazily(path, plugin)]


def _read_tiff(path: Path, plugin: str) -> list[Signal]:
    tiff.check(path)
    dictionaries = tiff.mended(path, tiff.read_samples(path) or _read_lazily(path, plugin))
    return [_tiff_signal(dictionary) for dictionary in dictionaries]


def _tiff_signal(dictionary: Mapping[str, Any]) -> Signal:
    signal = _signal(dictionary)
    data, by_palette = tiff.without_palette(signal.data, signal.original)
    kind: Kind = "thumbnail" if tiff.is_reduced(signal.original) else "colour" if by_palette else "raw"
    notes = (*tiff.notes_of(signal.original), *(["a picture with a palette, turned into its luminance"] if by_palette else []))
    source = tiff.described(signal.original, SOURCE_KEY) or signal.source
    return replace(signal, data=data, kind=kind, source=source, notes=notes)


def _read_mrc(path: Path, plugin: str) -> list[Signal]:
    header = mrc.read_header(path)
    order = {"endianness": header.order} if header.order != "<" else {}
    signals = []
    for dictionary in _read_lazily(path, plugin, **order):
        data, axes, notes = mrc.mended(dictionary, header)
        signals.append(replace(_signal({**dictionary, "data": data, "axes": axes}), notes=notes))
    return signals


def _read_hdf5(path: Path, plugin: str) -> list[Signal]:
    hdf5.check(path)
    signals = _read_plainly(path, plugin)
    steps = hdf5.prismatic_steps(path) if plugin == "emd" else {}
    return [_by_prismatic(signal, steps) for signal in signals] if steps else signals


def _by_prismatic(signal: Signal, steps: Mapping[str, float]) -> Signal:
    axes, note = hdf5.prismatic_axes([dict(axis) for axis in signal.axes], steps)
    return replace(signal, axes=axes, notes=(*signal.notes, *([note] if note else [])))


def _read_ripple(path: Path, plugin: str) -> list[Signal]:
    names = {other.name.lower() for other in path.parent.iterdir()}
    if f"{path.stem}.raw".lower() not in names:
        raise UnreadableFileError(f"its pixels are in {path.stem}.raw, which is not beside it; put both files into one folder")
    return _read_plainly(path, plugin)


def _read_dm5(path: Path, plugin: str) -> list[Signal]:
    hdf5.check(path)
    return dm5.read_signals(path)


def _read_lazily(path: Path, plugin: str, **always: Any) -> Sequence[Mapping[str, Any]]:
    """What the plugin gives of a file, lazily where it can; `always` are further arguments of its reader."""
    if plugin in _WRONG_WHEN_LAZY:
        return importlib.import_module(f"rsciio.{plugin}").file_reader(str(path), lazy=False)
    reader = importlib.import_module(f"rsciio.{plugin}").file_reader
    options: tuple[dict[str, Any], ...] = ({"lazy": True},)
    if plugin == "emd":
        # Without the package `sparse`, or with a newer Velox, spectra make the whole file fail.
        options = (*options, {"lazy": True, "select_type": "images"})
    if path.is_dir() or path.stat().st_size <= _LARGEST_WHOLE:
        whole: dict[str, Any] = {"lazy": False}
        options = (whole,) if plugin in _SLOW_WHEN_DAMAGED else (*options, whole)
    first: Exception | None = None
    for arguments in options:
        try:
            return reader(str(path), **always, **arguments)
        except Exception as error:  # noqa: BLE001 - the plugins raise anything; the first reason is raised again below
            first = first or error
    assert first is not None
    raise first


def _signal(dictionary: Mapping[str, Any]) -> Signal:
    original = _as_dict(dictionary.get("original_metadata"))
    common = metadata.common(_as_dict(dictionary.get("metadata")), original, dictionary.get("mapping") or {})
    axes = list(dictionary.get("axes") or [{"name": None}] * np.ndim(dictionary["data"]))
    source = str(metadata.lookup(common, f"General.{SOURCE_KEY}") or RECORDED)
    return Signal(data=dictionary["data"], axes=axes, common=common, original=original, source=source)


def _as_dict(tree: Any) -> dict[str, Any]:
    if hasattr(tree, "as_dictionary"):
        tree = tree.as_dictionary()
    return dict(tree) if isinstance(tree, Mapping) else {}


def _read_tia(path: Path, plugin: str) -> list[Signal]:
    """A TIA series, or all series that belong to an ``.emi`` file.

    The plugin finds only companions with one digit and none where the path has brackets; then they are read one by one.
    """
    if path.suffix.lower() != ".emi":
        return [_signal(item) for item in _read_lazily(path, plugin)]
    pattern = re.compile(re.escape(path.stem) + r"_(\d+)\.ser", re.IGNORECASE)
    numbered = [(pattern.fullmatch(other.name), other) for other in path.parent.iterdir()]
    companions = [other for _, other in sorted((int(match[1]), other) for match, other in numbered if match)]
    if not companions:
        raise UnreadableFileError(f"its pixels are in {path.stem}_1.ser, which is not beside it; put both files into one folder")
    try:
        dictionaries = list(_read_lazily(path, plugin))
    except Exception:  # noqa: BLE001 - without metadata in the .emi file the plugin raises anything; the pixels are elsewhere
        dictionaries = []
    if len(dictionaries) < len(companions):
        dictionaries = [item for companion in companions for item in _read_lazily(companion, plugin)]
    return [_signal(item) for item in dictionaries]


_READERS: Mapping[str, Callable[[Path, str], list[Signal]]] = {
    "tia": _read_tia,
    "tiff": _read_tiff,
    "mrc": _read_mrc,
    "dm5": _read_dm5,
    "ripple": _read_ripple,
    **dict.fromkeys(("hspy", "emd", "nexus", "delmic", "arina"), _read_hdf5),
}
"""Plugins whose files are looked into before or after; ``dm5`` is our own."""
