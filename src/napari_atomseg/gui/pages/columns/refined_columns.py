"""Columns fitted again: they take the place of what was fitted, unless a hand has changed it meanwhile."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from napari.layers import Image

from napari_atomseg.core.columns import Columns
from napari_atomseg.gui.documents.editing import ColumnsSession
from napari_atomseg.gui.layers.conversion import to_micrograph
from napari_atomseg.gui.pages.columns.sentences import refined_sentence
from napari_atomseg.workflows import RefineParams, refine

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host


def refine_columns(host: Host, session: ColumnsSession, image: Image, params: RefineParams) -> None:
    """Fit the columns of a document again, as a job of the panel.

    Parameters
    ----------
    host : Host
        Runs the job, and says what came of it.
    session : ColumnsSession
    image : Image
        That the columns belong to.
    params : RefineParams
    """
    begun, asked = time.perf_counter(), session.columns
    steps = refine.steps(to_micrograph(image), asked, params=params)
    host.start(steps, lambda found: _take(host, session, asked, found, time.perf_counter() - begun), "Refining columns")


def _take(host: Host, session: ColumnsSession, asked: Columns, refined: Columns, seconds: float) -> None:
    if session.columns is not asked:
        host.say("The columns were edited while they were being refined; the edits were kept. Press Refine again.")
        return
    session.apply(refined)
    host.say(refined_sentence(refined, seconds))
