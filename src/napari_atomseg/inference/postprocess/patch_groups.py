"""Patches of an image that look alike, and what they tell together.

Two uses. A network draws what it has learnt, and what it draws wrongly it draws wrongly wherever the image looks the same. The
residual, raw less denoised, of one patch is mostly noise; its mean over many patches that the network drew alike is mostly the
network's error, and is put back (:func:`correct`). How much of each spatial frequency is put back is read from the image
itself: the power of the means above what noise alone leaves of it, Wiener's rule. Where counts are few nothing stands out and
the network keeps its word. And where there is no raw image to compare with, because background and displaced rows were taken
out, what is drawn differently in places that look alike is mostly chance, and their mean is nearer to the truth
(:func:`average`), except at places that differ from the mean by more than others do.

Grouping of patches as in Dabov et al., IEEE Trans. Image Process. 16, 2080 (2007).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from napari_atomseg.core.jobs import Progress, Steps

LIKE = 32
"""Patches of a group."""
CANDIDATES = (4096, 8192)
"""Least and greatest number of patches among which like ones are looked for."""
COMPARISONS = 2**27
"""Between these limits, so many pairs of patches are compared."""
COMPONENTS = 12
"""Numbers by which the look of a patch is told."""
SIDES = (12, 8)
"""Sides of the patches, one pass after the other."""
LARGE = 400
"""Parts larger than this show more that is alike, and patches may lie farther apart."""
WIDE = 24
"""Side of patches that are averaged: as wide as the unit cells of most crystals."""
FELLOWS = 16
"""Patches of a group that is averaged."""
CLASSES = 8
"""Classes of intensity, in each of which the usual difference from the mean is that of the median pixel."""
WITHIN = 2.5
"""Width of the Gaussian in which differences are looked at, px."""
USUAL, UNUSUAL = 2.0, 3.5
"""Differences up to so many times the usual are taken for chance, and from so many times on for what is there."""
TILE = 512
"""Side of the part of an image that is corrected by itself."""
DRAWS = 128
"""The best of each so many-th part of the candidates comes into the last choice: nearly the same patches as sorting all."""
AT_A_TIME = 1024
"""Patches whose like ones are looked for together."""


def correct(denoised: Tensor, image: Tensor) -> Steps[Tensor]:
    """The denoised image with what the raw one says against it, part by part.

    Parameters
    ----------
    denoised, image : Tensor, shape (Y, X)
        In the same units.
    """
    result = denoised.clone()
    windows = _windows(image.shape)
    for done, window in enumerate(windows):
        yield Progress(done, len(windows), "comparing with the raw image")
        for side in SIDES:
            result[window] += _lacking(result[window], image[window] - result[window], side)
    return result


def average(look: Tensor, maps: Tensor) -> Steps[Tensor]:
    """Maps (C, Y, X) averaged over places where the `look` (Y, X) is alike, but where a map differs from that too much.

    Parameters
    ----------
    look : Tensor, shape (Y, X)
        By which places are compared.
    maps : Tensor, shape (C, Y, X)
        What is averaged.

    Returns
    -------
    averaged : Tensor, shape (C, Y, X)
    """
    result = maps.clone()
    windows = _windows(look.shape)
    for done, window in enumerate(windows):
        yield Progress(done, len(windows), "comparing equivalent places")
        result[(slice(None), *window)] = _averaged(look[window], maps[(slice(None), *window)])
    return result


def _windows(shape: torch.Size) -> list[tuple[slice, slice]]:
    return [(below, along) for below in _parts(shape[0]) for along in _parts(shape[1])]


def _averaged(look: Tensor, maps: Tensor) -> Tensor:
    if min(look.shape) < WIDE:
        return maps
    step = 3 if look.numel() <= LARGE**2 else 4
    looks = _patches(look, WIDE, step)
    if len(looks) < 2 * FELLOWS:
        return maps
    like, among = _like(_told(looks), FELLOWS)
    means = (_sums(like, _patches(drawn, WIDE, step)[among], FELLOWS) / FELLOWS for drawn in maps)
    return torch.stack(
        [_unless_unlike(drawn, _overlaid(mean, look.shape, WIDE, step)) for drawn, mean in zip(maps, means, strict=True)]
    )


def _unless_unlike(drawn: Tensor, mean: Tensor) -> Tensor:
    """The mean, but what was drawn where it differs from that by more than is usual at such intensities."""
    difference = drawn - mean
    energy = _blurred(difference.square(), WITHIN)
    inner = torch.quantile(mean.flatten()[:: max(1, mean.numel() // 100_000)], torch.linspace(0, 1, CLASSES + 1)[1:-1])
    kind = torch.bucketize(mean, inner)
    groups = [energy[kind == one] for one in range(CLASSES)]
    usual = torch.stack([group.median() if len(group) else energy.median() for group in groups])
    times = (energy / usual[kind].clamp_min(1e-20)).sqrt()
    return mean + ((times - USUAL) / (UNUSUAL - USUAL)).clamp(0, 1) * difference


def _blurred(image: Tensor, width: float) -> Tensor:
    reach = math.ceil(3 * width)
    along = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=image.dtype) / width) ** 2)
    along = along / along.sum()
    given = torch.nn.functional.pad(image[None, None], (reach, reach, reach, reach), mode="replicate")
    return torch.nn.functional.conv2d(torch.nn.functional.conv2d(given, along.reshape(1, 1, -1, 1)), along.reshape(1, 1, 1, -1))[
        0, 0
    ]


def _parts(length: int) -> list[slice]:
    """Equal parts that are no longer than a tile."""
    number = -(-length // TILE)
    return [slice(length * one // number, length * (one + 1) // number) for one in range(number)]


def _lacking(drawn: Tensor, residual: Tensor, side: int) -> Tensor:
    """What the residual has in common in patches that are drawn alike."""
    if min(drawn.shape) < side:
        return torch.zeros_like(drawn)
    step = 2 if drawn.numel() <= LARGE**2 else round(side / 3)
    looks, given = _patches(drawn, side, step), _patches(residual, side, step)
    if len(looks) < 2 * LIKE:
        return torch.zeros_like(drawn)
    noise = _patches(_variance(drawn, residual), side, step).mean(1)
    like, among = _like(_told(looks), LIKE)
    variance = noise[among][like].mean(1)
    cosine = _cosines(side, drawn)
    # In units of which noise stays as it is.
    spectra = _transformed(_sums(like, given[among], LIKE) / math.sqrt(LIKE), cosine)
    single = (_transformed(given, cosine).square() / noise[:, None]).mean(0)
    power = (spectra.square() / variance[:, None]).mean(0)
    kept = (power - single).clamp_min(0) / power.clamp_min(1e-12)
    common = _transformed(spectra * kept, cosine.T) / math.sqrt(LIKE)
    return _overlaid(common, drawn.shape, side, step)


def _patches(image: Tensor, side: int, step: int) -> Tensor:
    """Patches (N, side^2), the last ones of an image continued so that they cover all of it."""
    below, right = _beyond(image.shape, side, step)
    padded = torch.nn.functional.pad(image[None, None], (0, right, 0, below), mode="replicate")
    return torch.nn.functional.unfold(padded, side, stride=step)[0].T.contiguous()


def _beyond(shape: torch.Size, side: int, step: int) -> tuple[int, int]:
    """Rows and columns by which an image is continued."""
    return -(shape[0] - side) % step, -(shape[1] - side) % step


def _variance(drawn: Tensor, residual: Tensor, classes: int = 16) -> Tensor:
    """Variance of the noise, a straight line in the intensity: counting and read-out noise."""
    levels = torch.argsort(drawn.flatten())
    groups = [(drawn.flatten()[part], residual.flatten()[part].square()) for part in levels.chunk(classes)]
    x = torch.stack([level.mean() for level, _ in groups])
    y = torch.stack([square.mean() for _, square in groups])
    slope = ((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum().clamp_min(1e-12)
    return (y.mean() + slope.clamp_min(0) * (drawn - x.mean())).clamp_min(max(float(y.min()) / 2, 1e-12))


def _told(looks: Tensor) -> Tensor:
    """The most telling components (N, COMPONENTS) of patches."""
    centred = looks - looks.mean()
    return centred @ torch.linalg.eigh(centred.T @ centred)[1][:, -COMPONENTS:]


def _like(looks: Tensor, number: int) -> tuple[Tensor, Tensor]:
    """For each look the `number` most alike, (N, number), as places in a list of patches; and that list."""
    most = min(max(COMPARISONS // len(looks), CANDIDATES[0]), CANDIDATES[1])
    step = max(1, -(-len(looks) // most))
    among = torch.arange(step // 2, len(looks), step)
    draws = DRAWS if len(among) >= 2 * DRAWS else len(among)
    among = among[: len(among) // draws * draws]
    # Every draw holds patches of the whole image.
    among = among.reshape(-1, draws).T.reshape(-1)
    others = looks[among]
    # Twice the inner product less the square of the other: the nearest has the most.
    nearness = torch.cat([2 * others, -others.square().sum(1, keepdim=True)], dim=1).T.contiguous()
    described = torch.cat([looks, torch.ones_like(looks[:, :1])], dim=1)
    first = torch.arange(draws) * (len(among) // draws)
    like = torch.empty((len(looks), number), dtype=torch.long)
    for start in range(0, len(looks), AT_A_TIME):
        part = slice(start, start + AT_A_TIME)
        best, place = (described[part] @ nearness).reshape(-1, draws, len(among) // draws).max(dim=2)
        like[part] = (place + first).gather(1, best.topk(number, dim=1, sorted=False).indices)
    return like, among


def _sums(like: Tensor, patches: Tensor, number: int) -> Tensor:
    """Sums of `number` patches each."""
    return torch.nn.functional.embedding_bag(like[:, :number], patches, mode="sum")


def _cosines(side: int, like: Tensor) -> Tensor:
    """Orthonormal cosines, row by frequency."""
    number = torch.arange(side, dtype=like.dtype, device=like.device)
    rows = torch.cos(math.pi / side * (number[None] + 0.5) * number[:, None]) * math.sqrt(2 / side)
    rows[0] /= math.sqrt(2)
    return rows


def _transformed(patches: Tensor, rows: Tensor) -> Tensor:
    side = len(rows)
    return (rows @ patches.reshape(-1, side, side) @ rows.T).reshape(len(patches), -1)


def _overlaid(patches: Tensor, shape: torch.Size, side: int, step: int) -> Tensor:
    """The weighted mean of overlapping patches."""
    along = torch.kaiser_window(side, periodic=False, beta=2.0, dtype=patches.dtype, device=patches.device)
    window = torch.outer(along, along).flatten()
    below, right = _beyond(shape, side, step)

    def folded(values: Tensor) -> Tensor:
        whole = torch.nn.functional.fold(values.T[None], (shape[0] + below, shape[1] + right), side, stride=step)
        return whole[0, 0, : shape[0], : shape[1]]

    return folded(patches * window) / folded(window.expand(len(patches), -1))
