"""Incoherent images of projected columns: batched, exact to a small part of a pixel, on any device.

An annular dark-field image is taken as the sum of a point spread function per column, weighted with its scattering power.
Gaussians are separable and rendered as such; any other probe goes through its Fourier modes, in which a shift is
a phase, so that neither is ever interpolated. Dynamical scattering and channelling are not here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.imaging.gridding import damped_modes, quicker
from napari_atomseg.optics.modes import sample_spectrum, waves
from napari_atomseg.optics.probe import ProbeParams, probe_modes, probe_reach, probe_transfer

# Half of the room beyond the image holds columns outside whose tails come in, half keeps those tails from coming in opposite.
_PADDING = 0.5
_MOST_WIDTHS = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class ColumnBatch:
    """Columns (or single atoms) of a batch of images, those of all images in one list.

    Attributes
    ----------
    positions : Tensor, shape (M, 2), px, (y, x)
        Projected places; the centre of the first pixel is (0, 0). Places outside the image are legal.
    weights : Tensor, shape (M,)
        Integrated intensity, for example the sum of Z^gamma over the atoms of the column.
    widths : Tensor, shape (M,), px
        Standard deviation of the thermal motion in the image plane, or zero.
    sample : Tensor of int64, shape (M,)
        Image of the batch to which each belongs.
    count : int
        Number of images B.
    """

    positions: Tensor
    weights: Tensor
    widths: Tensor
    sample: Tensor
    count: int

    def __post_init__(self) -> None:
        total = len(self.positions)
        if self.positions.shape != (total, 2) or any(one.shape != (total,) for one in (self.weights, self.widths, self.sample)):
            raise AtomsegError("A ColumnBatch needs positions of shape (M, 2), and weights, widths and sample of shape (M,)")
        if total and not (int(self.sample.min()) >= 0 and int(self.sample.max()) < self.count):
            raise AtomsegError(f"ColumnBatch.sample must lie in [0, {self.count - 1}]")

    def subset(self, which: Tensor) -> ColumnBatch:
        """Those columns for which `which`, a mask or indices, holds; the number of images stays."""
        return ColumnBatch(
            positions=self.positions[which],
            weights=self.weights[which],
            widths=self.widths[which],
            sample=self.sample[which],
            count=self.count,
        )


def batch_columns(
    positions: Sequence[Tensor],
    weights: Sequence[Tensor],
    widths: Sequence[Tensor | float],
    device: torch.device | str | None = None,
) -> ColumnBatch:
    """Columns of several images in one batch, from one entry per image.

    Parameters
    ----------
    positions : sequence of array or Tensor, shape (N, 2), px, (y, x)
        N may differ from image to image. A Tensor of shape (B, N, 2) is such a sequence too.
    weights : sequence of array or Tensor, shape (N,)
    widths : sequence of float, array or Tensor, shape (N,), px
    device : torch device, optional
    """
    places = [torch.as_tensor(one, dtype=torch.float32, device=device).reshape(-1, 2) for one in positions]
    powers = [torch.as_tensor(one, dtype=torch.float32, device=device).reshape(-1) for one in weights]
    sigmas = [
        torch.as_tensor(one, dtype=torch.float32, device=device).expand(len(place))
        for one, place in zip(widths, places, strict=True)
    ]
    counts = torch.tensor([len(one) for one in places], device=device)
    sample = torch.repeat_interleave(torch.arange(len(places), device=device), counts)
    return ColumnBatch(
        positions=torch.cat(places), weights=torch.cat(powers), widths=torch.cat(sigmas), sample=sample, count=len(places)
    )


def render_gaussians(
    columns: ColumnBatch,
    shape: tuple[int, int],
    psf: tuple[Tensor, Tensor] | None = None,
    integrate: bool = True,
) -> Tensor:
    r"""Image of columns under a point spread function that is a sum of Gaussians.

    Parameters
    ----------
    columns : ColumnBatch
    shape : tuple of int
        (Y, X).
    psf : tuple of Tensor, shape (B, G) each, optional
        Share of the intensity, and standard deviation in px, of each Gaussian of the point spread function; without,
        the columns are as wide as their thermal motion. Shares that sum to 1 conserve the flux.
    integrate : bool
        Integrated over the area of each pixel, as a detector does; else the value at its centre, as a scan does.

    Returns
    -------
    Tensor, shape (B, 1, Y, X)
        Intensity per pixel; nothing wraps round.

    Notes
    -----
    With :math:`s^2 = \sigma_n^2 + \sigma_g^2`

    .. math:: I_{yx} = \sum_{n,g} w_n a_g\, G_s(y - y_n)\, G_s(x - x_n)

    where integrating over a pixel replaces :math:`G_s(x)` by a difference of error functions.

    References
    ----------
    Combs et al., Adv. Struct. Chem. Imaging 5 (2019) 2, Eq. 1-3, use one Gaussian and Z^1.7.
    """
    places, weights, widths = _side_by_side(columns)
    if psf is None:
        one = weights.new_ones((columns.count, 1))
        psf = (one, torch.zeros_like(one))
    image = weights.new_zeros((columns.count, *shape))
    profile = _pixel_shares if integrate else _pixel_values
    for share, sigma in zip(psf[0].to(weights).T, psf[1].to(weights).T, strict=True):
        total = torch.sqrt(widths**2 + sigma[:, None] ** 2).clamp_min(1e-6 if integrate else 1e-2)
        along_y = profile(places[..., 0], total, shape[0]) * (weights * share[:, None])[..., None]
        along_x = profile(places[..., 1], total, shape[1])
        image.baddbmm_(along_y.transpose(1, 2), along_x)
    return image[:, None]


def render_probes(
    columns: ColumnBatch,
    probes: Sequence[ProbeParams],
    shape: tuple[int, int],
    pixel_size: float | Sequence[float],
    padding: float | None = None,
) -> Tensor:
    """Image of columns scanned with an aberrated probe, one lens for each image.

    Parameters
    ----------
    columns : ColumnBatch
    probes : sequence of ProbeParams, length B
    shape : tuple of int
        (Y, X).
    pixel_size : float or sequence of float, length B, Å
    padding : float, optional
        Room around the image in parts of its sides, see :func:`field_of`; unless given, as much as the widest probe of the
        batch needs.

    Returns
    -------
    Tensor, float32, shape (B, 1, Y, X)
        Intensity at the pixel centres, times the area of a pixel.

    References
    ----------
    Lin et al., Sci. Rep. 11 (2021) 5386, the equation of I(x, y).
    """
    sizes = [float(pixel_size)] * columns.count if isinstance(pixel_size, (int, float)) else list(pixel_size)
    if padding is None:
        padding = padding_for(probes, shape, sizes)
    period = field_of(shape, padding)
    extent = ([period[0] * one for one in sizes], [period[1] * one for one in sizes])
    modes = (probe_modes(probes, extent[0]), probe_modes(probes, extent[1]))
    transfer = probe_transfer(probes, extent, modes, columns.positions.device)
    return render_transfer(columns, transfer, shape, padding)


def render_transfer(columns: ColumnBatch, transfer: Tensor, shape: tuple[int, int], padding: float = _PADDING) -> Tensor:
    r"""Image of columns under any point spread function, given by its Fourier transform.

    Parameters
    ----------
    columns : ColumnBatch
    transfer : Tensor, complex or real, shape (B or 1, 2 Ky + 1, Kx + 1)
        At the frequencies m / period, in the layout of :mod:`napari_atomseg.optics.modes`, where the period is that of
        :func:`field_of`; 1 at zero frequency conserves the flux. It may be computed once and used often.
    shape : tuple of int
        (Y, X).
    padding : float
        As for the transfer.

    Returns
    -------
    Tensor, float32, shape (B, 1, Y, X)

    Notes
    -----
    .. math:: \hat I(k) = T(k) \sum_n w_n\, e^{-2\pi i k \cdot r_n - 2 \pi^2 \sigma_n^2 k^2}

    Columns farther outside than half of the padding are left out, so that nothing comes in at the opposite side as long as
    the point spread function reaches no farther than that half.
    """
    period = field_of(shape, padding)
    modes = (transfer.shape[-2] // 2, transfer.shape[-1] - 1)
    spectrum = structure_factor(columns.subset(inside_field(columns, shape, padding)), modes, period) * transfer
    return sample_spectrum(spectrum, period, shape)[:, None]


def field_of(shape: tuple[int, int], padding: float = _PADDING) -> tuple[int, int]:
    """Period (y, x) in px of an image whose sides are extended by `padding` of their length (at least 16 px).

    Parameters
    ----------
    shape : tuple of int
        Of the image.
    padding : float
        In parts of the sides.
    """
    return shape[0] + max(16, round(padding * shape[0])), shape[1] + max(16, round(padding * shape[1]))


def padding_for(probes: Sequence[ProbeParams], shape: tuple[int, int], pixel_size: Sequence[float]) -> float:
    """Padding, in parts of the sides, that is twice the reach of the widest probe, and at least a half.

    Parameters
    ----------
    probes : sequence of ProbeParams, length B
    shape : tuple of int
        Of the images.
    pixel_size : sequence of float, length B, Å
    """
    reach = max((probe_reach(one) / size for one, size in zip(probes, pixel_size, strict=True)), default=0.0)
    return max(_PADDING, 2 * reach / min(shape))


def inside_field(columns: ColumnBatch, shape: tuple[int, int], padding: float = _PADDING) -> Tensor:
    """Which columns lie in the image or in the half of the padding around it, shape (M,), bool.

    Parameters
    ----------
    columns : ColumnBatch
        M columns of all images.
    shape : tuple of int
        Of the images.
    padding : float
        In parts of the sides.
    """
    inside = torch.ones(len(columns.positions), dtype=torch.bool, device=columns.positions.device)
    for axis, period in enumerate(field_of(shape, padding)):
        margin = (period - shape[axis]) / 2
        along = columns.positions[:, axis]
        inside &= (along >= -margin - 0.5) & (along < shape[axis] - 0.5 + margin)
    return inside


def structure_factor(columns: ColumnBatch, modes: tuple[int, int], period: tuple[float, float]) -> Tensor:
    """Fourier modes of the columns as points, each blurred by its own thermal motion.

    Parameters
    ----------
    columns : ColumnBatch
    modes : tuple of int
        Highest modes (Ky, Kx).
    period : tuple of float, px, (y, x)

    Returns
    -------
    Tensor, complex64, shape (B, 2 Ky + 1, Kx + 1)

    Notes
    -----
    Both the phase of a place and the transform of a Gaussian are products of a factor in y and one in x, which makes
    the sum over columns one real matrix product for all images. Many columns of few widths go by way of a grid
    (:mod:`.gridding`), which is as exact and takes a small part of the time.
    """
    if _by_grid(columns, modes):
        images = [columns.sample == image for image in range(columns.count)]
        return torch.stack(
            [damped_modes(columns.positions[own], columns.weights[own], columns.widths[own], modes, period) for own in images]
        )
    places, weights, widths = _side_by_side(columns)
    cos_y, sin_y = _damped_waves(places[..., 0], widths, modes[0], period[0])
    cos_x, sin_x = _damped_waves(places[..., 1], widths, modes[1], period[1])
    along_y = torch.cat([cos_y, sin_y], dim=2)
    along_x = torch.stack([cos_x, -sin_x], dim=3).mul_(weights[:, :, None, None]).flatten(2)
    both = (along_y.transpose(1, 2) @ along_x).reshape(columns.count, 2, modes[0] + 1, modes[1] + 1, 2)
    even, odd = torch.view_as_complex(both).unbind(1)
    # e^(-i m y) = cos - i sin: the negative modes in y are the positive ones with the other sign of the sine.
    return torch.cat([(even + 1j * odd)[:, 1:].flip(1), even - 1j * odd], dim=1)


def species_spectrum(
    columns: ColumnBatch,
    species: Tensor,
    transfer: Callable[[int, list[int]], Tensor],
    modes: tuple[int, int],
    period: tuple[float, float],
) -> Tensor:
    """Fourier modes of columns whose profile depends on what they are.

    Parameters
    ----------
    columns : ColumnBatch
    species : Tensor of int, shape (M,)
        Kind of each column, for example its atomic number.
    transfer : callable
        Called with a kind and the list of b images that hold it; gives the transform of its profile in those images, of
        shape (b or 1, 2 Ky + 1, Kx + 1).
    modes, period
        As for :func:`structure_factor`.

    Returns
    -------
    Tensor, complex64, shape (B, 2 Ky + 1, Kx + 1)
    """
    total = torch.zeros((columns.count, 2 * modes[0] + 1, modes[1] + 1), dtype=torch.complex64, device=columns.positions.device)
    for kind in torch.unique(species).tolist():
        some = columns.subset(species == kind)
        images, sample = torch.unique(some.sample, return_inverse=True)
        few = ColumnBatch(positions=some.positions, weights=some.weights, widths=some.widths, sample=sample, count=len(images))
        part = structure_factor(few, modes, period) * transfer(int(kind), images.tolist())
        total.index_add_(0, images, part.to(total.dtype))
    return total


def _side_by_side(columns: ColumnBatch) -> tuple[Tensor, Tensor, Tensor]:
    """Positions (B, N, 2), weights (B, N) and widths (B, N), filled up with columns of weight zero."""
    counts = torch.bincount(columns.sample, minlength=columns.count)
    most = int(counts.max()) if len(columns.sample) else 0
    order = torch.argsort(columns.sample, stable=True)
    first = torch.cumsum(counts, 0) - counts
    sample = columns.sample[order]
    slot = torch.arange(len(order), device=order.device) - first[sample]
    places = columns.positions.new_zeros((columns.count, most, 2))
    weights = columns.weights.new_zeros((columns.count, most))
    widths = columns.widths.new_ones((columns.count, most))
    places[sample, slot] = columns.positions[order]
    weights[sample, slot] = columns.weights[order]
    widths[sample, slot] = columns.widths[order]
    return places, weights, widths


def _pixel_shares(centres: Tensor, sigma: Tensor, count: int) -> Tensor:
    """Share of each Gaussian that falls into each pixel of one axis, shape (B, N, count)."""
    edges = torch.arange(count + 1, dtype=centres.dtype, device=centres.device) - 0.5
    reach = torch.erf((edges - centres[..., None]) * (math.sqrt(0.5) / sigma[..., None]))
    return (reach[..., 1:] - reach[..., :-1]) / 2


def _pixel_values(centres: Tensor, sigma: Tensor, count: int) -> Tensor:
    """Density of each Gaussian at the pixel centres of one axis, shape (B, N, count)."""
    pixels = torch.arange(count, dtype=centres.dtype, device=centres.device)
    scaled = (pixels - centres[..., None]) / sigma[..., None]
    return torch.exp(-(scaled**2) / 2) / (math.sqrt(2 * math.pi) * sigma[..., None])


def _by_grid(columns: ColumnBatch, modes: tuple[int, int]) -> bool:
    """Whether a grid is quicker; gradients go through the sum."""
    if columns.positions.requires_grad or columns.widths.requires_grad:
        return False
    return quicker(len(columns.positions), columns.count, modes) and len(torch.unique(columns.widths)) <= _MOST_WIDTHS


def _damped_waves(places: Tensor, sigma: Tensor, count: int, period: float) -> tuple[Tensor, Tensor]:
    """Cosine and sine of modes 0..K at places, damped by the transform of a Gaussian, each (B, N, K + 1)."""
    cos, sin = waves(places, count, period)
    if not bool((sigma > 0).any()):
        return cos, sin
    modes = torch.arange(count + 1, dtype=places.dtype, device=places.device)
    damping = torch.exp(-2 * (sigma[..., None] * (math.pi / period) * modes) ** 2)
    return cos * damping, sin * damping
