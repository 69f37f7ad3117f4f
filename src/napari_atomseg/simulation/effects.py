"""Which parameters change the image of which method, so that none that changes nothing is asked for or shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_atomseg.simulation.params import SimulationParams

CONVOLUTIONS = ("convolution", "corrected")
SCANNED = (*CONVOLUTIONS, "prism", "multislice")
SLICED = ("prism", "multislice", "hrtem")
PROBES = ("prism", "multislice")

_LENS = ("stem.defocus", "stem.Cs", "stem.astigmatism", "stem.astigmatism_angle", "stem.source_size")
_METHODS: dict[str, tuple[str, ...]] = {
    "stem.semiangle": SCANNED,
    **dict.fromkeys(_LENS, SCANNED),
    **{f"detector.{name}": SCANNED for name in ("kind", "inner_angle", "outer_angle", "segments", "rotation")},
    **{f"convolution.{name}": CONVOLUTIONS for name in ("exponent", "psf", "sigma")},
    **{f"multislice.{name}": SLICED for name in ("slice_thickness", "configurations", "seed")},
    **{f"multislice.{name}": PROBES for name in ("projection", "scan_step", "device")},
    **{f"multislice.{name}": ("multislice",) for name in ("scheme", "margin", "tile")},
    "multislice.interpolation": ("prism",),
    **{
        f"tem.{name}": ("hrtem",)
        for name in (
            *("defocus", "Cs", "C5", "astigmatism", "astigmatism_angle", "coma", "coma_angle", "focal_spread", "angular_spread"),
            *("aperture", "images", "focal_step", "dose", "mtf", "mtf_knee", "mtf_floor", "mtf_steepness"),
        )
    },
}
"""Methods that know a parameter at all; those that are not named here belong to every method."""


def _under_probe(params: SimulationParams) -> bool:
    return params.method not in CONVOLUTIONS or params.convolution.psf == "probe"


def _in_motion(params: SimulationParams) -> bool:
    return _under_probe(params) if params.method in CONVOLUTIONS else params.multislice.configurations > 0


_CONDITIONS: dict[str, tuple[Callable[[SimulationParams], bool], str]] = {
    **dict.fromkeys(_LENS, (_under_probe, "a convolution with the probe (psf probe)")),
    "cut.thermal": (_in_motion, "a convolution with the probe (psf probe), and to frozen phonons (configurations above 0)"),
    "cut.thermal_of": (_in_motion, "a convolution with the probe (psf probe), and to frozen phonons (configurations above 0)"),
    "convolution.sigma": (lambda params: params.convolution.psf == "gaussian", "a Gaussian (psf gaussian)"),
    "detector.inner_angle": (lambda params: params.detector.kind != "bright_field", "rings"),
    "detector.segments": (lambda params: params.detector.kind == "segmented", "a segmented detector"),
    "detector.rotation": (lambda params: params.detector.kind == "segmented", "a segmented detector"),
    **dict.fromkeys(
        ("tem.mtf_knee", "tem.mtf_floor", "tem.mtf_steepness"), (lambda params: params.tem.mtf == "rational", "a camera (mtf)")
    ),
    "tem.focal_step": (lambda params: params.tem.images > 1, "a focal series"),
}
"""What else must be so for a parameter to change anything, and in words what it belongs to then."""


def has_effect(name: str, params: SimulationParams) -> bool:
    """Whether a parameter, such as ``stem.defocus``, changes the image that is asked for.

    Parameters
    ----------
    name : str
        Group and field.
    params : SimulationParams
        Of the image.
    """
    return not belongs_to(name, params)


def belongs_to(name: str, params: SimulationParams) -> str:
    """What a parameter that changes nothing of the image asked for belongs to, in words; empty if it changes it.

    Parameters
    ----------
    name : str
        Group and field, such as ``stem.defocus``.
    params : SimulationParams
        Of the image.
    """
    methods = _METHODS.get(name)
    if methods is not None and params.method not in methods:
        return f"the method{'s' * (len(methods) > 1)} {', '.join(methods)}"
    holds, told = _CONDITIONS.get(name, (None, ""))
    return told if holds is not None and not holds(params) else ""


def without_effect(params: SimulationParams) -> tuple[str, ...]:
    """Sentences about the lens and the thermal motion that were set and that the image does not show."""
    usual = type(params)()
    found: dict[str, list[str]] = {}
    for part in ("stem", "cut"):
        mine, default = getattr(params, part), getattr(usual, part)
        for field in fields(mine):
            belonging = belongs_to(f"{part}.{field.name}", params)
            if belonging and getattr(mine, field.name) != getattr(default, field.name):
                found.setdefault(belonging, []).append(f"{part}.{field.name}")
    return tuple(f"{', '.join(names)}: not in this image, but belonging to {where}" for where, names in found.items())
