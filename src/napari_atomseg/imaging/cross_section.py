"""How much a single atom scatters into a ring of angles: what puts convolution images on the scale of the incident beam."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from napari_atomseg.optics.electron import REST_ENERGY, wavelength

RINGS, TURNS, STEPS = 6, 24, 600
"""Directions of the incident cone (radii and azimuths), and of the detector, that are summed over."""
NEAREST, FARTHEST, POINTS, WAVES = 1e-4, 12.0, 4000, 400
"""Distances from the nucleus, Å, and their number, and the number of spatial frequencies, of a single strong atom."""


def annular_cross_section(number: int, energy: float, semiangle: float, inner_angle: float, outer_angle: float) -> float:
    r"""Cross section of an atom for scattering from a cone of directions into a ring, Å².

    Parameters
    ----------
    number : int
        Atomic number.
    energy : float, eV
    semiangle, inner_angle, outer_angle : float, mrad

    Notes
    -----
    First Born approximation with the relativistic mass of the electron, small angles, averaged over the directions
    :math:`\alpha` of the cone:

    .. math:: \sigma = \gamma^2 \int_{ring} \Big\langle f^2\big(|\theta - \alpha| / \lambda\big) \Big\rangle_\alpha d^2\theta

    It counts all that one atom scatters there, elastically and thermally. Interference and channelling are left out, and
    heavy atoms scatter less than in the first Born approximation: platinum by about 30 % at 200 keV.

    References
    ----------
    Kirkland (2020), section 5.3; f of Lobato and Van Dyck, Acta Cryst. A 70 (2014) 636.
    """
    from napari_atomseg.imaging.lobato import scattering_factor

    nodes, weights = np.polynomial.legendre.leggauss(RINGS)
    # Equal weights of equal areas of the cone.
    alpha = semiangle * 1e-3 * np.sqrt((nodes + 1) / 2)[:, None, None]
    azimuth = np.arange(TURNS)[:, None] * (2 * math.pi / TURNS)
    theta = np.linspace(inner_angle, outer_angle, STEPS) * 1e-3
    squared = theta**2 + alpha**2 - 2 * theta * alpha * np.cos(azimuth)
    factor = scattering_factor(number, squared / wavelength(energy) ** 2)
    mean = np.tensordot(weights / 2, (factor**2).mean(axis=1), 1)
    mass = 1 + energy / REST_ENERGY
    return float(2 * math.pi * mass**2 * np.trapezoid(mean * theta, theta))


@lru_cache(maxsize=512)
def phase_cross_section(number: int, energy: float, semiangle: float, inner_angle: float, outer_angle: float) -> float:
    r"""Cross section of an atom for scattering from a cone of directions into a ring, Å², beyond the first Born approximation.

    Parameters
    ----------
    number : int
        Atomic number.
    energy : float, eV
    semiangle, inner_angle, outer_angle : float, mrad

    Notes
    -----
    The atom is a phase object, however strong, as multislice has it: with the phase
    :math:`\chi(r) = 2\pi\gamma\lambda \int f(q) J_0(2\pi q r) q\, dq`, which has a closed form for the factors of Lobato and Van
    Dyck, :math:`|f|` of :func:`annular_cross_section` gives way to

    .. math:: |F(q)| / \gamma\lambda, \quad F(q) = 2\pi \int \big(e^{i\chi(r)} - 1\big) J_0(2\pi q r) r\, dr

    References
    ----------
    Kirkland (2020), section 5.1; f of Lobato and Van Dyck, Acta Cryst. A 70 (2014) 636.
    """
    from scipy.special import j0, k0, k1

    from napari_atomseg.imaging.lobato import check_number, lobato_table

    check_number(number)
    length = wavelength(energy)
    # Evenly spaced in the logarithm: the potential rises without end towards the nucleus.
    step = math.log(FARTHEST / NEAREST) / POINTS
    radius = NEAREST * np.exp(step * np.arange(POINTS + 1))
    phase = np.zeros_like(radius)
    for height, width in zip(*(one[number - 1] for one in lobato_table()), strict=True):
        scaled = 2 * math.pi / math.sqrt(width) * radius
        phase += height * 2 * math.pi / width * (k0(scaled) + scaled / 2 * k1(scaled))
    phase *= (1 + energy / REST_ENERGY) * length
    weights = 2 * math.pi * np.expm1(1j * phase) * radius**2 * step
    frequency = np.linspace(0, (outer_angle + semiangle) * 1e-3 / length, WAVES)
    scattered = np.abs(j0(2 * math.pi * frequency[:, None] * radius) @ weights) / length
    nodes, shares = np.polynomial.legendre.leggauss(RINGS)
    alpha = semiangle * 1e-3 * np.sqrt((nodes + 1) / 2)[:, None, None]
    theta = np.linspace(inner_angle, outer_angle, STEPS) * 1e-3
    squared = theta**2 + alpha**2 - 2 * theta * alpha * np.cos(np.arange(TURNS)[:, None] * (2 * math.pi / TURNS))
    found = np.interp(np.sqrt(np.maximum(squared, 0)) / length, frequency, scattered)
    mean = np.tensordot(shares / 2, (found**2).mean(axis=1), 1)
    return float(2 * math.pi * np.trapezoid(mean * theta, theta))


def beam_share(numbers: np.ndarray, exponent: float, *, energy: float, semiangle: float, inner: float, outer: float) -> float:
    r"""Cross section, Å², of one unit of :math:`Z^\gamma`, such that all atoms together scatter as their cross sections say.

    Parameters
    ----------
    numbers : ndarray of int, shape (N,)
        Atomic numbers.
    exponent : float
        Gamma.
    energy : float, eV
    semiangle : float, mrad
        Of the probe.
    inner, outer : float, mrad
        Of the detector.
    """
    kinds, counts = np.unique(numbers, return_counts=True)
    total = sum(
        count * annular_cross_section(int(kind), energy, semiangle, inner, outer)
        for kind, count in zip(kinds, counts, strict=True)
    )
    return float(total / np.sum(counts * kinds.astype(float) ** exponent))
