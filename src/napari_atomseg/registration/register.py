"""Where a simulated image lies on an experimental one: shift, small rotation, small change of magnification.

The spectra of both, which know nothing of shifts, tell rotation and magnification roughly; the normalised correlation over
the overlap, at all shifts at once, tells the shift; then all are refined together by Gauss-Newton steps on the images with
matched intensities. Crystals are periodic: shifts by a lattice vector that fit as well are told.

Lengths are in Angstrom, order is (y, x); rotation is positive from x towards y. Gain and offset between the images are free.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import replace

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress
from napari_atomseg.registration.choose import RANKED, choose_placement
from napari_atomseg.registration.correlation import Correlated, candidate_shifts, correlate_placed, normalised_correlation
from napari_atomseg.registration.own_repeats import first_of_each, own_repeats, same_places, with_least_moved
from napari_atomseg.registration.placement import LEAST_SIDE, Limits, Placement, Registration
from napari_atomseg.registration.refine import refine_placement
from napari_atomseg.registration.spectra import SEARCHED, band_passed, match_spectra, on_search_grid
from napari_atomseg.registration.spline_image import SplineImage, points_of

LARGEST_RATIO = 20.0
"""Of two pixel sizes: beyond it one of them is mistyped, or the images show different things."""
_FITTED = 400_000  # pixels that take part in the last fit
_MIRRORED = 1.3  # lowest correlation in units of the highest, with which contrasts look opposite
_OF_ONE_CELL = 9  # places of a simulation that is the same in all of them, of which no more are looked at
_OPPOSITE = "the contrasts look opposite: one image seems to have bright columns where the other has dark ones"
_UNLIKE = 0.2  # correlation below which the images hardly resemble each other


def register(
    simulated: np.ndarray,
    experimental: np.ndarray,
    simulated_pixel: tuple[float, float],
    experimental_pixel: tuple[float, float],
    limits: Limits | None = None,
) -> Generator[Progress, None, Registration]:
    """Place of a simulated image on an experimental one.

    Parameters
    ----------
    simulated, experimental : ndarray, shape (Y, X)
        Fields and pixel sizes may differ; what is not finite is unknown. Simulated images are smooth, so that they are read
        at the experiment's pixels, not averaged over them.
    simulated_pixel, experimental_pixel : tuple of float, Å, (y, x)
    limits : Limits, optional

    Yields
    ------
    Progress

    Returns
    -------
    Registration

    Raises
    ------
    AtomsegError
        If an image is constant or too small, or the pixel sizes have nothing in common.
    """
    limits = limits or Limits()
    for name, image in (("simulated", simulated), ("experimental", experimental)):
        require_contrast(image, name)
    _require_alike(simulated_pixel, experimental_pixel)
    yield Progress(0, 3, "searching the shift")
    start, others, opposite = yield from _search(simulated, experimental, simulated_pixel, experimental_pixel, limits)
    yield Progress(0, 0, "refining the registration")
    surface = SplineImage(simulated, simulated_pixel)
    points, values = points_of(experimental, experimental_pixel, _FITTED)
    finest = min(experimental_pixel)
    placement, correlation = refine_placement(points, values, surface, start, limits, 1e-5 * finest)
    return Registration(
        placement=placement,
        correlation=correlation,
        others=tuple(others),
        notes=(*_notes(placement, correlation, others, limits), *([_OPPOSITE] if opposite else [])),
    )


def require_contrast(image: np.ndarray, name: str) -> None:
    """Refuse an image that shows nothing.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        NaN where it is unknown.
    name : str
        For the message.

    Raises
    ------
    AtomsegError
        If it is too small, has too few valid pixels, or is constant.
    """
    if min(image.shape) < LEAST_SIDE:
        raise AtomsegError(
            f"the {name} image has {image.shape[0]} x {image.shape[1]} px; at least {LEAST_SIDE} x {LEAST_SIDE} can be compared, "
            "take a larger field or smaller pixels"
        )
    known = image[np.isfinite(image)]
    if known.size < LEAST_SIDE**2:
        raise AtomsegError(
            f"the {name} image has {known.size} valid pixels, all others are no numbers; take an image with at least "
            f"{LEAST_SIDE**2} valid ones"
        )
    if not np.ptp(known) > 1e-6 * np.abs(known).max():
        raise AtomsegError(f"the {name} image is {known[0]:g} everywhere; take one that shows something")


def _require_alike(simulated: tuple[float, float], experimental: tuple[float, float]) -> None:
    ratio = max(max(a / b, b / a) for a, b in zip(simulated, experimental, strict=True))
    if ratio > LARGEST_RATIO:
        raise AtomsegError(
            f"the simulated image has pixels of {simulated[1]:g} Å and the experimental one of {experimental[1]:g} Å, a factor "
            f"of {ratio:.0f}; correct the pixel size that is wrong, or simulate with pixels like those of the experiment"
        )


def _notes(placement: Placement, correlation: float, others: list[tuple[float, float]], limits: Limits) -> tuple[str, ...]:
    notes = []
    if others and correlation >= _UNLIKE:
        # No "-0.00".
        y, x = (round(one, 2) + 0.0 for one in others[0])
        many = f"at least {len(others)} other shifts are" if len(others) > 1 else "one other shift is"
        notes.append(
            f"the images are periodic: {many} as good, the nearest {math.hypot(y, x):.2f} Å away at ({y:.2f}, {x:.2f}) Å (y, x); "
            "which cell of the crystal is compared with which is not determined"
        )
    if correlation < _UNLIKE:
        notes.append(
            f"the images hardly resemble each other (correlation {correlation:.2f}); check structure, zone axis, contrast "
            "(bright or dark columns) and pixel sizes"
        )
    if 0 < limits.rotation <= abs(placement.rotation) + 1e-9:
        limit = math.degrees(limits.rotation)
        notes.append(f"the rotation stands at its limit of {limit:g} degrees; allow more, or turn the model")
    if 0 < limits.scale <= abs(placement.magnification - 1) + 1e-9:
        notes.append(f"the magnification stands at its limit of 1 +- {limits.scale:g}; check the pixel size, or allow more")
    return tuple(notes)


def _search(
    simulated: np.ndarray,
    experimental: np.ndarray,
    simulated_pixel: tuple[float, float],
    experimental_pixel: tuple[float, float],
    limits: Limits,
) -> Generator[Progress, None, tuple[Placement, list[tuple[float, float]], bool]]:
    """Placement to begin with, differences of other shifts that are as good, and whether the contrasts look opposite."""
    fields = [np.array(simulated.shape) * simulated_pixel, np.array(experimental.shape) * experimental_pixel]
    step = max(min(experimental_pixel), min(simulated_pixel), float(np.max(fields)) / SEARCHED)
    seen = band_passed(on_search_grid(experimental, experimental_pixel, step, Placement())[0])
    placements = [Placement()]
    if limits.rotation > 0 or limits.scale > 0:
        plain = band_passed(on_search_grid(simulated, simulated_pixel, step, Placement())[0])
        placements.append(match_spectra(plain, seen, limits))
    yield Progress(1, 3, "searching the shift")
    found = [correlate_placed(simulated, simulated_pixel, seen, step, placement) for placement in placements]
    best = max(found, key=lambda one: one.highest)
    if best.highest <= 0:
        raise AtomsegError(
            "the simulated and the experimental image have no overlap in which they resemble each other; check that both are of "
            "the same kind of contrast, and their pixel sizes"
        )
    if len(placements) > 1:
        yield Progress(2, 3, "searching the shift")
        # Rotation and magnification of a crystal can be refined in any of its cells; then all cells can be told apart.
        better = _turned_better(best, seen, step, limits)
        best = max(best, correlate_placed(simulated, simulated_pixel, seen, step, better), key=lambda one: one.highest)
    shifts = candidate_shifts(best, seen.shape)
    repeats = own_repeats(normalised_correlation(best.expected, best.expected))
    sides = best.expected.shape
    shifts = with_least_moved(shifts, repeats, best.correlation, sides, np.subtract(seen.shape, sides) / 2)
    same = same_places(shifts, repeats)
    kept = first_of_each(same, _OF_ONE_CELL)
    starts = [
        replace(best.placement, shift=(float(y * step - best.low[0]), float(x * step - best.low[1]))) for y, x in shifts[kept]
    ]
    pixels = simulated_pixel, experimental_pixel
    chosen, others = yield from choose_placement(starts, same[np.ix_(kept, kept)], simulated, experimental, pixels, limits)
    return chosen, others, -best.lowest > _MIRRORED * best.highest


def _turned_better(found: Correlated, seen: np.ndarray, step: float, limits: Limits) -> Placement:
    """Rotation and magnification after refinement at the shift of the highest correlation."""
    shift = candidate_shifts(found, seen.shape)[0] * step
    points, values = points_of(seen, (step, step), RANKED)
    start = Placement(shift=(float(shift[0]), float(shift[1])))
    wide = Limits(rotation=2 * limits.rotation, scale=2 * limits.scale)
    change, _ = refine_placement(points, values, SplineImage(found.expected, (step, step)), start, wide, 0.01 * step, rounds=20)
    return Placement(
        rotation=float(np.clip(found.placement.rotation + change.rotation, -limits.rotation, limits.rotation)),
        magnification=float(np.clip(found.placement.magnification * change.magnification, 1 - limits.scale, 1 + limits.scale)),
    )
