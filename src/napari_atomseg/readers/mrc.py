"""What an MRC header says that RosettaSciIO leaves out: byte order, signedness of bytes, which axis is which, no calibration.

The layout is that of MRC2014 (Cheng et al., J. Struct. Biol. 192, 146, 2015, doi:10.1016/j.jsb.2015.04.002), with IMOD's
stamp, and the extended headers of FEI in their older and newer form.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_atomseg.core.errors import UnreadableFileError
from napari_atomseg.core.quantities import format_length

ANGSTROM_PER_METRE = 1e10
_LENGTH = 1024
_IMOD_STAMP = 1146047817
_MODES = (0, 1, 2, 4, 6, 12)
_UNREAD = {3: "complex numbers of 16-bit integers", 16: "colours", 101: "4-bit numbers"}
_OLD_FEI = 131_072
"""Bytes of FEI's older extended header, which has no name."""
_SAMPLE = 512  # pixels: middle of a frame by which signedness is judged
_EDGES = 1e-4  # relative difference of a cell of one Angstrom per pixel from a whole number of pixels


@dataclass(frozen=True, kw_only=True)
class Header:
    """The part of a header that matters here.

    Attributes
    ----------
    order : str
        ``<`` little-endian, ``>`` big-endian.
    mode : int
        Type of the numbers.
    count, grid : tuple of int
        Columns, rows, sections of the file; intervals into which the cell is divided along x, y, z.
    cell : tuple of float
        Edges along x, y, z in Angstrom.
    axes : tuple of int
        Which of x, y, z (0, 1, 2) columns, rows and sections run along.
    low, high : float
        Smallest and largest number, as far as the header says.
    signed : bool or None
        Whether bytes are signed, by IMOD's flag; None if IMOD has not written the file.
    extended : bytes
        Beginning of the extended header.
    extended_kind : str
        Its name, or empty.
    extended_length : int
        Bytes.
    """

    order: str
    mode: int
    count: tuple[int, ...]
    grid: tuple[int, ...]
    cell: tuple[float, ...]
    axes: tuple[int, ...]
    low: float
    high: float
    signed: bool | None
    extended: bytes
    extended_kind: str
    extended_length: int


def read_header(path: Path) -> Header:
    """Header of a file.

    Raises
    ------
    UnreadableFileError
        If it is too short, or announces numbers that are not read; the text is the end of a sentence.
    """
    with path.open("rb") as file:
        raw = file.read(_LENGTH)
        if len(raw) < _LENGTH:
            raise UnreadableFileError(f"it has {len(raw)} bytes, and the header of an MRC file has {_LENGTH}; copy it again")
        order = _byte_order(raw)
        length = max(0, struct.unpack_from(f"{order}i", raw, 92)[0])
        extended = file.read(min(length, 256))
    mode = struct.unpack_from(f"{order}i", raw, 12)[0]
    if mode in _UNREAD:
        raise UnreadableFileError(f"its mode {mode}, {_UNREAD[mode]}, is not read; convert it to mode 1, 2 or 6")
    stamp, flags = struct.unpack_from(f"{order}2i", raw, 152)
    low, high = struct.unpack_from(f"{order}2f", raw, 76)
    axes = tuple(number - 1 for number in struct.unpack_from(f"{order}3i", raw, 64))
    return Header(
        order=order,
        mode=mode,
        count=struct.unpack_from(f"{order}3i", raw, 0),
        grid=struct.unpack_from(f"{order}3i", raw, 28),
        cell=struct.unpack_from(f"{order}3f", raw, 40),
        axes=axes if sorted(axes) == [0, 1, 2] else (0, 1, 2),
        low=low,
        high=high,
        signed=bool(flags & 1) if stamp == _IMOD_STAMP else None,
        extended=extended,
        extended_kind=raw[104:108].decode("latin-1").strip("\0 "),
        extended_length=length,
    )


def mended(dictionary: Mapping[str, Any], header: Header) -> tuple[Any, list[Mapping[str, Any]], tuple[str, ...]]:
    """Data, axes and notes of a dataset as RosettaSciIO reads it, put right by the header.

    Axes of a Direct Electron film, whose sizes are in a text file beside it, stay but for sizes that it calls unknown.
    """
    data, notes = _numbers(dictionary["data"], header)
    original = dictionary.get("original_metadata") or {}
    axes = [dict(axis) for axis in dictionary["axes"]]
    if "de_metadata" in original:
        return data, [_known(axis) for axis in axes], notes
    size, more = pixel_size(header)
    if data.ndim < 2:
        # One pixel high or wide: the plugin drops that dimension together with its axis.
        data = data.reshape(header.count[1], header.count[0])
        axes = [{"name": name, "navigate": False} for name in "yx"]
    unit, angstrom = ("m", ANGSTROM_PER_METRE) if _extended_size(header) else ("Å", 1.0)
    for axis, step in zip(axes[-2:], size or (1.0, 1.0), strict=True):
        axis.update(scale=step / angstrom, units=unit if size else None)
    return data, list(axes), (*notes, *more)


