"""DigitalMicrograph 5 files: the tags of DM3 and DM4 as groups and attributes of HDF5."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_atomseg.core.errors import UnreadableFileError
from napari_atomseg.readers.plain import coloured
from napari_atomseg.readers.signals import Signal

_COLOURS = 23
"""DataType of pixels that are red, green, blue and a spare byte in one whole number, as thumbnails are."""
_SPECTRUM = "spectrum"


def read_signals(path: Path) -> list[Signal]:
    """Every image of a file but those that are only thumbnails.

    Raises
    ------
    UnreadableFileError
        If it is no DigitalMicrograph file; the text is the end of a sentence.
    """
    import h5py

    with h5py.File(path, "r") as file:
        images = file.get("ImageList")
        if not isinstance(images, h5py.Group):
            raise UnreadableFileError("it has no list of images, so it was not written by DigitalMicrograph; mend its suffix")
        thumbnails = {int(group.attrs["ImageIndex"]) for group in _listed(file.get("Thumbnails")) if "ImageIndex" in group.attrs}
        numbered = list(enumerate(_listed(images)))
        shown = [group for number, group in numbered if number not in thumbnails] or [group for _, group in numbered]
        return [_signal(group) for group in shown if "Data" in group.get("ImageData", {})]


def _signal(group: Any) -> Signal:
    data_group = group["ImageData"]
    data = np.asarray(data_group["Data"])
    if int(data_group.attrs.get("DataType", 0)) == _COLOURS:
        data = coloured(np.ascontiguousarray(data).view(np.uint8).reshape(*data.shape, -1)[..., [2, 1, 0]])
    tags = _tags(group["ImageTags"]) if "ImageTags" in group else {}
    name = _text(group.attrs.get("Name", ""))
    microscope = tags.get("Microscope Info", {}) if isinstance(tags.get("Microscope Info"), dict) else {}
    tem = {
        "beam_energy": _kilovolts(microscope.get("Voltage")),
        "acquisition_mode": microscope.get("Illumination Mode"),
        "microscope": microscope.get("Microscope"),
    }
    common = {
        "General": {"title": name},
        "Acquisition_instrument": {"TEM": {key: value for key, value in tem.items() if value is not None}},
    }
    original = {"ImageList": {"TagGroup0": {"ImageTags": tags}}}
    return Signal(data=data, axes=_axes(data_group, data.ndim, _is_spectrum(tags)), common=common, original=original)


def _axes(data_group: Any, count: int, spectrum: bool) -> list[dict[str, Any]]:
    """Axes in the order of the array; DigitalMicrograph counts them from the fastest."""
    groups = _listed(data_group.get("Calibrations/Dimension"))
    names = ["x", "y", "z", "t"]
    axes = []
    for number in range(count):
        calibration = groups[number].attrs if number < len(groups) else {}
        scale, unit = calibration.get("Scale", 1.0), _text(calibration.get("Units", ""))
        name = names[number] if number < len(names) else None
        axes.append({"name": name, "scale": float(scale), "units": unit or None, "navigate": number >= 2})
    if spectrum and count > 1:
        # The energy is the slowest axis of a spectrum image, and the fastest of a line of spectra.
        for number, axis in enumerate(axes):
            axis["navigate"] = number != (count - 1 if count > 2 else 0)
    return axes[::-1]


def _is_spectrum(tags: Mapping[str, Any]) -> bool:
    description = tags.get("Meta Data")
    return isinstance(description, Mapping) and str(description.get("Format", "")).lower().startswith(_SPECTRUM)


def _listed(group: Any) -> list[Any]:
    """Members ``[0]``, ``[1]`` ... of a group in their order; an absent group has none."""
    if group is None:
        return []
    numbered = ((re.fullmatch(r"\[(\d+)\]", name), name) for name in group)
    return [group[name] for _, name in sorted((int(match[1]), name) for match, name in numbered if match)]


def _tags(group: Any) -> dict[str, Any]:
    """Attributes and groups as nested plain values."""
    found: dict[str, Any] = {name: _text(value) if isinstance(value, bytes) else value for name, value in group.attrs.items()}
    return {**found, **{name: _tags(member) for name, member in group.items() if hasattr(member, "items")}}


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _kilovolts(volts: Any) -> float | None:
    try:
        return float(volts) / 1e3
    except (TypeError, ValueError):
        return None
