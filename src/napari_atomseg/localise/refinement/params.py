"""How columns are refined; light to import, for forms and help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity


@dataclass(frozen=True, kw_only=True)
class RefineParams:
    """How columns are refined.

    Attributes
    ----------
    width : str
        One width shared by all columns (steadier, right where the probe gives the width), or each its own. Own widths
        are expected within 30 % of the median where the image says little.
    shape : str
        Round columns, or elliptic ones.
    tails : bool
        Give all columns a Lorentzian share, the same for all, as the tails of a probe ask for.
    background : str
        A flat level under each column (local), a tilted one, one constant level under the whole image (shared), or (auto)
        flat levels unless the image shows that they do not fit. A background with which fewer than 80 % of the columns can be
        fitted is replaced by one with which clearly more can; the columns' provenance says so.
    likelihood : str
        Pixels weighted by their counting noise (Poisson maximum likelihood; the gain is read from the image or given), or
        all with the same weight (least squares).
    gain : float or None
        Variance for each unit of intensity: 1 for an image in counts; if left out, read from the image.
    offset : float or None
        Intensity where no electron arrives; if left out, the darkest of the image, or 0 where a gain is given.
    beyond_gaussians : bool
        Take off the image, before positions are fitted for good, neighbours that are not in the table and what the profile of all
        columns has beyond a Gaussian; without it the fit is one of Gaussians alone.
    row_jitter : bool
        Estimate the displacement of single scan rows from the columns that they cross, and fit the columns without it.
    window : float
        Smallest radius of the fitted window in units of the column's sigma; wider where columns stand apart.
    rounds : int
        How often all columns are fitted together, at most; columns at rest are left alone.
    """

    width: Literal["shared", "each"] = "shared"
    shape: Literal["round", "elliptic"] = "round"
    tails: bool = False
    background: Literal["auto", "local", "tilted", "shared"] = "auto"
    likelihood: Literal["poisson", "least-squares"] = "poisson"
    gain: Annotated[float, Quantity(low=1e-12, high=1e12, decimals=4)] | None = None
    offset: Annotated[float, Quantity(low=-1e12, high=1e12, decimals=4)] | None = None
    beyond_gaussians: bool = True
    row_jitter: bool = False
    window: Annotated[float, Quantity(unit="sigma", low=1, high=6, decimals=1)] = 3.0
    rounds: Annotated[int, Quantity(low=1, high=200)] = 24

    def __post_init__(self) -> None:
        check(self)
