"""Settings of the lens with which a simulation is most like an experiment: trials, then Levenberg and Marquardt."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.comparison.compare import compare, register_simulation, require_fractions, single_plane
from napari_atomseg.comparison.lens_problem import FARTHEST, STEPS, LensProblem
from napari_atomseg.comparison.params import CompareParams
from napari_atomseg.comparison.result import Comparison
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import WHOLE, Progress, as_part, job
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.simulation.engine import simulate
from napari_atomseg.simulation.params import SimulationParams, StemParams, on_grid_of

if TYPE_CHECKING:
    from ase import Atoms


VARIED = ("defocus", "source_size", "thickness")
"""What :func:`fit_simulation` can fit."""
_SCANNED = (0.0, 25.0, 50.0, 80.0, 120.0, 180.0)
"""Defocus at which the fit is begun, Å: with it the image changes too much for steps down the slope alone."""
_SCANNED_SOURCES = (0.6, 1.0, 1.5)
"""Source sizes tried with each, in units of the given one."""
_TURNS, _MOST_STEPS, _TRIES = 2, 12, 9
_PARTS = (((0.0, 0.15), (0.15, 0.5), (0.5, 0.7)), ((0.7, 0.75), (0.75, 0.75), (0.75, 0.92)))
"""Shares of the time that registration, trials and steps of each round take, from and to."""
_COMPARED = (0.92, 1.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedSimulation:
    """The settings with which a simulation is most like an experiment.

    Attributes
    ----------
    params : SimulationParams
        With what was fitted, on the pixels of the experiment.
    one_minus_r2 : float
    uncertainty : dict
        One standard deviation of each fitted setting, for differences that are independent from pixel to pixel; infinite
        where the image does not depend on it.
    steps : tuple of dict
        The settings and `one_minus_r2` after each step.
    comparison : Comparison
        With the fitted settings.
    notes : tuple of str
    """

    params: SimulationParams
    one_minus_r2: float
    uncertainty: dict[str, float]
    steps: tuple[dict[str, float], ...]
    comparison: Comparison
    notes: tuple[str, ...] = ()


@job
def fit_simulation(
    structure: Atoms,
    experimental: Micrograph,
    params: SimulationParams,
    *,
    vary: tuple[str, ...] = ("source_size", "defocus"),
) -> Generator[Progress, None, FittedSimulation]:
    """Settings of the microscope with which the image of a structure is most like an experiment.

    Images are convolutions with the probe, whatever the method asked for: fast, and without channelling.

    Parameters
    ----------
    structure : Atoms
    experimental : Micrograph
        One image, with square pixels of known size.
    params : SimulationParams
        To begin with, and for all that is not varied.
    vary : tuple of str
        Of :data:`VARIED`. Gain and offset are free; a thickness follows from absolute intensities alone, so that with it the
        experiment must be in fractions of the beam. It is that of the mean number of atoms, in parts of a layer.

    Raises
    ------
    AtomsegError
        If it cannot be fitted.
    """
    _require_variable(structure, experimental, vary)
    absolute = "thickness" in vary
    asked = CompareParams(intensities="absolute" if absolute else "linear")
    names = tuple(name for name in STEPS if name in vary)
    params = replace(on_grid_of(params, experimental), method="convolution", convolution=replace(params.convolution, psf="probe"))
    if absolute:
        params = _whole_periods(structure, params)
    problem = LensProblem.of(structure, experimental, names, absolute)
    settings = np.array([getattr(params.stem, name) for name in names], dtype=float)
    steps: list[dict[str, float]] = []
    problem, settings = yield from _in_turns(problem, experimental, params, asked, settings, steps)
    if "defocus" in names and _symmetric(params.stem):
        settings[names.index("defocus")] = abs(settings[names.index("defocus")])
    best = problem.with_settings(params, settings)
    yield Progress(round(WHOLE * _COMPARED[0]), WHOLE, "lens: standard deviations")
    gain, deviations = _uncertainty(problem, params, settings)
    uncertainty = {name: float(value) for name, value in zip(names, deviations, strict=False)}
    image = simulate(structure, best)
    if absolute:
        thickness = best.cut.thickness
        uncertainty["thickness"] = thickness * float(deviations[-1])
        best = replace(best, cut=replace(best.cut, thickness=_allowed_thickness(gain * thickness)))
        image = replace(image, data=gain * image.data)
    comparison = yield from as_part(compare.steps(image, experimental, params=asked), *_COMPARED, "lens")
    return FittedSimulation(
        params=best,
        one_minus_r2=comparison.one_minus_r2,
        uncertainty=uncertainty,
        steps=tuple(steps),
        comparison=comparison,
        notes=(*_misfit_note(comparison.one_minus_r2), *_fit_notes(best.stem, uncertainty)),
    )


def _in_turns(
    problem: LensProblem,
    experimental: Micrograph,
    params: SimulationParams,
    asked: CompareParams,
    settings: np.ndarray,
    steps: list[dict[str, float]],
) -> Generator[Progress, None, tuple[LensProblem, np.ndarray]]:
    """The simulation registered and the lens fitted in turns; `steps` takes what each step of the fit gave."""
    for turn in range(_TURNS):
        registering, scanning, fitting = _PARTS[turn]
        what = f"lens, round {turn + 1} of {_TURNS}"
        yield Progress(round(WHOLE * registering[0]), WHOLE, f"{what}: simulating")
        image = simulate(problem.structure, problem.with_settings(params, settings))
        found = yield from as_part(register_simulation(image, experimental, asked), *registering, what)
        problem = replace(problem, placement=found.placement)
        if turn == 0 and "defocus" in problem.names:
            settings = yield from as_part(_scanned(problem, params, settings), *scanning, what)
        settings = yield from as_part(_fitted(problem, params, settings, steps), *fitting, what)
    return problem, settings


def _scanned(problem: LensProblem, params: SimulationParams, settings: np.ndarray) -> Generator[Progress, None, np.ndarray]:
    """The settings with the best of a few values of the defocus, each with a few source sizes if those are varied too."""
    row = problem.names.index("defocus")
    sides = (1,) if _symmetric(params.stem) else (-1, 1)
    starts = []
    for start in sorted({float(settings[row]), *(side * value for side in sides for value in _SCANNED)}):
        for factor in _SCANNED_SOURCES if "source_size" in problem.names else (1.0,):
            tried = np.array([getattr(params.stem, name) * factor for name in problem.names])
            tried[row] = start
            starts.append(tried)
    sums = []
    for done, tried in enumerate(starts):
        yield Progress(done, len(starts), "trying values of the defocus")
        residual = problem.residual(params, tried)
        sums.append(float(residual @ residual))
    return starts[int(np.argmin(sums))]


def _fitted(
    problem: LensProblem, params: SimulationParams, settings: np.ndarray, steps: list[dict[str, float]]
) -> Generator[Progress, None, np.ndarray]:
    """The settings after steps of Levenberg and Marquardt."""
    residual = problem.residual(params, settings)
    damping = 1e-3
    for done in range(_MOST_STEPS):
        steps.append(dict(zip(problem.names, settings.tolist(), strict=True)) | {"one_minus_r2": problem.one_minus_r2(residual)})
        yield Progress(_TRIES * done, _TRIES * _MOST_STEPS, "fitting")
        if not problem.names:
            break
        improving = _improved(problem, params, settings, residual, damping, _TRIES * done)
        step, damping, residual_there = yield from improving
        if step is None:
            break
        settings, residual = settings + step, residual_there
        if np.all(np.abs(step) < 0.02 * np.array([STEPS[name] for name in problem.names])):
            break
    return settings


def _improved(
    problem: LensProblem, params: SimulationParams, settings: np.ndarray, residual: np.ndarray, damping: float, done: int
) -> Generator[Progress, None, tuple[np.ndarray | None, float, np.ndarray]]:
    """A step that lowers the sum of squares, or None; the next damping; the differences after it."""
    low, high = np.array([FARTHEST[name] for name in problem.names]).T
    seen, expected = problem.seen_and_expected(params, settings)
    free = problem.design(expected)
    gain = float(np.linalg.lstsq(free, seen, rcond=None)[0][0])
    slopes = gain * problem.slopes(params, settings)
    # What gain and offset take up is not left for the settings.
    slopes -= free @ np.linalg.lstsq(free, slopes, rcond=None)[0]
    matrix, vector = slopes.T @ slopes, slopes.T @ residual
    unit = np.array([STEPS[name] for name in problem.names])
    weights = np.diag(matrix) * unit**2
    # A setting that the image hardly depends on, as a defocus about zero, is held back before the others are.
    scale = np.maximum(weights, 1e-3 * weights.max()) / unit**2
    for tried in range(_TRIES - 1):
        yield Progress(done + 1 + tried, _TRIES * _MOST_STEPS, "fitting")
        step = np.linalg.lstsq(matrix + damping * np.diag(scale), vector, rcond=None)[0]
        step = np.clip(settings + step, low, high) - settings
        there = problem.residual(params, settings + step)
        if float(there @ there) <= float(residual @ residual):
            return step, max(damping / 10, 1e-9), there
        damping *= 10
    return None, damping, residual


def _uncertainty(problem: LensProblem, params: SimulationParams, settings: np.ndarray) -> tuple[float, np.ndarray]:
    """As :meth:`LensProblem.uncertainty`; about focus, where the slope vanishes, that of the defocus which would be noticed."""
    gain, deviations = problem.uncertainty(params, settings)
    if "defocus" not in problem.names or not _symmetric(params.stem):
        return gain, deviations
    row, away = problem.names.index("defocus"), settings.copy()
    away[row] = max(abs(away[row]), STEPS["defocus"])
    while deviations[row] > away[row] and away[row] < _SCANNED[-1]:
        deviations = problem.uncertainty(params, away)[1]
        away[row] *= 1.5
    return gain, deviations


def _require_variable(structure: Atoms, experimental: Micrograph, vary: tuple[str, ...]) -> None:
    from napari_atomseg.specimens.repetition import is_crystal

    unknown = [name for name in vary if name not in VARIED]
    if unknown or not vary:
        raise AtomsegError(f"{', '.join(unknown) or 'nothing'} cannot be fitted; choose among {', '.join(VARIED)}")
    plane = single_plane(experimental, "experimental")
    if "thickness" in vary:
        if not is_crystal(structure):
            raise AtomsegError("only a crystal has a thickness to be fitted, and this structure ends; leave the thickness out")
        require_fractions(plane, plane)


def _symmetric(stem: StemParams) -> bool:
    """Whether over- and underfocus make the same probe."""
    return stem.Cs == 0 and stem.astigmatism == 0


def _whole_periods(structure: Atoms, params: SimulationParams) -> SimulationParams:
    """With the nearest thickness that holds all kinds of columns in full."""
    from napari_atomseg.specimens.direction import parse_zone_axis

    along = np.array(parse_zone_axis(params.cut.zone_axis))
    length = float(np.linalg.norm(along // math.gcd(*along.tolist()) @ structure.cell.array))
    return replace(params, cut=replace(params.cut, thickness=max(1, round(params.cut.thickness / length)) * length))


def _allowed_thickness(thickness: float) -> float:
    if not thickness > 0.1:
        raise AtomsegError(
            f"the intensities of the experiment belong to a thickness of {thickness:.2g} Å; check that they are fractions of the "
            "beam, and that columns are bright in both images"
        )
    return thickness


POOR_FIT = 0.1
"""Share of the image's variance that a simulation leaves, above which its settings are no measurement."""


def _misfit_note(one_minus_r2: float) -> tuple[str, ...]:
    if one_minus_r2 <= POOR_FIT:
        return ()
    return (
        f"the simulation explains only {max(0.0, 1 - one_minus_r2):.0%} of the image: the deviations are those of noise alone, "
        "and the fitted values may be far off; check structure, zone axis and registration first",
    )


def _fit_notes(stem: StemParams, uncertainty: dict[str, float]) -> tuple[str, ...]:
    notes = []
    if "defocus" in uncertainty and _symmetric(stem):
        notes.append(
            "without spherical aberration and astigmatism over- and underfocus make the same image: the sign is not determined"
        )
        # The image depends on the square, of which this is three standard deviations.
        if stem.defocus < 6 * uncertainty["defocus"]:
            notes.append(f"the image does not tell a defocus of {stem.defocus:.0f} Å from focus")
    if "thickness" in uncertainty:
        notes.append(
            "the thickness is that of the mean number of atoms, without channelling, and images are simulated of whole layers: "
            "the comparison shows the last image at the fitted intensity"
        )
    return tuple(notes)
