r"""Geometric phase analysis: strain and rotation from the phases of two lattice waves of the image itself.

After Hytch, Snoeck and Kilaas, Ultramicroscopy 74 (1998) 131. With :math:`P_g = -2 \pi g \cdot u` the gradient of the
displacement is :math:`\nabla u = -G^{-1} \nabla P / 2 \pi`, where the rows of G are the two waves. The gradient of a phase is
taken from the complex wave, so that nothing has to be unwrapped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_atomseg.core.errors import AtomsegError

_LARGEST = 2  # index of a wave in units of the reciprocal vectors
_FAINTEST = 0.2  # amplitude of a wave, relative to its usual one, below which its phase says nothing
_CLEAREST = 5.0  # amplitude of a wave, in units of the usual one of the image's spectrum


@dataclass(frozen=True, kw_only=True, eq=False)
class PhaseStrain:
    """Maps of shape (Y, X), NaN where a wave is faint; signs as those of the strain of columns.

    Attributes
    ----------
    strain_xx, strain_yy, strain_xy : ndarrays
        Against the mean of the image.
    rotation_rad : ndarray
        Positive clockwise on the screen.
    waves : ndarray, shape (2, 2), 1 / px
        The two waves, (y, x) in each row.
    """

    strain_xx: np.ndarray
    strain_yy: np.ndarray
    strain_xy: np.ndarray
    rotation_rad: np.ndarray
    waves: np.ndarray


def phase_strain(plane: np.ndarray, basis: np.ndarray, width: float = 1.0) -> PhaseStrain:
    """Strain and rotation of an image.

    Parameters
    ----------
    plane : ndarray, shape (Y, X)
    basis : ndarray, shape (2, 2), px
        Vectors of the lattice, one (y, x) in each row.
    width : float
        Standard deviation of the Gaussian over which the phases are averaged, in units of the root of the cell's area.

    Raises
    ------
    AtomsegError
        If the image shows no two waves of this lattice.
    """
    image = np.asarray(plane, dtype=np.float64)
    finite = np.isfinite(image)
    image = np.where(finite, image, image[finite].mean() if finite.any() else 0.0)
    spectrum = np.fft.fft2((image - image.mean()) * np.outer(np.hanning(image.shape[0]), np.hanning(image.shape[1])))
    waves = _strongest(np.abs(spectrum), np.linalg.inv(basis).T, image.shape)
    cell = float(np.sqrt(abs(np.linalg.det(basis))))
    slopes = [_phase_gradient(image - image.mean(), wave, width * cell) for wave in waves]
    gradient = -np.einsum("ij,jayx->iayx", np.linalg.inv(waves), np.stack(slopes)) / (2 * np.pi)
    gradient = gradient - np.nanmean(gradient, axis=(2, 3), keepdims=True)
    return PhaseStrain(
        strain_xx=gradient[1, 1],
        strain_yy=gradient[0, 0],
        strain_xy=(gradient[1, 0] + gradient[0, 1]) / 2,
        rotation_rad=(gradient[0, 1] - gradient[1, 0]) / 2,
        waves=waves,
    )


def _strongest(amplitude: np.ndarray, reciprocal: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The two strongest waves (2, 2) of the lattice that are not parallel."""
    orders = [(h, k) for h in range(_LARGEST + 1) for k in range(-_LARGEST, _LARGEST + 1) if h > 0 or k > 0]
    usual = float(np.median(amplitude))
    found = []
    for order in orders:
        wave = np.array(order, float) @ reciprocal
        if np.abs(wave).max() >= 0.45:
            continue
        row, column = (round(float(one) * side) % side for one, side in zip(wave, shape, strict=True))
        near = amplitude.take(range(row - 1, row + 2), axis=0, mode="wrap")
        # Shorter waves are preferred: their phases run less far from the mean.
        strength = float(near.take(range(column - 1, column + 2), axis=1, mode="wrap").max()) / np.hypot(*wave)
        found.append((strength, wave))
    found.sort(key=lambda one: -one[0])
    if found:
        first = found[0][1]
        for strength, wave in found[1:]:
            sine = abs(first[0] * wave[1] - first[1] * wave[0]) / (np.hypot(*first) * np.hypot(*wave))
            if sine > 0.3 and strength * np.hypot(*wave) > _CLEAREST * usual:
                return np.stack([first, wave])
    raise AtomsegError("the image shows no two waves of the lattice of the columns; are they columns of this image?")


def _phase_gradient(image: np.ndarray, wave: np.ndarray, width: float) -> np.ndarray:
    """Gradient (2, Y, X) of the phase of one wave, rad / px, against the wave itself; NaN where it is faint."""
    y, x = np.ogrid[: image.shape[0], : image.shape[1]]
    low = image * np.exp(-2j * np.pi * (wave[0] * y + wave[1] * x))
    q = [np.fft.fftfreq(side) for side in image.shape]
    kept = np.exp(-2 * (np.pi * width) ** 2 * (q[0][:, None] ** 2 + q[1][None] ** 2))
    spectrum = np.fft.fft2(low) * kept
    smooth = np.fft.ifft2(spectrum)
    strength = np.abs(smooth)
    slopes = [np.fft.ifft2(2j * np.pi * along * spectrum) for along in (q[0][:, None], q[1][None])]
    clear = strength > _FAINTEST * np.median(strength[strength > 0.1 * strength.max()])
    safe = np.where(clear, strength**2, 1.0)
    return np.stack([np.where(clear, np.imag(smooth.conj() * slope) / safe, np.nan) for slope in slopes])
