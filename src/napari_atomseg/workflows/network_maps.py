"""Maps of a micrograph by a network."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np

from napari_atomseg.core.jobs import Progress, job, with_frame_progress
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.core.quantities import format_pixel_size
from napari_atomseg.core.region import Region, mask_of
from napari_atomseg.core.scratch import scratch_array
from napari_atomseg.core.tasks import NORMALISED, TASKS
from napari_atomseg.inference.params import NetworkParams
from napari_atomseg.inference.pixel_size import resolve_pixel_size
from napari_atomseg.networks.catalogue import default_network, map_names

COMPARED = {
    "denoise": ", held to the raw image where that speaks up",
    "background": ", averaged over equivalent places where the network is unsure",
}
"""What comparing places that look alike has done to a map."""


@job
def maps(
    micrograph: Micrograph,
    *,
    model: str | None = None,
    tasks: tuple[str, ...] = TASKS,
    params: NetworkParams | None = None,
    region: np.ndarray | Region | None = None,
    frames: int | None = None,
) -> Generator[Progress, None, dict[str, Micrograph]]:
    """Maps of a micrograph by a network, on its own pixels.

    Parameters
    ----------
    micrograph : Micrograph
    model : str, optional
        Name or folder; by default the first of :func:`model_cards`.
    tasks : tuple of str
        Of ``columns``, ``mask`` (both from 0 to 1), ``denoise``, ``background``, ``deblur`` (in the image's intensities); of a
        network of structures ``normalised`` (what it is given), its classes and ``background`` (probabilities), and
        ``segments`` (numbered); by default all.
    params : NetworkParams, optional
    region : ndarray of bool, shape (Y, X), or Region, optional
        Only the rectangle around it is looked at; elsewhere maps are not a number.
    frames : int, optional
        Index of the only frame; by default all.

    Returns
    -------
    dict of Micrograph
        By task, float32, of the micrograph's shape, or of one frame if one was asked for.

    Raises
    ------
    AtomsegError
        If the model does not exist or does not fit the image, or the region lies outside of it.
    """
    from napari_atomseg.inference.cached_model import cached_model
    from napari_atomseg.inference.device import device_of
    from napari_atomseg.inference.frame_maps import frame_maps
    from napari_atomseg.inference.region import box_around, box_of, inner, part_of
    from napari_atomseg.inference.structure_steps import maps_asked, step_on_image

    params = params or NetworkParams()
    name = model or default_network()
    tasks = map_names(name) if tasks == TASKS else tasks
    indices = micrograph.frame_indices(frames)
    shape = micrograph.shape[-2:]
    box = box_of(mask_of(region, micrograph.shape))
    stacked = len(indices) > 1
    found = {task: scratch_array((len(indices), *shape) if stacked else shape) for task in tasks}
    said: dict[str, Any] = {}
    ready = cached_model(name, device_of(params))
    size = yield from resolve_pixel_size(micrograph, indices[0], ready, params)
    for row, index in enumerate(indices):
        wide = None if box is None else box_around(box, ready.card, size.size, micrograph.shape)
        plane = part_of(micrograph.lazy_frame(index), wide)
        asked = maps_asked(tasks, ready.card)
        steps = frame_maps(plane, ready, asked, params, size, held="denoise" in tasks, averaged="background" in tasks)
        prediction, said = yield from with_frame_progress(steps, row, len(indices))
        for task in tasks:
            target = found[task][row] if stacked else found[task]
            shown = step_on_image(task, prediction, ready.card, params)
            target[box if box is not None else ...] = part_of(shown, inner(box, wide))
    rows = f", rows {said['rows']}" if "rows" in said else ""
    size_text = format_pixel_size(tuple(said["pixel_size_angstrom"]))
    seen = f"{said['polarity']} columns, " if "polarity" in said else ""
    note = f"{seen}{size_text} ({said['pixel_size_source']}){rows}"
    return {
        task: Micrograph(
            data=found[task],
            pixel_size=micrograph.pixel_size,
            pixel_size_source=micrograph.pixel_size_source,
            name=f"{micrograph.name} {task}",
            modality=micrograph.modality,
            frame_time_s=micrograph.frame_time_s,
            notes=(_note(task, name, params, note),),
        )
        for task in tasks
    }


def _note(task: str, name: str, params: NetworkParams, said: str) -> str:
    more = COMPARED.get(task, "") if params.alike else ""
    if task == NORMALISED:
        return f"the image as the network {name} is given it, its local mean and contrast taken off ({said})"
    return f"{task} map by the network {name}: a belief, not a measurement{more} ({said})"
