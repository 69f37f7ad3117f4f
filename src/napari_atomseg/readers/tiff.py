"""TIFF in the dialects of EM: what RosettaSciIO leaves out of ImageJ, OME-TIFF, plain resolutions, and pages of many kinds."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_atomseg.core.errors import UnreadableFileError
from napari_atomseg.readers.signals import LUMINANCE

_RESOLUTION_UNITS = {2: "inch", 3: "cm"}
_PALETTE = 3
_REDUCED = 1
"""Flag of the tag NewSubfileType: a smaller version of another image of the file."""
_SWAPPED_BY_PLUGIN = ("fei_metadata", "TVIPS", "Olympus_SIS_metadata")
_OME_DEFAULT = {"PhysicalSize": "µm", "TimeIncrement": "s"}


def check(path: Path) -> None:
    """Refuse what would show zeros for missing pixels, and name what keeps a whole file from being read.

    Raises
    ------
    UnreadableFileError
        The file is truncated, its compression is unknown, or other files belong to it; the text is the end of a sentence.
    """
    from tifffile import TiffFile

    size = path.stat().st_size
    with TiffFile(path) as tiff:
        for page in (tiff.pages[0], tiff.pages[-1]):
            segments = zip(page.dataoffsets, page.databytecounts, strict=False)
            end = max((offset + count for offset, count in segments), default=0)
            if end > size:
                raise UnreadableFileError(f"it ends after {size} of at least {end} bytes, so it is truncated; copy it again")
            _require_codec(int(page.compression))
        missing = [name for name in _other_files(tiff.ome_metadata) if not (path.parent / name).is_file()]
    if missing:
        raise UnreadableFileError(f"some of its planes are in {missing[0]}, which is not beside it; put both into one folder")


def read_samples(path: Path) -> list[dict[str, Any]]:
    """Datasets of a file with several samples in each pixel that the plugin takes for an axis; empty if it knows them all.

    Such are colours plane by plane, those of JPEG, and grey with transparency. They have the form that RosettaSciIO gives.
    """
    from tifffile import TiffFile

    with TiffFile(path) as tiff:
        if all("S" not in series.axes or _is_plain_rgb(series) for series in tiff.series):
            return []
        return [_dictionary(series) for series in tiff.series]


def mended(path: Path, dictionaries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Datasets with the axes that ImageJ, OME or the plain resolution give, and what kind of page each is."""
    from tifffile import TiffFile

    with TiffFile(path) as tiff:
        images = ome_images(tiff.ome_metadata)
    pixels = images if len(images) == len(dictionaries) else [None] * len(dictionaries)
    found = []
    for dictionary, pixels_of_image in zip(dictionaries, pixels, strict=True):
        original = dictionary.get("original_metadata") or {}
        axes = _fei_axes(_unswapped([dict(axis) for axis in dictionary["axes"]], original), original)
        axes = _ome_axes(axes, pixels_of_image) if pixels_of_image else _imagej_axes(axes, original)
        found.append({**dictionary, "axes": _resolution_axes(axes, original)})
    return found


def is_reduced(original: Mapping[str, Any]) -> bool:
    """Whether a page says that it is a smaller version of another one."""
    return bool(_whole(original.get("NewSubfileType")) & _REDUCED) or _whole(original.get("SubfileType")) == 2


def notes_of(original: Mapping[str, Any]) -> tuple[str, ...]:
    """What is worth knowing of how a page shows its numbers."""
    if _whole(original.get("PhotometricInterpretation"), 1) == 0:
        return ("the file shows low numbers as white; the numbers are used as they are",)
    return ()


def ome_images(description: str | None) -> list[dict[str, Any]]:
    """Attributes of the ``Pixels`` of every image in an OME description; none if it is not one."""
    if not description:
        return []
    from xml.etree.ElementTree import ParseError

    from tifffile import xml2dict

    try:
        tree = xml2dict(description).get("OME", {})
    except ParseError:
        # The pixels are whole; only their size is lost, which is said as for every file without one.
        return []
    images = tree.get("Image", [])
    images = images if isinstance(images, list) else [images]
    return [image.get("Pixels", {}) for image in images]


def _require_codec(compression: int) -> None:
    from tifffile import COMPRESSION, TIFF

    try:
        name = COMPRESSION(compression).name
    except ValueError:
        name = f"method {compression}"
    try:
        TIFF.DECOMPRESSORS[compression]
    except (KeyError, ValueError, ImportError) as error:
        # tifffile leaves all but the simplest codecs to that package.
        missing = isinstance(error, ImportError) or "imagecodecs" in str(error)
        mend = "for which the package imagecodecs is needed; install it" if missing else "which is not known here"
        raise UnreadableFileError(f"its pixels are compressed by {name}, {mend}, or save it without compression") from None


def _other_files(description: str | None) -> Iterator[str]:
    """Names of the files that an OME description needs besides its own."""
    own = re.search(r'<OME[^>]*\bUUID="([^"]+)"', description or "")
    for name, identity in re.findall(r'<UUID[^>]*\bFileName="([^"]+)"[^>]*>\s*([^<\s]+)', description or ""):
        if own is None or identity != own[1]:
            yield name


def _is_plain_rgb(series: Any) -> bool:
    from tifffile import PHOTOMETRIC

    return series.keyframe.photometric == PHOTOMETRIC.RGB and series.axes.endswith("S")


