"""Which networks restore a micrograph, and as what kind of image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.micrograph import TEM, Micrograph
from napari_atomseg.inference.params import RestorationParams
from napari_atomseg.networks.card import COLUMNS, RESTORATION
from napari_atomseg.networks.catalogue import default_network, model_cards
from napari_atomseg.workflows.choice import AUTO

if TYPE_CHECKING:
    from napari_atomseg.networks.card import ModelCard
    from napari_atomseg.networks.zoo import Model

DARK_FIELD = ("haadf", "adf")
STEM = (*DARK_FIELD, "abf", "bf")
ATOMS_IN_STEM = "hrstem"
UNKNOWN_KIND = "its kind not known from the file (choose the modality if you know it: displaced rows can be put back then)"
ATOMS_SEEN = 0.6
"""Largest pixel, Angstrom, with which an image is taken to show atoms ('hr')."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RestoringNetworks:
    """The networks that are asked of a micrograph, and as what it is shown to them.

    Attributes
    ----------
    restorer : Model or None
        A network that was trained to restore.
    columns : Model or None
        A network for columns.
    denoised : bool
        Whether the denoised image of the latter counts; otherwise it only tells how far rows are displaced.
    device : str
    kind : str
        Of the image, such as ``hrstem``; empty if it is not known.
    scanned : bool
        Whether its rows may have been recorded one after the other.
    words : str
        Where that is known from.
    """

    restorer: Model | None
    columns: Model | None
    denoised: bool
    device: str
    kind: str
    scanned: bool
    words: str

    @property
    def name(self) -> str:
        """Of the networks whose answers count, in words."""
        first = [] if self.restorer is None else [self.restorer.card.name]
        second = [self.columns.card.name] if self.denoised and self.columns is not None else []
        names = [*first, *second]
        return f"networks {' and '.join(names)} (a mean of both)" if len(names) > 1 else f"network {names[0]}"


def restoring_networks(micrograph: Micrograph, model: str | None, params: RestorationParams) -> RestoringNetworks:
    """The networks that restore a micrograph.

    Two networks know dark-field images of atoms with such pixels, that which restores and that for columns. They err in different
    ways: a mean of their answers is nearer to the truth than either.

    Parameters
    ----------
    micrograph : Micrograph
    model : str or None
        Name or folder of the only one that is to be asked; None or ``auto`` for the best for the image.
    params : RestorationParams

    Raises
    ------
    AtomsegError
        If none restores, or the one that was named does not know such images.
    """
    from napari_atomseg.inference.cached_model import cached_model
    from napari_atomseg.inference.device import device_of
    from napari_atomseg.inference.displaced_rows import is_scanned
    from napari_atomseg.inference.params import NetworkParams

    device = device_of(NetworkParams(device=params.device))
    for_columns = network_for_columns(micrograph)
    named = None if model == AUTO else model
    denoises = bool(for_columns) and model_cards()[for_columns].restores
    both = named is None and denoises and _dark_field_of_atoms(micrograph, params)
    ready = cached_model(named or default_restorer(asked_kind(micrograph, params)), device)
    kind = _kind_for(ready, micrograph, params)
    source = "from the metadata" if params.modality == "auto" else "as set"
    words = f"as {kind} ({source})" if kind else UNKNOWN_KIND if params.modality == "auto" else "its kind not known"
    restores = ready.card.task == RESTORATION
    rows = both or (params.straighten and kind == ATOMS_IN_STEM)
    columns = cached_model(for_columns, device) if restores and rows and denoises else None
    return RestoringNetworks(
        restorer=ready if restores else None,
        columns=columns if restores else ready,
        denoised=both or not restores,
        device=device,
        kind=kind,
        scanned=is_scanned(kind) and (bool(kind) or micrograph.modality not in TEM),
        words=words,
    )


def _kind_for(ready: Model, micrograph: Micrograph, params: RestorationParams) -> str:
    """What a network is told of a micrograph; empty for nothing."""
    from napari_atomseg.inference.restore import kinds_of

    kind = asked_kind(micrograph, params)
    by_columns = ready.card.task != RESTORATION and ready.card.restores
    known = (ATOMS_IN_STEM,) if by_columns else kinds_of(ready)
    if params.modality == "auto" and kind not in known:
        return ""
    if by_columns and kind not in ("", ATOMS_IN_STEM):
        raise AtomsegError(
            f"the network {ready.card.name} knows images of atoms in a STEM ({ATOMS_IN_STEM}), not {kind}; choose that modality, "
            "or another network"
        )
    return kind


def _dark_field_of_atoms(micrograph: Micrograph, params: RestorationParams) -> bool:
    told = params.modality in ("auto", ATOMS_IN_STEM)
    return told and micrograph.modality in DARK_FIELD and kind_of(micrograph) == ATOMS_IN_STEM


def network_for_columns(micrograph: Micrograph) -> str:
    """Name of the network that finds columns, if it knows such pixels; empty if there is none.

    Parameters
    ----------
    micrograph : Micrograph
    """
    cards = model_cards()
    name = default_network() if cards else ""
    card = cards.get(name)
    return name if card is not None and card.task == COLUMNS and _knows_pixels(card, micrograph) else ""


def _knows_pixels(card: ModelCard, micrograph: Micrograph) -> bool:
    low, high = card.sampling_range
    return micrograph.pixel_size is not None and all(low <= one <= high for one in micrograph.pixel_size)


def default_restorer(kind: str = "") -> str:
    """Name of the model that restores images of a kind if none is named.

    One that learnt this kind alone is taken before those that learnt many, and where the kind is not known, that which learnt
    most.

    Parameters
    ----------
    kind : str
        Such as ``hrstem``; empty if it is not known.

    Raises
    ------
    AtomsegError
        If there is none.
    """
    learnt = {name: card.modality.split(", ") for name, card in model_cards().items() if card.task == RESTORATION}
    if not learnt:
        raise AtomsegError(
            "no network at hand restores images; train one with `train restore`, or name the folder of yours as the model"
        )
    return min(learnt, key=lambda name: (learnt[name] != [kind], -len(learnt[name]), name))


def asked_kind(micrograph: Micrograph, params: RestorationParams) -> str:
    """Kind of a micrograph as it was set or, with ``auto``, from its metadata; empty if it is not known.

    Parameters
    ----------
    micrograph : Micrograph
    params : RestorationParams
    """
    if params.modality == "auto":
        return kind_of(micrograph)
    return "" if params.modality == "unknown" else params.modality


def kind_of(micrograph: Micrograph) -> str:
    """Kind of a micrograph from its metadata, such as ``hrstem``; empty if microscope or pixel size are not known.

    Parameters
    ----------
    micrograph : Micrograph
    """
    families = {"stem": STEM, "tem": TEM, "sem": ("sem",)}
    family = next((name for name, members in families.items() if micrograph.modality in members), "")
    if not family or micrograph.pixel_size is None:
        return ""
    return f"{'hr' if max(micrograph.pixel_size) <= ATOMS_SEEN else 'lr'}{family}"
