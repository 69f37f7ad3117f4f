"""What intensities are measured with, from files: the image of a detector, a library of cross-sections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari_atomseg.analysis.intensities.params import IntensityParams
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.micrograph import Micrograph

if TYPE_CHECKING:
    from napari_atomseg.analysis.intensities.source import IntensitySource

INTENSITIES = "napari_atomseg.analysis.intensity_measurement:measure_intensities"
NAMES = ("cross-section", "counts", "outliers", "existence")
"""Analyses of intensity."""
OF_COUNTS = ("library", "steps", "scatter", "components", "most_components", "criterion", "least_atoms", "atom_distance")
"""Parameters that have an effect on counts alone."""
OF_MODEL = ("heights", "element")


def refuse_without_effect(what: Sequence[str], params: IntensityParams) -> None:
    """Refuse parameters that change nothing of what is asked for.

    Parameters
    ----------
    what : sequence of str
    params : IntensityParams

    Raises
    ------
    AtomsegError
        Names the parameter and what it is for.
    """
    usual = IntensityParams()
    changed = [name for name in IntensityParams.__dataclass_fields__ if getattr(params, name) != getattr(usual, name)]
    for name in changed:
        used_by = ("counts",) if name in OF_COUNTS else ("outliers",) if name == "false_share" else NAMES
        if not set(what) & set(used_by):
            raise AtomsegError(f"{name} has no effect on {', '.join(what)}; it is for {', '.join(used_by)}")
        if name in OF_MODEL and params.atom_distance is None:
            raise AtomsegError(f"{name} has no effect without the distance of atoms along the beam; give it, or leave {name} out")
        if params.library and name in ("steps", "criterion", "most_components", "least_atoms"):
            raise AtomsegError(
                f"{name} has no effect with a library, whose cross-sections say what is what; leave one of them out"
            )


def intensity_source(micrograph: Micrograph, params: IntensityParams) -> IntensitySource:
    """The image with its scale and library.

    Parameters
    ----------
    micrograph : Micrograph
    params : IntensityParams
        Names the files.

    Raises
    ------
    AtomsegError
        If a file cannot be read as what it should be.
    """
    from napari_atomseg.analysis.intensities.detector import detector_scale
    from napari_atomseg.analysis.intensities.library import read_library
    from napari_atomseg.analysis.intensities.source import IntensitySource
    from napari_atomseg.readers.registry import read

    detector = None
    if params.detector:
        detector = detector_scale(read(params.detector)[0].frame(0), params.flux_exponent)
    library = read_library(params.library) if params.library else None
    return IntensitySource(micrograph=micrograph, params=params, detector=detector, library=library)
