"""Images without noise and distortions, by networks that restore; after Lobato et al., npj Comput. Mater. 10, 10 (2024).

The network sees the image at its own pixels, with mean and standard deviation of the whole image taken off, not of each tile, so
that tiles join without seams and intensities come back on the scale of the image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from napari_atomseg.core.jobs import Progress, Steps, as_part
from napari_atomseg.inference.displaced_rows import is_scanned
from napari_atomseg.inference.network_tiles import continued, network_tiles
from napari_atomseg.inference.periodic_structure import periodic_plane
from napari_atomseg.inference.whole_normalisation import cut_off, mean_and_deviation
from napari_atomseg.networks.card import RESTORATION, ModelError
from napari_atomseg.networks.half_precision import half_where_fast

if TYPE_CHECKING:
    from napari_atomseg.networks.zoo import Model


def restore_plane(
    model: Model,
    plane: Any,
    kind: str = "",
    *,
    scanned: bool | None = None,
    region: np.ndarray | None = None,
    device: str = "cpu",
) -> Steps[np.ndarray]:
    """One image restored.

    Parameters
    ----------
    model : Model
        One that restores.
    plane : array, shape (Y, X)
        Numpy or lazy; what is not finite takes the median of the image and stays not finite in the result.
    kind : str
        One of :func:`kinds_of` the model, or empty where it is not known.
    scanned : bool, optional
        Whether its rows may have been recorded one after the other; as the kind tells if left out.
    region : ndarray of bool, shape (Y, X), optional
        Where the image is restored, as the whole of it would be; elsewhere the result is not a number.
    device : str

    Yields
    ------
    Progress
        One for each tile.

    Returns
    -------
    ndarray, float32, shape (Y, X)
        On the scale of the image's intensities.

    Raises
    ------
    ModelError
        If the model does not restore or does not know such images.
    """
    planes = _conditions(model, kind)
    image = np.asarray(plane, np.float32)
    bad = ~np.isfinite(image)
    if bad.any():
        image = np.where(bad, np.median(image[~bad]) if not bad.all() else np.float32(0), image)
    given = cut_off(torch.from_numpy(np.ascontiguousarray(image))[None, None])
    mean, deviation = mean_and_deviation(given)
    given = (given - mean) / deviation
    if hears_periodic(model):
        in_turn = is_scanned(kind) if scanned is None else scanned
        repeated = torch.from_numpy(periodic_plane(image, in_turn))[None, None] / deviation
        given = torch.cat([given, repeated], dim=1)
    found = np.full(image.shape, np.nan, np.float32)
    multiple, reach = int(model.network.multiple), int(model.network.reach)  # type: ignore[arg-type]
    window = _around(region, image.shape, multiple, reach)
    part = given[..., window[0], window[1]]
    tiles = network_tiles((part.shape[-2], part.shape[-1]), multiple, reach)
    for done, (inner, outer, place) in enumerate(tiles):
        yield Progress(done, len(tiles), "restoring")
        found[window][inner] = _restored(model, part[..., outer[0], outer[1]], planes, device)[place]
    found = found * float(deviation) + float(mean)
    found[bad if region is None else bad | ~region] = np.nan
    return found


def spread_plane(
    model: Model, plane: Any, kind: str = "", *, scanned: bool | None = None, device: str = "cpu"
) -> Steps[np.ndarray]:
    """How far the network contradicts itself about one image.

    It sees the image as it is and with its rows in the other order, told the kind and not told it; all four are the same
    specimen. Where it answers differently it does not know; where it errs each time alike, this does not show it.

    Parameters
    ----------
    model : Model
        One that restores.
    plane : array, shape (Y, X)
        Numpy or lazy.
    kind : str
        One of :func:`kinds_of` the model, or empty where it is not known.
    scanned : bool, optional
        Whether its rows may have been recorded one after the other; as the kind tells if left out.
    device : str

    Yields
    ------
    Progress

    Returns
    -------
    ndarray, float32, shape (Y, X)
        Standard deviation of the answers, in the intensities of the image.
    """
    image = np.asarray(plane, np.float32)
    in_turn = is_scanned(kind) if scanned is None else scanned
    looks = [(order, told) for order in (1, -1) for told in dict.fromkeys((kind, ""))]
    answers = []
    for number, (order, told) in enumerate(looks):
        steps = restore_plane(model, image[::order], told, scanned=in_turn, device=device)
        answer = yield from as_part(steps, number / len(looks), (number + 1) / len(looks), "spread")
        answers.append(answer[::order])
    return np.asarray(np.std(answers, axis=0, ddof=1), np.float32)


def _around(region: np.ndarray | None, shape: tuple[int, ...], multiple: int, reach: int) -> tuple[slice, slice]:
    """The window that has to be looked at for a region: with all that its pixels depend on, and on the grid of the network."""
    if region is None or not region.any():
        return slice(0, shape[0]), slice(0, shape[1])
    first, second = (
        slice(max(0, (places[0] - reach) // multiple * multiple), min(length, int(places[-1]) + reach + 1))
        for places, length in zip((np.flatnonzero(region.any(axis=axis)) for axis in (1, 0)), shape, strict=True)
    )
    return first, second


def kinds_of(model: Model) -> tuple[str, ...]:
    """Kinds of images that a model was trained on and can be told, such as ``hrstem``; none if it is told nothing.

    Raises
    ------
    ModelError
        If the model does not restore.
    """
    if model.card.task != RESTORATION:
        raise ModelError(f"the model {model.card.name} does not restore images; choose one that does, see `models`")
    return tuple(model.card.modality.split(", ")) if int(model.card.network.get("conditions", 0)) else ()


def hears_periodic(model: Model) -> bool:
    """Whether a network is shown what repeats over the whole image, too."""
    return bool(model.card.network.get("periodic", False))


def _conditions(model: Model, kind: str) -> Tensor:
    """Planes (1, K, 1, 1) that say of which kind an image is."""
    kinds = kinds_of(model)
    if kind and kind not in kinds:
        known = ", ".join(kinds) if kinds else f"only {model.card.modality}"
        raise ModelError(f'the model {model.card.name} knows no images "{kind}"; it knows {known}')
    return torch.tensor([float(one == kind) for one in kinds]).reshape(1, -1, 1, 1)


def _restored(model: Model, window: Tensor, planes: Tensor, device: str) -> np.ndarray:
    """A window (1, 1, Y, X) restored, (Y, X); with what repeats over the image behind it (1, 2, Y, X)."""
    multiple = int(model.network.multiple)  # type: ignore[arg-type]
    rows, columns = window.shape[-2:]
    padded = continued(window, -rows % multiple, -columns % multiple)
    given = torch.cat([padded[:, :1], planes.expand(-1, -1, *padded.shape[-2:]), padded[:, 1:]], dim=1)
    # Sixteen bits change a restored image by some thousandths of what is taken off.
    with torch.inference_mode(), half_where_fast(device):
        answer = model.network(given.to(device, memory_format=torch.channels_last)).float()
    return np.asarray(answer[0, 0, :rows, :columns].cpu().numpy())
