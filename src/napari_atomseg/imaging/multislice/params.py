"""How a multislice image is calculated; its lens and its detector are described elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity


@dataclass(frozen=True, kw_only=True)
class MultisliceParams:
    """Scheme, slices, thermal motion and grids of a multislice image.

    Attributes
    ----------
    scheme : {"tiles", "full", "prism"}
        Multislice in small windows about the probes, exact but for what lies beyond their margin; in the whole field at once;
        or with the scattering matrix of interpolated plane waves (PRISM), fast for many probes and off by a few per cent.
    slice_thickness : float, Å
        Largest; the cell is divided into equal slices.
    projection : {"exact", "abtem"}
        Potential of a slice with every atom exactly where it is; or as abTEM projects it, for comparison: there the scattering to
        high angles depends on where between two grid points an atom lies, by tens of per cent on coarse grids.
    configurations : int
        Number of frozen-phonon configurations that are averaged; 0 holds all atoms still.
    seed : int
        Random seed of the thermal motion.
    scan_step : float, Å
        Distance of the probes that are calculated, before interpolation to pixels. 0 takes what the lens and the source need.
    interpolation : int
        Of PRISM: only every so-many-th plane wave is calculated; 1 is exact.
    margin : float, Å
        Specimen that is kept around the probes of a window. 0 takes what the spread of the probe needs.
    tile : float, Å
        Side of the field that the probes of one window cover.
    device : {"auto", "cpu", "gpu"}
        Device of the multislice; auto takes a graphics processor where there is one and cupy is installed.
    """

    scheme: Literal["tiles", "full", "prism"] = "tiles"
    slice_thickness: Annotated[float, Quantity(unit="Å", low=0.1, high=20)] = 2.0
    projection: Literal["exact", "abtem"] = "exact"
    configurations: Annotated[int, Quantity(low=0, high=1000, decimals=0)] = 8
    seed: Annotated[int, Quantity(low=0, high=2**31 - 1, decimals=0)] = 0
    scan_step: Annotated[float, Quantity(unit="Å", low=0, high=5, decimals=3)] = 0.0
    interpolation: Annotated[int, Quantity(low=1, high=16, decimals=0)] = 2
    margin: Annotated[float, Quantity(unit="Å", low=0, high=200)] = 0.0
    tile: Annotated[float, Quantity(unit="Å", low=0.5, high=200)] = 4.0
    device: Literal["auto", "cpu", "gpu"] = "auto"

    def __post_init__(self) -> None:
        check(self)
