"""A simulated image held against an experimental one: registered, intensities matched, subtracted, column by column."""

from __future__ import annotations

import json
import math
from collections.abc import Generator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import pandas as pd

from napari_atomseg import __version__
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import WHOLE, Progress, as_part, job
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.core.params import check, to_dict
from napari_atomseg.core.quantities import Quantity
from napari_atomseg.workflows.simulation import SimulationParams, StemParams, like, simulate

if TYPE_CHECKING:
    from ase import Atoms

    from napari_atomseg.registration.placement import Placement, Registration

PICTURES = ("simulated.tif", "residual.tif")
DESCRIPTION, FIGURE, TABLE = "comparison.json", "comparison.png", "columns.csv"
VARIED = ("defocus", "source_size", "thickness")
"""What :func:`fit_simulation` can fit."""
_STEPS = {"defocus": 2.0, "source_size": 0.02}
"""Differences, Å, from which slopes are taken."""
_FARTHEST = {"defocus": (-1000.0, 1000.0), "source_size": (0.0, 10.0)}
_SCANNED = (0.0, 25.0, 50.0, 80.0, 120.0, 180.0)
"""Defocus at which the fit is begun, Å: with it the image changes too much for steps down the slope alone."""
_SCANNED_SOURCES = (0.6, 1.0, 1.5)
"""Source sizes tried with each, in units of the given one."""
_TURNS, _MOST_STEPS, _TRIES, _FITTED_PIXELS = 2, 12, 9, 250_000
_PARTS = (((0.0, 0.15), (0.15, 0.5), (0.5, 0.7)), ((0.7, 0.75), (0.75, 0.75), (0.75, 0.92)))
"""Shares of the time that registration, trials and steps of each round take, from and to."""
_COMPARED = (0.92, 1.0)
_NUMBERS = ("shift", "rotation_deg", "magnification", "gain", "offset", "one_minus_r2", "frms", "ssim")


