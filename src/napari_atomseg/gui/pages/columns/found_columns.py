"""Columns as the finder gives them: put beside their image, in place of what it gave before, and told in the foot."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image

from napari_atomseg.core.columns import Columns
from napari_atomseg.gui.documents.results import documents_of, show_columns
from napari_atomseg.gui.layers.conversion import to_micrograph
from napari_atomseg.gui.pages.columns.finder import Finder
from napari_atomseg.gui.pages.columns.followed_document import image_of
from napari_atomseg.gui.pages.columns.found_counts import show_found_counts
from napari_atomseg.gui.pages.columns.sentences import finder_sentence, found_sentence, nothing_found
from napari_atomseg.workflows import ClassicalParams

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host


class FoundColumns:
    """Runs the page's job, and keeps one document for what it finds in an image.

    Parameters
    ----------
    host : Host
        The panel.
    finder : Finder
        The one that is chosen, with its threshold.
    """

    def __init__(self, host: Host, finder: Finder) -> None:
        self._host, self._finder = host, finder

    def find(self, image: Image, params: ClassicalParams, region: np.ndarray | None, frame: int | None) -> None:
        """Find the columns of an image.

        Parameters
        ----------
        image : Image
        params : ClassicalParams
            Of the classical finder; its polarity holds for networks too.
        region : ndarray of bool, shape (Y, X), or None
            Search only where it is True.
        frame : int or None
            The only frame of a stack, counted from 0; None for all, and for a single image.
        """
        begun = time.perf_counter()
        steps = self._finder.steps(to_micrograph(image), params, region, frame)
        self._host.start(steps, lambda found: self._made(image, found, frame, time.perf_counter() - begun), "Finding columns")

    def _made(self, image: Image, found: Columns, frame: int | None, seconds: float) -> None:
        shown = self._finder.sure(found, frame)
        if len(shown) == 0:
            self._host.say(nothing_found(found, self._finder.least.value()) + finder_sentence(found))
        if len(found) == 0:
            self._nothing_any_more(image, shown)
            return
        viewer = self._host.viewer
        before = documents_of(viewer, image)
        session, replaced = show_columns(viewer, image, shown, frame)
        self._finder.keep(session, found, frame)
        self._host.documents.watch(session)
        show_found_counts(viewer, image, session)
        if len(shown):
            beside_edited = bool(before) and not replaced
            self._host.say(found_sentence(shown, found, frame, seconds, beside_edited=beside_edited))

    def _nothing_any_more(self, image: Image, nothing: Columns) -> None:
        """What the same network found in the image before, and no hand has touched, is not true any more."""
        session = self._host.documents.session
        if session is None or session.edited or image_of(self._host.viewer, session) is not image:
            return
        if session.columns.provenance.get("model") == nothing.provenance.get("model"):
            session.apply(nothing)
