"""What columns and structures say once they are found; each analysis is a module of its own, and a line here."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_atomseg.analysis.intensities.params import IntensityParams
from napari_atomseg.analysis.measurement import Measurement, Setting
from napari_atomseg.analysis.params import MeasureParams
from napari_atomseg.core.columns import SUBLATTICE, Columns
from napari_atomseg.core.errors import AtomsegError, MissingCalibrationError
from napari_atomseg.core.jobs import Progress, job
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.workflows.intensities import INTENSITIES, NAMES, intensity_source, refuse_without_effect
from napari_atomseg.workflows.steps import Measure, recorded

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from napari_atomseg.analysis.lattice.column_cell import ColumnCell
    from napari_atomseg.analysis.phase_analysis import PhaseStrain

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
    cell = _cell_of(params)
    source = intensity_source(micrograph, intensities) if set(what) & set(NAMES) else None
    found = Measurement(columns=columns, tables={}, numbers={})
    for place in dict.fromkeys(place for name, place in ANALYSES.items() if name in what):
        module, _, function = place.partition(":")
        asked = tuple(name for name in what if ANALYSES[name] == place)
        setting = Setting(shape=(height, width), size=size, asked=asked, params=params, cell=cell, intensities=source)
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


def _cell_of(params: MeasureParams) -> ColumnCell | None:
    """Columns of the structure that lattices are compared with; None if there is none."""
    if not params.structure:
        return None
    from napari_atomseg.analysis.lattice.column_cell import column_cell
    from napari_atomseg.specimens.direction import parse_zone_axis
    from napari_atomseg.specimens.structure_file import read_structure

    return column_cell(read_structure(params.structure), parse_zone_axis(params.zone_axis))


def _joined(first: Measurement, second: Measurement) -> Measurement:
    """Two measurements of the same columns, of which the second has the features of both."""
    numbers: dict[str, Any] = {**first.numbers, **second.numbers}
    if "frames" in first.numbers and "frames" in second.numbers:
        frames = zip(first.numbers["frames"], second.numbers["frames"], strict=True)
        numbers["frames"] = [{**one, **other} for one, other in frames]
    summary = "; ".join(text for text in (first.summary, second.summary) if text)
    return replace(second, tables={**first.tables, **second.tables}, numbers=numbers, summary=summary)


def profile_feature(
    columns: Columns,
    name: str,
    angle_deg: float = 0.0,
    *,
    frame: int = 0,
    step: float | None = None,
    sublattice: int | None = None,
) -> pd.DataFrame:
    """A feature along a direction, averaged across it; see :func:`napari_atomseg.analysis.feature_profile.feature_profile`.

    Parameters
    ----------
    columns : Columns
        With a pixel size.
    name : str
        Of a feature that is a number.
    angle_deg : float
        Direction of the profile, degrees from +x clockwise on the screen.
    frame : int
    step : float, Angstrom, optional
        Width of a strip.
    sublattice : int, optional
        Only its columns.

    Returns
    -------
    DataFrame
        ``distance_angstrom``, ``mean``, ``mean_std``, ``columns``.

    Raises
    ------
    AtomsegError
        If there is no such feature, or too few columns have it.
    """
    from math import radians

    from napari_atomseg.analysis.feature_profile import feature_profile

    part = columns.of_frame(frame)
    if sublattice is not None:
        part = part.select(_number(part, SUBLATTICE) == sublattice)
    return feature_profile(part.positions_angstrom, _number(part, name), radians(angle_deg), step)


@job
def image_strain(
    micrograph: Micrograph, columns: Columns, *, frame: int = 0, width: float = 1.0
) -> Generator[Progress, None, PhaseStrain]:
    """Strain and rotation of the image itself by geometric phase analysis, beside those of the columns.

    Parameters
    ----------
    micrograph : Micrograph
    columns : Columns
        Whose lattice tells the two waves.
    frame : int
    width : float
        See :func:`napari_atomseg.analysis.phase_analysis.phase_strain`.

    Returns
    -------
    PhaseStrain
        Maps of shape (Y, X), without errors.

    Raises
    ------
    AtomsegError
        If columns or image show no lattice.
    """
    from napari_atomseg.analysis.lattice.lattice import fit_lattice
    from napari_atomseg.analysis.phase_analysis import phase_strain

    yield Progress(0, 0, "fitting the lattice")
    basis = fit_lattice(columns.of_frame(frame)).basis
    yield Progress(0, 0, "measuring phases")
    return phase_strain(micrograph.frame(frame), basis, width)


def _number(columns: Columns, name: str) -> np.ndarray:
    """Values of a feature that is a number."""
    if name not in columns.features or columns.features[name].dtype.kind not in "fiub":
        raise AtomsegError(f"the columns have no number {name}; measure it first, or choose another feature")
    return columns.features[name].to_numpy(float)


@job
def map_feature(columns: Columns, name: str, shape: tuple[int, int], *, frame: int = 0) -> Generator[Progress, None, np.ndarray]:
    """A feature of the columns of one frame as an image; see :func:`napari_atomseg.analysis.feature_map.feature_map`.

    Parameters
    ----------
    columns : Columns
    name : str
        Of a feature that is a number.
    shape : tuple of int, px
        (Y, X) of the image.
    frame : int

    Returns
    -------
    image : ndarray, shape (Y, X)
        In the unit of the feature; NaN away from columns.

    Raises
    ------
    AtomsegError
        If there is no such feature, or too few columns have it.
    """
    from napari_atomseg.analysis.feature_map import feature_map

    yield Progress(0, 0, "drawing the map")
    part = columns.of_frame(frame)
    return feature_map(part.positions, _number(part, name), shape)
