"""1/f noise of the readout: slow waves in brightness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from napari_atomseg.core.params import check
from napari_atomseg.noise import seeded
from napari_atomseg.noise.batch import only_where
from napari_atomseg.noise.quantities import Intensity
from napari_atomseg.optics.batch import per_image


@dataclass(frozen=True, kw_only=True)
class FlickerParams:
    """Flicker noise of one sample, Eq. 35.

    Attributes
    ----------
    sigma : float
        Standard deviation sigma of the noise in the image, in units of the image intensity.
    """

    sigma: Intensity = 0.0

    def __post_init__(self) -> None:
        check(self)


@only_where(lambda params: params.sigma > 0)
def flicker(image: Tensor, params: Sequence[FlickerParams], seeds: Sequence[int]) -> Tensor:
    r"""The image plus noise whose amplitude falls as one over the spatial frequency.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X), float32
    params : sequence of FlickerParams, length B
    seeds : sequence of int, length B

    Returns
    -------
    Tensor, shape (B, 1, Y, X), float32
        The noise has zero mean in every image.

    Notes
    -----
    .. math:: x \leftarrow x + \mathcal{F}(N(0, \sigma) / f)

    The power falls as :math:`1 / f^2`, since the paper divides the amplitude. Its sigma depends on the convention of the
    transform and on the size of the image; here the filter is normalised so that sigma is what the image shows.

    References
    ----------
    Lobato, Friedrich, Van Aert, npj Comput. Mater. 10, 10 (2024), Eq. 35, doi:10.1038/s41524-023-01188-0.
    """
    height, width = image.shape[-2:]
    white = seeded.normal(image.shape[1:], seeds, image.device).mul_(per_image([one.sigma for one in params], image))
    spectrum = torch.fft.rfft2(white).mul_(_pink(height, width).to(image.device))
    return torch.fft.irfft2(spectrum, s=(height, width)).add_(image)


@lru_cache(maxsize=8)
def _pink(height: int, width: int) -> Tensor:
    """Filter 1/f without its constant term, with unit mean square over all frequencies, shape (height, width // 2 + 1)."""
    y = torch.fft.fftfreq(height, dtype=torch.float64)[:, None]
    frequency = torch.hypot(y, torch.fft.fftfreq(width, dtype=torch.float64))
    inverse = torch.where(frequency > 0, 1 / frequency.clamp(min=1e-12), 0.0)
    unit = inverse / inverse.square().mean().sqrt().clamp(min=1e-12)
    return unit[:, : width // 2 + 1].float()
