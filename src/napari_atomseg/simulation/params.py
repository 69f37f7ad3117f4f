"""All that an image of a structure depends on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.core.params import check, from_dict
from napari_atomseg.core.quantities import Quantity
from napari_atomseg.imaging.convolution import ConvolutionParams
from napari_atomseg.imaging.detectors import DetectorParams
from napari_atomseg.imaging.multislice.params import MultisliceParams
from napari_atomseg.specimens.cut_params import CutParams, with_field

METHODS = ("convolution", "corrected", "prism", "multislice", "hrtem")


@dataclass(frozen=True, kw_only=True)
class StemParams:
    """Lens of a scanning microscope for comparison images; see ``optics.probe`` for the conventions.

    Attributes
    ----------
    energy : float
        Beam energy.
    semiangle : float
        Probe semi-angle.
    defocus : float
        Defocus of the lens; positive for underfocus, as in abTEM: the focus moves into the specimen.
    Cs : float
        Spherical aberration.
    astigmatism : float
        Twofold astigmatism.
    astigmatism_angle : float
        Azimuth of the astigmatism.
    source_size : float
        Source size, full width at half maximum.
    """

    energy: Annotated[float, Quantity(unit="eV", low=1e3, high=3e6, decimals=0)] = 200e3
    semiangle: Annotated[float, Quantity(unit="mrad", low=0.1, high=200, decimals=1)] = 24.0
    defocus: Annotated[float, Quantity(unit="Å", low=-1e6, high=1e6, decimals=1)] = 0.0
    Cs: Annotated[float, Quantity(unit="Å", low=-1e9, high=1e9, decimals=0)] = 0.0
    astigmatism: Annotated[float, Quantity(unit="Å", low=0, high=1e6, decimals=1)] = 0.0
    astigmatism_angle: Annotated[float, Quantity(unit="rad", low=-4, high=4, decimals=3)] = 0.0
    source_size: Annotated[float, Quantity(unit="Å", low=0, high=100, decimals=2)] = 0.8

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class TemParams:
    """Objective lens and camera of a transmission microscope for the method ``hrtem``; the energy is that of the other lens.

    Attributes
    ----------
    defocus : float
        Defocus from the exit surface; positive for underfocus, as in abTEM.
    Cs : float
        Spherical aberration.
    C5 : float
        Spherical aberration of fifth order.
    astigmatism : float
        Twofold astigmatism.
    astigmatism_angle : float
        Azimuth of the astigmatism.
    coma : float
        Axial coma.
    coma_angle : float
        Azimuth of the coma.
    focal_spread : float
        Half width of the defocus distribution at 1/e of its height.
    angular_spread : float
        Half width of the illumination's angles at 1/e of its height.
    aperture : float
        Half angle of the objective aperture; automatic is an open lens.
    images : int
        Images of a focal series; 1 for a single image.
    focal_step : float
        Difference of defocus from image to image.
    dose : float
        Electron dose of each image, whose electrons are counted; automatic is a noiseless image.
    mtf : str
        Modulation transfer of the camera: none, or ``rational``, that of Madsen et al., Eq. 5, which blurs the counted electrons.
    mtf_knee : float
        Half of the frequency, in Nyquist frequencies, where its falling part is at one half.
    mtf_floor : float
        Its value at high frequency.
    mtf_steepness : float
        Exponent of its fall.
    """

    defocus: Annotated[float, Quantity(unit="Å", low=-1e6, high=1e6, decimals=1)] = 80.0
    Cs: Annotated[float, Quantity(unit="Å", low=-1e9, high=1e9, decimals=0)] = -100_000.0
    C5: Annotated[float, Quantity(unit="Å", low=-1e9, high=1e9, decimals=0)] = 0.0
    astigmatism: Annotated[float, Quantity(unit="Å", low=0, high=1e6, decimals=1)] = 0.0
    astigmatism_angle: Annotated[float, Quantity(unit="rad", low=-4, high=4, decimals=3)] = 0.0
    coma: Annotated[float, Quantity(unit="Å", low=0, high=1e6, decimals=1)] = 0.0
    coma_angle: Annotated[float, Quantity(unit="rad", low=-4, high=4, decimals=3)] = 0.0
    focal_spread: Annotated[float, Quantity(unit="Å", low=0, high=1e4, decimals=1)] = 30.0
    angular_spread: Annotated[float, Quantity(unit="mrad", low=0, high=50, decimals=3)] = 0.1
    aperture: Annotated[float, Quantity(unit="mrad", low=0.1, high=500)] | None = None
    images: Annotated[int, Quantity(low=1, high=100)] = 1
    focal_step: Annotated[float, Quantity(unit="Å", low=-1e5, high=1e5, decimals=1)] = 20.0
    dose: Annotated[float, Quantity(unit="e/Å²", low=1e-3, high=1e9, decimals=1)] | None = None
    mtf: Literal["none", "rational"] = "none"
    mtf_knee: Annotated[float, Quantity(low=1e-3, high=1e3, decimals=3)] = 0.5
    mtf_floor: Annotated[float, Quantity(low=0, high=1, decimals=3)] = 0.05
    mtf_steepness: Annotated[float, Quantity(low=0.1, high=20, decimals=2)] = 2.5

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class SimulationParams:
    """All that an image of a structure depends on.

    Attributes
    ----------
    method : str
        Simulation method.
    pixel_size : float, Å
        Pixel size.
    cut, stem, detector, convolution, multislice, tem : parameters
        The piece of the structure, lens, detector, and how it is calculated.
    """

    method: Literal["convolution", "corrected", "prism", "multislice", "hrtem"] = "convolution"
    pixel_size: Annotated[float, Quantity(unit="Å", low=0.005, high=10, decimals=4)] = 0.1
    cut: CutParams = field(default_factory=CutParams)
    stem: StemParams = field(default_factory=StemParams)
    detector: DetectorParams = field(default_factory=DetectorParams)
    convolution: ConvolutionParams = field(default_factory=ConvolutionParams)
    multislice: MultisliceParams = field(default_factory=MultisliceParams)
    tem: TemParams = field(default_factory=TemParams)

    @staticmethod
    def from_json(values: dict[str, Any]) -> SimulationParams:
        """The parameters from the plain values that an image carries."""
        parts = {
            "cut": CutParams,
            "stem": StemParams,
            "detector": DetectorParams,
            "convolution": ConvolutionParams,
            "multislice": MultisliceParams,
            "tem": TemParams,
        }
        read = {name: from_dict(parts[name], value) if name in parts else value for name, value in values.items()}
        return from_dict(SimulationParams, read)


def on_grid_of(params: SimulationParams, micrograph: Micrograph) -> SimulationParams:
    """The same on the pixel grid of a micrograph.

    Parameters
    ----------
    params : SimulationParams
    micrograph : Micrograph
        With square pixels of known size.

    Raises
    ------
    AtomsegError
        If it has no pixel size, or pixels that are not square.
    """
    y, x = micrograph.require_pixel_size()
    if abs(y - x) > 0.01 * x:
        raise AtomsegError(f"{micrograph.name} has pixels of {y:g} x {x:g} Å; images can be simulated on square ones only")
    height, width = micrograph.shape[-2:]
    return replace(params, pixel_size=x, cut=with_field(params.cut, (height * x, width * x)))
