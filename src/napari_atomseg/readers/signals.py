"""One dataset as a file holds it, whether it is an image at all, and the micrograph it makes.

All readers end here, so that the rules (what is an image, how it is calibrated, what is said about it) are written once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from napari_atomseg.core.errors import NoImageError
from napari_atomseg.core.micrograph import RECORDED, Micrograph
from napari_atomseg.core.quantities import angstrom_per
from napari_atomseg.readers import calibration, metadata

_WORDS = {4: "four", 5: "five", 6: "six", 7: "seven"}
_ENERGY_NAME = re.compile(r"(electron |x-?ray )?energy([ _-]?loss)?|wavelength|energy channels?", re.I)
_RECIPROCAL_NAME = re.compile(r"[kqg][_ ]?[xy]", re.I)
_DIFFRACTION = re.compile(r"diffraction", re.I)
_SPECTRA = re.compile(r"EELS|EDS|EDX|CL|luminescence|spectrum", re.I)
_MANY_FRAMES = 4
"""So many times as many frames as pixels along a side are rather the channels of spectra."""
LUMINANCE = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue, Rec. 601."""


Kind = Literal["raw", "map", "copy", "colour", "thumbnail"]
"""What an image is beside the others of its file, the one most likely meant first."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Signal:
    """A dataset before it is known to be an image.

    Attributes
    ----------
    data : array
        Of any shape, numpy or dask.
    axes : sequence of mapping
        One per dimension: ``name``, ``scale``, ``units``, ``navigate``.
    common : mapping
        Metadata under RosettaSciIO's common names.
    original : mapping
        Metadata in the file's own words.
    source : str
        What the pixel size comes from.
    notes : tuple of str
        What was mended so far.
    kind : str
        One of :data:`Kind`.
    """

    data: Any
    axes: Sequence[Mapping[str, Any]]
    common: Mapping[str, Any] = field(default_factory=dict)
    original: Mapping[str, Any] = field(default_factory=dict)
    source: str = RECORDED
    notes: tuple[str, ...] = ()
    kind: Kind = "raw"

    @property
    def title(self) -> str:
        """Title in the file; empty if it has none."""
        return str(metadata.lookup(self.common, "General.title") or "").strip()


def tidied(signal: Signal) -> Signal:
    """Signal without colour and without leading dimensions of length one."""
    signal = _without_colour(signal)
    while signal.data.ndim > 2:
        single = next((i for i, size in enumerate(signal.data.shape[:-2]) if size == 1), None)
        if single is None:
            break
        index = (slice(None),) * single + (0,)
        axes = [axis for i, axis in enumerate(signal.axes) if i != single]
        signal = replace(signal, data=signal.data[index], axes=axes)
    return signal


def why_no_image(signal: Signal) -> str | None:
    """Reason why a tidied signal is no image or stack in real space, as the end of a sentence; None if it is one."""
    shape = tuple(int(size) for size in signal.data.shape)
    if signal.data.dtype.kind not in "biuf":
        what = "complex" if signal.data.dtype.kind == "c" else f"of the type {signal.data.dtype}"
        return f"its data are {what}; save the modulus, the phase or another real picture of it, and open that"
    if 0 in shape:
        return f"its shape is {shape}, which has no pixels"
    if len(shape) < 2:
        return f"its shape is {shape}: a single spectrum, profile or number"
    if len(shape) > 3:
        word = _WORDS.get(len(shape), str(len(shape)))
        return f"it is {word}-dimensional {shape}: make an image of it, for instance with a virtual detector, and choose that"
    return _why_not_real_space(signal, shape)


def to_micrograph(signal: Signal, path: Path, index: int, name: str) -> Micrograph:
    """Micrograph of a signal that is an image; pixels are made square where they must be.

    Parameters
    ----------
    signal : Signal
    path : Path
        Of the file.
    index : int
        Of the dataset.
    name : str
        For people.

    Raises
    ------
    NoImageError
        If the pixels are not square and the image is too large to be resampled; the text is the end of a sentence.
    """
    found = calibration.calibrate(signal.axes[-2], signal.axes[-1])
    data, pixel_size, notes = _on_square_pixels(signal.data, found.pixel_size)
    known = metadata.facts(signal.common, signal.original, path.stem)
    stack = data.ndim == 3
    return Micrograph(
        data=data,
        pixel_size=pixel_size,
        name=name,
        modality=known.modality,
        pixel_size_source="" if pixel_size is None else signal.source,
        unit_in_file=found.unit_in_file,
        energy=known.energy,
        dose=known.dose,
        frame_time_s=metadata.frame_time_s(signal.axes[0]) if stack else None,
        path=path,
        dataset=index,
        notes=tuple(
            note for note in (*signal.notes, *found.notes, *notes, _earlier(signal.source), _many(data), known.note) if note
        ),
        metadata=_pane(signal, known),
    )


def _why_not_real_space(signal: Signal, shape: tuple[int, ...]) -> str | None:
    flags = [bool(axis.get("navigate", False)) for axis in signal.axes]
    if len(flags) == len(shape) and flags.count(False) == 1 and any(flags):
        return f"it holds spectra or profiles, shape {shape}, and no image"
    if len(shape) == 3 and is_of_spectra(signal):
        return f"it is a spectrum image, shape {shape}: sum or map it over its energies, and open that"
    return _why_other_space(signal)


def is_of_spectra(signal: Signal) -> bool:
    """Whether the first axis counts energies, or the file calls itself spectra."""
    first = signal.axes[0]
    if calibration.other_kind(first.get("units")) == "an energy":
        return True
    named = str(first.get("name") or "").strip()
    known = str(metadata.lookup(signal.common, "Signal.signal_type") or "")
    return bool(_ENERGY_NAME.fullmatch(named) or _SPECTRA.match(known))


def _why_other_space(signal: Signal) -> str | None:
    for axis in signal.axes[-2:]:
        kind = calibration.other_kind(axis.get("units"))
        if kind:
            name = f'"{axis["name"]}" ' if axis.get("name") else ""
            hint = ", as in a diffraction pattern" if kind in ("a reciprocal length", "an angle") else ""
            return f"its axis {name}is in {axis['units']}, {kind}{hint}, so it is no image in real space"
    known = str(metadata.lookup(signal.common, "Signal.signal_type") or "")
    if _DIFFRACTION.search(known):
        return f'the file calls it "{known}", so it is no image in real space'
    names = [str(axis.get("name") or "") for axis in signal.axes[-2:]]
    if all(map(_RECIPROCAL_NAME.fullmatch, names)) and not any(angstrom_per(axis.get("units")) for axis in signal.axes[-2:]):
        return f"its axes are called {names[0]} and {names[1]}, as in a diffraction pattern, so it is no image in real space"
    return None


def _earlier(source: str) -> str:
    """Where a pixel size comes from that was not recorded with the image; empty if it was, or if another note tells."""
    other = source != RECORDED and not source.endswith(".json")
    return f"the pixel size was not recorded with the image; its source is: {source}" if other else ""


def _many(data: Any) -> str:
    """A doubt about a stack of so many small frames; empty if there is none."""
    if data.ndim != 3 or data.shape[0] <= _MANY_FRAMES * max(data.shape[1:]):
        return ""
    return f"{data.shape[0]} frames of {data.shape[1]} x {data.shape[2]} pixels: if these are spectra, sum them first"


def _on_square_pixels(data: Any, size: tuple[float, float] | None) -> tuple[Any, tuple[float, float] | None, tuple[str, ...]]:
    if size is None:
        return data, None, ()
    if not calibration.is_anisotropic(size):
        pixel_size, note = calibration.squared(size)
        return data, pixel_size, (note,)
    shape = calibration.resampled_shape(data.shape, size)
    if np.prod(shape, dtype=float) > calibration.LARGEST_RESAMPLED:
        raise NoImageError(
            f"its pixels are not square, {size[0]:.6g} x {size[1]:.6g} Å (y, x), and on square ones it would have the shape "
            f"{shape}, more than can be resampled on opening; scale or crop it first"
        )
    planes, note = calibration.resample_square(np.asarray(data), size)
    return planes, (min(size), min(size)), (note,)


def _without_colour(signal: Signal) -> Signal:
    """Luminance of a picture with named colour fields, or as found if all its colours are one grey."""
    names = signal.data.dtype.names
    if not names or not set("RGB") <= set(names):
        return signal
    red, green, blue = (np.asarray(signal.data[name]) for name in "RGB")
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return replace(
            signal, data=red, kind="colour", notes=(*signal.notes, "a grey picture saved in colour; one of its channels is used")
        )
    planes = (plane.astype(np.float32) for plane in (red, green, blue))
    grey = np.asarray(sum(weight * plane for weight, plane in zip(LUMINANCE.tolist(), planes, strict=True)), np.float32)
    return replace(signal, data=grey, kind="colour", notes=(*signal.notes, "a colour picture, turned into its luminance"))


def _pane(signal: Signal, known: metadata.Facts) -> dict[str, Any]:
    summary = {
        "title": signal.title or None,
        "date": metadata.lookup(signal.common, "General.date"),
        "time": metadata.lookup(signal.common, "General.time"),
        "microscope": metadata.lookup(signal.common, "Acquisition_instrument.TEM.microscope"),
        "beam_energy_ev": known.energy,
        "dwell_time_us": known.dwell_time_us,
        "detector": known.detector or None,
    }
    pane: dict[str, Any] = metadata.plain({"summary": summary, "common": signal.common, "original": signal.original})
    return pane
