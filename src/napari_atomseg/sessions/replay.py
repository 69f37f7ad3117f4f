"""Recorded steps done again on another image, without a window.

The description beside a saved table (``columns.json``) is the record: what made the columns stands in its ``steps``
(:mod:`napari_atomseg.workflows.steps`).
"""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, job
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.core.region import region_from
from napari_atomseg.sessions.document import beside_other_frames
from napari_atomseg.sessions.threshold import at_least, is_by_network, with_candidates
from napari_atomseg.workflows import Measurement, locate, measure, refine, straighten_rows
from napari_atomseg.workflows.steps import (
    DRAWN,
    STEPS,
    EditByHand,
    Find,
    KeepConfident,
    Measure,
    Refine,
    Step,
    StraightenRows,
    steps_of,
)

if TYPE_CHECKING:
    from napari_atomseg.core.columns import Columns

HARDLY_STEPS = 10_000_000
"""A file of more bytes is no description of a table."""


def read_steps(path: Path) -> tuple[Step, ...]:
    """Steps out of a JSON file: the description beside a saved table, or one that was written by hand.

    Parameters
    ----------
    path : Path
        A JSON object with a list ``steps``.

    Raises
    ------
    AtomsegError
        If there are none, none that can be done again, or if one cannot be read; names the file.
    """
    try:
        if path.stat().st_size > HARDLY_STEPS:
            raise AtomsegError(f"{path}: too large for recorded steps; give the .json beside a saved table of columns")
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise AtomsegError(f"{path}: cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise AtomsegError(f"{path}: is no JSON file; give the .json beside a saved table of columns") from error
    if not isinstance(values, dict) or not isinstance(values.get(STEPS), list) or not values[STEPS]:
        raise AtomsegError(f"{path}: holds no recorded steps; save the columns with this version and give the .json beside")
    try:
        steps = steps_of(values)
    except AtomsegError as error:
        raise AtomsegError(f"{path}: {error}") from error
    first = next((step for step in steps if not isinstance(step, EditByHand)), None)
    if not isinstance(first, Find):
        raise AtomsegError(
            f"{path}: the columns were not found but imported or set by hand, which cannot be repeated on other images"
        )
    elsewhere = next((step.found_in for step in steps if isinstance(step, Find) and step.found_in), "")
    if elsewhere:
        raise AtomsegError(
            f"{path}: the columns were found in another image ({elsewhere}), which is not made again; find them in their own"
        )
    return steps


def not_repeated(steps: Sequence[Step]) -> str:
    """What of the steps is left out on other images, in words for people; empty if nothing."""
    edits = [step for step in steps if isinstance(step, EditByHand)]
    counts = {name: sum(getattr(edit, name) for edit in edits) for name in ("added", "moved", "deleted")}
    parts = [f"{count} columns {name} by hand" for name, count in counts.items() if count]
    if any(isinstance(step, Find) and step.region == DRAWN for step in steps):
        parts.append("the region that was drawn (whole images are searched)")
    return ", ".join(parts)


@dataclass(frozen=True, kw_only=True, eq=False)
class Replayed:
    """What steps make of an image.

    Attributes
    ----------
    columns : Columns
        With the steps that were done in their provenance.
    measurement : Measurement or None
        With the tables of all that was measured; None if nothing was.
    """

    columns: Columns
    measurement: Measurement | None = None


@job
def replay(micrograph: Micrograph, steps: Sequence[Step]) -> Generator[Progress, None, Replayed]:
    """Do recorded steps again on an image; what a hand has done is left out.

    Parameters
    ----------
    micrograph : Micrograph
    steps : sequence of Step
        The first of which finds columns, as :func:`read_steps` makes sure.

    Returns
    -------
    Replayed

    Raises
    ------
    AtomsegError
        If a step cannot be done on this image.
    """
    state: _State | None = None
    for step in steps:
        if isinstance(step, EditByHand):
            continue
        if isinstance(step, Find):
            state = yield from _found(micrograph, step, state)
        elif state is None:
            raise AtomsegError(f'there are no columns yet for the step "{step.kind}"; the first step has to be "{Find.kind}"')
        else:
            state = yield from _done(micrograph, step, state)
    if state is None:
        raise AtomsegError(f'nothing was recorded that can be repeated; the first step has to be "{Find.kind}"')
    return Replayed(columns=state.columns, measurement=state.measurement)


@dataclass(frozen=True, kw_only=True, eq=False)
class _State:
    """Columns on their way; `pool` is all that a network took for columns."""

    columns: Columns
    pool: Columns | None = None
    measurement: Measurement | None = field(default=None)


def _found(micrograph: Micrograph, step: Find, before: _State | None) -> Generator[Progress, None, _State]:
    found = yield from locate.steps(
        micrograph,
        model=step.model,
        params=step.classical,
        network=step.network,
        refined=step.fit is not None,
        refinement=step.fit,
        region=region_from(step.region) if step.region not in ("", DRAWN) else None,
        frames=step.frame,
        series=step.series,
    )
    pool = found if is_by_network(found) else None
    if before is None or step.frame is None:
        return _State(columns=found, pool=pool)
    if pool is not None:
        pool = beside_other_frames(before.pool or before.columns, found, step.frame)
    return _State(columns=beside_other_frames(before.columns, found, step.frame), pool=pool)


def _done(micrograph: Micrograph, step: Step, state: _State) -> Generator[Progress, None, _State]:
    """The columns after a step that needs some."""
    columns = state.columns
    match step:
        case KeepConfident():
            if state.pool is not None and step.frame is None:
                columns = with_candidates(columns, state.pool, reach=0.0)
            return replace(state, columns=at_least(columns, step.least_confidence, step.frame))
        case Refine():
            return replace(state, columns=(yield from refine.steps(micrograph, columns, params=step.fit)))
        case StraightenRows():
            straightened, _ = yield from straighten_rows.steps(columns, params=step.rows)
            return replace(state, columns=straightened)
        case Measure():
            found = yield from measure.steps(
                micrograph, columns, what=step.what.split(","), params=step.measuring, intensities=step.intensities
            )
            earlier = state.measurement.tables if state.measurement is not None else {}
            found = replace(found, tables={**earlier, **found.tables})
            return replace(state, columns=found.columns, measurement=found)
    raise AtomsegError(f'the step "{step.kind}" cannot be repeated')
