"""Images of structures by multislice and PRISM, and of the transmission microscope; slow, with a cost that is told before."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.core.jobs import Progress, mapped
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.imaging.multislice.params import MultisliceParams
from napari_atomseg.simulation.counted import counted
from napari_atomseg.simulation.field import field_shape, probe_of
from napari_atomseg.simulation.params import SimulationParams, TemParams
from napari_atomseg.simulation.progress import SimulationProgress
from napari_atomseg.specimens.cutting import field_of

if TYPE_CHECKING:
    from ase import Atoms

    from napari_atomseg.imaging.multislice.cost import Cost

MOST_COARSE, GOOD_STRAIN = 16, 2e-3
"""Fewest pixels of a period, and by how much it may be stretched to hold whole ones."""
ERROR_OF_WINDOWS = "In windows, which differ from the whole field by 1 - R² of about 1e-5 where both were calculated."


def simulation_cost(structure: Atoms, params: SimulationParams) -> Cost:
    """Time and memory that a multislice or PRISM image would take; see ``imaging.multislice.cost``.

    Parameters
    ----------
    structure : Atoms
    params : SimulationParams
        With the method ``multislice`` or ``prism``.

    Returns
    -------
    cost : Cost
        Seconds, about, and bytes.
    """
    from napari_atomseg.imaging.multislice.cost import cost

    return cost(_specimen(structure, params)[0], probe_of(params), params.detector, _scheme(params), params.pixel_size)


def multislice_image_of(atoms: Atoms, params: SimulationParams) -> Generator[Progress, None, tuple[np.ndarray, tuple[str, ...]]]:
    """Image by multislice or PRISM, float32 (Y, X), in fractions of the beam, and what to keep in mind of it.

    Parameters
    ----------
    atoms : Atoms
        The whole structure; `params` say which piece of it is seen.
    params : SimulationParams

    Yields
    ------
    SimulationProgress
        With what there is of the image.

    Raises
    ------
    AtomsegError
        If it would not fit into the memory, or the piece holds no atoms.
    """
    from napari_atomseg.imaging.multislice.periodic_image import on_grid
    from napari_atomseg.imaging.multislice.scan_image import MultisliceProgress, multislice_image

    yield SimulationProgress(0, 0, "preparing")
    piece, periodic = _specimen(atoms, params)
    steps = multislice_image(piece, probe_of(params), params.detector, _scheme(params), params.pixel_size)

    def with_partial_image(progress: Progress) -> Progress:
        partial = None
        if isinstance(progress, MultisliceProgress):
            shown = _tiled_to(progress.partial, progress.step, atoms, params) if periodic else progress.partial
            partial = Micrograph(data=shown, pixel_size=progress.step, name="so far")
        return SimulationProgress(progress.done, progress.total, progress.message, partial)

    found = yield from mapped(steps, with_partial_image)
    image = found.image
    rows, columns = field_shape(atoms, params)
    if periodic:
        image = on_grid(image, found.pixel_size, params.pixel_size, (rows, columns))
    # Of a field that holds no whole number of pixels the scan has one more, and a convolution does not.
    image = image[..., :rows, :columns]
    notes = found.notes if _scheme(params).scheme != "tiles" else (*found.notes, ERROR_OF_WINDOWS)
    return np.asarray(image, dtype=np.float32), notes


def hrtem_image_of(atoms: Atoms, params: SimulationParams) -> Generator[Progress, None, tuple[np.ndarray, tuple[str, ...]]]:
    """Image of a transmission microscope, float32 (Y, X), or (T, Y, X) for a focal series, and what to keep in mind of it.

    Parameters
    ----------
    atoms : Atoms
        The whole structure; `params` say which piece of it is seen.
    params : SimulationParams
        The defocus of ``tem`` is positive for underfocus, from the exit surface.

    Raises
    ------
    AtomsegError
        If the piece holds no or too many atoms.
    """
    from napari_atomseg.imaging.multislice.hrtem_image import HrtemParams, hrtem_image
    from napari_atomseg.imaging.multislice.periodic_image import on_grid
    from napari_atomseg.optics.ctf import CtfParams

    tem, how = params.tem, params.multislice
    ctf = CtfParams(
        energy=params.stem.energy,
        defocus=tem.defocus,
        Cs=tem.Cs,
        C5=tem.C5,
        astigmatism=tem.astigmatism,
        astigmatism_angle=tem.astigmatism_angle,
        coma=tem.coma,
        coma_angle=tem.coma_angle,
        focal_spread=tem.focal_spread,
        angular_spread=tem.angular_spread,
        semiangle=tem.aperture,
    )
    foci = [row * tem.focal_step for row in range(tem.images)]
    # The dose is given to the field that is looked at, not to the period that it is made of.
    settings = HrtemParams(slice_thickness=how.slice_thickness, configurations=how.configurations, seed=how.seed)
    piece, periodic = _specimen(atoms, params)
    pixel = _dividing_pixel(piece, params.pixel_size) if periodic else params.pixel_size
    found = yield from hrtem_image(piece, ctf, pixel, settings, foci)
    image = found.image
    if periodic:
        image = on_grid(image, found.pixel_size, params.pixel_size, field_shape(atoms, params))
    if tem.dose is not None:
        image = counted(image, tem.dose, params.pixel_size, how.seed)
    image = _through_camera(image, tem)
    return np.asarray(image[0] if tem.images == 1 else image, dtype=np.float32), found.notes


def _through_camera(image: np.ndarray, told: TemParams) -> np.ndarray:
    """Counted electrons (T, Y, X) as a camera blurs them, signal and noise alike."""
    if told.mtf == "none":
        return image
    import torch

    from napari_atomseg.optics.detector import MtfParams, apply_mtf

    camera = MtfParams(model="rational", knee=told.mtf_knee, floor=told.mtf_floor, steepness=told.mtf_steepness)
    planes = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))[:, None]
    return np.asarray(apply_mtf(planes, [camera] * len(planes))[:, 0].numpy())


def _dividing_pixel(period: Atoms, wanted: float) -> float:
    """Pixel size, at most the wanted one, that both sides of a period are nearest to a whole number of."""
    width, height = np.diag(period.cell.array)[:2]
    fewest = max(int(np.ceil(width / wanted)), MOST_COARSE)
    sizes = width / np.arange(fewest, 3 * fewest)
    strain = np.abs(np.round(height / sizes) * sizes / height - 1)
    good = np.flatnonzero(strain < GOOD_STRAIN)
    return float(sizes[good[0] if len(good) else int(np.argmin(strain))])


def _tiled_to(partial: np.ndarray, step: tuple[float, float], atoms: Atoms, params: SimulationParams) -> np.ndarray:
    """What there is of a period, over the whole field."""
    wide = field_of(atoms, params.cut)
    count = [max(1, round(size / one)) for size, one in zip(wide, step, strict=True)]
    rows, columns = (np.arange(number) % side for number, side in zip(count, partial.shape, strict=True))
    return partial[rows[:, None], columns]


def _specimen(atoms: Atoms, params: SimulationParams) -> tuple[Atoms, bool]:
    """The piece that is calculated, and whether it is a period of the crystal instead of the whole field."""
    from napari_atomseg.specimens.cutting import cut, period

    found = period(atoms, params.cut)
    return (found, True) if found is not None else (cut(atoms, params.cut), False)


def _scheme(params: SimulationParams) -> MultisliceParams:
    if params.method == "prism":
        return replace(params.multislice, scheme="prism")
    if params.multislice.scheme == "prism":
        return replace(params.multislice, scheme="tiles")
    return params.multislice
