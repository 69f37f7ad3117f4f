"""Numbers of a whole image about intensities, and what is said of them in a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from napari_atomseg.analysis.intensities.counting import Counted
from napari_atomseg.analysis.intensities.cross_sections import CrossSections
from napari_atomseg.analysis.intensities.existence import Kind
from napari_atomseg.analysis.intensities.source import IntensitySource
from napari_atomseg.core.columns import CROSS_SECTION, SUBLATTICE, Columns


def cross_section_numbers(found: CrossSections, columns: Columns, source: IntensitySource) -> dict[str, Any]:
    """Scale, way and usual size of cross-sections; by sublattice where that is known.

    Parameters
    ----------
    found : CrossSections
    columns : Columns
        Those they are of, row by row.
    source : IntensitySource
        Image, scale and way.
    """
    numbers: dict[str, Any] = {
        "unit": source.unit,
        "integration": source.params.integration,
        "background": source.params.background,
        "columns": int(np.isfinite(found.values).sum()),
        "empty_sites_fitted_along": len(found.fitted.heights) - len(found.rows),
        "median": _number(np.nanmedian(found.values)),
        "median_std": _number(np.nanmedian(found.std)),
        "background_from": _number(np.min(found.fitted.levels)),
        "background_to": _number(np.max(found.fitted.levels)),
    }
    if source.detector is not None:
        scale = source.detector
        numbers["detector"] = {
            "vacuum": scale.vacuum,
            "full": scale.full,
            "unevenness": scale.unevenness,
            "factor_if_flux_falls_with_third_power": scale.steep,
        }
    if SUBLATTICE in columns.features and columns.features[SUBLATTICE].dtype.kind in "fiu":
        site = columns.features[SUBLATTICE].to_numpy(float)
        numbers["sublattices"] = [
            {
                "sublattice": int(one),
                "columns": int(np.sum(site == one)),
                "median": _number(np.nanmedian(found.values[site == one])),
                "scatter": _number(np.nanstd(found.values[site == one])),
            }
            for one in np.unique(site[np.isfinite(site)])
            if np.isfinite(found.values[site == one]).any()
        ]
    return numbers


def counted_numbers(counted: Counted) -> dict[str, Any]:
    """The mixture, the criteria, and how sure the counts are."""
    mixture = counted.mixture
    steps = np.diff(mixture.means)
    known = counted.probability[np.isfinite(counted.probability)]
    numbers: dict[str, Any] = {
        "components": len(mixture.means),
        "first_count": counted.first,
        "means": mixture.means.tolist(),
        "widths": mixture.sigmas.tolist(),
        "weights": mixture.weights.tolist(),
        "step": float(np.mean(steps)) if len(steps) else None,
        "width_in_steps": float(np.average(mixture.sigmas, weights=mixture.weights) / np.mean(steps)) if len(steps) else None,
        "counted": len(known),
        "atoms": int(np.nansum(counted.count)),
        "expected_right": float(known.mean()) if len(known) else None,
        "from_library": counted.choice is None,
    }
    if counted.choice is not None:
        choice = counted.choice
        numbers["criterion"] = choice.criterion
        numbers["probability_of_components"] = choice.probability
        numbers["chosen_by"] = {name: choice.chosen_by(name) for name in ("icl", "bic", "aic")}
        numbers["criteria"] = {name: choice.curve(name).tolist() for name in ("icl", "bic", "aic")}
    if counted.changes is not None:
        numbers["change_from_frame_to_frame"] = counted.changes
    return numbers


def outlier_numbers(q: np.ndarray, deviation: np.ndarray, group: np.ndarray, share: float) -> dict[str, Any]:
    """How many columns are called at a false-discovery rate, above and below their like, by sublattice.

    Parameters
    ----------
    q : ndarray, shape (N,)
        Rate at which each would be called; NaN where it was not compared.
    deviation : ndarray, shape (N,)
        From its like; above zero where it is brighter.
    group : ndarray of int, shape (N,)
        Its sublattice.
    share : float
        The rate, 0 to 1.
    """
    called = q <= share
    return {
        "false_share": share,
        "called": int(called.sum()),
        "bright": int(np.sum(called & (deviation > 0))),
        "dark": int(np.sum(called & (deviation < 0))),
        "by_sublattice": {str(one): int(np.sum(called & (group == one))) for one in np.unique(group).tolist()},
        "compared": int(np.isfinite(q).sum()),
    }


def existence_numbers(
    probability: np.ndarray, present: np.ndarray, kinds: Mapping[int, Kind], limit: float, area: float, unit: str
) -> dict[str, Any]:
    """Sites that are filled, and the faintest column that the image shows.

    Parameters
    ----------
    probability : ndarray, shape (N,)
        That a column stands at each site; NaN where it is not known.
    present : ndarray of bool, shape (N,)
        Sites at which the table has a column.
    kinds : mapping of int to Kind
        By sublattice; below zero for sites of none.
    limit : float, `unit`
        Cross-section of the faintest column that is seen.
    area : float
        Cross-section of a column of height 1 in the image, in `unit`.
    unit : str
    """
    verdicts = []
    doubtful = int(np.sum(present & (probability < 0.5)))
    overlooked = int(np.sum(~present & (probability > 0.5)))
    if doubtful:
        verdicts.append(f"{doubtful:,} columns of the table are more likely not there than there")
    if overlooked:
        verdicts.append(f"{overlooked:,} sites without a column are more likely filled than empty")
    return {
        "sites": len(probability),
        "expected_columns": float(np.nansum(probability)),
        "doubtful_columns": doubtful,
        "overlooked_sites": overlooked,
        "faintest_cross_section": limit,
        "unit": unit,
        "sublattices": [
            {
                "sublattice": one,
                "filled": kind.share,
                CROSS_SECTION: kind.height * area,
                "scatter": kind.scatter * area,
                "faintest_in_columns": limit / (kind.height * area) if kind.height > 0 else None,
            }
            for one, kind in kinds.items()
            if one >= 0
        ],
        "verdicts": verdicts,
    }


def summary_of(numbers: Sequence[Mapping[str, Any]], source: IntensitySource) -> str:
    """The most telling numbers in one line."""
    first = numbers[0]
    sections = first["cross_sections"]
    said = [f"cross-sections of {sum(one['cross_sections']['columns'] for one in numbers):,} columns"]
    if sections["median"] is not None:
        said[0] += f", median {sections['median']:.4g} {source.unit}"
    if "counts" in first:
        counts = first["counts"]
        said.append(f"{counts['atoms']:,} atoms in {counts['counted']:,} columns")
        if counts["expected_right"] is not None:
            said[-1] += f", {100 * counts['expected_right']:.0f} % of the counts right if the {counts['components']} counts are"
    if "outliers" in first:
        said.append(f"{first['outliers']['called']:,} outliers")
    if "existence" in first:
        said.append(f"{first['existence']['expected_columns']:.1f} of {first['existence']['sites']:,} sites filled")
    return "; ".join([*said, *first.get("intensity_verdicts", ())])


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
