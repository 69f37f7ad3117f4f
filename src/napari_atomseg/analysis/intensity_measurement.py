"""The analyses of intensity: cross-sections, atoms counted, outliers, and whether columns exist."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from napari_atomseg.analysis.intensities.amplitudes import fit_amplitudes
from napari_atomseg.analysis.intensities.column_counts import count_columns
from napari_atomseg.analysis.intensities.counting import Counted
from napari_atomseg.analysis.intensities.cross_sections import OWN, apart_from, cross_sections, shapes_of, with_widths
from napari_atomseg.analysis.intensities.existence import (
    FEWEST,
    SURE,
    Kind,
    expected_places,
    faintest,
    learn_kind,
    noise_line,
    unlisted_places,
)
from napari_atomseg.analysis.intensities.fitted_field import Shapes
from napari_atomseg.analysis.intensities.outliers import outlier_q
from napari_atomseg.analysis.intensities.particle_model import particle_model
from napari_atomseg.analysis.intensities.source import OF_BEAM, IntensitySource
from napari_atomseg.analysis.intensity_numbers import (
    counted_numbers,
    cross_section_numbers,
    existence_numbers,
    outlier_numbers,
    summary_of,
)
from napari_atomseg.analysis.lattice_measurement import SUBLATTICES, measure_lattices
from napari_atomseg.analysis.measurement import Measurement, Setting
from napari_atomseg.core.columns import (
    ATOM_COUNT,
    CROSS_SECTION,
    EXISTENCE,
    OUTLIER_Q,
    SITE,
    SUBLATTICE,
    Columns,
    std_of,
)
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress

SECTIONS, COUNTS, OUTLIERS, EXIST = "cross-section", "counts", "outliers", "existence"


def measure_intensities(columns: Columns, setting: Setting) -> Generator[Progress, None, Measurement]:
    """Cross-sections of all columns, and whatever else of intensity is asked for.

    Parameters
    ----------
    columns : Columns
        Of one image or of every frame of a stack, refined.
    setting : Setting
        With the image.

    Returns
    -------
    Measurement
        Features with their errors; for ``existence`` the table ``sites``, for a model in three dimensions the table ``atoms``.

    Raises
    ------
    AtomsegError
        If the columns were not refined, show no lattice where one is needed, or cannot be counted.
    """
    source = setting.intensities
    if source is None:
        raise AtomsegError("intensities are measured on an image, and none was given")
    if len(columns) == 0:
        raise AtomsegError("there are no columns to measure; find some first")
    tables: dict[str, pd.DataFrame] = {}
    lattices = yield from _lattices(columns, setting)
    if lattices is not None and EXIST in setting.asked:
        columns, tables = lattices.columns, dict(lattices.tables)
    sites = None if lattices is None else lattices.tables["sites"]
    columns, numbers = yield from _sections(columns, setting, source, sites)
    verdicts: list[str] = []
    if COUNTS in setting.asked:
        columns, counted = yield from _counts(columns, source)
        numbers[0]["counts"] = counted_numbers(counted)
        verdicts += counted.verdicts
        if source.params.atom_distance is not None:
            tables["atoms"] = _atoms(columns, setting, source)
    if OUTLIERS in setting.asked:
        columns, numbers[0]["outliers"] = _outliers(columns, source.params.false_share)
    if EXIST in setting.asked:
        columns, tables["sites"], said = yield from _existence(columns, tables["sites"], setting, source)
        verdicts += _take_over(numbers, said)
    numbers[0]["intensity_verdicts"] = verdicts
    single = len(numbers) == 1
    return Measurement(
        columns=columns,
        tables=tables,
        numbers=numbers[0] if single else {"frames": numbers},
        summary=summary_of(numbers, source),
    )


def _lattices(columns: Columns, setting: Setting) -> Generator[Progress, None, Measurement | None]:
    """Sites of the lattices; None where there is none, unless existence is asked for, which needs one."""
    try:
        return (yield from measure_lattices(columns, replace(setting, asked=(SUBLATTICES,))))
    except AtomsegError:
        if EXIST in setting.asked:
            raise
        return None


def _take_over(numbers: list[dict[str, Any]], said: dict[int, dict[str, Any]]) -> list[str]:
    """Put what is said of existence to the numbers of its frame; the verdicts."""
    for one in numbers:
        one["existence"] = said[one["frame"]]
    return [text for one in said.values() for text in one.pop("verdicts")]


def _sections(
    columns: Columns, setting: Setting, source: IntensitySource, sites: pd.DataFrame | None
) -> Generator[Progress, None, tuple[Columns, list[dict[str, Any]]]]:
    """Columns with their cross-sections, and the numbers of each frame."""
    values, std = np.full(len(columns), np.nan), np.full(len(columns), np.nan)
    numbers: list[dict[str, Any]] = []
    for frame in np.unique(columns.frame):
        rows = np.flatnonzero(columns.frame == frame)
        part = columns.select(rows)
        empty = _empty(sites, int(frame))
        found = yield from cross_sections(source.frame(int(frame)), part, setting.size, source.params, empty)
        values[rows], std[rows] = found.values, found.std
        numbers.append({"frame": int(frame), "cross_sections": cross_section_numbers(found, part, source)})
    return columns.with_features(**{CROSS_SECTION: values, std_of(CROSS_SECTION): std}), numbers


def _empty(sites: pd.DataFrame | None, frame: int) -> np.ndarray:
    """Sites of a frame without a column, (M, 2), px."""
    if sites is None:
        return np.zeros((0, 2))
    mine = sites[sites["frame"] == frame]
    if len(mine) == 0:
        return np.zeros((0, 2))
    return np.concatenate([mine.loc[~mine["present"], ["y_px", "x_px"]].to_numpy(float), unlisted_places(mine)])


def _counts(columns: Columns, source: IntensitySource) -> Generator[Progress, None, tuple[Columns, Counted]]:
    if source.library is not None and source.unit != OF_BEAM:
        raise AtomsegError(
            "the library has cross-sections in Å² of the beam, and the image counts; give an image of the detector (--detector), "
            "or count without the library"
        )
    return (yield from count_columns(columns, source.params, source.library))


def _atoms(columns: Columns, setting: Setting, source: IntensitySource) -> pd.DataFrame:
    """The model in three dimensions of every frame."""
    assert source.params.atom_distance is not None
    counts = columns.features[ATOM_COUNT].to_numpy(float)
    places = columns.positions * np.array(setting.size)
    table = particle_model(places, counts, source.params.atom_distance, source.params.heights, source.params.element)
    return table.assign(frame=columns.frame[table["column"].to_numpy(int)])


def _outliers(columns: Columns, share: float) -> tuple[Columns, dict[str, Any]]:
    """Columns with the rate at which each would be called, and how many are at a share of false ones."""
    group = _groups(columns)
    values, std = (columns.features[name].to_numpy(float) for name in (CROSS_SECTION, std_of(CROSS_SECTION)))
    q, deviation = np.full(len(columns), np.nan), np.full(len(columns), np.nan)
    for frame in np.unique(columns.frame):
        rows = np.flatnonzero(columns.frame == frame)
        q[rows], deviation[rows] = outlier_q(values[rows], std[rows], group[rows], columns.positions[rows])
    return columns.with_features(**{OUTLIER_Q: q}), outlier_numbers(q, deviation, group, share)


def _groups(columns: Columns) -> np.ndarray:
    """Sublattice of each column, -1 where it has none; all alike if sublattices were not measured."""
    if SUBLATTICE not in columns.features or columns.features[SUBLATTICE].dtype.kind not in "fiu":
        return np.zeros(len(columns), int)
    return columns.features[SUBLATTICE].fillna(-1).to_numpy(int)


def _existence(
    columns: Columns, sites: pd.DataFrame, setting: Setting, source: IntensitySource
) -> Generator[Progress, None, tuple[Columns, pd.DataFrame, dict[int, dict[str, Any]]]]:
    """Probabilities of columns and sites, frame by frame, and their numbers by frame."""
    exists, all_sites = np.full(len(columns), np.nan), np.full(len(sites), np.nan)
    said = {}
    for frame in np.unique(columns.frame):
        rows = np.flatnonzero(columns.frame == frame)
        mine = np.flatnonzero((sites["frame"] == frame).to_numpy())
        image = source.frame(int(frame))
        of_sites, of_columns, numbers = yield from _of_frame(image, columns.select(rows), sites.iloc[mine], setting.size, source)
        all_sites[mine], exists[rows] = of_sites, of_columns
        said[int(frame)] = numbers
    return columns.with_features(**{EXISTENCE: exists}), sites.assign(**{EXISTENCE: all_sites}), said


def _of_frame(
    image: np.ndarray, columns: Columns, sites: pd.DataFrame, size: tuple[float, float], source: IntensitySource
) -> Generator[Progress, None, tuple[np.ndarray, np.ndarray, dict[str, Any]]]:
    present = sites["present"].to_numpy(bool)
    extra = np.flatnonzero(columns.features[SITE[0]].isna().to_numpy())
    extra = extra[np.isin(extra, with_widths(columns, image.shape))]
    places = np.concatenate([expected_places(sites), columns.positions[extra]])
    found = np.concatenate([sites[["y_px", "x_px"]].to_numpy(float), columns.positions[extra]])
    shapes = shapes_of(columns.select(with_widths(columns, image.shape)))
    usual = [float(np.median(one)) for one in (shapes.major, shapes.minor)]
    judged = len(places)
    beside = apart_from(unlisted_places(sites), places, OWN * usual[0])
    places, found = np.concatenate([places, beside]), np.concatenate([found, beside])
    sigma = np.full(len(places), np.sqrt(usual[0] * usual[1]))
    # Faint columns go where noise is bright: they are judged where their neighbours put them, sure ones where they are.
    first = yield from fit_amplitudes(image, _round(found, sigma), source.params.background, adjust_widths=False)
    error = first.volume_std() / first.shapes.area
    seen = np.concatenate([present, np.ones(len(extra), bool), np.zeros(len(beside), bool)])
    sure = (np.abs(first.heights) > SURE * error) & seen
    at = np.where(sure[:, None], found, places)
    fitted = yield from fit_amplitudes(image, _round(at, sigma), source.params.background, adjust_widths=False)
    height, error = fitted.heights[:judged], error[:judged]
    sign = float(np.sign(np.median(height[: len(sites)][present])) or 1.0)
    group = np.concatenate([sites[SUBLATTICE].to_numpy(int), np.full(len(extra), -1)])
    probability, kinds = _judged(sign * height, error, seen[:judged], group)
    exists = np.full(len(columns), np.nan)
    exists[extra] = probability[len(sites) :]
    row_of = {tuple(one): row for row, one in enumerate(np.round(columns.positions, 6).tolist())}
    for one, place in enumerate(np.round(found[: len(sites)], 6).tolist()):
        if present[one] and tuple(place) in row_of:
            exists[row_of[tuple(place)]] = probability[one]
    area = float(np.median(fitted.shapes.area)) * size[0] * size[1]
    numbers = existence_numbers(probability[: len(sites)], present, kinds, faintest(error) * area, area, source.unit)
    return probability[: len(sites)], exists, numbers


def _round(places: np.ndarray, sigma: np.ndarray) -> Shapes:
    return Shapes(positions=places, major=sigma, minor=sigma, theta=np.zeros(len(sigma)))


def _judged(height: np.ndarray, error: np.ndarray, present: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, dict[int, Kind]]:
    """Probability of each place, and what its sublattice is like."""
    probability, kinds = np.full(len(height), np.nan), {}
    line = noise_line(height, error)
    everything = learn_kind(height[group >= 0], error[group >= 0], present[group >= 0], line)
    for one in np.unique(group):
        rows = np.flatnonzero(group == one)
        enough = one >= 0 and len(rows) >= FEWEST
        kind = learn_kind(height[rows], error[rows], present[rows], line) if enough else everything
        # Beside the lattice nothing says how often a column is to be expected.
        kind = kind if one >= 0 else replace(kind, share=0.5)
        kinds[int(one)] = kind
        probability[rows] = kind.probability(height[rows], error[rows], line)
    return probability, kinds
