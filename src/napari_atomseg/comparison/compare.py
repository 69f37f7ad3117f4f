"""A simulated image registered on an experimental one, intensities matched, and subtracted."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_atomseg.comparison.params import CompareParams
from napari_atomseg.comparison.result import Comparison
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, job
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.simulation.engine import simulate
from napari_atomseg.simulation.params import SimulationParams, on_grid_of

if TYPE_CHECKING:
    from ase import Atoms

    from napari_atomseg.registration.placement import Placement, Registration


@job
def compare(
    simulated: Micrograph, experimental: Micrograph, *, columns: Columns | None = None, params: CompareParams | None = None
) -> Generator[Progress, None, Comparison]:
    """A simulated image registered on an experimental one, with what differs.

    Parameters
    ----------
    simulated, experimental : Micrograph
        One image each, with their pixel sizes; fields and pixel sizes may differ.
    columns : Columns, optional
        In pixels of the experiment; each is fitted in both images from the same start.
    params : CompareParams, optional

    Raises
    ------
    AtomsegError
        If they cannot be compared: a stack, no pixel size, a constant image, no overlap.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from napari_atomseg.workflows import compare, draw_sample
    >>> micrograph, _ = draw_sample("perovskite")
    >>> brighter = replace(micrograph, data=2 * micrograph.frame() + 5)
    >>> found = compare(micrograph, brighter)
    >>> round(found.gain, 2), abs(found.rotation_deg) < 0.01, found.one_minus_r2 < 1e-3
    (2.0, True, True)
    """
    from napari_atomseg.comparison.similarity import match_intensities
    from napari_atomseg.registration.spline_image import SplineImage, resampled

    params = params or CompareParams()
    planes = [single_plane(simulated, "simulated"), single_plane(experimental, "experimental")]
    if params.intensities == "absolute":
        require_fractions(*planes)
    registration = yield from register_simulation(simulated, experimental, params)
    size = experimental.require_pixel_size()
    surface = SplineImage(planes[0], simulated.require_pixel_size())
    image = resampled(surface, registration.placement, _shape(planes[1]), size)
    matched = match_intensities(image, planes[1])
    gain, offset = (1.0, 0.0) if params.intensities == "absolute" else matched
    image = gain * image + offset
    table = None
    if columns is not None:
        table = yield from _by_columns(image, planes[1], columns, experimental)
    numbers: dict[str, Any] = {**_placed(registration.placement), "gain": gain, "offset": offset, **_scores(image, planes[1])}
    metadata = {**numbers, "simulated": _source(simulated), "experimental": _source(experimental)}
    return Comparison(
        simulated=_made(image, f"{simulated.name} | registered", simulated, experimental, metadata),
        experimental=replace(experimental, data=planes[1]),
        residual=_made(planes[1] - image, f"{experimental.name} | residual", simulated, experimental, metadata),
        columns=table,
        notes=(*registration.notes, *_intensity_notes(matched, params)),
        params=params,
        **numbers,
    )


@job
def match_rotation(structure: Atoms, params: SimulationParams, experimental: Micrograph) -> Generator[Progress, None, float]:
    """In-plane rotation, degrees, with which a structure lies as in an image; see ``registration.spectra.rotation_between``.

    Parameters
    ----------
    structure : Atoms
    params : SimulationParams
        Whose rotation is left out of account.
    experimental : Micrograph

    Raises
    ------
    AtomsegError
        If the structure cannot be simulated on the grid of the image.
    """
    from napari_atomseg.registration.spectra import rotation_between

    yield Progress(0, 2, "simulating")
    upright = on_grid_of(replace(params, method="convolution", cut=replace(params.cut, rotation_deg=0.0)), experimental)
    model = simulate(structure, upright)
    yield Progress(1, 2, "comparing spectra")
    pixels = model.require_pixel_size(), experimental.require_pixel_size()
    angle = rotation_between(np.asarray(model.data, dtype=float), experimental.frame(0).astype(float), *pixels)
    return round(float(np.degrees(angle)), 2)


def one_frame(micrograph: Micrograph, frame: int) -> Micrograph:
    """One image of a stack.

    Parameters
    ----------
    micrograph : Micrograph
    frame : int
        Index, from 0.

    Raises
    ------
    AtomsegError
        If it has no such frame.
    """
    if not 0 <= frame < micrograph.frames:
        raise AtomsegError(f"{micrograph.name} has frames 0 to {micrograph.frames - 1}, not frame {frame}")
    if len(micrograph.shape) == 2:
        return micrograph
    return replace(micrograph, data=micrograph.frame(frame), name=f"{micrograph.name} | frame {frame}")


def single_plane(micrograph: Micrograph, which: str) -> np.ndarray:
    """The image of a micrograph that is no stack and has a pixel size, float32 (Y, X).

    Parameters
    ----------
    micrograph : Micrograph
    which : str
        Simulated or experimental, for the message.

    Raises
    ------
    AtomsegError
        If it is a stack, or its pixel size is unknown.
    """
    if micrograph.frames > 1:
        raise AtomsegError(
            f"{micrograph.name} is a stack of {micrograph.frames} images and the {which} image is one; choose a frame of it"
        )
    micrograph.require_pixel_size()
    return micrograph.frame()


def _shape(plane: np.ndarray) -> tuple[int, int]:
    return plane.shape[0], plane.shape[1]


def require_fractions(*planes: np.ndarray) -> None:
    """Refuse a simulated and an experimental image that are no fractions of the beam.

    Raises
    ------
    AtomsegError
        If the highest intensity of one is not between 0 and 1.05.
    """
    for which, plane in zip(("simulated", "experimental"), planes, strict=True):
        highest = float(np.nanmax(np.where(np.isfinite(plane), plane, np.nan)))
        if not 0 < highest <= 1.05:
            raise AtomsegError(
                f"the {which} image reaches {highest:g}, and fractions of the beam lie between 0 and 1; divide it by the image "
                "of the beam on the detector, or have gain and offset fitted"
            )


def register_simulation(
    simulated: Micrograph, experimental: Micrograph, params: CompareParams
) -> Generator[Progress, None, Registration]:
    """Where a simulated image lies on an experimental one, as far as the parameters let it be moved.

    Parameters
    ----------
    simulated, experimental : Micrograph
        One image each, with their pixel sizes.
    params : CompareParams

    Raises
    ------
    AtomsegError
        See :func:`napari_atomseg.registration.register.register`.
    """
    from napari_atomseg.registration.placement import Limits
    from napari_atomseg.registration.register import register

    return (
        yield from register(
            simulated.frame(),
            experimental.frame(),
            simulated.require_pixel_size(),
            experimental.require_pixel_size(),
            Limits(
                rotation=math.radians(params.largest_rotation_deg) * params.rotation,
                scale=params.largest_scale * params.scale,
            ),
        )
    )


def _placed(placement: Placement) -> dict[str, Any]:
    """How a simulated image was moved, turned and magnified."""
    return {
        "shift": placement.shift,
        "rotation_deg": math.degrees(placement.rotation),
        "magnification": placement.magnification,
    }


def _scores(image: np.ndarray, plane: np.ndarray) -> dict[str, float]:
    """How alike two images of one shape are."""
    from napari_atomseg.comparison.similarity import similarity

    scores = similarity(image, plane)
    return {"one_minus_r2": scores.one_minus_r2, "frms": scores.frms, "ssim": scores.ssim}


def _by_columns(
    image: np.ndarray, plane: np.ndarray, columns: Columns, experimental: Micrograph
) -> Generator[Progress, None, pd.DataFrame]:
    from napari_atomseg.comparison.similarity import columns_compared
    from napari_atomseg.localise.refinement.refine import refine_columns

    if columns.frame.any():
        raise AtomsegError("the columns stand in several frames of a stack; give those of the compared image, as frame 0")
    size = experimental.require_pixel_size()
    if len(columns) == 0:
        return columns_compared(image, plane, columns, columns, size)
    fitted = []
    for pixels in (image, plane):
        fitted.append((yield from refine_columns(np.asarray(pixels, np.float32), columns)))
    return columns_compared(image, plane, fitted[0], fitted[1], size)


def _intensity_notes(matched: tuple[float, float], params: CompareParams) -> tuple[str, ...]:
    gain, offset = matched
    if params.intensities == "absolute":
        return (f"taken as fractions of the beam; the best gain and offset would be {gain:.4g} and {offset:.4g}",)
    return ()


def _source(micrograph: Micrograph) -> dict[str, Any]:
    return {
        "name": micrograph.name,
        "path": str(micrograph.path) if micrograph.path else None,
        "dataset": micrograph.dataset,
        "shape": list(micrograph.shape),
        "pixel_size_angstrom": list(micrograph.require_pixel_size()),
        "pixel_size_source": micrograph.pixel_size_source,
        "simulation": micrograph.metadata.get("simulation", {}).get("params"),
    }


def _made(image: np.ndarray, name: str, simulated: Micrograph, experimental: Micrograph, metadata: dict[str, Any]) -> Micrograph:
    return Micrograph(
        data=image.astype(np.float32),
        pixel_size=experimental.pixel_size,
        pixel_size_source=experimental.pixel_size_source,
        name=name,
        modality=experimental.modality or simulated.modality,
        energy=experimental.energy or simulated.energy,
        metadata={"comparison": metadata},
    )
