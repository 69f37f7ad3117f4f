"""What a file says besides its pixels: beam energy, dwell time, detector, modality, frame time, dose.

RosettaSciIO leaves most of it in the file's own words together with a map to common names; both are used here, and the
rest is cut down to plain values that a metadata pane can show.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_LONGEST_LIST = 16
_LONGEST_TEXT = 400
_DEEPEST = 8
_SECONDS = {"s": 1.0, "sec": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0}
_INSTRUMENTS = ("TEM", "SEM", "STEM")
_DETECTOR_PATHS = ("BinaryResult.Detector", "Detector", "Signal.Detector", "Acquisition.Device.Name", "DataBar.Device Name")
_MODALITIES = (
    (re.compile(r"haadf", re.I), "haadf"),
    (re.compile(r"(?<![a-z])i?abf(?![a-z])|annular bright", re.I), "abf"),
    (re.compile(r"(?<![a-z])[lm]aadf|(?<![a-z])(adf|df)(?![a-z])|dark[ _-]?field", re.I), "adf"),
    (re.compile(r"(?<![a-z])bf(?![a-z])|bright[ _-]?field", re.I), "bf"),
    (re.compile(r"(?<![a-z])(hrtem|tem image)(?![a-z])", re.I), "hrtem"),
    (re.compile(r"(?<![a-z])(sem|bse|sei)(?![a-z])", re.I), "sem"),
)
_CAMERA = re.compile(r"ceta|ccd|oneview|rio|orius|ultrascan|falcon|camera|gatan k[23]|(?<![a-z])k[23](?![a-z])", re.I)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of the making of an image.

    Attributes
    ----------
    energy : float or None
        Beam energy in eV.
    dwell_time_us : float or None
        Microseconds per pixel of a scan.
    detector : str
        Its name, or empty.
    modality : str
        As in :class:`~napari_atomseg.core.micrograph.Micrograph`.
    dose : float or None
        e/A2, only where the file states it.
    note : str
        Where the modality came from if that is weak evidence.
    """

    energy: float | None = None
    dwell_time_us: float | None = None
    detector: str = ""
    modality: str = ""
    dose: float | None = None
    note: str = ""