def _dictionary(series: Any) -> dict[str, Any]:
    """One series, its samples turned into named colours, or into the first where they are none.

    Raises
    ------
    UnreadableFileError
        If its colours are those of inks; the text is the end of a sentence.
    """
    from tifffile import PHOTOMETRIC

    from napari_atomseg.readers.plain import coloured

    if series.keyframe.photometric == PHOTOMETRIC.SEPARATED:
        raise UnreadableFileError("its colours are those of a print (CMYK); save it in grey, or as RGB")
    data, letters = series.asarray(), series.axes
    if "S" in letters:
        data = np.moveaxis(data, letters.index("S"), -1)
        data = coloured(data[..., :4]) if data.shape[-1] > 2 else data[..., 0]
        letters = letters.replace("S", "")
    names = {"Y": "height", "X": "width"}
    axes = [
        {"name": names.get(letter, letter), "scale": 1.0, "units": None, "navigate": letter not in "YX"} for letter in letters
    ]
    return {"data": data, "axes": axes, "original_metadata": {tag.name: tag.value for tag in series.keyframe.tags}}


def without_palette(data: Any, original: Mapping[str, Any]) -> tuple[Any, bool]:
    """What a palette shows of its indices, as luminance, and whether it had to be asked.

    A palette that grows brighter with every index, grey or not, only colours what was measured: its indices are kept.
    """
    palette = original.get("ColorMap")
    if _whole(original.get("PhotometricInterpretation"), 1) != _PALETTE or palette is None:
        return data, False
    shown = np.asarray(LUMINANCE @ np.asarray(palette, dtype=float) / 257, np.float32)
    if (np.diff(shown) >= 0).all():
        return data, False
    return (data.map_blocks(lambda block: shown[block], dtype=np.float32) if hasattr(data, "dask") else shown[data]), True


def _unswapped(axes: list[dict[str, Any]], original: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Axes of files whose y and x the plugin exchanges: those of FEI, TVIPS and Olympus."""
    if not any(key in original for key in _SWAPPED_BY_PLUGIN):
        return axes
    named = {axis.get("name"): axis for axis in axes}
    if {"height", "width"} <= set(named):
        height, width = named["height"], named["width"]
        height["scale"], width["scale"] = width.get("scale"), height.get("scale")
    return axes


def _fei_axes(axes: list[dict[str, Any]], original: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Axes of FEI's images whose size stands in another section than the plugin looks into."""
    sections = [section for section in (original.get("fei_metadata") or {}).values() if isinstance(section, Mapping)]
    section = next((section for section in sections if "PixelWidth" in section and "PixelHeight" in section), None)
    if section is None or any(axis.get("units") for axis in axes):
        return axes
    for axis in axes:
        key = {"height": "PixelHeight", "width": "PixelWidth"}.get(str(axis.get("name")))
        if key:
            axis.update(scale=_number(section[key]) or 1.0, units="m")
    return axes


def _imagej_axes(axes: list[dict[str, Any]], original: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Axes of a TIFF written in ImageJ's way: the plugin knows no unit but the micron there, and exchanges x and y.

    ImageJ notes an axis that nobody calibrated as 1 of a unit, or of a unit of its own. Files with DigitalMicrograph's
    tags are left as they are: those are read right.
    """
    unit = described(original, "unit")
    if not unit or "65009" in original:
        return axes
    steps = {"height": _step(original.get("YResolution")), "width": _step(original.get("XResolution"))}
    units = {"height": described(original, "yunit") or unit, "width": unit}
    alone = {
        name: steps[name] == 1 and steps[other] not in (1, None) for name, other in (("height", "width"), ("width", "height"))
    }
    for axis in axes:
        name = str(axis.get("name"))
        if steps.get(name):
            axis.update(scale=steps[name], units=None if alone[name] else units[name])
    interval = _number(described(original, "finterval"))
    if len(axes) == 3 and interval:
        axes[0].update(scale=interval, units="s")
    return axes


def described(original: Mapping[str, Any], key: str) -> str:
    """Value of a line ``key=value`` in ImageJ's description, which writes other letters than ASCII as escapes."""
    description = str(original.get("ImageDescription", ""))
    found = re.search(rf"^{key}=(.*)$", description, re.MULTILINE) if description.startswith("ImageJ=") else None
    return found[1].strip().encode("latin-1", "backslashreplace").decode("unicode_escape", "replace") if found else ""


def _ome_axes(axes: list[dict[str, Any]], pixels: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Axes of an OME-TIFF; a size without a unit is in the unit that the OME schema sets."""
    for axis in axes:
        letter = {"height": "Y", "width": "X"}.get(str(axis.get("name")), "")
        step = _number(pixels.get(f"PhysicalSize{letter}")) if letter else None
        if step:
            axis.update(scale=step, units=pixels.get(f"PhysicalSize{letter}Unit", _OME_DEFAULT["PhysicalSize"]))
    interval = _number(pixels.get("TimeIncrement"))
    if len(axes) == 3 and interval and _whole(pixels.get("SizeT")) > 1:
        axes[0].update(scale=interval, units=pixels.get("TimeIncrementUnit", _OME_DEFAULT["TimeIncrement"]))
    return axes


def _resolution_axes(axes: list[dict[str, Any]], original: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Axes that nothing else calibrates, by the resolution that every TIFF may give; whether it is a print's is said later."""
    plane = [axis for axis in axes if axis.get("name") in ("height", "width")]
    if any(axis.get("units") or axis.get("scale") not in (1, None) for axis in plane):
        return axes
    unit = _RESOLUTION_UNITS.get(_whole(original.get("ResolutionUnit")))
    for axis in plane:
        step = _step(original.get("YResolution" if axis["name"] == "height" else "XResolution"))
        if step and step != 1:
            axis.update(scale=step, units=unit)
    return axes


def _step(resolution: Any) -> float | None:
    """Pixel size from a rational number of pixels per unit."""
    try:
        pixels, length = resolution
        return float(length) / float(pixels)
    except (TypeError, ValueError, ZeroDivisionError):
        return None


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def _whole(value: Any, otherwise: int = 0) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return otherwise
