"""The analysis ``templates``: the structure that the neighbours of each column form, frame by frame."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np

from napari_atomseg.analysis.lattice.indexed import position_std
from napari_atomseg.analysis.measurement import Measurement, Setting
from napari_atomseg.analysis.templates import LIBRARY, NONE, match_templates
from napari_atomseg.core.columns import (
    TEMPLATE,
    TEMPLATE_MATCH,
    TEMPLATE_ROTATION,
    TEMPLATE_STRAIN,
    Columns,
    std_of,
)
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress

_NAMES = np.array([*(template.name for template in LIBRARY), NONE], dtype=object)
FEWEST = 7
"""Columns in a frame: one, and the neighbours of the smallest template."""


def measure_templates(columns: Columns, setting: Setting) -> Generator[Progress, None, Measurement]:
    """Structures around columns: features ``template``, ``template_match``, rotation and strain with their errors.

    Parameters
    ----------
    columns : Columns
        Of one image or of every frame of a stack.
    setting : Setting

    Raises
    ------
    AtomsegError
        If there are too few columns for any template.
    """
    frames = np.unique(columns.frame)
    count = len(columns)
    names = (TEMPLATE_MATCH, TEMPLATE_ROTATION, *TEMPLATE_STRAIN)
    values = {name: np.full(count, np.nan) for one in names for name in (one, std_of(one)) if name != std_of(TEMPLATE_MATCH)}
    template = np.full(count, "", dtype=object)
    numbers: list[dict[str, Any]] = []
    size = np.asarray(setting.size)
    finite = np.isfinite(columns.positions).all(axis=1)
    if not finite.any() or max(np.count_nonzero(finite & (columns.frame == frame)) for frame in frames) < FEWEST:
        raise AtomsegError(f"templates need at least {FEWEST} columns in a frame; find or add more first")
    for done, frame in enumerate(frames):
        yield Progress(done, len(frames), "matching templates")
        rows = np.flatnonzero((columns.frame == frame) & finite)
        if len(rows) < FEWEST:
            continue
        found = match_templates(columns.positions[rows] * size, position_std(columns)[rows] * size)
        template[rows] = _NAMES[found.template]
        for name, value in (
            (TEMPLATE_MATCH, found.match),
            (TEMPLATE_ROTATION, found.rotation),
            (std_of(TEMPLATE_ROTATION), found.rotation_std),
            *zip(TEMPLATE_STRAIN, found.strain.T, strict=True),
            *zip(map(std_of, TEMPLATE_STRAIN), found.strain_std.T, strict=True),
        ):
            values[name][rows] = value
        counts = {name: int(np.count_nonzero(template[rows] == name)) for name in _NAMES}
        numbers.append({"frame": int(frame), "templates": counts})
    return Measurement(
        columns=columns.with_features(**{TEMPLATE: template}, **values),
        tables={},
        numbers=numbers[0] if len(numbers) == 1 else {"frames": numbers},
        summary=_summary(numbers),
    )


def _summary(numbers: list[dict[str, Any]]) -> str:
    if len(numbers) != 1:
        return f"templates of {len(numbers)} frames"
    counts = {name: count for name, count in numbers[0]["templates"].items() if count}
    return "columns by template: " + ", ".join(f"{count} {name}" for name, count in counts.items())