@dataclass(frozen=True, kw_only=True)
class CompareParams:
    """What may be adjusted before two images are subtracted.

    Attributes
    ----------
    rotation : bool
        A small rotation is fitted.
    scale : bool
        A small change of magnification is fitted.
    largest_rotation_deg : float
        How far it may go, to either side.
    largest_scale : float
        How far the magnification may differ from 1.
    intensities : str
        Gain and offset are fitted, or both images are taken as fractions of the beam.
    """

    rotation: bool = True
    scale: bool = True
    largest_rotation_deg: Annotated[float, Quantity(unit="deg", low=0, high=20, decimals=1)] = 5.0
    largest_scale: Annotated[float, Quantity(low=0, high=0.2, decimals=3)] = 0.05
    intensities: Literal["linear", "absolute"] = "linear"

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """A simulated image on the experiment, and how well it explains it; see ``docs/comparison.md``.

    Attributes
    ----------
    simulated : Micrograph
        On the pixels of the experiment with its intensities; NaN where it does not reach.
    experimental : Micrograph
        One image.
    residual : Micrograph
        Experiment minus simulation, NaN likewise.
    shift : tuple of float, Å, (y, x)
        Of the simulated image's first pixel from the experiment's first.
    rotation_deg : float
        Of the simulated image about that pixel, from x towards y.
    magnification : float
        Lengths of the experiment in units of those of the simulation.
    gain, offset : float
        The simulated intensities were multiplied by the one, then raised by the other.
    one_minus_r2, frms, ssim : float
        See :class:`napari_atomseg.imaging.likeness.Likeness`.
    columns : DataFrame or None
        See :func:`napari_atomseg.imaging.likeness.columns_compared`.
    notes : tuple of str
        What to keep in mind.
    params : CompareParams
    """

    simulated: Micrograph
    experimental: Micrograph
    residual: Micrograph
    shift: tuple[float, float]
    rotation_deg: float
    magnification: float
    gain: float
    offset: float
    one_minus_r2: float
    frms: float
    ssim: float
    columns: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()
    params: CompareParams = CompareParams()


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
    """
    from napari_atomseg.imaging.likeness import likeness, match_intensities
    from napari_atomseg.registration.spline_image import SplineImage, resampled

    params = params or CompareParams()
    planes = [_plane(simulated, "simulated"), _plane(experimental, "experimental")]
    if params.intensities == "absolute":
        _require_fractions(*planes)
    registration = yield from _registered(simulated, experimental, params)
    size = experimental.require_pixel_size()
    surface = SplineImage(planes[0], simulated.require_pixel_size())
    image = resampled(surface, registration.placement, _shape(planes[1]), size)
    matched = match_intensities(image, planes[1])
    gain, offset = (1.0, 0.0) if params.intensities == "absolute" else matched
    image = gain * image + offset
    scores = likeness(image, planes[1])
    table = None
    if columns is not None:
        table = yield from _by_columns(image, planes[1], columns, experimental)
    notes = (*registration.notes, *_intensity_notes(matched, params))
    numbers = (
        registration.placement.shift,
        math.degrees(registration.placement.rotation),
        registration.placement.magnification,
        gain,
        offset,
        scores.one_minus_r2,
        scores.frms,
        scores.ssim,
    )
    told = dict(zip(_NUMBERS, numbers, strict=True))
    sources = {"simulated": _source(simulated), "experimental": _source(experimental)}
    return Comparison(
        simulated=_made(image, f"{simulated.name} | registered", simulated, experimental, {**told, **sources}),
        experimental=replace(experimental, data=planes[1]),
        residual=_made(planes[1] - image, f"{experimental.name} | residual", simulated, experimental, {**told, **sources}),
        columns=table,
        notes=notes,
        params=params,
        **told,  # type: ignore[arg-type]  # in the order of _NUMBERS
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
    upright = like(replace(params, method="convolution", cut=replace(params.cut, rotation_deg=0.0)), experimental)
    model = simulate(structure, upright)
    yield Progress(1, 2, "comparing spectra")
    pixels = model.require_pixel_size(), experimental.require_pixel_size()
    angle = rotation_between(np.asarray(model.data, dtype=float), experimental.frame(0).astype(float), *pixels)
    return round(float(np.degrees(angle)), 2)


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
    names = tuple(name for name in _STEPS if name in vary)
    params = replace(like(params, experimental), method="convolution", convolution=replace(params.convolution, psf="probe"))
    if absolute:
        params = _whole_periods(structure, params)
    scene = _Scene.of(structure, experimental, names, absolute)
    settings = np.array([getattr(params.stem, name) for name in names], dtype=float)
    told: list[dict[str, float]] = []
    for turn in range(_TURNS):
        registering, scanning, fitting = _PARTS[turn]
        what = f"lens, round {turn + 1} of {_TURNS}"
        yield Progress(round(WHOLE * registering[0]), WHOLE, f"{what}: simulating")
        image = simulate(structure, scene.with_settings(params, settings))
        found = yield from as_part(_registered(image, experimental, asked), *registering, what)
        scene = replace(scene, placement=found.placement)
        if turn == 0 and "defocus" in names:
            settings = yield from as_part(_scanned(scene, params, settings), *scanning, what)
        settings = yield from as_part(_fitted(scene, params, settings, told), *fitting, what)
    if "defocus" in names and _symmetric(params.stem):
        settings[names.index("defocus")] = abs(settings[names.index("defocus")])
    best = scene.with_settings(params, settings)
    yield Progress(round(WHOLE * _COMPARED[0]), WHOLE, "lens: standard deviations")
    gain, deviations = _uncertainty(scene, params, settings)
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
        steps=tuple(told),
        comparison=comparison,
        notes=(*_misfit_note(comparison.one_minus_r2), *_fit_notes(best.stem, uncertainty)),
    )


def one_frame(micrograph: Micrograph, frame: int) -> Micrograph:
    """One image of a stack.

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


