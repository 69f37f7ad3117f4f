r"""How single atoms scatter: projected potentials and their radii, after Lobato and Van Dyck.

The table ``lobato2014.json`` is written by ``tools/make_scattering_factors.py``.

References
----------
I. Lobato and D. Van Dyck, Acta Cryst. A 70 (2014) 636, Eq. 16 and Table 1.
"""

from __future__ import annotations

import json
import math
from functools import lru_cache
from importlib.resources import files

import torch
from torch import Tensor

from napari_atomseg.core.errors import AtomsegError

HEAVIEST = 103

# h^2 / (2 pi m_0 e) in V Å^2: from a scattering factor in Å to the transform of a potential.
POTENTIAL_PER_FACTOR = 47.87801


@lru_cache(maxsize=1)
def lobato_factors() -> tuple[Tensor, Tensor]:
    """Parameters a in Å and b in Å^2 of every element, each of shape (103, 5), float64; row 0 is hydrogen."""
    rows = json.loads(files("napari_atomseg.imaging").joinpath("lobato2014.json").read_text(encoding="utf-8"))
    a, b = (torch.tensor([row[name] for row in rows], dtype=torch.float64) for name in ("a", "b"))
    return a, b


def scattering_factor(number: int, squared: Tensor) -> Tensor:
    r"""Electron scattering factor of an atom.

    Parameters
    ----------
    number : int
        Atomic number, 1 to 103.
    squared : Tensor, 1/Å^2
        Square of the spatial frequency g = 2 sin(theta) / lambda.

    Returns
    -------
    Tensor, Å, of the same shape

    Notes
    -----
    .. math:: f(g) = \sum_{i=1}^{5} a_i \frac{2 + b_i g^2}{(1 + b_i g^2)^2}

    Multiplied with :data:`POTENTIAL_PER_FACTOR` it is the two-dimensional Fourier transform of the projected potential, in V Å^3.
    """
    check_number(number)
    a, b = (one[number - 1].tolist() for one in lobato_factors())
    total = torch.zeros_like(squared)
    for height, width in zip(a, b, strict=True):
        bent = 1 + width * squared
        total += height * (1 + bent) / bent**2
    return total


@lru_cache(maxsize=1)
def rms_radii() -> Tensor:
    r"""Root mean square radius in the plane of every element's projected potential, shape (103,), Å.

    Notes
    -----
    The second moment is the curvature of the transform at zero, :math:`\hat V(g) = \hat V(0) (1 - \pi^2 g^2 \hat r^2 + ...)`:

    .. math:: \hat r_Z^2 = \frac{\int r^2 V_p\, r\,dr}{\int V_p\, r\,dr} = \frac{3}{2 \pi^2} \frac{\sum_i a_i b_i}{\sum_i a_i}

    References
    ----------
    Lobato et al., npj Comput. Mater. 10 (2024) 10, Eq. 21.
    """
    a, b = lobato_factors()
    return torch.sqrt(1.5 / math.pi**2 * (a * b).sum(1) / a.sum(1))


def scattering_power(numbers: Tensor, gamma: float = 1.7) -> Tensor:
    """Relative intensity of atoms in an annular dark field, Z^gamma; gamma lies between 1 and 2.

    References
    ----------
    Combs et al., Microsc. Microanal. 25 (2019) 1, use 1.7; Lobato et al., text after Eq. 22.
    """
    return numbers.to(torch.float32) ** gamma


def check_number(number: int) -> None:
    """Raise an error for what is no element of the table."""
    if not 1 <= number <= HEAVIEST:
        raise AtomsegError(f"There is no scattering factor for atomic number {number}; the table goes from 1 to {HEAVIEST}")
