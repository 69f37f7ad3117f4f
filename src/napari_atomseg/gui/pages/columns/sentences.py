"""What the foot says of columns: those that were found, those that were refined, those that are there."""

from __future__ import annotations

from html import escape

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.quantities import format_pixel_size
from napari_atomseg.gui.documents.editing import ColumnsSession
from napari_atomseg.gui.documents.results import precision
from napari_atomseg.workflows import CLASSICAL, estimated_size, finder_choice, left_out

LINKS = '<a href="refine">refine</a> · <a href="table">table</a> · <a href="save">save</a>'
"""What is done with columns next."""


def found_sentence(shown: Columns, found: Columns, frame: int | None, seconds: float, *, beside_edited: bool) -> str:
    """How many columns were found, how, and what can be done next.

    Parameters
    ----------
    shown : Columns
        Those that are sure enough to be shown.
    found : Columns
        All of them.
    frame : int or None
        The only frame of a stack that was searched, counted from 0.
    seconds : float
        That it took.
    beside_edited : bool
        Whether columns that a hand has edited lie in a layer of their own beside these.
    """
    place = f" in frame {frame + 1}" if frame is not None else ""
    further = '<a href="every_frame">every frame</a> · ' if frame is not None else ""
    kept = " Your edited columns were kept; these are in a new layer." if beside_edited else ""
    count = f"{len(shown):,} columns{place}, {seconds:.1f} s."
    return f"{count}{finder_sentence(found)}{estimate_sentence(found)}{kept} {further}{LINKS}"


def nothing_found(found: Columns, least: float) -> str:
    """What to say where no column is shown."""
    if len(found):
        best = float(found.features["confidence"].max())
        return f"No column reaches confidence {least:.2f}; the surest has {best:.2f}. Lower the threshold to see them."
    if found.provenance.get("model") != CLASSICAL:
        return "The network sees no columns here. Check its pixel size and the polarity."
    return "No columns stand out from the noise here. Try the other polarity, another region, or less contrast under More."


def estimate_sentence(found: Columns) -> str:
    """What pixel size a network was told, where it had to be estimated; empty where it was known."""
    estimate = estimated_size(found.provenance)
    return f" The network took pixels for {format_pixel_size(estimate.size)}, an estimate." if estimate else ""


def finder_sentence(found: Columns) -> str:
    """Which finder was chosen and why, what was not searched, and why it may be wrong; empty if there is nothing to say."""
    chosen, out = finder_choice(found), left_out(found)
    doubt = str(found.provenance.get("network", {}).get("doubt", ""))
    said = [f" Found by the {chosen}." if chosen else "", f" Not searched: {out}." if out else ""]
    return "".join([*said, f" <b>{escape(doubt[:1].upper() + doubt[1:])}.</b>" if doubt else ""])


def refined_sentence(refined: Columns, seconds: float) -> str:
    """How many columns were refined, how many of them need a look, and how well their positions are known.

    Parameters
    ----------
    refined : Columns
    seconds : float
        That it took.
    """
    flagged = int(refined.flagged.sum())
    note = f', {flagged:,} flagged (<a href="flagged">show next</a>)' if flagged else ""
    return f'{len(refined):,} columns refined, {seconds:.1f} s{note}. {precision(refined)} <a href="save">save</a>'


def state_of(session: ColumnsSession | None) -> tuple[int, int, bool] | None:
    """What the foot tells of a document: columns, flagged ones, whether they are unsaved."""
    return None if session is None else (len(session.columns), int(session.columns.flagged.sum()), session.unsaved)


def state_sentence(session: ColumnsSession | None) -> str:
    """How many columns there are; empty where there are none."""
    if session is None or len(session.columns) == 0:
        return ""
    edited = ", edited and not saved" if session.edited and session.unsaved else ""
    return f"{len(session.columns):,} columns{edited}. {LINKS}"
