"""Files to micrographs and columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.micrograph import Micrograph

if TYPE_CHECKING:
    from napari_atomseg.readers.column_mapping import ColumnMapping

SAME_SIZE = 0.01
"""Relative difference up to which the pixel sizes of a series are one."""


def read(path: str | Path, dataset: int | None = None) -> list[Micrograph]:
    """Every image, or stack of images, in a file; see :func:`napari_atomseg.readers.registry.read`.

    Parameters
    ----------
    path : str or Path
        Of any format that ``docs/formats.md`` names.
    dataset : int, optional
        Index of the only dataset that is read; by default all images of the file.

    Returns
    -------
    micrographs : list of Micrograph
        At least one, lazy where the file is large.

    Examples
    --------
    >>> import tempfile
    >>> from napari_atomseg.workflows import draw_sample, read
    >>> from napari_atomseg.writers.micrograph_tiff import write_tiff
    >>> micrograph, _ = draw_sample("dumbbells")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_tiff(micrograph, f"{folder}/image.tif")
    ...     image = read(f"{folder}/image.tif")[0]
    ...     image.shape == micrograph.shape, [round(size, 4) for size in image.pixel_size]
    (True, [0.0977, 0.0977])
    """
    from napari_atomseg.readers.registry import read as read_file

    return read_file(path, dataset)


def join_series(images: Sequence[Micrograph]) -> Micrograph:
    """Single images, such as those of a focal series that lie in files of their own, as one stack in the same order.

    Parameters
    ----------
    images : sequence of Micrograph
        Each of one frame; all of one shape and pixel size.

    Returns
    -------
    Micrograph
        Shape (F, Y, X), with all else as the first one has it.

    Raises
    ------
    AtomsegError
        If one is a stack itself, or their shapes or pixel sizes differ.
    """
    first = images[0]
    for image in images:
        if image.frames > 1:
            raise AtomsegError(
                f"{image.name} is a stack of {image.frames} frames; a series of several files has one image in each"
            )
        if image.shape[-2:] != first.shape[-2:]:
            raise AtomsegError(
                f"the images of a series have one shape, and {image.name} has {_sides(image)} px where {first.name} has "
                f"{_sides(first)}; cut them to the same field"
            )
        if (image.pixel_size is None) != (first.pixel_size is None) or (
            image.pixel_size is not None and not np.allclose(image.pixel_size, first.pixel_size or (), rtol=SAME_SIZE)
        ):
            raise AtomsegError(
                f"the images of a series have one pixel size, and that of {image.name} is another than that of {first.name}; "
                "--pixel-size gives one for all"
            )
    return replace(first, data=np.stack([image.frame() for image in images]))


def _sides(image: Micrograph) -> str:
    return " x ".join(str(side) for side in image.shape[-2:])


def read_columns(
    path: str | Path,
    mapping: ColumnMapping | None = None,
    pixel_size: tuple[float, float] | None = None,
    source: str = "typed",
) -> Columns:
    """Columns from a table; see :func:`napari_atomseg.readers.columns_table.read_columns`.

    Parameters
    ----------
    path : str or Path
    mapping : ColumnMapping, optional
        How a text table is to be read; guessed if not given.
    pixel_size : tuple of float, Angstrom, (y, x), optional
        Stands above what the file says.
    source : str
        Where `pixel_size` comes from.
    """
    from napari_atomseg.readers.columns_table import read_columns as read_table

    return read_table(path, mapping, pixel_size, source)


OUTSIDE = 0.5
"""Share of the positions outside the image from which on they are in another unit, or belong to another image."""
CORNER = 0.25
"""Share of both sides of the image; positions that fill no more of it, and cannot be fitted there, are in another unit."""
UNIT_WORDS: Mapping[str, str] = {"angstrom": "A", "nm": "nm", "pm": "pm", "um": "um"}
"""Units of tables, as they are typed."""


def why_misplaced(columns: Columns, micrograph: Micrograph) -> str:
    """A sentence where positions taken for pixels are probably something else, with the unit that they fit in; else empty.

    Parameters
    ----------
    columns : Columns
        As read, in pixels. Where most of their fits failed, positions crowded into the corner at (0, 0) are doubted too.
    micrograph : Micrograph
    """
    if len(columns) == 0:
        return ""
    shape = np.array(micrograph.shape[-2:])
    outside = ((columns.positions < -0.5) | (columns.positions > shape - 0.5)).any(axis=1)
    failed = bool(np.mean(columns.features["fit"] == "failed") > OUTSIDE)
    crowded = failed and bool((columns.positions.max(axis=0) < CORNER * shape).all())
    if np.mean(outside) <= OUTSIDE and not crowded:
        return ""
    y, x = columns.positions.max(axis=0)
    where = "outside" if not crowded else "in the corner of"
    unit = fitting_unit(columns.positions, micrograph)
    probably = f"; they would fill it if they are in {UNIT_WORDS[unit]}" if unit else ""
    return (
        f"most positions are {where} the image of {shape[0]} x {shape[1]} px, the largest being y {y:.6g}, x {x:.6g} px{probably}"
    )


def fitting_unit(positions: np.ndarray, micrograph: Micrograph) -> str:
    """The unit in which numbers taken for pixels lie inside an image and fill it, as tables call it; empty if there is none.

    Parameters
    ----------
    positions : ndarray, shape (N, 2), (y, x)
        Numbers that were taken for pixels.
    micrograph : Micrograph
    """
    from napari_atomseg.readers.column_mapping import UNITS

    if micrograph.pixel_size is None:
        return ""
    shape = np.array(micrograph.shape[-2:])
    for unit in UNIT_WORDS:
        farthest = positions.max(axis=0) * (UNITS[unit] or 1.0) / np.asarray(micrograph.pixel_size)  # type: ignore[index]
        if (farthest <= 1.05 * shape).all() and (farthest > CORNER * shape).all():
            return unit
    return ""
