"""Scan lines that drift with memory: the row jitter of scanned images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_atomseg.core.params import check
from napari_atomseg.noise import seeded
from napari_atomseg.noise.batch import only_where
from napari_atomseg.noise.line_shift import shift_lines
from napari_atomseg.noise.quantities import Correlation, Shift


@dataclass(frozen=True, kw_only=True)
class ScanJitterParams:
    """Displacement series of one sample, Eq. 41.

    Attributes
    ----------
    sigma_x, sigma_y : float, px
        Standard deviation sigma_t of the random part a_t along the fast and the slow scan direction; the displacement
        itself has sigma_t / sqrt(1 - phi_t^2).
    phi_x, phi_y : float
        Correlation coefficient phi_t of neighbouring lines.
    """

    sigma_x: Shift = 0.0
    sigma_y: Shift = 0.0
    phi_x: Correlation = 0.0
    phi_y: Correlation = 0.0

    def __post_init__(self) -> None:
        check(self)


@only_where(lambda params: params.sigma_x > 0 or params.sigma_y > 0)
def scan_jitter(image: Tensor, params: Sequence[ScanJitterParams], seeds: Sequence[int]) -> Tensor:
    """The image recorded along lines displaced by :func:`jitter_offsets`, Eq. 42.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X), float32
        Noiseless.
    params : sequence of ScanJitterParams, length B
    seeds : sequence of int, length B

    Returns
    -------
    Tensor, shape (B, 1, Y, X), float32
        Bicubic interpolation, edge values repeated.
    """
    return shift_lines(image, jitter_offsets(image.shape[-2], params, seeds, image.device))


def jitter_offsets(
    lines: int, params: Sequence[ScanJitterParams], seeds: Sequence[int], device: torch.device | str = "cpu"
) -> Tensor:
    r"""Offset of the beam in every scan line, shape (B, 2, lines), px, (y, x).

    Parameters
    ----------
    lines : int
    params : sequence of ScanJitterParams, length B
    seeds : sequence of int, length B
    device : torch.device or str

    Notes
    -----
    A first-order autoregressive series whose first term has the spread of all others, t = x, y:

    .. math:: \Delta^1_t = a^1_t / \sqrt{1 - \phi_t^2}, \quad \Delta^k_t = \phi_t \Delta^{k-1}_t + a^k_t

    The paper counts k in pixels along t; its two kinds of jitter (rows shifted sideways; rows stretched, squeezed or
    interchanged) are displacements of whole lines, and so k counts lines here, for x as for y.

    References
    ----------
    Lobato, Friedrich, Van Aert, npj Comput. Mater. 10, 10 (2024), Eq. 41-42, doi:10.1038/s41524-023-01188-0.
    """
    sigma = torch.tensor([[one.sigma_y, one.sigma_x] for one in params], device=device)[..., None]
    phi = torch.tensor([[one.phi_y, one.phi_x] for one in params], device=device)[..., None]
    kicks = seeded.normal((2, lines), seeds, device)
    kicks[..., :1] /= torch.sqrt(1 - phi * phi)
    return sigma * autoregression(kicks, phi)


def autoregression(kicks: Tensor, phi: Tensor) -> Tensor:
    """The series s with s_k = phi s_(k-1) + kick_k along the last axis; `phi` has length one there.

    By doubling: after n rounds each term holds 2^n kicks, so that 256 lines take eight steps instead of 256.

    Parameters
    ----------
    kicks : Tensor, shape (..., L)
    phi : Tensor, shape (..., 1)
        Share of a value that the next one keeps.
    """
    reach, factor, series = 1, phi, kicks
    while reach < kicks.shape[-1]:
        series = torch.cat([series[..., :reach], series[..., reach:] + factor * series[..., :-reach]], dim=-1)
        reach, factor = 2 * reach, factor * factor
    return series
