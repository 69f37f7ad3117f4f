"""The fast electron: relativistic wavelength and interaction constant.

Constants of CODATA 2018. Formulas of E. J. Kirkland, Advanced Computing in Electron Microscopy, 3rd ed. (2020).
"""

from __future__ import annotations

import math
from typing import Annotated

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.quantities import Quantity

ElectronVolt = Annotated[float, Quantity(unit="eV", low=1e3, high=3e6, decimals=0)]
Milliradian = Annotated[float, Quantity(unit="mrad", low=0, high=500, decimals=2)]

REST_ENERGY = 510998.95  # eV
PLANCK_C = 12398.419843320026  # h c in eV Angstrom


def wavelength(energy: float) -> float:
    r"""Relativistic wavelength of an electron.

    Parameters
    ----------
    energy : float, eV
        Kinetic energy.

    Returns
    -------
    float, Å

    Raises
    ------
    AtomsegError
        If the energy is not positive.

    Notes
    -----
    .. math:: \lambda = \frac{hc}{\sqrt{E\,(2 m_0 c^2 + E)}}

    References
    ----------
    Kirkland (2020), Eq. 2.5.

    Examples
    --------
    >>> round(wavelength(300e3), 5)
    0.01969
    """
    if not energy > 0:
        raise AtomsegError(f"The energy of an electron must be positive, got {energy:g} eV")
    return PLANCK_C / math.sqrt(energy * (2 * REST_ENERGY + energy))


def interaction_constant(energy: float) -> float:
    r"""Phase that an electron gains per projected potential.

    Parameters
    ----------
    energy : float, eV
        Kinetic energy.

    Returns
    -------
    float, rad/(V Å)

    Notes
    -----
    .. math:: \sigma = \frac{2\pi}{\lambda E}\,\frac{m_0 c^2 + E}{2 m_0 c^2 + E}

    References
    ----------
    Kirkland (2020), Eq. 5.6.
    """
    return 2 * math.pi / (wavelength(energy) * energy) * (REST_ENERGY + energy) / (2 * REST_ENERGY + energy)