def line_profile(
    comparison: Comparison, start: tuple[float, float], end: tuple[float, float], width_px: float = 1
) -> pd.DataFrame:
    """Intensities along a line in both images, one point for each pixel of its length.

    Parameters
    ----------
    comparison : Comparison
    start, end : tuple of float, px, (y, x)
        Of the experiment.
    width_px : float
        Mean over so many pixels across the line.

    Returns
    -------
    DataFrame
        `distance_angstrom`, `experimental`, `simulated`; NaN outside an image.

    Raises
    ------
    AtomsegError
        If the line has no length.
    """
    from scipy.ndimage import map_coordinates

    first, way = np.array(start, float), np.array(end, float) - np.array(start, float)
    length = float(np.hypot(*way))
    if not length > 0 or not width_px > 0:
        raise AtomsegError("the profile needs a line with two different ends and a width above zero; draw a longer one")
    share = np.linspace(0, 1, math.ceil(length) + 1)
    count = max(1, round(width_px))
    across = (np.arange(count) - (count - 1) / 2)[:, None] * np.array([-way[1], way[0]]) / length
    places = (first + share[:, None] * way)[:, None] + across
    profile = {"distance_angstrom": share * float(np.hypot(*(way * comparison.experimental.require_pixel_size())))}
    for name, micrograph in (("experimental", comparison.experimental), ("simulated", comparison.simulated)):
        plane = micrograph.frame()
        known = np.isfinite(plane)
        at = places.transpose(2, 0, 1)
        values = map_coordinates(np.where(known, plane, 0).astype(float), at, order=1, mode="constant", cval=np.nan)
        values[map_coordinates(known.astype(float), at, order=1, mode="constant") < 1 - 1e-6] = np.nan
        profile[name] = values.mean(axis=1)
    return pd.DataFrame(profile)


def write_comparison(comparison: Comparison, folder: Path | str, *, force: bool = False) -> list[Path]:
    """Images, numbers, a picture and, if columns were compared, a table; each whole or not at all.

    Parameters
    ----------
    comparison : Comparison
    folder : Path
        Made if it is not there.
    force : bool
        Overwrite what is there.

    Returns
    -------
    list of Path

    Raises
    ------
    AtomsegError
        If a file is there already, or cannot be written.
    """
    from napari_atomseg.writers.atomic import replacing
    from napari_atomseg.writers.image import write_image

    paths = comparison_files(folder, comparison.columns is not None)
    taken = [str(path) for path in paths if path.exists()]
    if taken and not force:
        raise AtomsegError(f"{' and '.join(taken)} would be overwritten; choose another folder, or allow it (--force)")
    write_image(comparison.simulated, paths[0])
    write_image(comparison.residual, paths[1])
    with replacing(paths[3]) as part:
        _figure(comparison).savefig(part, dpi=110)
    if comparison.columns is not None:
        with replacing(paths[4]) as part:
            comparison.columns.to_csv(part, index=False, na_rep="", lineterminator="\n", encoding="utf-8")
    text = json.dumps(_description(comparison, paths), indent=2, ensure_ascii=False, allow_nan=False)
    with replacing(paths[2]) as part:
        part.write_text(text + "\n", encoding="utf-8")
    return paths


def comparison_files(folder: Path | str, with_columns: bool) -> list[Path]:
    """What :func:`write_comparison` writes into a folder."""
    names = (*PICTURES, DESCRIPTION, FIGURE, *((TABLE,) if with_columns else ()))
    return [Path(folder) / name for name in names]


def summary(comparison: Comparison) -> str:
    """The scores and the registration in one line."""
    y, x = comparison.shift
    return (
        f"1-R2 {comparison.one_minus_r2:.4g}, FRMS {comparison.frms:.4g}, SSIM {comparison.ssim:.4f}, "
        f"shift {y:.3f}, {x:.3f} A (y, x), rotation {comparison.rotation_deg:.3f} deg, "
        f"magnification {comparison.magnification:.5f}"
    )


def _plane(micrograph: Micrograph, which: str) -> np.ndarray:
    if micrograph.frames > 1:
        raise AtomsegError(
            f"{micrograph.name} is a stack of {micrograph.frames} images and the {which} image is one; choose a frame of it"
        )
    micrograph.require_pixel_size()
    return micrograph.frame()


def _shape(plane: np.ndarray) -> tuple[int, int]:
    return plane.shape[0], plane.shape[1]


