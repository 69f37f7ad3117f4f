"""A focal series as a network takes it: images in the order of their foci, each on the place of the middle one.

Contrast turns over from focus to focus, so that images are not compared themselves: the network looks at each alone, and what it
takes for columns, with their atoms, is the same in all of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator
from typing import Any

import numpy as np
from scipy import ndimage

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, Steps
from napari_atomseg.inference.params import NetworkParams
from napari_atomseg.inference.predict import predict
from napari_atomseg.inference.series_places import places_of, presence
from napari_atomseg.networks.card import ModelCard, ModelError
from napari_atomseg.networks.zoo import Model

STEP_OFF = 0.25
"""Largest difference of a step of focus from what the network knows, as a share of it."""
SAME_PLACE = 0.4
"""Images that lie nearer to each other than this are left where they are, Angstrom: what is measured is not much better."""
SURER = 0.02
"""By so much the network's mean probability of its counts has to be higher in another order of the images for a doubt."""
UNSURE = (
    "the images may lie a period of the lattice off each other: other places fit about as well as those taken; more dose or a "
    "clearer outline of the particle tells"
)


def foci_from(text: str) -> tuple[float, ...]:
    """Foci as they are typed, ``-170, -40, 90``, in Angstrom.

    Parameters
    ----------
    text : str
        Numbers separated by commas.

    Raises
    ------
    AtomsegError
        If they are none, or two are the same.
    """
    try:
        found = tuple(float(part) for part in text.replace("Å", "").replace("A", "").split(","))
    except ValueError as error:
        raise AtomsegError(f'foci are numbers in Å separated by commas, such as -170,-40,90, got "{text}"') from error
    if not np.isfinite(found).all() or len(set(found)) < len(found):
        raise AtomsegError(f'each image of a focal series has a focus of its own, got "{text}"')
    return found


def order_of(foci: tuple[float, ...], card: ModelCard) -> list[int]:
    """Places of the images by rising defocus, overfocus first, if their steps are those that a network knows.

    Parameters
    ----------
    foci : tuple of float, Å
        Of each image; positive is underfocus.
    card : ModelCard
        Whose `foci` are those of the series that it learnt from.

    Raises
    ------
    ModelError
        If there are more or fewer, or the steps are others.
    """
    if len(foci) != card.images:
        raise ModelError(f"{len(foci)} foci were given, and the network {card.name} takes a series of {card.images} images")
    known = np.diff(card.foci)
    order = [int(place) for place in np.argsort(foci)]
    steps = np.diff(np.array(foci)[order])
    if len(known) == len(steps) and np.any(np.abs(steps - known) > STEP_OFF * known):
        raise ModelError(
            f"the images are {_listed(steps)} Å of defocus apart, and the network {card.name} knows steps of {_listed(known)} Å; "
            "take such a series, or one of its images alone"
        )
    return order


def require_series(frames: int, card: ModelCard, name: str = "the image") -> None:
    """Refuse what is no focal series for a network.

    Parameters
    ----------
    frames : int
        Images that were given.
    card : ModelCard
    name : str
        Of the image, for the message.

    Raises
    ------
    ModelError
    """
    if frames == card.images:
        return
    alone = "; a single image is looked at without --series" if frames == 1 and card.takes_one_of_a_series else ""
    given = "one image" if frames == 1 else f"{frames} images"
    raise ModelError(
        f"{name} holds {given}, and the network {card.name} takes a focal series of {card.images}: give a stack of "
        f"{card.images} frames, overfocus first{alone}"
    )