def pixel_size(header: Header) -> tuple[tuple[float, float] | None, tuple[str, ...]]:
    """Pixel size (y, x) in Angstrom of rows and columns, None where the header means that it is unknown, and notes."""
    notes: tuple[str, ...] = ()
    if header.axes != (0, 1, 2):
        runs = ["xyz"[axis] for axis in header.axes]
        notes = (f"columns, rows and sections run along {', '.join(runs)} in this file; it is shown as it is stored",)
    size = _extended_size(header)
    if size is not None:
        return size, notes
    edges = [header.cell[axis] for axis in header.axes[:2]]
    grid = [header.grid[axis] for axis in header.axes[:2]]
    doubt = _why_unknown(edges, grid, header.count[:2])
    if doubt:
        return None, (*notes, doubt)
    if min(grid) <= 0:
        grid = list(header.count[:2])
        notes = (*notes, "the header does not divide its cell; it was taken for that of the whole image")
    x, y = (edge / parts for edge, parts in zip(edges, grid, strict=True))
    return (y, x), notes


def _byte_order(raw: bytes) -> str:
    """By the machine stamp, else the order in which the mode is one and the image the smaller."""
    if raw[212:213] in (b"\x11", b"D"):
        return ">" if raw[212:213] == b"\x11" else "<"

    def implausibility(order: str) -> tuple[bool, int]:
        x, y, z, mode = struct.unpack_from(f"{order}4i", raw, 0)
        return mode not in (*_MODES, *_UNREAD) or min(x, y, z) <= 0, x * y * z

    return min("<>", key=implausibility)


def _numbers(data: Any, header: Header) -> tuple[Any, tuple[str, ...]]:
    """Data with their byte order and sign."""
    notes: tuple[str, ...] = ()
    if header.order == ">":
        data = data.view(data.dtype.newbyteorder(">"))
        notes = ("the file is big-endian",)
    if header.mode != 0:
        return data, notes
    signed, note = _signed_bytes(data, header)
    return (data.view(np.int8) if signed else data), (*notes, *([note] if note else []))


def _signed_bytes(data: Any, header: Header) -> tuple[bool, str]:
    """Whether bytes are signed: by IMOD's flag, by the range in the header, else by which makes the smoother image."""
    if header.signed is not None:
        return header.signed, ""
    if math.isfinite(header.low) and math.isfinite(header.high) and header.low < header.high:
        if header.low < 0:
            return True, ""
        if header.high > 127:
            return False, ""
    middle = data[data.shape[0] // 2] if data.ndim == 3 else data
    start = tuple(max(0, (size - _SAMPLE) // 2) for size in middle.shape)
    sample = np.asarray(middle[tuple(slice(first, first + _SAMPLE) for first in start)])
    if sample.max(initial=0) < 128:
        return False, ""
    signed = _roughness(sample.view(np.int8)) < _roughness(sample)
    kind = "signed" if signed else "unsigned"
    return signed, f"the header does not say whether its bytes are signed; {kind} ones give the smoother image and were taken"


def _roughness(image: np.ndarray) -> float:
    """Sum of the steps between neighbours; numbers that wrap around make large ones."""
    values = image.astype(np.float64)
    return float(sum(np.abs(np.diff(values, axis=axis)).sum() for axis in range(values.ndim)))


def _extended_size(header: Header) -> tuple[float, float] | None:
    """Pixel size (y, x) in Angstrom out of FEI's extended headers, if it is one and has any."""
    if header.extended_kind.startswith("FEI") and len(header.extended) >= 172:
        x, y = struct.unpack_from(f"{header.order}2d", header.extended, 156)
    elif header.extended_length == _OLD_FEI and len(header.extended) >= 48:
        x = y = struct.unpack_from(f"{header.order}f", header.extended, 44)[0]
    else:
        return None
    return (y * ANGSTROM_PER_METRE, x * ANGSTROM_PER_METRE) if x > 0 and y > 0 and math.isfinite(x + y) else None


def _why_unknown(edges: list[float], grid: list[int], count: tuple[int, ...]) -> str:
    """Reason why a cell tells no pixel size; empty if it does."""
    cell = f"{edges[0]:g} x {edges[1]:g} Å"
    if not all(math.isfinite(edge) for edge in edges) or max(map(abs, edges)) == 0:
        return f"the cell in the header is {cell}: the file is not calibrated"
    if min(edges) <= 0:
        return f"the cell in the header is {cell}, which no specimen is: cameras write that when they are not calibrated"
    if max(grid) == 1 and min(count) > 1:
        whole = format_length(edges[0] / count[0])
        return (
            f"the header gives a cell of {cell} and no grid, so that a pixel is {format_length(edges[0])}, or {whole} if the "
            "cell is that of the whole image; the pixel size is left open"
        )
    if all(parts > 0 and abs(edge / parts - 1) < _EDGES for edge, parts in zip(edges, grid, strict=True)):
        return "the header gives exactly 1 Å for each pixel, which programs write that know no pixel size; it was left out"
    return ""


def _known(axis: dict[str, Any]) -> dict[str, Any]:
    """An axis of a Direct Electron film without the -1 that stands for an unknown size."""
    unknown = axis.get("units") == "nm" and float(axis.get("scale") or 0) in (-1.0, 0.0, 1.0)
    return {**axis, "scale": 1.0, "units": None} if unknown else {**axis, "scale": float(axis.get("scale") or 1.0)}
