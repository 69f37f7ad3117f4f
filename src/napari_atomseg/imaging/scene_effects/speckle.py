"""The speckle of an amorphous support under the specimen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Angstrom, Quantity


@dataclass(frozen=True, kw_only=True)
class SpeckleParams:
    """Random light atoms, as the probe shows them.

    Attributes
    ----------
    height : float
        Standard deviation of the speckle in parts of max(y).
    atoms : float, 1/A2
        Number of atoms in projection; few give single bright spots, many a grainy film.
    width : float, A
        Standard deviation of one atom's image.
    pixel_size : float, A
    """

    height: Annotated[float, Quantity(low=0, high=100, decimals=3)] = 0.0
    atoms: Annotated[float, Quantity(unit="1/Å²", low=1e-3, high=1e3, decimals=3)] = 1.0
    width: Angstrom = 0.45
    pixel_size: Angstrom = 0.1

    def __post_init__(self) -> None:
        check(self)


def add_speckle(image: Tensor, params: Sequence[SpeckleParams], seeds: Sequence[int]) -> Tensor:
    """The images (B, 1, Y, X) with the film under them; the mean of the film is added too, since it scatters.

    Numbers of atoms per pixel are Poisson numbers, blurred by the image of one atom with periodic borders; each sample has
    its own generator, so that a batch equals its samples one by one.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X)
    params : sequence of SpeckleParams, length B
    seeds : sequence of int, length B
    """
    found = image.clone()
    for row, (given, seed) in enumerate(zip(params, seeds, strict=True)):
        if given.height <= 0:
            continue
        generator = torch.Generator().manual_seed(int(seed))
        mean = given.atoms * given.pixel_size**2
        counts = torch.poisson(torch.full(image.shape[-2:], mean), generator=generator).to(image.device)
        blurred = _blurred(counts, given.width / given.pixel_size)
        spread = blurred.std().clamp_min(1e-12)
        found[row, 0] += given.height * image[row].max() * blurred / spread
    return found


def _blurred(values: Tensor, sigma: float) -> Tensor:
    ky = torch.fft.fftfreq(values.shape[0], device=values.device)[:, None]
    kx = torch.fft.rfftfreq(values.shape[1], device=values.device)
    transfer = torch.exp(-2 * (torch.pi * sigma) ** 2 * (ky**2 + kx**2))
    return torch.fft.irfft2(torch.fft.rfft2(values) * transfer, s=values.shape)
