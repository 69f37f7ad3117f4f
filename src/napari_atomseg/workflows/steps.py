"""What was done to columns, step by step: typed, and kept as plain values in their provenance.

Every workflow that makes or changes columns appends its step, so that the list goes where the columns go: through undo and
redo, into the description beside a saved table, into a recovery file. What can be done again on another image is repeated by
:mod:`napari_atomseg.sessions.replay`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from napari_atomseg.analysis.intensities.params import IntensityParams
from napari_atomseg.analysis.params import MeasureParams, ScanRowsParams
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import check, from_dict
from napari_atomseg.inference.params import NetworkParams
from napari_atomseg.localise.detection.params import ClassicalParams
from napari_atomseg.localise.refinement.params import RefineParams
from napari_atomseg.workflows.choice import AUTO

DRAWN = "drawn"
"""Stands for a region that was drawn, and that is not kept."""
STEPS = "steps"
"""Entry of the provenance that holds them, in order."""
KIND = "step"
"""Entry of a step's plain values that names its class."""


@dataclass(frozen=True, kw_only=True)
class Find:
    """Columns were searched; see :func:`napari_atomseg.workflows.columns.locate`.

    Attributes
    ----------
    model : str
        Finder as it was asked for, ``auto`` included: another image may get another one.
    classical, network : parameters
        How either kind of finder searches.
    fit : RefineParams or None
        How the columns were fitted at once; None if they were not.
    frame : int or None
        The only frame that was searched; None for all.
    series : bool
        The frames were taken as one focal series.
    region : str
        The only part of the image that was searched, as :class:`~napari_atomseg.core.region.Region` writes it; ``drawn`` for one
        that is not kept; empty for all.
    found_in : str
        What was searched if not the image itself, such as its restoration, in words; cannot be done again.
    """

    kind: ClassVar[str] = "find"
    model: str = AUTO
    classical: ClassicalParams = field(default_factory=ClassicalParams)
    network: NetworkParams = field(default_factory=NetworkParams)
    fit: RefineParams | None = None
    frame: int | None = None
    series: bool = False
    region: str = ""
    found_in: str = ""

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class KeepConfident:
    """Of what a network took for columns only those of at least a confidence were kept.

    Attributes
    ----------
    least_confidence : float
        From 0 to 1.
    frame : int or None
        The only frame that it was done in; None for all.
    """

    kind: ClassVar[str] = "keep confident"
    least_confidence: float = 0.5
    frame: int | None = None

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class Refine:
    """All columns were fitted again; see :func:`napari_atomseg.workflows.columns.refine`.

    Attributes
    ----------
    fit : RefineParams
        How.
    """

    kind: ClassVar[str] = "refine"
    fit: RefineParams = field(default_factory=RefineParams)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class StraightenRows:
    """Displacements common to whole scan rows were taken off; see :func:`napari_atomseg.workflows.lattice.straighten_rows`.

    Attributes
    ----------
    rows : ScanRowsParams
        How they were measured.
    """

    kind: ClassVar[str] = "straighten rows"
    rows: ScanRowsParams = field(default_factory=ScanRowsParams)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class Measure:
    """The columns were measured; see :func:`napari_atomseg.workflows.measuring.measure`.

    Attributes
    ----------
    what : str
        One name, or several separated by commas.
    measuring : MeasureParams
        How.
    intensities : IntensityParams
        How cross-sections are measured and atoms counted.
    """

    kind: ClassVar[str] = "measure"
    what: str = ""
    measuring: MeasureParams = field(default_factory=MeasureParams)
    intensities: IntensityParams = field(default_factory=IntensityParams)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class EditByHand:
    """A hand has changed columns; how many, since nothing of it can be done again on another image.

    Attributes
    ----------
    added, moved, deleted : int
        Columns.
    """

    kind: ClassVar[str] = "edit by hand"
    added: int = 0
    moved: int = 0
    deleted: int = 0

    def __post_init__(self) -> None:
        check(self)


Step = Find | KeepConfident | Refine | StraightenRows | Measure | EditByHand
KINDS: dict[str, type[Step]] = {one.kind: one for one in (Find, KeepConfident, Refine, StraightenRows, Measure, EditByHand)}
_PARTS: dict[str, type] = {
    "classical": ClassicalParams,
    "network": NetworkParams,
    "fit": RefineParams,
    "rows": ScanRowsParams,
    "measuring": MeasureParams,
    "intensities": IntensityParams,
}


def recorded(columns: Columns, step: Step) -> Columns:
    """Columns whose provenance has one more step; edits by hand in a row are one step, and so are moves of a threshold.

    Parameters
    ----------
    columns : Columns
        After the step.
    step : Step
    """
    before = list(columns.provenance.get(STEPS, ()))
    last = _last_of_kind(before, step.kind)
    if isinstance(step, EditByHand) and isinstance(last, EditByHand):
        step = EditByHand(added=last.added + step.added, moved=last.moved + step.moved, deleted=last.deleted + step.deleted)
        before.pop()
    elif isinstance(step, KeepConfident) and isinstance(last, KeepConfident) and step.frame in (None, last.frame):
        before.pop()
    return replace(columns, provenance={**columns.provenance, STEPS: [*before, plain_step(step)]})


def found_elsewhere(columns: Columns, found_in: str) -> Columns:
    """Columns whose search, which is their last step, was not one of their own image.

    Parameters
    ----------
    columns : Columns
    found_in : str
        What was searched, in words.
    """
    *before, last = columns.provenance[STEPS]
    return replace(columns, provenance={**columns.provenance, STEPS: [*before, {**last, "found_in": found_in}]})


def plain_step(step: Step) -> dict[str, Any]:
    """A step as plain values, fit for JSON."""
    return {KIND: step.kind, **dataclasses.asdict(step)}


def step_from(values: Any) -> Step:
    """A step from plain values; parameters that are left out have their defaults.

    Parameters
    ----------
    values : mapping
        As :func:`plain_step` gives them.

    Raises
    ------
    AtomsegError
        If there is no such step, or a parameter is unknown or illegal.
    """
    kind = values.get(KIND) if isinstance(values, Mapping) else None
    if kind not in KINDS:
        raise AtomsegError(f"there is no step {kind!r}; steps are {', '.join(KINDS)}")
    cls = KINDS[kind]
    parts = {
        name: from_dict(_PARTS[name], value) if name in _PARTS and isinstance(value, Mapping) else value
        for name, value in values.items()
        if name != KIND
    }
    if isinstance(parts.get("region"), bool):
        # Earlier versions kept no more than whether there was one.
        parts["region"] = DRAWN if parts["region"] else ""
    return from_dict(cls, parts)


def steps_of(provenance: Mapping[str, Any]) -> tuple[Step, ...]:
    """The steps that the provenance of columns, or the description beside their table, holds; none if it says nothing.

    Parameters
    ----------
    provenance : mapping
        With a list ``steps``.

    Raises
    ------
    AtomsegError
        If there is a step that cannot be read.
    """
    return tuple(step_from(values) for values in provenance.get(STEPS, ()))


def _last_of_kind(steps: list[Any], kind: str) -> Step | None:
    """The last step if it is of a kind; None also where it cannot be read."""
    if not steps or not isinstance(steps[-1], Mapping) or steps[-1].get(KIND) != kind:
        return None
    try:
        return step_from(steps[-1])
    except AtomsegError:
        return None
