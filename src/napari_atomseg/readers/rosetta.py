"""Microscope files through RosettaSciIO: its dictionaries become :class:`~napari_atomseg.readers.signals.Signal`.

Only the plugin that a file needs is imported. Adjust here what the plugins give differently from each other.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_atomseg.core.errors import NoImageError, UnreadableFileError
from napari_atomseg.readers import metadata
from napari_atomseg.readers.signals import Signal

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
    if plugin == "tia":
        return _read_tia(path)
    if plugin == "tiff":
        _require_whole_tiff(path)
    if plugin in ("hspy", "emd", "nexus"):
        _check_hdf5(path)
    dictionaries = _read_lazily(path, plugin)
    return [_signal(dictionary, plugin) for dictionary in dictionaries]


def _read_lazily(path: Path, plugin: str) -> Sequence[Mapping[str, Any]]:
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
            return reader(str(path), **arguments)
        except Exception as error:  # noqa: BLE001 - the plugins raise anything; the first reason is raised again below
            first = first or error
    assert first is not None
    raise first


def _signal(dictionary: Mapping[str, Any], plugin: str) -> Signal:
    original = _as_dict(dictionary.get("original_metadata"))
    common = metadata.common(_as_dict(dictionary.get("metadata")), original, dictionary.get("mapping") or {})
    axes = list(dictionary.get("axes") or [{"name": None}] * np.ndim(dictionary["data"]))
    data = dictionary["data"]
    if plugin == "tiff":
        axes = _imagej_axes(axes, original)
    elif plugin == "mrc" and data.ndim < 2:
        data, axes = _unsqueezed_mrc(data, original)
    return Signal(data=data, axes=axes, common=common, original=original)


def _unsqueezed_mrc(data: Any, original: Mapping[str, Any]) -> tuple[Any, list[Mapping[str, Any]]]:
    """An image one pixel high or wide, of which the plugin drops that dimension together with its axis."""
    header = original["std_header"]
    axes: list[Mapping[str, Any]] = []
    for name in "YX":
        count = int(header[f"N{name}"])
        axes.append({"name": name.lower(), "scale": float(header[f"{name}len"]) / 10 / count, "units": "nm"})
    return data.reshape(int(header["NY"]), int(header["NX"])), axes


def _as_dict(tree: Any) -> dict[str, Any]:
    if hasattr(tree, "as_dictionary"):
        tree = tree.as_dictionary()
    return dict(tree) if isinstance(tree, Mapping) else {}


def _read_tia(path: Path) -> list[Signal]:
    """A TIA series, or all series that belong to an ``.emi`` file.

    The plugin finds only companions with one digit and none where the path has brackets; then they are read one by one.
    """
    if path.suffix.lower() != ".emi":
        return [_signal(item, "tia") for item in _read_lazily(path, "tia")]
    pattern = re.compile(re.escape(path.stem) + r"_(\d+)\.ser", re.IGNORECASE)
    numbered = [(pattern.fullmatch(other.name), other) for other in path.parent.iterdir()]
    companions = [other for _, other in sorted((int(match[1]), other) for match, other in numbered if match)]
    if not companions:
        raise UnreadableFileError(f"its pixels are in {path.stem}_1.ser, which is not beside it; put both files into one folder")
    try:
        dictionaries = list(_read_lazily(path, "tia"))
    except Exception:  # noqa: BLE001 - without metadata in the .emi file the plugin raises anything; the pixels are elsewhere
        dictionaries = []
    if len(dictionaries) < len(companions):
        dictionaries = [item for companion in companions for item in _read_lazily(companion, "tia")]
    return [_signal(item, "tia") for item in dictionaries]


def _require_whole_tiff(path: Path) -> None:
    """A truncated TIFF opens, and shows zeros where its pixels are missing: that must not pass as an image."""
    from tifffile import TiffFile

    size = path.stat().st_size
    with TiffFile(path) as tiff:
        for page in (tiff.pages[0], tiff.pages[-1]):
            segments = zip(page.dataoffsets, page.databytecounts, strict=False)
            end = max((offset + count for offset, count in segments), default=0)
            if end > size:
                raise UnreadableFileError(f"it ends after {size} of at least {end} bytes, so it is truncated; copy it again")


def _check_hdf5(path: Path) -> None:
    """A damaged HDF5 file fails in every plugin; one of Atomap's lattices holds column positions and no image."""
    import h5py

    try:
        file = h5py.File(path, "r")
    except (OSError, RuntimeError) as error:
        raise UnreadableFileError("it is a truncated or damaged HDF5 file; copy it again from the microscope") from error
    with file:
        lattices = [group for group in file.values() if isinstance(group, h5py.Group) and "atom_positions" in group]
        if lattices or "Atom_Lattice" in str(file.attrs.get("atom_lattice_type", "")):
            raise NoImageError("it is an Atomap lattice, which holds column positions and no micrograph; open it as columns")


def _imagej_axes(axes: Sequence[Mapping[str, Any]], original: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Axes of a TIFF written in ImageJ's way: the plugin knows no unit but the micron there, and exchanges x and y.

    Files with DigitalMicrograph's tags are left as they are: those are read right.
    """
    description = str(original.get("ImageDescription", ""))
    unit = re.search(r"^unit=(.*)$", description, re.MULTILINE)
    if not description.startswith("ImageJ=") or unit is None or "65009" in original:
        return list(axes)
    spelled = unit[1].strip().encode("latin-1", "backslashreplace").decode("unicode_escape", "replace")
    steps = {"height": _step(original.get("YResolution")), "width": _step(original.get("XResolution"))}
    mended = [dict(axis) for axis in axes]
    for axis in mended:
        step = steps.get(str(axis.get("name")))
        if step:
            axis.update(scale=step, units=spelled)
    interval = re.search(r"^finterval=([-+.\deE]+)$", description, re.MULTILINE)
    if len(axes) == 3 and interval:
        mended[0].update(scale=float(interval[1]), units="s")
    return list(mended)


def _step(resolution: Any) -> float | None:
    """Pixel size from a rational number of pixels per unit."""
    try:
        pixels, length = resolution
        return float(length) / float(pixels)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
