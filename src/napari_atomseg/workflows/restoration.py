"""Images without noise and distortions, by a network that restores."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, Steps, as_part, job, with_frame_progress
from napari_atomseg.core.micrograph import TEM, Micrograph
from napari_atomseg.core.region import Region, mask_of
from napari_atomseg.core.scratch import scratch_array
from napari_atomseg.inference.params import RestorationParams
from napari_atomseg.networks.card import COLUMNS, DENOISED, RESTORATION
from napari_atomseg.networks.catalogue import default_network, model_cards

if TYPE_CHECKING:
    from napari_atomseg.networks.card import ModelCard
    from napari_atomseg.networks.zoo import Model

DARK_FIELD = ("haadf", "adf")
STEM = (*DARK_FIELD, "abf", "bf")
ATOMS_IN_STEM = "hrstem"
ROWS_SHARE = 0.4
"""Of the time of a frame that it takes to see how far its rows are displaced."""
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
        Name or folder. By default the first that restores; of dark-field images of atoms, which the network for columns knows
        better, its denoised image, if it knows such pixels.
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
    from napari_atomseg.inference.restoration_check import check_lattice, little_noise

    params = params or RestorationParams()
    asked = _asked(micrograph, model, params)
    indices, part = micrograph.frame_indices(frames), mask_of(region, micrograph.shape)
    stacked = len(indices) > 1
    found = scratch_array((len(indices), *micrograph.shape[-2:]) if stacked else micrograph.shape[-2:])
    warnings: list[str] = []
    for row, index in enumerate(indices):
        steps = _restored(asked, micrograph, index, part, params)
        target = found[row] if stacked else found
        target[...], seen, done = yield from with_frame_progress(steps, row, len(indices))
        words = (*check_lattice(seen, target).warnings(), little_noise(seen, target))
        warnings += [f"frame {index}: {text}" if stacked else text for text in words if text]
    note = f"restored by the network {asked.name}, {asked.words}{done}: a belief, not a measurement"
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
    params = params or RestorationParams()
    asked = _asked(micrograph, model or default_restorer(), params)
    if asked.by_columns:
        raise AtomsegError(
            f"the network {asked.name} answers once only, and gives no spread of four answers; leave the spread out, or name a "
            "network that was trained to restore"
        )
    indices = micrograph.frame_indices(frames)
    stacked = len(indices) > 1
    found = scratch_array((len(indices), *micrograph.shape[-2:]) if stacked else micrograph.shape[-2:])
    for row, index in enumerate(indices):
        steps = _spread(asked, micrograph, index, params)
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

    @property
    def by_columns(self) -> bool:
        """Whether it is a network for columns, whose denoised image is taken."""
        return self.model.card.task != RESTORATION


def _restored(
    asked: _Asked, micrograph: Micrograph, index: int, part: np.ndarray | None, params: RestorationParams
) -> Steps[tuple[np.ndarray, np.ndarray, str]]:
    """A frame restored, what the network saw of it, and what was done beside, in words."""
    from napari_atomseg.inference.frame_maps import AS_SCANNED
    from napari_atomseg.inference.periodic_structure import periodic_structure
    from napari_atomseg.inference.restore import restore_plane

    straight = False
    if asked.by_columns:
        plane = np.asarray(micrograph.frame(index))
        found, rows = yield from _denoised(asked, micrograph, index, params)
        # Rows that were put back would come with what is periodic in them.
        straight, done = rows != AS_SCANNED, f", rows {rows}"
    else:
        plane, done = yield from as_part(_straightened(asked, micrograph, index, params), 0, ROWS_SHARE, "putting rows back")
        steps = restore_plane(asked.model, plane, asked.kind, region=part, device=asked.device)
        found = yield from as_part(steps, ROWS_SHARE, 1, "restoring")
    if params.periodic and not straight:
        scanned = not asked.kind.endswith("tem") and micrograph.modality not in TEM
        found += periodic_structure(plane, found, scanned)
        done += ", with the periodic structure that stands above the noise put back"
    if part is not None:
        found[~part] = np.nan
    found[~np.isfinite(micrograph.frame(index))] = np.nan
    return found, plane, done


def _straightened(asked: _Asked, micrograph: Micrograph, index: int, params: RestorationParams) -> Steps[tuple[np.ndarray, str]]:
    """A frame with its rows where the lattice says, if a network for columns knows such images; and by how far, in words."""
    from napari_atomseg.inference.cached_model import cached_model
    from napari_atomseg.inference.displaced_rows import displaced_rows, straight_image
    from napari_atomseg.inference.frame_maps import straightened_by
    from napari_atomseg.inference.pixel_size import PixelSizeEstimate

    plane = np.asarray(micrograph.frame(index))
    name = network_for_columns(micrograph) if params.straighten and asked.kind == ATOMS_IN_STEM else ""
    if not name:
        return plane, ""
    assert micrograph.pixel_size is not None
    size = PixelSizeEstimate(size=micrograph.pixel_size, source=micrograph.pixel_size_source)
    shifts = yield from displaced_rows(plane, cached_model(name, asked.device), size, asked.device)
    if shifts is None:
        return plane, ""
    return straight_image(plane, shifts), f", rows {straightened_by(shifts * np.array(size.size))}"


def _spread(asked: _Asked, micrograph: Micrograph, index: int, params: RestorationParams) -> Steps[np.ndarray]:
    """Spread of the answers about a frame, with its rows where :func:`restore` puts them."""
    from napari_atomseg.inference.restore import spread_plane

    plane, _ = yield from as_part(_straightened(asked, micrograph, index, params), 0, ROWS_SHARE / 4, "putting rows back")
    steps = spread_plane(asked.model, plane, asked.kind, device=asked.device)
    return (yield from as_part(steps, ROWS_SHARE / 4, 1, "spread"))


def _denoised(asked: _Asked, micrograph: Micrograph, index: int, params: RestorationParams) -> Steps[tuple[np.ndarray, str]]:
    """The denoised image of a network for columns, and what was done to rows."""
    from napari_atomseg.inference.frame_maps import AS_SCANNED, frame_maps
    from napari_atomseg.inference.params import NetworkParams
    from napari_atomseg.inference.pixel_size import resolve_pixel_size

    told = NetworkParams(straighten=params.straighten, device=asked.device)  # type: ignore[arg-type]  # checked there
    size = yield from resolve_pixel_size(micrograph, index, asked.model, told)
    plane = micrograph.lazy_frame(index)
    prediction, said = yield from frame_maps(plane, asked.model, (DENOISED,), told, size, held=True)
    found = np.array(prediction.on_image(DENOISED), np.float32)
    return found, str(said.get("rows", AS_SCANNED))


def _asked(micrograph: Micrograph, model: str | None, params: RestorationParams) -> _Asked:
    """The network that restores a micrograph, and as what."""
    from napari_atomseg.inference.cached_model import cached_model
    from napari_atomseg.inference.device import device_of
    from napari_atomseg.inference.params import NetworkParams
    from napari_atomseg.inference.restore import kinds_of

    name = model or _best_known(micrograph, params)
    device = device_of(NetworkParams(device=params.device))
    ready = cached_model(name, device)
    kind = kind_of(micrograph) if params.modality == "auto" else "" if params.modality == "unknown" else params.modality
    known = kinds_of(ready) if ready.card.task == RESTORATION else (ATOMS_IN_STEM,) if ready.card.restores else kinds_of(ready)
    if params.modality == "auto" and kind not in known:
        kind = ""
    if ready.card.task != RESTORATION and kind not in ("", ATOMS_IN_STEM):
        raise AtomsegError(
            f"the network {name} knows images of atoms in a STEM ({ATOMS_IN_STEM}), not {kind}; choose that modality, or another "
            "network"
        )
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


def _best_known(micrograph: Micrograph, params: RestorationParams) -> str:
    """Name of the network that restores such an image best: that for columns where it knows the image."""
    told = params.modality in ("auto", ATOMS_IN_STEM)
    if told and micrograph.modality in DARK_FIELD and kind_of(micrograph) == ATOMS_IN_STEM:
        name = network_for_columns(micrograph)
        if name and model_cards()[name].restores:
            return name
    return default_restorer()


def network_for_columns(micrograph: Micrograph) -> str:
    """Name of the network that finds columns if it knows such pixels; empty if there is none."""
    cards = model_cards()
    name = default_network() if cards else ""
    card = cards.get(name)
    return name if card is not None and card.task == COLUMNS and _knows_pixels(card, micrograph) else ""


def _knows_pixels(card: ModelCard, micrograph: Micrograph) -> bool:
    low, high = card.sampling_range
    return micrograph.pixel_size is not None and all(low <= one <= high for one in micrograph.pixel_size)


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
