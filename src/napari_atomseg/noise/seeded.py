"""Random numbers for a batch of images, each image from its own seed.

On the CPU every sample has its own generator and takes as many numbers from it whatever is expected in its pixels, so that
neither what else is in the batch nor the last digit of an expectation shifts them: at most a count on an edge falls to the other
side. On other devices one generator, seeded from all seeds, serves the whole batch: same seeds in the same batch, same numbers,
but a sample alone differs from itself in a batch. There is no global random state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import factorial

import torch
from scipy.special import pdtrc
from torch import Tensor

_MASK = (1 << 64) - 1
_FEW = 4.0
"""Rate above which the quantile expansion is used; there it moves less than 1 in 1000 numbers, by one."""
_RAREST = 1e-6
"""Probability of the high outcomes of a low rate that are counted as the lowest of them; it stands above rounding errors."""


def mixed(seed: int, stream: int = 0) -> int:
    """A seed whose bits are well mixed (splitmix64), different for every stream; seeds count modulo 2^64.

    Parameters
    ----------
    seed : int
    stream : int
        Numbers the independent uses of one seed.
    """
    z = (int(seed) * 0x9E3779B97F4A7C15 + (int(stream) + 1) * 0xD1B54A32D192ED03) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return (z ^ (z >> 31)) & (_MASK >> 1)


def normal(shape: Sequence[int], seeds: Sequence[int], device: torch.device | str = "cpu", stream: int = 0) -> Tensor:
    """Independent numbers with zero mean and unit variance.

    Parameters
    ----------
    shape : sequence of int
        Of one sample.
    seeds : sequence of int, length B
        One per sample.
    device : torch.device or str
        Where the numbers are made.
    stream : int
        Independent numbers of the same seed: an effect that draws twice numbers its draws.

    Returns
    -------
    Tensor, shape (B, *shape), float32
    """
    return _filled(shape, seeds, device, stream, lambda part, generator: part.normal_(generator=generator))


def uniform(shape: Sequence[int], seeds: Sequence[int], device: torch.device | str = "cpu", stream: int = 0) -> Tensor:
    """Independent numbers in [0, 1).

    Parameters
    ----------
    shape : sequence of int
        Of one sample.
    seeds : sequence of int, length B
        One per sample.
    device : torch.device or str
        Where the numbers are made.
    stream : int
        Independent numbers of the same seed: an effect that draws twice numbers its draws.

    Returns
    -------
    Tensor, shape (B, *shape), float32
    """
    return _filled(shape, seeds, device, stream, lambda part, generator: part.uniform_(generator=generator))


def uniform_lists(
    counts: Sequence[int], width: int, seeds: Sequence[int], device: torch.device | str = "cpu", stream: int = 0
) -> Tensor:
    """As many rows of `width` numbers in [0, 1) as each sample asks for, shape (B, max(counts), width).

    Rows that a sample did not ask for are zero; what it gets does not depend on what others ask for. The rows are made
    on the CPU on every device, because they are few.

    Parameters
    ----------
    counts : sequence of int, length B
        Rows of each sample.
    width : int
        Numbers of a row.
    seeds : sequence of int, length B
    device : torch.device or str
    stream : int
        Numbers the independent uses of one seed.
    """
    rows = torch.zeros(len(seeds), max(counts, default=0), width)
    for part, count, seed in zip(rows, counts, seeds, strict=True):
        part[:count] = torch.rand(count, width, generator=_generator([seed], stream, "cpu"))
    return rows.to(device)


def poisson(rate: Tensor, seeds: Sequence[int], stream: int = 0) -> Tensor:
    r"""Counts of independent events, whose variance is their mean.

    Parameters
    ----------
    rate : Tensor, shape (B, ...), float32
        Expected counts; values below zero count as zero.
    seeds : sequence of int, length B
        One per sample.
    stream : int
        As in :func:`normal`.

    Returns
    -------
    Tensor, shape of `rate`, float32
        Whole numbers.

    Notes
    -----
    On the CPU by inverting the cumulative distribution at :math:`\Phi(w)`, w normal, which vectorises and is three times
    as fast as rejection. From 4 counts on with the expansion of Giles (2016), Algorithm 955: Approximation of the inverse
    Poisson cumulative distribution function, ACM Trans. Math. Softw. 42, 7, doi:10.1145/2699466, Eq. for Q_N:

    .. math:: Q = \lambda + \sqrt\lambda\, w + \frac{2 + w^2}{6} - \frac{w^3 + 2 w}{72 \sqrt\lambda}
                  + \frac{3 w^4 + 7 w^2 - 16}{810 \lambda}

    rounded down: total variation below 1e-3, mean and variance right to 4e-4. Below, by summing the probabilities.
    """
    if rate.device.type != "cpu":
        return torch.poisson(rate.clamp(min=0), generator=_generator(seeds, stream, rate.device))
    counts = torch.empty_like(rate)
    # One sample at a time: all intermediate arrays of a usual image then fit into the processor's cache.
    for part, expected, seed in zip(counts, rate.clamp(min=0), seeds, strict=True):
        w = normal(expected.shape, [seed], stream=stream)[0]
        part.copy_(_quantile(expected, w))
    return counts


def _quantile(rate: Tensor, w: Tensor) -> Tensor:
    """Counts that are not exceeded with probability Phi(w)."""
    few = rate < _FEW
    counts = _quantile_of_many(rate, w)
    if bool(few.any()):
        # Cheaper for all pixels than picking out those that need it. Small whole numbers: the difference is exact.
        counts.addcmul_(few.to(rate.dtype), _quantile_of_few(rate.clamp(max=_FEW), w).sub_(counts))
    return counts


def _quantile_of_many(rate: Tensor, w: Tensor) -> Tensor:
    """The same for rates of 4 and above; in place on new memory, for speed."""
    root = rate.clamp(min=_FEW).sqrt_()
    square = w * w
    quartic = (3 * square).add_(7).mul_(square).sub_(16).mul_(1 / 810)
    cubic = (square + 2).mul_(w).mul_(-1 / 72).addcdiv_(quartic, root).div_(root)
    return cubic.add_(square, alpha=1 / 6).add_(1 / 3).addcmul_(root, w).add_(rate).floor_().clamp_(min=0)


def _quantile_of_few(rate: Tensor, w: Tensor) -> Tensor:
    """The same for rates up to 4: how many values of the cumulative distribution lie below Phi(w)."""
    gap = torch.special.ndtr(w).clamp_(max=1 - _RAREST)
    power = torch.exp(-rate)
    counts = torch.zeros_like(rate)
    beyond = torch.empty_like(rate)
    for count in range(_most(float(rate.max()))):
        gap.add_(power, alpha=-1 / factorial(count))
        counts.add_(torch.gt(gap, 0, out=beyond))
        # Numbers below 1e-38 would slow the processor down.
        power.mul_(rate).clamp_(min=1e-30)
    return counts


def _most(rate: float) -> int:
    """Count that is exceeded by no more than the rarest outcomes."""
    count = 0
    while pdtrc(count, rate) > _RAREST:
        count += 1
    return count


def _generator(seeds: Sequence[int], stream: int, device: torch.device | str) -> torch.Generator:
    joint = 0
    for seed in seeds:
        joint = mixed(joint ^ mixed(seed, stream))
    return torch.Generator(device=device).manual_seed(joint)


def _filled(
    shape: Sequence[int],
    seeds: Sequence[int],
    device: torch.device | str,
    stream: int,
    fill: Callable[[Tensor, torch.Generator], object],
) -> Tensor:
    """New memory for the batch, filled sample by sample on the CPU, at once elsewhere."""
    values = torch.empty((len(seeds), *shape), device=device)
    if values.device.type != "cpu":
        fill(values, _generator(seeds, stream, device))
        return values
    for part, seed in zip(values, seeds, strict=True):
        fill(part, _generator([seed], stream, device))
    return values
