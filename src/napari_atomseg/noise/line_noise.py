"""Mains hum in the scan: lines displaced by a random amount whose size swings with the line frequency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi
from typing import Annotated

import torch
from torch import Tensor

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity
from napari_atomseg.noise import seeded
from napari_atomseg.noise.batch import only_where
from napari_atomseg.noise.line_shift import shift_lines
from napari_atomseg.noise.quantities import Angle, Shift


@dataclass(frozen=True, kw_only=True)
class LineNoiseParams:
    """Sinusoidal line noise of one sample (Lin et al., section Scan noise; the equations have no numbers).

    Attributes
    ----------
    sigma : float, px
        Size sigma_jitter of the displacements at the crest of the wave.
    frequency : float, periods per line
        Mains frequency f times the time that the scan takes for one line.
    phase : float, rad
        Phase phi_0 of the slow direction relative to the fast one.
    start : float, rad
        Phase of the wave when the scan begins; zero in the paper.
    """

    sigma: Shift = 0.0
    frequency: Annotated[float, Quantity(unit="1/line", low=0, high=1e3, decimals=4)] = 0.05
    phase: Angle = 0.0
    start: Angle = 0.0

    def __post_init__(self) -> None:
        check(self)


@only_where(lambda params: params.sigma > 0)
def line_noise(image: Tensor, params: Sequence[LineNoiseParams], seeds: Sequence[int]) -> Tensor:
    """The image recorded along lines displaced by :func:`line_offsets`.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X), float32
        Noiseless.
    params : sequence of LineNoiseParams, length B
    seeds : sequence of int, length B

    Returns
    -------
    Tensor, shape (B, 1, Y, X), float32
        Bicubic interpolation, edge values repeated.
    """
    return shift_lines(image, line_offsets(image.shape[-2], params, seeds, image.device))


def line_offsets(
    lines: int, params: Sequence[LineNoiseParams], seeds: Sequence[int], device: torch.device | str = "cpu"
) -> Tensor:
    r"""Offset of the beam in every scan line, shape (B, 2, lines), px, (y, x).

    Parameters
    ----------
    lines : int
    params : sequence of LineNoiseParams, length B
    seeds : sequence of int, length B
    device : torch.device or str

    Notes
    -----
    With a normal number :math:`n_i` for each line i and direction, and time counted in lines:

    .. math:: \delta_{i,x} = n_i\, \sigma \sin(2 \pi f i), \quad \delta_{i,y} = n_i'\, \sigma \sin(2 \pi f i + \phi_0)

    The paper's ``f(i | Normal(0, 1))`` is read as a draw for every line.

    References
    ----------
    Lin, Zhang, Wang, Yang, Xin, Sci. Rep. 11, 5386 (2021), Scan noise, doi:10.1038/s41598-021-84499-w.
    """
    values = torch.tensor([[one.sigma, one.frequency, one.start, one.phase] for one in params], device=device)
    sigma, frequency, start, phase = values.T[..., None]
    wave = 2 * pi * frequency * torch.arange(lines, device=device) + start
    swing = torch.stack([torch.sin(wave + phase), torch.sin(wave)], dim=1)
    return sigma[:, None] * swing * seeded.normal((2, lines), seeds, device)
