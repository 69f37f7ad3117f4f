"""Images of structures by convolution, at once, and corrected by what multislice would show."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.core.errors import AtomsegError, AtomsegWarning
from napari_atomseg.core.params import to_dict
from napari_atomseg.simulation.field import field_shape, probe_of
from napari_atomseg.simulation.params import SimulationParams
from napari_atomseg.specimens.cutting import field_of

if TYPE_CHECKING:
    from ase import Atoms

    from napari_atomseg.imaging.correction.correction import Correction

BORDER = 6.0
"""What of the convolution is known around the field of a corrected image, so that no pixel has an edge near it, Angstrom."""


def convolved_image(
    atoms: Atoms, params: SimulationParams, correction: Correction | None, extrapolate: bool = False
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Image by convolution with the probe or a Gaussian, float32 (Y, X), in fractions of the beam, and notes on it.

    Parameters
    ----------
    atoms : Atoms
        The whole structure; `params` say which piece of it is seen.
    params : SimulationParams
    correction : Correction or None
        Applied to the image.
    extrapolate : bool
        Apply it though it was fitted to something else, which the notes say.

    Raises
    ------
    AtomsegError
        If the detector is no annular dark field outside the beam, or the correction was fitted to something else.
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
    if correction is None:
        image, _ = convolution_of(atoms, params)
    else:
        image, notes = _corrected(atoms, params, correction, extrapolate)
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
    atoms: Atoms, params: SimulationParams, correction: Correction, extrapolate: bool
) -> tuple[np.ndarray, tuple[str, ...]]:
    from napari_atomseg.imaging.correction.structure_layers import structure_layers
    from napari_atomseg.imaging.correction.variables import Beside

    border = round(BORDER / params.pixel_size)
    wide, piece = convolution_of(atoms, params, border)
    image = wide[border : wide.shape[0] - border, border : wide.shape[1] - border]
    composition, thickness = shown_of(piece)
    beyond = beyond_fit(correction, params, composition, thickness, image)
    if beyond and not extrapolate:
        raise AtomsegError(
            f"the correction does not hold for this image: {'; '.join(beyond)}; take another correction, or fit one to pairs of "
            "such structures (make-pairs); --extrapolate, or Apply beyond its fit, corrects it all the same"
        )
    untold = correction.fitted_on.untold
    notes = [*beyond, *([f"the correction does not say {', '.join(untold)}: whether it holds is not known"] if untold else [])]
    layers, structure = None, correction.variables.structure
    if structure is not None:
        layers = structure_layers(piece.positions, piece.numbers, structure, params.pixel_size, (image.shape[0], image.shape[1]))
    beside = Beside(wide=wide, layers=layers, border=border)
    with warnings.catch_warnings():
        # What the image has beyond the fit is in the notes.
        warnings.simplefilter("ignore", AtomsegWarning)
        corrected = correction.apply(image, pixel_size=params.pixel_size, extrapolate=True, beside=beside)
    return corrected, tuple(notes)


def shown_of(piece: Atoms) -> tuple[dict[str, float], float]:
    """Shares of the elements among the atoms in the field, and the thickness between the first and the last of them, Å.

    Parameters
    ----------
    piece : Atoms
        Of :func:`convolution_of`.
    """
    inside = np.all((piece.positions[:, :2] > 0) & (piece.positions[:, :2] < np.diag(piece.cell.array)[:2]), axis=1)
    seen = piece[inside] if inside.any() else piece
    symbols, counts = np.unique(seen.get_chemical_symbols(), return_counts=True)
    shares = {str(symbol): round(float(count / counts.sum()), 4) for symbol, count in zip(symbols, counts, strict=True)}
    return shares, round(float(np.ptp(seen.positions[:, 2])), 2)


def beyond_fit(
    correction: Correction,
    params: SimulationParams,
    composition: Mapping[str, float],
    thickness: float,
    image: np.ndarray | None = None,
) -> list[str]:
    """What an image of a structure asks of a correction that its fit did not show, in sentences; empty if nothing is.

    Parameters
    ----------
    correction : Correction
    params : SimulationParams
    composition, thickness
        Of :func:`shown_of`.
    image : ndarray, shape (Y, X), optional
        The convolution.
    """
    from napari_atomseg.imaging.correction.domain import out_of_range

    told = correction.fitted_on
    size = {} if told.pixel_size is None else {"pixel_size": told.pixel_size}
    told = replace(told, optics={**told.optics, **size})
    optics = {**optics_of(params), "pixel_size": params.pixel_size}
    return [*told.off_scale, *out_of_range(told, image, composition, thickness, optics)]


def optics_of(params: SimulationParams) -> dict[str, float | str]:
    """What a correction was fitted for, by name and number."""
    named = to_dict(params.stem)
    told = params.convolution
    psf: dict[str, float | str] = {"psf": told.psf, "exponent": told.exponent}
    if told.psf == "gaussian":
        psf["psf_sigma"] = told.sigma
    return {**named, "inner_angle": params.detector.inner_angle, "outer_angle": params.detector.outer_angle, **psf}