def arranged(
    stack: Any, model: Model, params: NetworkParams, pixel_size: tuple[float, float], device: str
) -> Generator[Progress, None, tuple[np.ndarray, dict[str, Any]]]:
    """The images of a series by rising defocus, laid on the middle one, and what was done.

    Parameters
    ----------
    stack : array, shape (F, Y, X)
        Numpy or lazy.
    model : Model
        That counts atoms.
    params : NetworkParams
        With the foci, if they are known, and whether images are laid on each other.
    pixel_size : tuple of float, Å, (y, x)
    device : str

    Returns
    -------
    images : ndarray, float32, shape (F, Y, X)
        The content of each lies where it lies in the middle one.
    says : dict
        ``order``: where each image stood in the stack; ``series_shifts_px``: by what the content of each was displaced against
        the middle one, (y, x); ``series``: in words.
    """
    foci = foci_from(params.foci) if params.foci else None
    order = list(range(stack.shape[0])) if foci is None else order_of(foci, model.card)
    images = np.stack([np.asarray(stack[place], np.float32) for place in order])
    shifts, doubts = np.zeros((len(images), 2)), []
    if params.register:
        shifts, sure = yield from _shifts(images, model, pixel_size, device)
        images = _laid(images, shifts)
        doubts += [] if sure else [UNSURE]
    says = {
        "order": order,
        "series_shifts_px": shifts.round(3).tolist(),
        "series": _words(foci is not None, order, shifts, params.register),
    }
    if foci is None:
        doubt = yield from _order_doubt(images, model, pixel_size, device)
        doubts += [doubt] if doubt else []
    return images, says | ({"doubt": "; ".join(doubts)} if doubts else {})


def _certainty(images: np.ndarray, model: Model, pixel_size: tuple[float, float], device: str) -> Steps[float]:
    """Mean probability of the likeliest number of atoms, over all that the network takes for columns in a series."""
    prediction = yield from predict(model, images, pixel_size, device=device)
    *classes, background = (prediction.maps[output.name] for output in model.card.outputs)
    foreground = float((1 - background).sum())
    return float(np.max(classes, axis=0).sum()) / foreground if foreground > 0 else 0.0


def _order_doubt(images: np.ndarray, model: Model, pixel_size: tuple[float, float], device: str) -> Steps[str]:
    """Why the images may stand in another order, in words; empty if the network is surest of its counts as they stand."""
    orders = list(itertools.permutations(range(len(images))))
    sure = []
    for done, order in enumerate(orders):
        yield Progress(done, len(orders), "comparing orders of the images")
        sure.append((yield from _certainty(images[list(order)], model, pixel_size, device)))
    best = int(np.argmax(sure))
    if sure[best] <= sure[0] + SURER:
        return ""
    named = ", ".join(str(place + 1) for place in orders[best])
    return (
        f"the network is surer of its counts with the images in the order {named}, overfocus first; check the order, and tell it "
        "with --foci"
    )


def _shifts(images: np.ndarray, model: Model, pixel_size: tuple[float, float], device: str) -> Steps[tuple[np.ndarray, bool]]:
    """By what each image lies off the middle one, (F, 2) px, and whether that is sure; zero where nothing tells."""
    seen, ratio = [], (1.0, 1.0)
    for place, image in enumerate(images):
        yield Progress(place, len(images), "laying the images on each other")
        prediction = yield from predict(model, image, pixel_size, device=device)
        seen.append(presence(np.stack([prediction.maps[output.name] for output in model.card.outputs[:-1]])))
        ratio = (float(prediction.grid.ratio[0]), float(prediction.grid.ratio[1]))
    places = places_of(seen)
    far = np.hypot(*places.shifts.T) * model.card.native_sampling > SAME_PLACE
    return np.where(far[:, None], places.shifts * ratio, 0.0), places.sure


def _laid(images: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Images with the content of each moved back by its shift."""
    return np.stack([_back(image, shift) for image, shift in zip(images, shifts, strict=True)])


def _back(image: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """An image whose content is moved back by a shift; continued at its borders."""
    return image if not shift.any() else np.asarray(ndimage.shift(image, -shift, order=3, mode="nearest"), np.float32)


def _words(told: bool, order: list[int], shifts: np.ndarray, looked: bool) -> str:
    first = (
        f"ordered by the foci that were given ({', '.join(str(place + 1) for place in order)})"
        if told
        else "taken from overfocus to underfocus as they stand; --foci tells another order"
    )
    moved = np.hypot(*shifts.T).max()
    second = f", moved by up to {moved:.1f} px onto the middle one" if moved else ", lying on each other" if looked else ""
    return f"the images were {first}{second}"


def _listed(steps: np.ndarray) -> str:
    return " and ".join(f"{step:.0f}" for step in steps)
