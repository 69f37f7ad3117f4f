"""Images without noise and distortions, by a network that restores."""

from __future__ import annotations

from collections.abc import Generator

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, job, with_frame_progress
from napari_atomseg.core.micrograph import TEM, Micrograph
from napari_atomseg.core.scratch import scratch_array
from napari_atomseg.inference.params import RestorationParams
from napari_atomseg.networks.card import RESTORATION
from napari_atomseg.networks.catalogue import model_cards

STEM = ("haadf", "adf", "abf", "bf")
ATOMS_SEEN = 0.6
"""Largest pixel, Angstrom, with which an image is taken to show atoms ('hr')."""


@job
def restore(
    micrograph: Micrograph, *, model: str | None = None, params: RestorationParams | None = None, frames: int | None = None
) -> Generator[Progress, None, Micrograph]:
    """A micrograph without noise and distortions, on its own pixels and intensities.

    Parameters
    ----------
    micrograph : Micrograph
        Numpy or lazy; needs no pixel size.
    model : str, optional
        Name or folder; by default the first that restores.
    params : RestorationParams, optional
    frames : int, optional
        Index of the only frame; by default all.

    Returns
    -------
    Micrograph
        Float32, of the micrograph's shape, or of one frame if one was asked for. Its notes say by what it was restored, and warn
        where a lattice was removed or may be invented.

    Raises
    ------
    AtomsegError
        If no model restores, or it does not know such images.
    """
    from napari_atomseg.inference.cached_model import cached_model
    from napari_atomseg.inference.device import device_of
    from napari_atomseg.inference.params import NetworkParams
    from napari_atomseg.inference.restoration_check import check_lattice
    from napari_atomseg.inference.restore import kinds_of, restore_plane

    params = params or RestorationParams()
    name = model or default_restorer()
    device = device_of(NetworkParams(device=params.device))
    ready = cached_model(name, device)
    kind = kind_of(micrograph) if params.modality == "auto" else "" if params.modality == "unknown" else params.modality
    if params.modality == "auto" and kind not in kinds_of(ready):
        kind = ""
    indices = micrograph.frame_indices(frames)
    shape = micrograph.shape[-2:]
    stacked = len(indices) > 1
    found = scratch_array((len(indices), *shape) if stacked else shape)
    warnings: list[str] = []
    for row, index in enumerate(indices):
        plane = micrograph.frame(index)
        steps = restore_plane(ready, plane, kind, device=device)
        target = found[row] if stacked else found
        target[...] = yield from with_frame_progress(steps, row, len(indices))
        words = check_lattice(plane, target).warnings()
        warnings += [f"frame {index}: {text}" if stacked else text for text in words]
    source = "from the metadata" if params.modality == "auto" else "as set"
    kind_text = f"as {kind} ({source})" if kind else "its kind not known"
    return Micrograph(
        data=found,
        pixel_size=micrograph.pixel_size,
        pixel_size_source=micrograph.pixel_size_source,
        name=f"{micrograph.name} restored",
        modality=micrograph.modality,
        frame_time_s=micrograph.frame_time_s,
        notes=(f"restored by the network {name}, {kind_text}: a belief, not a measurement", *warnings),
    )


def default_restorer() -> str:
    """Name of the model that restores if none is named.

    Raises
    ------
    AtomsegError
        If there is none.
    """
    found = sorted(name for name, card in model_cards().items() if card.task == RESTORATION)
    if not found:
        raise AtomsegError(
            "no network at hand restores images; train one with `train restore`, or name the folder of yours as the model"
        )
    return found[0]


def kind_of(micrograph: Micrograph) -> str:
    """Kind of a micrograph from its metadata, such as ``hrstem``; empty if microscope or pixel size are not known."""
    families = {"stem": STEM, "tem": TEM, "sem": ("sem",)}
    family = next((name for name, members in families.items() if micrograph.modality in members), "")
    if not family or micrograph.pixel_size is None:
        return ""
    return f"{'hr' if max(micrograph.pixel_size) <= ATOMS_SEEN else 'lr'}{family}"
