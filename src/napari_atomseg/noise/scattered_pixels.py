"""Places of single pixels or small clusters on a sensor, for black pixels and zingers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from napari_atomseg.noise import seeded


def scattered_pixels(
    shape: tuple[int, int], counts: Sequence[int], steps: Sequence[int], seeds: Sequence[int], device: torch.device | str
) -> Tensor:
    """True at uniformly scattered points and at every pixel that a random walk from them visits, shape (B, 1, Y, X).

    Parameters
    ----------
    shape : tuple of int
        (Y, X).
    counts : sequence of int, length B
        Points per sample; several may fall on one pixel.
    steps : sequence of int, length B
        Steps of each walk, up, down, left or right with equal chance; 0 leaves single pixels.
    seeds : sequence of int, length B
    device : torch.device or str

    References
    ----------
    Lobato, Friedrich, Van Aert, npj Comput. Mater. 10, 10 (2024), text above Eq. 37, 38, 52, 53,
    doi:10.1038/s41524-023-01188-0.
    """
    height, width = shape
    mask = torch.zeros(len(counts), height * width, dtype=torch.bool)
    # One list of places per sample; there are few, so that they are made where the random numbers are.
    for part, count, length, seed in zip(mask, counts, steps, seeds, strict=True):
        place = (seeded.uniform((count, 2), [seed])[0] * torch.tensor([height, width])).long()
        turn = (seeded.uniform((length, count), [seed], stream=1)[0] * 4).long()
        moves = torch.tensor([[0, 1], [1, 0], [0, -1], [-1, 0]])[turn]
        path = torch.cat([place[None], place + moves.cumsum(0)]).reshape(-1, 2)
        inside = ((path >= 0) & (path < torch.tensor([height, width]))).all(1)
        part[(path[:, 0] * width + path[:, 1])[inside]] = True
    return mask.reshape(-1, 1, height, width).to(device)
