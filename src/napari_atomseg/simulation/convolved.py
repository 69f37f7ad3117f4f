"""Images of structures by convolution, at once, and corrected by what multislice would show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import to_dict
from napari_atomseg.simulation.field import field_shape, probe_of
from napari_atomseg.simulation.params import SimulationParams
from napari_atomseg.specimens.cutting import field_of

if TYPE_CHECKING:
    from ase import Atoms

    from napari_atomseg.imaging.correction.correction import Correction


def convolved_image(atoms: Atoms, params: SimulationParams, correction: Correction | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Image by convolution with the probe or a Gaussian, float32 (Y, X), in fractions of the beam, and notes on it.

    Parameters
    ----------
    atoms : Atoms
        The whole structure; `params` say which piece of it is seen.
    params : SimulationParams
    correction : Correction or None
        Applied to the image, with notes where it was fitted to something else.

    Raises
    ------
    AtomsegError
        If the detector is no annular dark field outside the beam.
    """
    detector = params.detector
    notes: tuple[str, ...] = ()
    if detector.kind != "annular":
        raise AtomsegError(
            f"a convolution knows no {detector.kind.replace('_', ' ')} detector; take an annular one, or the method multislice"
        )
    if detector.inner_angle < params.stem.semiangle:
        raise AtomsegError(
            f"the detector begins at {detector.inner_angle:g} mrad, inside the beam of {params.stem.semiangle:g} mrad: "
            "a convolution is for dark fields; take a larger inner angle, or the method multislice"
        )
    image, _ = convolution_of(atoms, params)
    if correction is not None:
        image, notes = _corrected(image, atoms, params, correction)
    return image.astype(np.float32), notes


def convolution_of(atoms: Atoms, params: SimulationParams, border: int = 0) -> tuple[np.ndarray, Atoms]:
    """Convolution image, float64 (Y, X), in fractions of the beam, and the atoms that it shows.

    Parameters
    ----------
    atoms : Atoms
        The whole structure; `params` say which piece of it is seen.
    params : SimulationParams
    border : int, px
        So much more is seen on each side of the field.

    Returns
    -------
    image : ndarray, float64, shape (Y + 2 border, X + 2 border)
    piece : Atoms
        The field and what lies around it, x first; the first pixel of the image lies at minus the border.
    """
    from napari_atomseg.imaging.convolution import convolve
    from napari_atomseg.imaging.cross_section import beam_share
    from napari_atomseg.specimens.cutting import MARGIN, cut, period

    field = field_of(atoms, params.cut)
    piece = period(atoms, params.cut) or cut(atoms, params.cut)
    if piece.pbc[0]:
        # The field of a crystal without defects: its period repeated, so that few atoms make the whole image.
        piece = _repeated(piece, field, MARGIN)
    wide = piece.copy()
    beside = border * params.pixel_size
    wide.positions[:, :2] += beside
    wide.set_cell([field[1] + 2 * beside, field[0] + 2 * beside, piece.cell[2, 2]])
    height, width = field_shape(atoms, params)
    probe = probe_of(params) if params.convolution.psf == "probe" else None
    image = convolve(wide, params.convolution, (params.pixel_size,) * 2, (height + 2 * border, width + 2 * border), probe)
    image *= beam_share(
        piece.numbers,
        params.convolution.exponent,
        energy=params.stem.energy,
        semiangle=params.stem.semiangle,
        inner=params.detector.inner_angle,
        outer=params.detector.outer_angle,
    )
    return image, piece


def _repeated(piece: Atoms, wanted: tuple[float, float], margin: float) -> Atoms:
    """A period repeated over a field (y, x) and a margin about it, no longer periodic."""
    low = [-int(np.ceil(margin / side)) for side in np.diag(piece.cell.array)[:2]]
    high = [int(np.ceil((size + margin) / side)) for size, side in zip(wanted[::-1], np.diag(piece.cell.array)[:2], strict=True)]
    many = piece.repeat((high[0] - low[0], high[1] - low[1], 1))
    many.positions[:, :2] += np.array(low) * np.diag(piece.cell.array)[:2]
    many.set_cell([wanted[1], wanted[0], piece.cell[2, 2]])
    many.pbc = False
    return many


def _corrected(
    image: np.ndarray, atoms: Atoms, params: SimulationParams, correction: Correction
) -> tuple[np.ndarray, tuple[str, ...]]:
    from napari_atomseg.imaging.correction.correction import out_of_range

    elements = sorted(set(atoms.get_chemical_symbols()))
    notes = out_of_range(correction, image, elements=elements, thickness=params.cut.thickness, optics=optics_of(params))
    return correction.apply(image, pixel_size=params.pixel_size), tuple(notes)


def optics_of(params: SimulationParams) -> dict[str, float]:
    """What a correction was fitted for, by name and number."""
    named = to_dict(params.stem)
    return {**named, "inner_angle": params.detector.inner_angle, "outer_angle": params.detector.outer_angle}


def correction_from(given: Correction | str | Path | None) -> Correction:
    """A correction as it is given, or from its file.

    Raises
    ------
    AtomsegError
        If there is none, or the file holds none.
    """
    from napari_atomseg.simulation.correction import read_correction

    if given is None:
        raise AtomsegError("a corrected image needs a correction; fit one (fit-correction), or choose its file")
    return read_correction(given) if isinstance(given, (str, Path)) else given