def common(metadata: Mapping[str, Any], original: Mapping[str, Any], mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata under RosettaSciIO's common names, those included that it only says how to find.

    Parameters
    ----------
    metadata : mapping
        Under common names already, nested.
    original : mapping
        Everything that the file says under its own names, nested.
    mapping : mapping of str to (str, callable or None)
        By dotted path in `original`: the dotted path under the common names, and what turns the value into theirs. Values that it
        cannot turn are left out.

    Returns
    -------
    dict
        Nested; neither of the given mappings is changed.
    """
    merged = _copied(metadata)
    for source, (target, convert) in mapping.items():
        value = lookup(original, source)
        if value is None:
            continue
        try:
            value = convert(value) if convert else value
        except (ValueError, TypeError, KeyError, AttributeError, IndexError, ArithmeticError):
            # One odd tag in a foreign file must not cost the image.
            continue
        _put(merged, target.split("."), value)
    return merged


def facts(merged: Mapping[str, Any], original: Mapping[str, Any], stem: str) -> Facts:
    """Facts about an image from its common metadata, its original metadata and, as a last resort, its file's name.

    Parameters
    ----------
    merged : mapping
        Under common names; see :func:`common`.
    original : mapping
        As the file has it.
    stem : str
        Of the file's name.
    """
    instruments = [lookup(merged, f"Acquisition_instrument.{name}") or {} for name in _INSTRUMENTS]
    energy = _first_number(instruments, "beam_energy", 0.1, 1e4)
    if energy is None:
        energy = _number(lookup(original, "ObjectInfo.ExperimentalDescription.High tension_kV"), 0.1, 1e4)
    dwell_time = _first_number(instruments, "dwell_time", 1e-12, 1e3)
    if dwell_time is None:
        dwell_time = _number(lookup(original, "Scan.DwellTime"), 1e-12, 1e3)
    detector = _detector(merged, original)
    modality, note = _modality(merged, detector, stem)
    return Facts(
        energy=None if energy is None else energy * 1e3,
        dwell_time_us=None if dwell_time is None else dwell_time * 1e6,
        detector=detector,
        modality=modality,
        dose=_first_number(instruments, "dose", 1e-6, 1e12),
        note=note,
    )


def frame_time_s(axis: Mapping[str, Any]) -> float | None:
    """Seconds between frames if `axis` is a time axis with a unit; None otherwise."""
    factor = _SECONDS.get(str(axis.get("units") or "").strip())
    step = _number(axis.get("scale"), 0, 1e9)
    return None if factor is None or not step else step * factor


def plain(value: Any, depth: int = 0) -> Any:
    """`value` as nested plain values; long lists, bytes and arrays are dropped, long texts cut."""
    if isinstance(value, Mapping):
        if depth >= _DEEPEST:
            return {}
        pairs = ((str(key), plain(item, depth + 1)) for key, item in value.items())
        return {key: item for key, item in pairs if item is not None and item != {}}
    if isinstance(value, np.ndarray):
        return plain(value.tolist(), depth) if value.size <= _LONGEST_LIST and value.dtype.kind in "biufU" else None
    if isinstance(value, (list, tuple)):
        if len(value) > _LONGEST_LIST or depth >= _DEEPEST:
            return None
        return [item for item in (plain(item, depth + 1) for item in value) if item is not None]
    return _plain_scalar(value)


def lookup(tree: Mapping[str, Any], path: str) -> Any:
    """Value at a dotted path of a nested mapping, None if there is none; keys may hold dots themselves.

    Parameters
    ----------
    tree : mapping
        Nested.
    path : str
        Names with dots between.
    """
    here: Any = tree
    if path in tree:
        return tree[path]
    for key in path.split("."):
        if not isinstance(here, Mapping) or key not in here:
            return None
        here = here[key]
    return here


def _plain_scalar(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (bytes, complex)) or value is None:
        return None
    return str(value)[:_LONGEST_TEXT]


def _copied(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {str(key): _copied(value) if isinstance(value, Mapping) else value for key, value in tree.items()}


def _put(tree: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    for key in keys[:-1]:
        child = tree.get(key)
        if not isinstance(child, dict):
            child = tree[key] = {}
        tree = child
    tree[keys[-1]] = value


def _number(value: Any, low: float, high: float) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if low <= number <= high else None


def _first_number(trees: Sequence[Any], key: str, low: float, high: float) -> float | None:
    numbers = (_number(tree.get(key), low, high) for tree in trees if isinstance(tree, Mapping))
    return next((number for number in numbers if number is not None), None)


def _detector(merged: Mapping[str, Any], original: Mapping[str, Any]) -> str:
    tags = lookup(original, "ImageList.TagGroup0.ImageTags")
    for tree in (original, tags, merged):
        if isinstance(tree, Mapping):
            for path in _DETECTOR_PATHS:
                name = lookup(tree, path)
                if isinstance(name, str) and name.strip():
                    return name.strip()
    name = lookup(merged, "Acquisition_instrument.TEM.Detector.Camera.Name")
    return name.strip() if isinstance(name, str) else ""


def _mode(merged: Mapping[str, Any]) -> str:
    """``TEM``, ``STEM``, ``SEM`` or empty."""
    mode = str(lookup(merged, "Acquisition_instrument.TEM.acquisition_mode") or "").upper()
    if mode:
        return "STEM" if "STEM" in mode else "TEM" if "TEM" in mode else mode
    has_sem = lookup(merged, "Acquisition_instrument.SEM.beam_energy") is not None
    return "SEM" if has_sem and lookup(merged, "Acquisition_instrument.TEM") is None else ""


def _modality(merged: Mapping[str, Any], detector: str, stem: str) -> tuple[str, str]:
    mode = _mode(merged)
    title = str(lookup(merged, "General.title") or "")
    signal = str(lookup(merged, "Signal.quantity") or "")
    for text in (title, detector, signal):
        modality = _named_in(text)
        if modality:
            # What a TEM calls bright field is its ordinary image.
            return ("hrtem" if mode == "TEM" and modality == "bf" else modality), ""
    if mode == "SEM":
        return "sem", ""
    if mode == "TEM" or _CAMERA.search(detector):
        return "hrtem", ""
    modality = _named_in(stem)
    return modality, f"the modality {modality} is taken from the file's name" if modality else ""


def _named_in(text: str) -> str:
    return next((modality for pattern, modality in _MODALITIES if pattern.search(text)), "")


def flattened(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names and values of a nested mapping, in order, as rows for a table.

    Parameters
    ----------
    tree : mapping
        Nested.
    prefix : str
        Of all names.
    """
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
