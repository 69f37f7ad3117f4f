r"""Aberrations of the lens that forms a probe or an image, batched over samples.

Krivanek's notation and abTEM's signs: a wave is multiplied by :math:`e^{-i\chi}`, positive defocus is underfocus
(:math:`C_{1,0} = -\Delta f`), angles in the image plane count from +x (along a row) to +y (down the rows).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity
from napari_atomseg.optics.batch import per_sample
from napari_atomseg.optics.electron import ElectronVolt, wavelength

Coefficient = Annotated[float, Quantity(unit="Å", low=-1e9, high=1e9, decimals=1)]
Angle = Annotated[float, Quantity(unit="rad", low=-4 * math.pi, high=4 * math.pi, decimals=3)]


@dataclass(frozen=True, kw_only=True)
class LensParams:
    """One lens at one energy; all zero is a perfect lens in focus.

    Attributes
    ----------
    energy : float, eV
        Kinetic energy of the electrons.
    defocus : float, Å
        Underfocus, positive as in abTEM; minus C_1,0.
    Cs : float, Å
        Spherical aberration C_3,0.
    C5 : float, Å
        Spherical aberration of fifth order C_5,0.
    astigmatism : float, Å
        Twofold astigmatism A1 = C_1,2.
    astigmatism_angle : float, rad
        Azimuth phi_1,2 of the twofold astigmatism.
    coma : float, Å
        Axial coma C_2,1 = 3 B2.
    coma_angle : float, rad
        Azimuth phi_2,1 of the coma.
    trefoil : float, Å
        Threefold astigmatism A2 = C_2,3.
    trefoil_angle : float, rad
        Azimuth phi_2,3 of the threefold astigmatism.
    """

    energy: ElectronVolt = 300e3
    defocus: Coefficient = 0.0
    Cs: Coefficient = 0.0
    C5: Coefficient = 0.0
    astigmatism: Coefficient = 0.0
    astigmatism_angle: Angle = 0.0
    coma: Coefficient = 0.0
    coma_angle: Angle = 0.0
    trefoil: Coefficient = 0.0
    trefoil_angle: Angle = 0.0

    def __post_init__(self) -> None:
        check(self)


def wavelengths(params: Sequence[LensParams], device: torch.device | str | None = None) -> Tensor:
    """Wavelength of every sample in Å, shape (B, 1, 1).

    Parameters
    ----------
    params : sequence, length B
        Anything with an `energy`, eV.
    device : torch.device or str, optional
    """
    return per_sample([wavelength(one.energy) for one in params], device)


def chi(alpha: Tensor, phi: Tensor, params: Sequence[LensParams]) -> Tensor:
    r"""Phase error of the lens in rad; the wave is multiplied by :math:`e^{-i\chi}`.

    Parameters
    ----------
    alpha : Tensor, shape (B, Y, X), rad
        Scattering angle.
    phi : Tensor, shape (Y, X) or (B, Y, X), rad
        Azimuth.
    params : sequence of LensParams, length B

    Returns
    -------
    Tensor, shape (B, Y, X), rad

    Notes
    -----
    .. math:: \chi = \frac{2\pi}{\lambda}\Big[
        \tfrac{\alpha^2}{2}\big(-\Delta f + C_{1,2}\cos 2(\phi-\phi_{1,2})\big)
        + \tfrac{\alpha^3}{3}\big(C_{2,1}\cos(\phi-\phi_{2,1}) + C_{2,3}\cos 3(\phi-\phi_{2,3})\big)
        + \tfrac{\alpha^4}{4} C_{3,0} + \tfrac{\alpha^6}{6} C_{5,0} \Big]

    References
    ----------
    Kirkland (2020), Eq. 2.22; Krivanek, Dellby and Lupini, Ultramicroscopy 78 (1999) 1, for the names.
    """

    def of(name: str) -> Tensor:
        return per_sample([getattr(one, name) for one in params], alpha.device)

    squared = alpha**2
    path = (squared * (of("C5") / 6)).add_(of("Cs") / 4).mul_(squared).sub_(of("defocus") / 2).mul_(squared)
    for name, fold, order in (("astigmatism", 2, 2), ("coma", 1, 3), ("trefoil", 3, 3)):
        # Cosines over the whole grid are most of the work, and most lenses need none.
        if any(getattr(one, name) for one in params):
            path += torch.cos(fold * (phi - of(f"{name}_angle"))).mul_(alpha**order).mul_(of(name) / order)
    return path.mul_(2 * math.pi / wavelengths(params, alpha.device))


def chi_gradient(alpha: Tensor, phi: Tensor, params: Sequence[LensParams]) -> tuple[Tensor, Tensor]:
    r"""Slopes of :func:`chi` along the radius and across it.

    These are :math:`\partial\chi/\partial\alpha` and :math:`\partial\chi/(\alpha\,\partial\phi)`.
    Parameters are those of :func:`chi`; both slopes have shape (B, Y, X).

    Parameters
    ----------
    alpha : Tensor, rad
        Angle to the axis, of a shape that meets (B, ...).
    phi : Tensor, rad
        Azimuth.
    params : sequence of LensParams, length B

    Returns
    -------
    radial, azimuthal : Tensor, rad per rad
    """

    def of(name: str) -> Tensor:
        return per_sample([getattr(one, name) for one in params], alpha.device)

    turns2 = 2 * (phi - of("astigmatism_angle"))
    turns1, turns3 = phi - of("coma_angle"), 3 * (phi - of("trefoil_angle"))
    wavenumber = 2 * math.pi / wavelengths(params, alpha.device)
    radial = (
        alpha * (-of("defocus") + of("astigmatism") * torch.cos(turns2))
        + alpha**2 * (of("coma") * torch.cos(turns1) + of("trefoil") * torch.cos(turns3))
        + alpha**3 * of("Cs")
        + alpha**5 * of("C5")
    )
    across = -alpha * of("astigmatism") * torch.sin(turns2) - alpha**2 * (
        of("coma") * torch.sin(turns1) / 3 + of("trefoil") * torch.sin(turns3)
    )
    return wavenumber * radial, wavenumber * across
