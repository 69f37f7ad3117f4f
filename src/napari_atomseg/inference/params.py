"""How networks are asked; apart from the networks themselves, so that forms and help need no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Fraction, Quantity


@dataclass(frozen=True, kw_only=True)
class NetworkParams:
    """How a network is asked.

    Attributes
    ----------
    least_confidence : float
        Columns less probable than this are left out.
    polarity : {'auto', 'bright', 'dark'}
        Whether columns are brighter or darker than what lies between them.
    pixel_size : float, A, optional
        What a pixel is taken for; if left out that of the image, and if it has none an estimate from the width of its columns.
    straighten : bool
        Put back whole scan rows that were displaced, where the lattice of the columns shows it convincingly.
    alike : bool
        Compare equivalent places of the crystal: what the raw image shows at all of them against the denoised one is put
        back, and what is drawn without background, and where columns stand, is averaged but at places that differ.
    segmentation : {'ours', 'otsu'}
        How columns are read from their map: with the network's classifier of candidates, or by Otsu's threshold and the
        centroid of each connected area, as Lin et al., Sci. Rep. 11, 5386 (2021), do.
    epsilon : float
        Networks of structures: minima of the background's probability below this are looked at, and what
        belongs to a structure ends there (Madsen et al., Adv. Theory Simul. 1 (2018) 1800037, section 2.5).
    rejection : float
        Networks of structures: a structure has to be so many times as probable as the background (their Eq. 8).
    foci : str
        Networks that take a focal series: defocus of each of its images, separated by commas, positive for underfocus, such as
        -170,-40,90; if left out they stand from overfocus to underfocus.
    register : bool
        Lay the images of a focal series on each other where they are not.
    averaged : bool
        Ask also about the three mirror images and average; four times the work. Networks that count atoms always do.
    device : {'auto', 'cpu', 'cuda', 'mps'}
        Where the network runs; auto takes a GPU where there is one.
    """

    least_confidence: Fraction = 0.5
    polarity: Literal["auto", "bright", "dark"] = "auto"
    pixel_size: Annotated[float, Quantity(unit="Å", low=1e-3, high=10, decimals=4)] | None = None
    straighten: bool = True
    alike: bool = True
    segmentation: Literal["ours", "otsu"] = "ours"
    epsilon: Annotated[float, Quantity(low=0.01, high=1.0, decimals=3)] = 0.995
    rejection: Annotated[float, Quantity(low=0.0, high=100.0, decimals=2)] = 0.5
    foci: str = ""
    register: bool = True
    averaged: bool = False
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class RestorationParams:
    """How images are restored.

    Attributes
    ----------
    modality : str
        Kind of the image: from its metadata (``auto``), not known (``unknown``), or one of six: the microscope, and
        whether atoms are seen (``hr``) or not (``lr``).
    periodic : bool
        Put structure back that repeats over the image and that the network took off with the noise, where it stands above the
        noise: this part is measured.
    straighten : bool
        Put displaced scan rows back first, where the lattice of the columns shows them: of images of atoms in a STEM whose pixel
        size is known.
    device : {'auto', 'cpu', 'cuda', 'mps'}
        Where the network runs; auto takes a GPU where there is one.
    """

    modality: Literal["auto", "unknown", "hrstem", "lrstem", "hrtem", "lrtem", "hrsem", "lrsem"] = "auto"
    periodic: bool = True
    straighten: bool = True
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"

    def __post_init__(self) -> None:
        check(self)
