"""How columns were made: written down with them, and in words for people."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.localise.refinement.refine import CHOSEN
from napari_atomseg.workflows.choice import CLASSICAL

LEFT_OUT, CROSS_CHECK = "left_out", "cross_check"
"""Entries of the provenance: what in a picture was no image, and what the classical finder changed in a network's columns."""
SAID_ONCE = (LEFT_OUT, CROSS_CHECK)
"""Of a stack the words of the last frame that has any."""


def finder_choice(columns: Columns) -> str:
    """Which finder was chosen for the image and why, in words for people; empty if it was named."""
    reason = columns.provenance.get("model_chosen_because", "")
    model = columns.provenance.get("model", "")
    if not reason:
        return ""
    check = columns.provenance.get(CROSS_CHECK, "")
    because = f"{reason}; {check}" if check else reason
    return f"{'classical finder' if model == CLASSICAL else f'network {model}'} (chosen: {because})"


def left_out(columns: Columns) -> str:
    """What in the picture was no image and was not searched, in words for people; empty if nothing."""
    return str(columns.provenance.get(LEFT_OUT, ""))


def choices_of_fits(choices: list[dict[str, Any] | None]) -> dict[str, Any]:
    """What the fit of each frame chose by itself, as an entry of the provenance; of a single frame as it is."""
    known = [choice for choice in choices if choice]
    return {CHOSEN: known[0] if len(known) == 1 else known} if known else {}


def fit_choices(columns: Columns) -> str:
    """What the fit chose by itself, in words for people; of a stack what it chose in its first frame; empty if unknown."""
    chosen = columns.provenance.get(CHOSEN)
    first = chosen[0] if isinstance(chosen, list) and chosen else chosen
    if not isinstance(first, dict):
        return ""
    asked = columns.provenance.get("refinement", {}).get("background")
    parts = []
    if asked == "auto":
        parts.append(f"{first['background']} background (chosen from the image)")
    elif asked and asked != first["background"]:
        parts.append(f"{first['background']} background (a {asked} background does not fit this image)")
    if first["unseen_neighbours"]:
        parts.append(f"{first['unseen_neighbours']} unseen neighbours taken off")
    return ", ".join(parts)


def attach_to_image(columns: Columns, micrograph: Micrograph, details: dict[str, Any]) -> Columns:
    """Columns that know their image, its calibration and how they were made; versions and time are those of the saving.

    Parameters
    ----------
    columns : Columns
    micrograph : Micrograph
        The image that they belong to.
    details : dict
        How they were made: model, parameters, what was chosen; fit for JSON.
    """
    return replace(
        columns,
        pixel_size=micrograph.pixel_size,
        image_shape=micrograph.shape,
        provenance={
            **{name: value for name, value in details.items() if name not in ("image", "versions", "time")},
            "image": {
                "name": micrograph.name,
                "path": str(micrograph.path) if micrograph.path else None,
                "dataset": micrograph.dataset,
            },
            "pixel_size_source": micrograph.pixel_size_source,
        },
    )
