"""Which finder suits an image: the network where it knows such images, the classical one otherwise; and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.micrograph import TEM, Micrograph
from napari_atomseg.inference.params import NetworkParams
from napari_atomseg.inference.pixel_size import USUAL_WIDTH, known_pixel_size
from napari_atomseg.localise.detection.find import polarity_sign
from napari_atomseg.localise.detection.params import ClassicalParams
from napari_atomseg.localise.detection.scale import SAMPLE_SIDE, centre_crop, estimate_scale

if TYPE_CHECKING:
    from napari_atomseg.networks.card import ModelCard

AUTO, CLASSICAL = "auto", "classical"
"""Names by which a finder is chosen for the image, and by which no network is used."""
KNOWN_MODALITIES = {"ADF-STEM": ("adf", "haadf"), "HRTEM": TEM}
"""Modalities of images, as readers name them, by that of a network's training images."""
KNOWN_WIDTHS = (0.25, 0.9)
"""Standard deviations of columns between which networks were trained, Angstrom."""
FEWEST_PIXELS = 32
"""Side of the smallest image, in pixels of the network."""
OTSU_ONLY = "Otsu's segmentation is for networks"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A finder and why it was chosen.

    Attributes
    ----------
    model : str
        Name of a network, or ``classical``.
    reason : str
        In words.
    """

    model: str
    reason: str


def choose_finder(micrograph: Micrograph, index: int, params: ClassicalParams, network: NetworkParams) -> Choice:
    """The finder for a micrograph by one of its frames.

    A network is chosen if modality, pixel size, polarity and width of the columns are those of its training images. An unknown
    modality does not speak against it; an unknown pixel size does.

    Parameters
    ----------
    micrograph : Micrograph
    index : int
        Frame whose columns tell polarity and width.
    params : ClassicalParams
        Of the classical finder, which is chosen where any but the polarity is set; for scans Otsu's segmentation goes before.
    network : NetworkParams
        Of the network that may be chosen.

    Returns
    -------
    Choice
    """
    from napari_atomseg.networks.catalogue import default_network, model_cards
    from napari_atomseg.networks.zoo import list_models, shipped_folder

    if micrograph.modality in TEM:
        return _for_tem(micrograph, params, network)
    try:
        name = default_network()
    except AtomsegError:
        return Choice(model=CLASSICAL, reason="no network is installed")
    if list_models()[name].parent != shipped_folder() and network.segmentation == "ours":
        return Choice(model=CLASSICAL, reason="the network of the plugin is not installed; networks of your own are used by name")
    card = model_cards().get(name)
    if card is None:
        return Choice(model=CLASSICAL, reason=f"the card of the network {name} cannot be read")
    if network.segmentation == "otsu":
        return Choice(model=name, reason=OTSU_ONLY)
    if params != ClassicalParams(polarity=params.polarity):
        return Choice(model=CLASSICAL, reason="parameters of the classical finder are set")
    problem = _why_not(micrograph, index, params, network, card)
    if problem:
        return Choice(model=CLASSICAL, reason=problem)
    what = f"{card.modality} image" if micrograph.modality else f"taken for an {card.modality} image, since the file names none,"
    return Choice(model=name, reason=f"{what} with a pixel size and columns that the network knows")


def choose_for_series(micrograph: Micrograph, network: NetworkParams) -> Choice:
    """The network for a focal series, by the number of its images and the pixel size.

    Parameters
    ----------
    micrograph : Micrograph
        A stack.
    network : NetworkParams

    Raises
    ------
    AtomsegError
        If none that came with the plugin takes so many images with such pixels.
    """
    from napari_atomseg.networks.catalogue import model_cards
    from napari_atomseg.networks.zoo import list_models, shipped_folder

    folders = list_models()
    for name, card in model_cards().items():
        fits = card.images == micrograph.frames and not _unfit_size(micrograph, network, card)
        if fits and card.images > 1 and folders[name].parent == shipped_folder():
            return Choice(model=name, reason=f"a focal series of {card.images} images with a pixel size that the network knows")
    raise AtomsegError(
        f"{micrograph.name}: no network that comes with the plugin takes a focal series of {micrograph.frames} images with such "
        "pixels; give the pixel size, or name a network with the model"
    )


def _for_tem(micrograph: Micrograph, params: ClassicalParams, network: NetworkParams) -> Choice:
    """A network that recognises structures, if one that came with the plugin fits; else the classical finder."""
    from napari_atomseg.networks.card import STRUCTURES
    from napari_atomseg.networks.catalogue import model_cards
    from napari_atomseg.networks.zoo import list_models, shipped_folder

    if params != ClassicalParams(polarity=params.polarity):
        return Choice(model=CLASSICAL, reason="parameters of the classical finder are set")
    folders = list_models()
    cards = [
        card
        for name, card in model_cards().items()
        if card.task == STRUCTURES
        and not card.counts
        and folders[name].parent == shipped_folder()
        and not _unfit_size(micrograph, network, card)
    ]
    if cards:
        return Choice(model=cards[0].name, reason=f"{cards[0].modality} image with a pixel size that the network knows")
    return Choice(model=CLASSICAL, reason="no network knows TEM images with such a pixel size")


def _unfit_size(micrograph: Micrograph, network: NetworkParams, card: ModelCard) -> str:
    """Why the pixel size, or the number of pixels, is none for a network, in words; empty if it is."""
    size = known_pixel_size(micrograph, network)
    if size is None:
        return "the pixel size is unknown"
    low, high = card.sampling_range
    if not all(low <= one <= high for one in size):
        return f"the network {card.name} knows pixels of {low:g} to {high:g} Å"
    if min(side * one for side, one in zip(micrograph.shape[-2:], size, strict=True)) < FEWEST_PIXELS * card.native_sampling:
        return "the image is too small for the network"
    return ""


def _why_not(micrograph: Micrograph, index: int, params: ClassicalParams, network: NetworkParams, card: ModelCard) -> str:
    """Why a network should not be used, in words; empty if it should."""
    known = KNOWN_MODALITIES.get(card.modality, ())
    if micrograph.modality and micrograph.modality not in known:
        return f"the network {card.name} knows {card.modality} images, and this is {micrograph.modality.upper()}"
    problem = _unfit_size(micrograph, network, card)
    size = known_pixel_size(micrograph, network)
    if problem or size is None:
        return problem
    plane = micrograph.lazy_frame(index)
    sample = np.asarray(centre_crop(plane, SAMPLE_SIDE), np.float32)
    mean_size = float(np.mean(size))
    scale = estimate_scale(sample)
    width = scale.sigma_px * mean_size if scale is not None else USUAL_WIDTH
    if not KNOWN_WIDTHS[0] <= width <= KNOWN_WIDTHS[1]:
        low, high = KNOWN_WIDTHS
        return f"columns are {width:.2g} Å wide (standard deviation), and the network knows {low:g} to {high:g} Å"
    if polarity_sign(params.polarity, sample, width / mean_size) < 0:
        return "columns are dark, and the network knows bright ones"
    return ""