def _require_fractions(*planes: np.ndarray) -> None:
    for which, plane in zip(("simulated", "experimental"), planes, strict=True):
        highest = float(np.nanmax(np.where(np.isfinite(plane), plane, np.nan)))
        if not 0 < highest <= 1.05:
            raise AtomsegError(
                f"the {which} image reaches {highest:g}, and fractions of the beam lie between 0 and 1; divide it by the image "
                "of the beam on the detector, or have gain and offset fitted"
            )


def _registered(
    simulated: Micrograph, experimental: Micrograph, params: CompareParams
) -> Generator[Progress, None, Registration]:
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


def _by_columns(
    image: np.ndarray, plane: np.ndarray, columns: Columns, experimental: Micrograph
) -> Generator[Progress, None, pd.DataFrame]:
    from napari_atomseg.imaging.likeness import columns_compared
    from napari_atomseg.workflows.columns import refine

    if columns.frame.any():
        raise AtomsegError("the columns stand in several frames of a stack; give those of the compared image, as frame 0")
    size = experimental.require_pixel_size()
    if len(columns) == 0:
        return columns_compared(image, plane, columns, columns, size)
    fitted = []
    for pixels in (image, plane):
        fitted.append((yield from refine.steps(Micrograph(data=pixels, pixel_size=size), columns)))
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


def _made(image: np.ndarray, name: str, simulated: Micrograph, experimental: Micrograph, told: dict[str, Any]) -> Micrograph:
    return Micrograph(
        data=image.astype(np.float32),
        pixel_size=experimental.pixel_size,
        pixel_size_source=experimental.pixel_size_source,
        name=name,
        modality=experimental.modality or simulated.modality,
        energy=experimental.energy or simulated.energy,
        metadata={"comparison": told},
    )


def _description(comparison: Comparison, paths: list[Path]) -> dict[str, Any]:
    """What the pictures do not say, fit for JSON."""
    import scipy

    from napari_atomseg.writers.columns_csv import checksum, plain

    told = comparison.simulated.metadata["comparison"]
    sources = {}
    for which in ("simulated", "experimental"):
        path = told[which]["path"]
        sources[which] = {**told[which], "sha256": checksum(path) if path else None}
    numbers: dict[str, Any] = {name: getattr(comparison, name) for name in _NUMBERS}
    numbers["shift_angstrom"] = numbers.pop("shift")
    described: dict[str, Any] = plain(
        {
            "format": "napari-atomseg comparison",
            **sources,
            "parameters": to_dict(comparison.params),
            **numbers,
            "columns": None if comparison.columns is None else len(comparison.columns),
            "notes": comparison.notes,
            "files": [path.name for path in paths],
            "versions": {"napari-atomseg": __version__, "numpy": np.__version__, "scipy": scipy.__version__},
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        }
    )
    return described


