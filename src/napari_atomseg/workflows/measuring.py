"""What columns and structures say once they are found; each analysis is a module of its own, and a line here."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

from napari_atomseg.analysis.measurement import Measurement
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError, MissingCalibrationError
from napari_atomseg.core.jobs import Progress, job
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.workflows.steps import Measure, recorded

ANALYSES = {
    "rings": "napari_atomseg.analysis.ring_measurement:measure_rings",
}
"""Modules and functions by the names under which they are asked for; a function takes columns, the shape of the image and its
pixel size, is a job, and returns a :class:`Measurement`."""
WHAT = tuple(ANALYSES)
"""What can be measured."""


@job
def measure(micrograph: Micrograph, columns: Columns, *, what: Sequence[str] = WHAT) -> Generator[Progress, None, Measurement]:
    """Measure columns of a micrograph.

    Parameters
    ----------
    micrograph : Micrograph
    columns : Columns
        In its pixels.
    what : sequence of str
        Of :data:`WHAT`. ``rings``: bonds and polygons of a sheet of carbon; new feature ``neighbours``, tables ``rings`` and
        ``bonds``.

    Returns
    -------
    Measurement
        Features, tables and numbers of all that was asked for.

    Raises
    ------
    AtomsegError
        If something else is asked for.
    MissingCalibrationError
        If the pixel size is unknown.
    """
    unknown = [name for name in what if name not in WHAT]
    if unknown or not what:
        raise AtomsegError(f"{' and '.join(unknown) or 'nothing'} cannot be measured; choose of {', '.join(WHAT)}")
    size = micrograph.pixel_size or columns.pixel_size
    if size is None:
        raise MissingCalibrationError(f"{micrograph.name}: bonds are lengths, and the pixel size is unknown; set it first")
    height, width = micrograph.shape[-2:]
    found = Measurement(columns=columns, tables={}, numbers={})
    for name in what:
        module, _, function = ANALYSES[name].partition(":")
        measured = yield from getattr(import_module(module), function)(found.columns, (height, width), size)
        found = _joined(found, measured)
    said = {**found.columns.provenance, "measured": {"what": list(what), **found.numbers}}
    return replace(found, columns=recorded(replace(found.columns, provenance=said), Measure(what=",".join(what))))


def _joined(first: Measurement, second: Measurement) -> Measurement:
    """Two measurements of the same columns, of which the second has the features of both."""
    numbers: dict[str, Any] = {**first.numbers, **second.numbers}
    if "frames" in first.numbers and "frames" in second.numbers:
        frames = zip(first.numbers["frames"], second.numbers["frames"], strict=True)
        numbers["frames"] = [{**one, **other} for one, other in frames]
    summary = "; ".join(text for text in (first.summary, second.summary) if text)
    return replace(second, tables={**first.tables, **second.tables}, numbers=numbers, summary=summary)
