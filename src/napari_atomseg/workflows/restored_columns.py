"""Columns found in a restored image and fitted on the recorded one."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import numpy as np

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.jobs import Progress, as_part, job
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.localise.refinement.params import RefineParams
from napari_atomseg.workflows.columns import locate, refine
from napari_atomseg.workflows.provenance import attach_to_image
from napari_atomseg.workflows.steps import found_elsewhere

FOUND_IN = "found_in"
"""Where the provenance says in what image columns were found, if not in the one they belong to."""


@job
def locate_restored(
    micrograph: Micrograph,
    restored: Micrograph,
    *,
    model: str | None = None,
    frame: int | None = None,
    refinement: RefineParams | None = None,
) -> Generator[Progress, None, Columns]:
    """Columns found in a restored image and fitted on the recorded one: where a column is, is measured and not believed.

    Parameters
    ----------
    micrograph : Micrograph
        As it was recorded.
    restored : Micrograph
        As :func:`restore` gave it.
    model : str, optional
        What finds the columns; see :func:`~napari_atomseg.workflows.locate`.
    frame : int, optional
        Index of the frame if only one was restored.
    refinement : RefineParams, optional
        How they are fitted.

    Returns
    -------
    Columns
        Of the recorded micrograph; the provenance says in what they were found.

    Raises
    ------
    AtomsegError
        If the finder does not exist.
    """
    found = yield from as_part(locate.steps(restored, model=model, refined=False), 0, 0.5, "finding")
    if frame is not None:
        found = replace(found, frame=np.full(len(found), frame))
    found_in = restored.notes[0] if restored.notes else restored.name
    details = {**found_elsewhere(found, found_in).provenance, FOUND_IN: found_in}
    attached = attach_to_image(found, micrograph, details)
    if not len(attached):
        return attached
    return (yield from as_part(refine.steps(micrograph, attached, params=refinement), 0.5, 1, "fitting"))
