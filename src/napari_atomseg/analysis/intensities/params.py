"""How the intensity of columns is measured; light to import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity


@dataclass(frozen=True, kw_only=True)
class IntensityParams:
    """How cross-sections are measured, atoms counted and columns judged.

    Attributes
    ----------
    integration : str
        The volume of the fitted Gaussians (fit), or the image above the background summed over the pixels nearest to each column
        (voronoi) or in a disc around it (disc).
    radius : float or None
        Radius of the disc, and distance of the farthest pixel of a Voronoi cell; if left out, half the usual distance of
        neighbours for discs and three quarters of it for cells.
    background : str
        One level under each column (local), a background that varies smoothly over the field (smooth), one level for the
        whole image (shared), or zero, for images whose background has been taken off (none).
    detector : str
        Image of the detector scanned with the beam; with it intensities are put on the scale of the incident beam.
    flux_exponent : float
        The electrons that hit the detector fall with the angle to this negative power; parts of the detector count accordingly.
        0 gives all parts the same weight.
    library : str
        Table of cross-sections against the number of atoms in a column, from one atom on.
    steps : str
        Mean cross-sections of neighbouring counts lie a constant step apart (equal), a step that changes slowly with the
        thickness (smooth), or anywhere (free). A library replaces them.
    scatter : str
        The scatter about those means is the same for all counts (shared), or has a part that is proportional to the
        cross-section (growing).
    components : int or None
        Number of different counts, where you know better than the criterion.
    most_components : int
        Largest number of different counts that is tried.
    criterion : str
        Chooses the number of counts: integrated completed likelihood (icl), Bayesian (bic) or Akaike information criterion (aic);
        by default (auto) icl where neighbouring counts stand apart, else bic.
    least_atoms : int or None
        Atoms of the thinnest columns; if left out, what the steps say, or 1.
    heights : str
        The model in three dimensions is symmetric about the middle plane, or flat at the bottom.
    atom_distance : float or None
        Distance of atoms along the beam; with it a model in three dimensions is written.
    element : str
        Chemical symbol of its atoms.
    false_share : float
        Share of ordinary columns among those that are called outliers.
    """

    integration: Literal["fit", "voronoi", "disc"] = "fit"
    radius: Annotated[float, Quantity(unit="Å", low=0.05, high=100, decimals=2)] | None = None
    background: Literal["local", "smooth", "shared", "none"] = "smooth"
    detector: str = ""
    flux_exponent: Annotated[float, Quantity(low=0, high=6, decimals=1)] = 0.0
    library: str = ""
    steps: Literal["equal", "smooth", "free"] = "equal"
    scatter: Literal["shared", "growing"] = "growing"
    components: Annotated[int, Quantity(low=1, high=200)] | None = None
    most_components: Annotated[int, Quantity(low=1, high=200)] = 24
    criterion: Literal["auto", "icl", "bic", "aic"] = "auto"
    least_atoms: Annotated[int, Quantity(low=1, high=1000)] | None = None
    heights: Literal["symmetric", "flat"] = "symmetric"
    atom_distance: Annotated[float, Quantity(unit="Å", low=0.5, high=50, decimals=3)] | None = None
    element: str = "X"
    false_share: Annotated[float, Quantity(low=1e-6, high=0.5, decimals=3)] = 0.05

    def __post_init__(self) -> None:
        check(self)
        if self.radius is not None and self.integration == "fit":
            raise AtomsegError(
                "a radius has no effect on fitted volumes; choose the integration voronoi or disc, or leave it out"
            )
        if self.flux_exponent and not self.detector:
            raise AtomsegError("a flux exponent has no effect without a detector image; give one, or leave the exponent out")
        if self.components is not None and self.library:
            raise AtomsegError("with a library the number of counts follows from it; leave the number of components out")
