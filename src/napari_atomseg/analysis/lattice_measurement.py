"""The analyses of lattices: sublattices, displacement, strain, polarisation and unit cells, grain by grain and frame by frame."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from napari_atomseg.analysis.lattice.displacement import displacements
from napari_atomseg.analysis.lattice.indexed import Indexed, indexed
from napari_atomseg.analysis.lattice.labels import Labels, labels_of
from napari_atomseg.analysis.lattice.lattice import Lattice
from napari_atomseg.analysis.lattice.missing_sites import missing_sites
from napari_atomseg.analysis.lattice.polarisation import polarisation
from napari_atomseg.analysis.lattice.reference import Reference
from napari_atomseg.analysis.lattice.strain import local_fit, strain_of
from napari_atomseg.analysis.lattice.structures import grains_of, structure_of
from napari_atomseg.analysis.lattice.tilts import octahedra_of
from napari_atomseg.analysis.lattice.unit_cells import CELL_COLUMNS, unit_cells
from napari_atomseg.analysis.lattice_numbers import (
    lattice_numbers,
    octahedra_numbers,
    summary_of,
    verdicts_of,
    verdicts_of_reference,
)
from napari_atomseg.analysis.measurement import Measurement, Setting
from napari_atomseg.core.columns import (
    COLUMN_ATOMS,
    DISPLACEMENT,
    EXISTENCE,
    GRAIN,
    POLAR,
    SITE,
    STRAIN,
    SUBLATTICE,
    TILT,
    Columns,
    std_of,
)
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress

SUBLATTICES, DISPLACED, STRAINED, POLARISED, CELLS = "sublattices", "displacement", "strain", "polarisation", "cells"
SITE_COLUMNS = (GRAIN, SUBLATTICE, *SITE, "y_px", "x_px", "present", EXISTENCE, "frame")
_FEATURES = {DISPLACED: DISPLACEMENT, POLARISED: POLAR, STRAINED: STRAIN, CELLS: (TILT,)}


def measure_lattices(columns: Columns, setting: Setting) -> Generator[Progress, None, Measurement]:
    """Grain, sublattice and cell of each column, and whatever else of lattices is asked for.

    Parameters
    ----------
    columns : Columns
        Of one image or of every frame of a stack.
    setting : Setting

    Returns
    -------
    Measurement
        New features with their errors, the table ``sites`` (each site of each grain, occupied or not), and ``cells``.

    Raises
    ------
    AtomsegError
        If the columns of a single image show no lattice; of a stack that frame is left out, and a verdict says so.
    """
    frames = np.unique(columns.frame)
    features = _unknown(len(columns), setting.asked, bool(setting.cells))
    sites: list[pd.DataFrame] = []
    cells: list[pd.DataFrame] = []
    numbers: list[dict[str, Any]] = []
    for done, frame in enumerate(frames):
        yield Progress(done, len(frames), "fitting lattices")
        rows = np.flatnonzero(columns.frame == frame)
        try:
            found_grains = grains_of(columns.select(rows), setting.size, setting.cells)
            grains = found_grains.lattices
        except AtomsegError as error:
            if len(frames) == 1:
                raise
            numbers.append({"frame": int(frame), "lattices": [], "verdicts": [str(error)]})
            continue
        part = _Frame(columns.select(rows), rows, grains, setting, features)
        found = part.measured()
        sites.append(part.sites().assign(frame=int(frame)))
        cells += [table.assign(frame=int(frame)) for table in part.cells]
        missing, extra = int((~sites[-1]["present"]).sum()), int(np.count_nonzero(features[GRAIN][rows] < 0))
        numbers.append(
            {
                "frame": int(frame),
                "lattices": found,
                "missing_sites": missing,
                "extra_columns": extra,
                "verdicts": [*verdicts_of(grains, found, len(rows)), *verdicts_of_reference(found, setting, found_grains.guided)],
            }
        )
    tables = {"sites": _joined(sites, SITE_COLUMNS)}
    if CELLS in setting.asked:
        tables["cells"] = _joined(cells, (*CELL_COLUMNS, "frame"))
    single = len(numbers) == 1
    return Measurement(
        columns=columns.with_features(**features),
        tables=tables,
        numbers=numbers[0] if single else {"frames": numbers},
        summary=summary_of(numbers[0]) if single else f"lattices of {len(numbers)} frames",
    )


class _Frame:
    """One frame on its way: writes features of its rows and collects cells."""

    def __init__(
        self, columns: Columns, rows: np.ndarray, grains: Sequence[Lattice], setting: Setting, features: dict[str, np.ndarray]
    ) -> None:
        self._columns, self._rows, self._grains = columns, rows, grains
        self._setting, self._features = setting, features
        self.cells: list[pd.DataFrame] = []

    def measured(self) -> list[dict[str, Any]]:
        """Write the features of each grain; its numbers."""
        found = []
        for number, lattice in enumerate(self._grains):
            grain = indexed(self._columns, lattice, self._setting.size, self._setting.params.sublattice)
            rows = self._rows[grain.rows]
            self._features[GRAIN][rows] = number
            self._features[SUBLATTICE][rows] = grain.site
            for name, values in zip(SITE, grain.indices.T, strict=True):
                self._features[name][rows] = values
            reference, labels = self._structure_of(grain, lattice)
            if labels is not None:
                self._features[COLUMN_ATOMS][rows] = np.array(labels.contents, dtype=object)[grain.site]
            numbers = lattice_numbers(lattice, grain, number, reference, labels)
            if set(self._setting.asked) - {SUBLATTICES}:
                numbers |= self._of_grain(grain, rows, lattice, reference, numbers, labels)
            found.append(numbers)
        return found

    def _structure_of(self, grain: Indexed, lattice: Lattice) -> tuple[Reference | None, Labels | None]:
        """The known structure in place of the grain, and the atoms of its sublattices; None of a grain of something else."""
        if not self._setting.cells:
            return None, None
        try:
            reference, cell = structure_of(grain.basis, self._setting.cells)
        except AtomsegError:
            return None, None
        return reference, labels_of(reference, cell, grain.motif, lattice.intensity)

    def _of_grain(
        self,
        grain: Indexed,
        rows: np.ndarray,
        lattice: Lattice,
        reference: Reference | None,
        known: Mapping[str, Any],
        labels: Labels | None,
    ) -> dict[str, Any]:
        """Displacement, strain, polarisation and cells of one grain."""
        asked, params = self._setting.asked, self._setting.params
        numbers: dict[str, Any] = {}
        # The scatter about the neighbourhood says whether the errors of the fits are all there is.
        fit = local_fit(grain, reference.basis if reference is not None else None, params.sublattice, params.window)
        grain = grain.scaled(fit.excess)
        fit = fit.scaled(fit.excess if np.isnan(grain.excess) else grain.excess)
        numbers["scatter_over_fit_errors"] = None if np.isnan(grain.excess) else grain.excess
        if STRAINED in asked:
            strain = strain_of(fit)
            self._write(STRAIN, rows, strain.values, strain.std)
            for name, values in zip(STRAIN, strain.values.T, strict=True):
                numbers[f"{name}_mean"] = _mean(values)
        if DISPLACED in asked:
            moved, std = displacements(grain, params.sublattice)
            self._write(DISPLACEMENT, rows, moved, std)
            numbers["displacement_rms_angstrom"] = float(np.sqrt(np.nanmean(moved**2)))
        if POLARISED in asked:
            polar, std = polarisation(grain, params.sublattice)
            self._write(POLAR, rows, polar, std)
            numbers["polarisation"] = _by_sublattice(grain, polar, std)
        if CELLS in asked:
            octahedra = octahedra_of(grain, lattice.intensity, labels.contents if labels is not None else ())
            if octahedra is not None:
                values, std = octahedra.tilt[:, None], octahedra.std[:, None]
                self._write((TILT,), rows[octahedra.rows], values, std)
                numbers["octahedra"] = octahedra_numbers(octahedra)
            self.cells.append(unit_cells(grain, known["grain"], params.sublattice, self._setting.size, octahedra))
        return numbers

    def _write(self, names: Sequence[str], rows: np.ndarray, values: np.ndarray, std: np.ndarray) -> None:
        for place, name in enumerate(names):
            self._features[name][rows] = values[:, place]
            self._features[std_of(name)][rows] = std[:, place]

    def sites(self) -> pd.DataFrame:
        """Every site of every grain, occupied or not."""
        tables = []
        for number, lattice in enumerate(self._grains):
            empty = missing_sites(lattice, self._columns, self._setting.shape)
            held = np.flatnonzero(lattice.site >= 0)
            index = np.concatenate([lattice.indices[held], empty.features[list(SITE)].to_numpy(int)])
            places = np.concatenate([self._columns.positions[held], empty.positions])
            values = {
                "grain": number,
                "sublattice": np.concatenate([lattice.site[held], empty.features[SUBLATTICE].to_numpy(int)]),
                SITE[0]: index[:, 0],
                SITE[1]: index[:, 1],
                "y_px": places[:, 0],
                "x_px": places[:, 1],
                "present": np.arange(len(places)) < len(held),
                EXISTENCE: np.nan,
            }
            tables.append(pd.DataFrame(values))
        return pd.concat(tables, ignore_index=True)


def _unknown(count: int, asked: Sequence[str], named: bool) -> dict[str, np.ndarray]:
    """Features to be filled in, unknown as yet."""
    features: dict[str, np.ndarray] = {GRAIN: np.full(count, -1)}
    if named:
        features[COLUMN_ATOMS] = np.full(count, "", dtype=object)
    features |= {name: np.full(count, np.nan) for name in (SUBLATTICE, *SITE)}
    for what in asked:
        for name in _FEATURES.get(what, ()):
            features |= {name: np.full(count, np.nan), std_of(name): np.full(count, np.nan)}
    return features


def _by_sublattice(grain: Indexed, polar: np.ndarray, std: np.ndarray) -> list[dict[str, Any]]:
    """Mean vector and usual length of each sublattice, and the usual error of one vector along one axis."""
    found = []
    for site in range(len(grain.motif)):
        mine = (grain.site == site) & np.isfinite(polar).all(axis=1) & np.isfinite(std).all(axis=1)
        if not mine.any():
            continue
        mean = polar[mine].mean(axis=0)
        error = np.sqrt(np.mean(std[mine] ** 2))
        found.append(
            {
                "sublattice": site,
                "columns": int(mine.sum()),
                "mean_y_angstrom": float(mean[0]),
                "mean_x_angstrom": float(mean[1]),
                "rms_angstrom": float(np.sqrt(np.mean(np.sum(polar[mine] ** 2, axis=1)))),
                "error_of_one_angstrom": float(error),
            }
        )
    return found


def _mean(values: np.ndarray) -> float | None:
    return float(np.nanmean(values)) if np.isfinite(values).any() else None


def _joined(tables: list[pd.DataFrame], names: Sequence[str]) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True)[list(names)] if tables else pd.DataFrame(columns=list(names))
