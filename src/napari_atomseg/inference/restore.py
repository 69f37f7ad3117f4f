"""Images without noise and distortions, by networks that restore; after Lobato et al., npj Comput. Mater. 10, 10 (2024).

The network sees the image at its own pixels, with mean and standard deviation of the whole image taken off, not of each tile, so
that tiles join without seams and intensities come back on the scale of the image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from napari_atomseg.core.jobs import Progress, Steps
from napari_atomseg.inference.network_tiles import continued, network_tiles
from napari_atomseg.inference.whole_normalisation import cut_off, mean_and_deviation
from napari_atomseg.networks.card import RESTORATION, ModelError

if TYPE_CHECKING:
    from napari_atomseg.networks.zoo import Model


def restore_plane(model: Model, plane: Any, kind: str = "", *, device: str = "cpu") -> Steps[np.ndarray]:
    """One image restored.

    Parameters
    ----------
    model : Model
        One that restores.
    plane : array, shape (Y, X)
        Numpy or lazy; what is not finite takes the median of the image and stays not finite in the result.
    kind : str
        One of :func:`kinds_of` the model, or empty where it is not known.
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
    found = np.empty(image.shape, np.float32)
    tiles = network_tiles(image.shape, int(model.network.multiple), int(model.network.reach))  # type: ignore[arg-type]
    for done, (inner, outer, place) in enumerate(tiles):
        yield Progress(done, len(tiles), "restoring")
        found[inner] = _restored(model, given[..., outer[0], outer[1]], planes, device)[place]
    found = found * float(deviation) + float(mean)
    found[bad] = np.nan
    return found


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


def _conditions(model: Model, kind: str) -> Tensor:
    """Planes (1, K, 1, 1) that say of which kind an image is."""
    kinds = kinds_of(model)
    if kind and kind not in kinds:
        known = ", ".join(kinds) if kinds else f"only {model.card.modality}"
        raise ModelError(f'the model {model.card.name} knows no images "{kind}"; it knows {known}')
    return torch.tensor([float(one == kind) for one in kinds]).reshape(1, -1, 1, 1)


def _restored(model: Model, window: Tensor, planes: Tensor, device: str) -> np.ndarray:
    """A window (1, 1, Y, X) restored, (Y, X)."""
    multiple = int(model.network.multiple)  # type: ignore[arg-type]
    rows, columns = window.shape[-2:]
    padded = continued(window, -rows % multiple, -columns % multiple)
    given = torch.cat([padded, planes.expand(-1, -1, *padded.shape[-2:])], dim=1)
    with torch.inference_mode():
        answer = model.network(given.to(device, memory_format=torch.channels_last)).float()
    return np.asarray(answer[0, 0, :rows, :columns].cpu().numpy())
