r"""How single atoms scatter: projected potentials and their radii, after Lobato and Van Dyck.

References
----------
I. Lobato and D. Van Dyck, Acta Cryst. A 70 (2014) 636, Eq. 16 and Table 1.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from napari_atomseg.imaging.lobato import lobato_table

# h^2 / (2 pi m_0 e) in V Å^2: from a scattering factor in Å to the two-dimensional transform of a projected potential, V Å^3.
POTENTIAL_PER_FACTOR = 47.87801


@lru_cache(maxsize=1)
def lobato_factors() -> tuple[Tensor, Tensor]:
    """Parameters a in Å and b in Å^2 of every element, each of shape (103, 5), float64; row 0 is hydrogen."""
    a, b = (torch.from_numpy(one) for one in lobato_table())
    return a, b


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

    Parameters
    ----------
    numbers : Tensor of int
        Atomic numbers, any shape.
    gamma : float

    References
    ----------
    Combs et al., Adv. Struct. Chem. Imaging 5 (2019) 2, use 1.7; Lobato et al., text after Eq. 22.
    """
    return numbers.to(torch.float32) ** gamma
