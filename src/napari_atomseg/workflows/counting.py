"""Atoms counted anew from cross-sections that were measured, with a number of counts that somebody chose."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Any

from napari_atomseg.analysis.intensities.params import IntensityParams
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, job
from napari_atomseg.workflows.steps import Measure, recorded, steps_of

MEASURED = "measured"
"""Entry of the provenance with the numbers of the whole image."""


def counts_in(columns: Columns) -> tuple[Mapping[str, Any] | None, str]:
    """What was said of the counts when they were measured, and the unit of the cross-sections; None if nothing was counted.

    Parameters
    ----------
    columns : Columns
    """
    first = _first(columns.provenance.get(MEASURED, {}))
    return first.get("counts"), first.get("cross_sections", {}).get("unit", "")


def _first(measured: Mapping[str, Any]) -> Mapping[str, Any]:
    """Numbers of the image, or of the first frame, where those of all counts stand."""
    frames = measured.get("frames")
    return frames[0] if frames else measured


@job
def recount(columns: Columns, *, components: int) -> Generator[Progress, None, Columns]:
    """Count atoms with another number of different counts; cross-sections stay.

    Parameters
    ----------
    columns : Columns
        That were counted.
    components : int
        Different counts.

    Raises
    ------
    AtomsegError
        If they were not counted, or with a library.
    """
    from napari_atomseg.analysis.intensities.column_counts import count_columns
    from napari_atomseg.analysis.intensity_numbers import counted_numbers

    numbers, _ = counts_in(columns)
    if numbers is None or numbers["from_library"]:
        raise AtomsegError("only columns that were counted without a library can be counted with another number of counts")
    made = [step for step in steps_of(columns.provenance) if isinstance(step, Measure) and "counts" in step.what.split(",")]
    params = replace(made[-1].intensities if made else IntensityParams(), components=components)
    found, counted = yield from count_columns(columns, params)
    measured = dict(columns.provenance[MEASURED])
    said = counted_numbers(counted)
    if "frames" in measured:
        frames = list(measured["frames"])
        frames[0] = {**frames[0], "counts": said, "intensity_verdicts": list(counted.verdicts)}
        measured["frames"] = frames
    else:
        measured |= {"counts": said, "intensity_verdicts": list(counted.verdicts)}
    step = (
        Measure(what="counts", measuring=made[-1].measuring, intensities=params)
        if made
        else Measure(what="counts", intensities=params)
    )
    return recorded(replace(found, provenance={**found.provenance, MEASURED: measured}), step)
