"""Images and stacks to float32 TIFF in ImageJ's dialect, which carries the pixel size and its unit."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from napari_atomseg.core.micrograph import RECORDED, SOURCE_KEY, Micrograph
from napari_atomseg.writers.atomic import replacing

_ANGSTROM_PER_MICRON = 1e4
_CLASSIC_LIMIT = 2**32 - 2**25
"""A classic TIFF counts its bytes with 32 bits; some are needed for the headers."""


def write_tiff(micrograph: Micrograph, path: Path | str, *, durable: bool = True) -> Path:
    """Write intensities as float32, (Y, X) or (T, Y, X), with the pixel size in microns; not-a-number stays what it is.

    A lazy stack is computed and written frame by frame.

    Parameters
    ----------
    micrograph : Micrograph
        Image or stack.
    path : Path or str
        The file; a suffix other than ``.tif`` or ``.tiff`` is replaced by ``.tif``.
    durable : bool
        Wait until the disk has it; not for one of thousands of files that can be made again.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    AtomsegError
        If the file cannot be written.
    """
    import tifffile

    target = Path(path)
    if target.suffix.lower() not in (".tif", ".tiff"):
        target = target.with_suffix(".tif")
    size = 4 * int(np.prod(micrograph.shape))
    with replacing(target, durable=durable) as part, warnings.catch_warnings():
        # Stacks beyond 4 GB are outside ImageJ's own dialect, but its readers take them.
        warnings.filterwarnings("ignore", message=".*nonconformant BigTIFF.*")
        with tifffile.TiffWriter(part, imagej=True, bigtiff=size > _CLASSIC_LIMIT) as tiff:
            frames = (micrograph.frame(index).astype(">f4") for index in range(micrograph.frames))
            tiff.write(frames, shape=micrograph.shape, dtype=">f4", **_calibration(micrograph))
    return target


def _calibration(micrograph: Micrograph) -> dict[str, Any]:
    metadata: dict[str, Any] = {"axes": "TYX"[-len(micrograph.shape) :]}
    if micrograph.frame_time_s is not None:
        metadata["finterval"] = micrograph.frame_time_s
    if micrograph.pixel_size is None:
        return {"metadata": metadata}
    if micrograph.pixel_size_source not in ("", RECORDED):
        metadata[SOURCE_KEY] = " ".join(micrograph.pixel_size_source.split())
    y, x = (_ANGSTROM_PER_MICRON / length for length in micrograph.pixel_size)
    # Of the units that ImageJ knows, "micron" is the one that all readers understand in this dialect.
    # "NONE" leaves the unit to ImageJ's text: the tag itself knows only inch and centimetre.
    return {"metadata": {**metadata, "unit": "micron"}, "resolution": (x, y), "resolutionunit": "NONE"}