def _figure(comparison: Comparison) -> Any:
    from napari_atomseg.imaging.comparison_figure import comparison_figure

    planes = [one.frame() for one in (comparison.simulated, comparison.experimental, comparison.residual)]
    known = np.flatnonzero(np.isfinite(planes[2]).any(axis=1))
    row = float(known[len(known) // 2])
    profile = line_profile(comparison, (row, 0), (row, planes[1].shape[1] - 1))
    size = comparison.experimental.require_pixel_size()
    return comparison_figure(planes[0], planes[1], planes[2], size, profile, summary(comparison))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Scene:
    """What stays the same while settings are fitted: the structure, the pixels, and where the simulation lies on them."""

    structure: Atoms
    points: np.ndarray
    values: np.ndarray
    names: tuple[str, ...]
    absolute: bool
    placement: Placement | None = None

    @staticmethod
    def of(structure: Atoms, experimental: Micrograph, names: tuple[str, ...], absolute: bool) -> _Scene:
        from napari_atomseg.registration.spline_image import points_of

        points, values = points_of(experimental.frame(), experimental.require_pixel_size(), _FITTED_PIXELS)
        return _Scene(structure=structure, points=points, values=values, names=names, absolute=absolute)

    def with_settings(self, params: SimulationParams, settings: np.ndarray) -> SimulationParams:
        """The parameters with these values of what is varied."""
        named = {name: float(value) for name, value in zip(self.names, settings, strict=True)}
        return replace(params, stem=replace(params.stem, **named))

    def seen_and_expected(self, params: SimulationParams, settings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Experimental and simulated intensities where both are known."""
        from napari_atomseg.registration.placement import Placement
        from napari_atomseg.registration.spline_image import SplineImage

        image = simulate(self.structure, self.with_settings(params, settings))
        surface = SplineImage(image.frame(), image.require_pixel_size())
        places = (self.placement or Placement()).on_simulation(self.points)
        known = surface.within(places)
        return self.values[known], surface.at(places[known])

    def design(self, expected: np.ndarray) -> np.ndarray:
        """What is free of the intensities: the gain, and the offset unless they are absolute."""
        return expected[:, None] if self.absolute else np.column_stack([expected, np.ones(len(expected))])

    def residual(self, params: SimulationParams, settings: np.ndarray) -> np.ndarray:
        """Difference of the intensities after matching."""
        seen, expected = self.seen_and_expected(params, settings)
        design = self.design(expected)
        return np.asarray(seen - design @ np.linalg.lstsq(design, seen, rcond=None)[0])

    def one_minus_r2(self, residual: np.ndarray) -> float:
        """Share of the variance that is not explained."""
        return float(residual @ residual) / (len(residual) * float(self.values.var()))

    def slopes(self, params: SimulationParams, settings: np.ndarray) -> np.ndarray:
        """Change of the simulated intensities with each setting, per Å, shape (N, S)."""
        found = []
        for row, name in enumerate(self.names):
            ends = []
            for side in (-1, 1):
                moved = settings.copy()
                moved[row] = np.clip(moved[row] + side * _STEPS[name], *_FARTHEST[name])
                ends.append((moved[row], self.seen_and_expected(params, moved)[1]))
            found.append((ends[1][1] - ends[0][1]) / (ends[1][0] - ends[0][0]))
        return np.stack(found, axis=1)

    def uncertainty(self, params: SimulationParams, settings: np.ndarray) -> tuple[float, np.ndarray]:
        """The gain, and one standard deviation of each setting, then of the gain."""
        seen, expected = self.seen_and_expected(params, settings)
        free = self.design(expected)
        best = np.linalg.lstsq(free, seen, rcond=None)[0]
        left = seen - free @ best
        slopes = best[0] * self.slopes(params, settings) if self.names else np.empty((len(seen), 0))
        design = np.column_stack([slopes, free])
        norms = np.linalg.norm(design, axis=0)
        norms[norms == 0] = 1
        information = (design / norms).T @ (design / norms)
        values, vectors = np.linalg.eigh(information)
        with np.errstate(divide="ignore"):
            variances = (vectors**2 @ (1 / np.where(values > 1e-10, values, 0.0))) / norms**2
        deviations = np.sqrt(variances * float(left @ left) / max(1, len(left) - design.shape[1]))
        return float(best[0]), deviations[: len(self.names) + 1]


def _scanned(scene: _Scene, params: SimulationParams, settings: np.ndarray) -> Generator[Progress, None, np.ndarray]:
    """The settings with the best of a few values of the defocus, each with a few source sizes if those are varied too."""
    row = scene.names.index("defocus")
    sides = (1,) if _symmetric(params.stem) else (-1, 1)
    starts = []
    for start in sorted({float(settings[row]), *(side * value for side in sides for value in _SCANNED)}):
        for factor in _SCANNED_SOURCES if "source_size" in scene.names else (1.0,):
            tried = np.array([getattr(params.stem, name) * factor for name in scene.names])
            tried[row] = start
            starts.append(tried)
    sums = []
    for done, tried in enumerate(starts):
        yield Progress(done, len(starts), "trying values of the defocus")
        residual = scene.residual(params, tried)
        sums.append(float(residual @ residual))
    return starts[int(np.argmin(sums))]


def _fitted(
    scene: _Scene, params: SimulationParams, settings: np.ndarray, told: list[dict[str, float]]
) -> Generator[Progress, None, np.ndarray]:
    """The settings after steps of Levenberg and Marquardt."""
    residual = scene.residual(params, settings)
    damping = 1e-3
    for done in range(_MOST_STEPS):
        told.append(dict(zip(scene.names, settings.tolist(), strict=True)) | {"one_minus_r2": scene.one_minus_r2(residual)})
        yield Progress(_TRIES * done, _TRIES * _MOST_STEPS, "fitting")
        if not scene.names:
            break
        improving = _improved(scene, params, settings, residual, damping, _TRIES * done)
        step, damping, residual_there = yield from improving
        if step is None:
            break
        settings, residual = settings + step, residual_there
        if np.all(np.abs(step) < 0.02 * np.array([_STEPS[name] for name in scene.names])):
            break
    return settings


def _improved(
    scene: _Scene, params: SimulationParams, settings: np.ndarray, residual: np.ndarray, damping: float, done: int
) -> Generator[Progress, None, tuple[np.ndarray | None, float, np.ndarray]]:
    """A step that lowers the sum of squares, or None; the next damping; the differences after it."""
    low, high = np.array([_FARTHEST[name] for name in scene.names]).T
    seen, expected = scene.seen_and_expected(params, settings)
    free = scene.design(expected)
    gain = float(np.linalg.lstsq(free, seen, rcond=None)[0][0])
    slopes = gain * scene.slopes(params, settings)
    # What gain and offset take up is not left for the settings.
    slopes -= free @ np.linalg.lstsq(free, slopes, rcond=None)[0]
    matrix, vector = slopes.T @ slopes, slopes.T @ residual
    unit = np.array([_STEPS[name] for name in scene.names])
    weights = np.diag(matrix) * unit**2
    # A setting that the image hardly depends on, as a defocus about zero, is held back before the others are.
    scale = np.maximum(weights, 1e-3 * weights.max()) / unit**2
    for tried in range(_TRIES - 1):
        yield Progress(done + 1 + tried, _TRIES * _MOST_STEPS, "fitting")
        step = np.linalg.lstsq(matrix + damping * np.diag(scale), vector, rcond=None)[0]
        step = np.clip(settings + step, low, high) - settings
        there = scene.residual(params, settings + step)
        if float(there @ there) <= float(residual @ residual):
            return step, max(damping / 10, 1e-9), there
        damping *= 10
    return None, damping, residual


def _uncertainty(scene: _Scene, params: SimulationParams, settings: np.ndarray) -> tuple[float, np.ndarray]:
    """As :meth:`_Scene.uncertainty`; about focus, where the slope vanishes, that of the defocus which would be noticed."""
    gain, deviations = scene.uncertainty(params, settings)
    if "defocus" not in scene.names or not _symmetric(params.stem):
        return gain, deviations
    row, away = scene.names.index("defocus"), settings.copy()
    away[row] = max(abs(away[row]), _STEPS["defocus"])
    while deviations[row] > away[row] and away[row] < _SCANNED[-1]:
        deviations = scene.uncertainty(params, away)[1]
        away[row] *= 1.5
    return gain, deviations


def _require_variable(structure: Atoms, experimental: Micrograph, vary: tuple[str, ...]) -> None:
    from napari_atomseg.specimens.repetition import is_crystal

    unknown = [name for name in vary if name not in VARIED]
    if unknown or not vary:
        raise AtomsegError(f"{', '.join(unknown) or 'nothing'} cannot be fitted; choose among {', '.join(VARIED)}")
    plane = _plane(experimental, "experimental")
    if "thickness" in vary:
        if not is_crystal(structure):
            raise AtomsegError("only a crystal has a thickness to be fitted, and this structure ends; leave the thickness out")
        _require_fractions(plane, plane)


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
            f"the intensities of the experiment belong to a thickness of {thickness:.2g} A; check that they are fractions of the "
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
            notes.append(f"the image does not tell a defocus of {stem.defocus:.0f} A from focus")
    if "thickness" in uncertainty:
        notes.append(
            "the thickness is that of the mean number of atoms, without channelling, and images are simulated of whole layers: "
            "the comparison shows the last image at the fitted intensity"
        )
    return tuple(notes)
