"""Images without noise and distortions, by a network that restores."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, job, with_frame_progress
from napari_atomseg.core.micrograph import TEM, Micrograph
from napari_atomseg.core.region import Region, mask_of
from napari_atomseg.core.scratch import scratch_array
from napari_atomseg.inference.params import RestorationParams
from napari_atomseg.networks.card import RESTORATION
from napari_atomseg.networks.catalogue import model_cards

if TYPE_CHECKING:
    from napari_atomseg.networks.zoo import Model

STEM = ("haadf", "adf", "abf", "bf")
ATOMS_SEEN = 0.6
"""Largest pixel, Angstrom, with which an image is taken to show atoms ('hr')."""


@job
def restore(
    micrograph: Micrograph,
    *,
    model: str | None = None,
    params: RestorationParams | None = None,
    region: np.ndarray | Region | None = None,
    frames: int | None = None,
) -> Generator[Progress, None, Micrograph]:
    """A micrograph without noise and distortions, on its own pixels and intensities.

    Parameters
    ----------
    micrograph : Micrograph
        Numpy or lazy; needs no pixel size.
    model : str, optional
        Name or folder; by default the first that restores.
    params : RestorationParams, optional
    region : ndarray of bool, shape (Y, X), or Region, optional
        Restore only where it is True; elsewhere the result is not a number.
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
        If no model restores, it does not know such images, or the region lies outside of the image.
    """
    from napari_atomseg.inference.periodic_structure import periodic_structure
    from napari_atomseg.inference.restoration_check import check_lattice, little_noise
    from napari_atomseg.inference.restore import restore_plane

    params = params or RestorationParams()
    asked = _asked(micrograph, model, params)
    indices, part = micrograph.frame_indices(frames), mask_of(region, micrograph.shape)
    stacked = len(indices) > 1
    found = scratch_array((len(indices), *micrograph.shape[-2:]) if stacked else micrograph.shape[-2:])
    warnings: list[str] = []
    for row, index in enumerate(indices):
        plane = micrograph.frame(index)
        steps = restore_plane(asked.model, plane, asked.kind, region=part, device=asked.device)
        target = found[row] if stacked else found
        target[...] = yield from with_frame_progress(steps, row, len(indices))
        if params.periodic:
            target += periodic_structure(np.asarray(plane), target)
        words = (*check_lattice(plane, target).warnings(), little_noise(plane, target))
        warnings += [f"frame {index}: {text}" if stacked else text for text in words if text]
    beside = ", with the periodic structure that stands above the noise put back" if params.periodic else ""
    note = f"restored by the network {asked.name}, {asked.words}{beside}: a belief, not a measurement"
    return _like(micrograph, found, "restored", (note, *warnings))


@job
def restoration_spread(
    micrograph: Micrograph, *, model: str | None = None, params: RestorationParams | None = None, frames: int | None = None
) -> Generator[Progress, None, Micrograph]:
    """How far the network that restores contradicts itself, pixel by pixel; takes four times as long as :func:`restore`.

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
        Standard deviation of four answers, in the intensities of the micrograph: a lower bound of the error, not the error.

    Raises
    ------
    AtomsegError
        If no model restores, or it does not know such images.
    """
    from napari_atomseg.inference.restore import spread_plane

    asked = _asked(micrograph, model, params or RestorationParams())
    indices = micrograph.frame_indices(frames)
    stacked = len(indices) > 1
    found = scratch_array((len(indices), *micrograph.shape[-2:]) if stacked else micrograph.shape[-2:])
    for row, index in enumerate(indices):
        steps = spread_plane(asked.model, micrograph.frame(index), asked.kind, device=asked.device)
        (found[row] if stacked else found)[...] = yield from with_frame_progress(steps, row, len(indices))
    note = f"spread of four answers of the network {asked.name}, {asked.words}: a lower bound of its error"
    return _like(micrograph, found, "spread of restoration", (note,))


def restoration_difference(micrograph: Micrograph, restored: Micrograph, frames: int | None = None) -> Micrograph:
    """What was taken off: the recorded image less the restored one.

    Parameters
    ----------
    micrograph, restored : Micrograph
        As given to :func:`restore`, and as it gave it back.
    frames : int, optional
        Index of the frame if only one was restored.
    """
    indices = micrograph.frame_indices(frames)
    after = np.asarray(restored.data).reshape(len(indices), *micrograph.shape[-2:])
    found = scratch_array(np.asarray(restored.data).shape)
    for row, index in enumerate(indices):
        (found[row] if found.ndim == 3 else found)[...] = np.asarray(micrograph.frame(index), np.float32) - after[row]
    return _like(micrograph, found, "minus restored", (f"what was taken off; {restored.notes[0]}",))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Asked:
    """A network, and as what it takes a micrograph, in words too."""

    name: str
    model: Model
    device: str
    kind: str
    words: str


def _asked(micrograph: Micrograph, model: str | None, params: RestorationParams) -> _Asked:
    """The network that restores a micrograph, and as what."""
    from napari_atomseg.inference.cached_model import cached_model
    from napari_atomseg.inference.device import device_of
    from napari_atomseg.inference.params import NetworkParams
    from napari_atomseg.inference.restore import kinds_of

    name = model or default_restorer()
    device = device_of(NetworkParams(device=params.device))
    ready = cached_model(name, device)
    kind = kind_of(micrograph) if params.modality == "auto" else "" if params.modality == "unknown" else params.modality
    if params.modality == "auto" and kind not in kinds_of(ready):
        kind = ""
    source = "from the metadata" if params.modality == "auto" else "as set"
    words = f"as {kind} ({source})" if kind else "its kind not known"
    return _Asked(name=name, model=ready, device=device, kind=kind, words=words)


def _like(micrograph: Micrograph, data: np.ndarray, what: str, notes: tuple[str, ...]) -> Micrograph:
    """What was made of a micrograph, on its pixels."""
    return Micrograph(
        data=data,
        pixel_size=micrograph.pixel_size,
        pixel_size_source=micrograph.pixel_size_source,
        name=f"{micrograph.name} {what}",
        modality=micrograph.modality,
        frame_time_s=micrograph.frame_time_s,
        notes=notes,
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
