"""What columns and structures say once they are found; each analysis is a module of its own, and a line here."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_atomseg.analysis.intensities.params import IntensityParams
from napari_atomseg.analysis.measurement import Measurement, Setting
from napari_atomseg.analysis.params import MeasureParams, several
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError, MissingCalibrationError
from napari_atomseg.core.jobs import Progress, job
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.workflows.intensities import INTENSITIES, NAMES, intensity_source, refuse_without_effect
from napari_atomseg.workflows.steps import Measure, recorded

if TYPE_CHECKING:
    from napari_atomseg.analysis.lattice.column_cell import ColumnCell

LATTICES = "napari_atomseg.analysis.lattice_measurement:measure_lattices"
ANALYSES = {
    "sublattices": LATTICES,
    "displacement": LATTICES,
    "strain": LATTICES,
    "polarisation": LATTICES,
    "cells": LATTICES,
    "templates": "napari_atomseg.analysis.template_measurement:measure_templates",
    "rings": "napari_atomseg.analysis.ring_measurement:measure_rings",
    **dict.fromkeys(NAMES, INTENSITIES),
}
"""Modules and functions by the names under which they are asked for; a function takes columns and a
:class:`napari_atomseg.analysis.measurement.Setting`, is a job, and returns a :class:`Measurement`. One that serves several names
is called once for all of them."""
WHAT = tuple(ANALYSES)
"""What can be measured."""
USES = {
    "sublattice": tuple(name for name, function in ANALYSES.items() if function == LATTICES),
    "window": ("strain",),
    "structure": tuple(name for name, function in ANALYSES.items() if function == LATTICES),
}
"""Which analyses a parameter has an effect on."""


@job
def measure(
    micrograph: Micrograph,
    columns: Columns,
    *,
    what: Sequence[str] = ("rings",),
    params: MeasureParams | None = None,
    intensities: IntensityParams | None = None,
) -> Generator[Progress, None, Measurement]:
    """Measure columns of a micrograph.

    Parameters
    ----------
    micrograph : Micrograph
    columns : Columns
        In its pixels.
    what : sequence of str
        Of :data:`WHAT`. ``sublattices``: grain, sublattice and cell of each column, and the table ``sites``; it comes with each
        of ``displacement`` (from the fitted lattice), ``strain`` (and rotation), ``polarisation`` (from the centroid of the
        neighbours on another sublattice) and ``cells`` (a table of unit cells). ``templates``: the structure that the
        neighbours of each column form. ``rings``: bonds and polygons of a sheet of carbon; new feature ``neighbours``, tables
        ``rings`` and ``bonds``. ``cross-section``: the scattering cross-section of each column, which comes with each of
        ``counts`` (atoms in each column), ``outliers`` (columns that scatter otherwise than their like) and ``existence``
        (whether a column stands at each site of the lattice).
    params : MeasureParams, optional
    intensities : IntensityParams, optional
        How cross-sections are measured and atoms counted.

    Returns
    -------
    Measurement
        Features, tables and numbers of all that was asked for.

    Raises
    ------
    AtomsegError
        If something else is asked for, a parameter would have no effect, or the columns do not allow it.
    MissingCalibrationError
        If the pixel size is unknown.
    """
    params = params or MeasureParams()
    intensities = intensities or IntensityParams()
    _check_asked(what, params)
    refuse_without_effect(what, intensities)
    size = micrograph.pixel_size or columns.pixel_size
    if size is None:
        raise MissingCalibrationError(f"{micrograph.name}: lengths are measured, and the pixel size is unknown; set it first")
    height, width = micrograph.shape[-2:]
    cells = _cells_of(params)
    source = intensity_source(micrograph, intensities) if set(what) & set(NAMES) else None
    found = Measurement(columns=columns, tables={}, numbers={})
    for place in dict.fromkeys(place for name, place in ANALYSES.items() if name in what):
        module, _, function = place.partition(":")
        asked = tuple(name for name in what if ANALYSES[name] == place)
        setting = Setting(shape=(height, width), size=size, asked=asked, params=params, cells=cells, intensities=source)
        measured = yield from getattr(import_module(module), function)(found.columns, setting)
        found = _joined(found, measured)
    said = {**found.columns.provenance, "measured": {"what": list(what), **found.numbers}}
    step = Measure(what=",".join(what), measuring=params, intensities=intensities)
    return replace(found, columns=recorded(replace(found.columns, provenance=said), step))


def _check_asked(what: Sequence[str], params: MeasureParams) -> None:
    unknown = [name for name in what if name not in WHAT]
    if unknown or not what:
        raise AtomsegError(f"{' and '.join(unknown) or 'nothing'} cannot be measured; choose of {', '.join(WHAT)}")
    for name, used_by in USES.items():
        if getattr(params, name) != getattr(MeasureParams(), name) and not set(what) & set(used_by):
            raise AtomsegError(f"{name} has no effect on {', '.join(what)}; it is for {', '.join(used_by)}")


def _cells_of(params: MeasureParams) -> tuple[ColumnCell, ...]:
    """Columns of the structures that lattices are compared with."""
    if not params.structure:
        return ()
    from napari_atomseg.analysis.lattice.column_cell import column_cell
    from napari_atomseg.specimens.direction import parse_zone_axis
    from napari_atomseg.specimens.structure_file import read_structure

    pairs = zip(several(params.structure), several(params.zone_axis), strict=True)
    return tuple(column_cell(read_structure(path), parse_zone_axis(axis)) for path, axis in pairs)


def _joined(first: Measurement, second: Measurement) -> Measurement:
    """Two measurements of the same columns, of which the second has the features of both."""
    numbers: dict[str, Any] = {**first.numbers, **second.numbers}
    if "frames" in first.numbers and "frames" in second.numbers:
        frames = zip(first.numbers["frames"], second.numbers["frames"], strict=True)
        numbers["frames"] = [{**one, **other} for one, other in frames]
    summary = "; ".join(text for text in (first.summary, second.summary) if text)
    return replace(second, tables={**first.tables, **second.tables}, numbers=numbers, summary=summary)
