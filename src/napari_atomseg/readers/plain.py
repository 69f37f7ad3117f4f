"""Files that carry pixels and nothing about a microscope: NumPy arrays (with a JSON beside them) and pictures."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_atomseg.core.errors import UnreadableFileError
from napari_atomseg.core.quantities import angstrom_per
from napari_atomseg.readers.signals import Signal

_PICKLED = (
    "it holds pickled Python objects, which may run any code and are never loaded; save the image itself, as an array of numbers"
)
_COLOURS = "RGBA"
_SHOWN_AS = {"P": "RGB", "PA": "RGB", "CMYK": "RGB", "YCbCr": "RGB", "LAB": "RGB", "HSV": "RGB", "LA": "L", "La": "L"}


def read_array(path: Path) -> list[Signal]:
    """The array of an ``.npy`` file, mapped from disk; objects in it are never unpickled.

    Raises
    ------
    UnreadableFileError
        If it holds objects; the text is the end of a sentence.
    """
    with _objects_refused():
        data = np.load(path, mmap_mode="r", allow_pickle=False)
    return [_array_signal(data, path)]


def read_archive(path: Path) -> list[Signal]:
    """The arrays of an ``.npz`` archive in its order, with their names as titles; those that hold objects are left out.

    Raises
    ------
    UnreadableFileError
        If nothing but objects is in it; the text is the end of a sentence.
    """
    signals = []
    with np.load(path, allow_pickle=False) as archive:
        for name in archive.files:
            with contextlib.suppress(UnreadableFileError), _objects_refused():
                signal = _array_signal(archive[name], path)
                signals.append(replace(signal, common={**signal.common, "General": {"title": name}}))
        if archive.files and not signals:
            raise UnreadableFileError(_PICKLED)
    return signals


@contextlib.contextmanager
def _objects_refused() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        if "allow_pickle" not in str(error) and "Python objects" not in str(error):
            raise
        raise UnreadableFileError(_PICKLED) from error


def _array_signal(data: np.ndarray, path: Path) -> Signal:
    if data.dtype == np.uint8 and data.ndim == 3 and data.shape[-1] in (3, 4) and data.shape[0] > 4:
        # Bytes with three or four values in the last place are a picture; a stack that narrow is none.
        data = coloured(data)
    beside = path.with_suffix(".json")
    said = _field_of_view(beside) if beside.is_file() and data.ndim >= 2 else {}
    axes: list[dict[str, Any]] = [{"name": None, "navigate": False} for _ in data.shape]
    if not said:
        return Signal(data=data, axes=axes)
    widths = (said.get("field_of_view_y"), said["field_of_view_x"])
    for axis, width, count in zip(axes[-2:], widths, data.shape[-2:], strict=True):
        axis.update(scale=(width or widths[1] / data.shape[-1] * count) / max(count, 1), units=said["unit"])
    common: dict[str, Any] = {"Acquisition_instrument": {"TEM": {"beam_energy": said["energy_kev"]}}}
    note = f"the field of view is from {beside.name}"
    return Signal(data=data, axes=axes, common=common, original=said["original"], source=beside.name, notes=(note,))


def read_picture(path: Path) -> list[Signal]:
    """A PNG, JPEG, BMP or GIF picture; a resolution in dots per inch is ignored, it is about paper."""
    from PIL import Image

    with Image.open(path) as picture:
        frames = getattr(picture, "n_frames", 1)
        mode = _SHOWN_AS.get(picture.mode)
        data = np.asarray(picture.convert(mode) if mode else picture)
    if data.ndim == 3:
        data = coloured(data)
    axes = [{"name": name, "navigate": False} for name in "yx"]
    notes = (f"the first of {frames} pictures",) if frames > 1 else ()
    return [Signal(data=data, axes=axes, notes=notes)]


def coloured(data: np.ndarray) -> np.ndarray:
    """Pixels (..., 3 or 4) as records with the fields R, G, B (A), without a copy where memory allows."""
    fields = np.dtype([(name, data.dtype) for name in _COLOURS[: data.shape[-1]]])
    return np.ascontiguousarray(data).view(fields)[..., 0]


def _field_of_view(beside: Path) -> dict[str, Any]:
    """``field_of_view_x`` (and ``_y``) with their unit, at whatever depth a JSON file holds them; empty if it does not."""
    try:
        values = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    for tree in _mappings(values):
        unit = tree.get("field_of_view_units", tree.get("units", "nm"))
        width, height = tree.get("field_of_view_x"), tree.get("field_of_view_y")
        if _is_size(width) and angstrom_per(str(unit)) is not None:
            return {
                "field_of_view_x": float(width),  # type: ignore[arg-type]
                "field_of_view_y": float(height) if _is_size(height) else None,  # type: ignore[arg-type]
                "unit": str(unit),
                "energy_kev": _kilovolts(values),
                "original": values,
            }
    return {}


def _mappings(tree: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(tree, Mapping):
        yield tree
        for value in tree.values():
            yield from _mappings(value)


def _is_size(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < float("inf")


def _kilovolts(values: Any) -> float | None:
    """Beam energy from a text such as ``60 kV``."""
    for tree in _mappings(values):
        number, _, unit = str(tree.get("voltage", "")).strip().partition(" ")
        if unit in ("kV", "keV"):
            try:
                return float(number)
            except ValueError:
                return None
    return None
