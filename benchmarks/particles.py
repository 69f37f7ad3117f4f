"""How well atoms are counted: ``python benchmarks/particles.py [--own N] [--bench FOLDER] [--displaced N] ...``.

Gold particles near [110], tilted by up to 5 degrees, their waves by abTEM's multislice from seeds that no training uses (kept in
``--waves``, so that a run can be stopped and gone on with), each through a lens drawn at random (defocus -60 to -20 A, steps of
130 A, Cs -20 to -10 um, focal spread 20 to 40 A), counted, and spread by a camera. What the paper shows (Madsen et al., Fig. 11
and 12): the confusion matrix, and columns counted exactly and within one against dose and tilt, here also without the camera's
MTF and for the middle image alone; and the expected calibration error of the probability (ten bins). ``--bench FOLDER`` judges
on images of others, which ``draw.py`` in that folder draws. A column is found if one is nearer than 1 A; one that is not found
counts as wrong.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import cKDTree

from napari_atomseg.core.columns import ATOM_COUNT, COUNT_PROBABILITY
from napari_atomseg.core.jobs import run
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.imaging.hrtem import image_focal_series
from napari_atomseg.inference.count_probabilities import SERIES, SINGLE, USUAL_NOISE, noise_seen
from napari_atomseg.inference.detection.structures import recognised
from napari_atomseg.inference.predict import predict
from napari_atomseg.networks.zoo import load_model
from napari_atomseg.optics.ctf import CtfParams
from napari_atomseg.optics.detector import MtfParams, apply_mtf
from napari_atomseg.training.count_calibration import kind_calibration
from napari_atomseg.training.particle_waves import particle_wave, waves_folder
from napari_atomseg.workflows import NetworkParams, draw_sample, locate, sequence

FINE, ENERGY = 0.1, 3e5
FOCI = (-130.0, 0.0, 130.0)
DOSES = (300, 3000, 30000)
TILTS = (0.0, 0.5, 3.0, 5.0)
MATCH, ROOM, BINS = 1.0, 6.0, 10
FIRST_DISPLACED, NEIGHBOUR = 100, 3.3
"""Of the particles on which displacements are judged, not those by which thresholds were set; farthest neighbour, A."""
SEED = 9_000_000
"""Of the first particle; those of training come from other generators."""
SEED_OF_CALIBRATION = 9_500_000
"""Of the particles on which probabilities are made honest, which are judged nowhere."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """A series and its truth; positions in px, tilt in degrees, dose of all images in e/A2."""

    key: str
    stack: np.ndarray
    pixel_size: float
    columns: np.ndarray
    heights: np.ndarray
    tilt: float
    dose: float
    mtf: bool = True


@dataclass(frozen=True, kw_only=True, eq=False)
class Counted:
    """Columns of a case, in the order of the truth: what was counted (0 where nothing was found) and how probable that is."""

    case: Case
    counts: np.ndarray
    probability: np.ndarray
    false: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """A particle through a lens, not yet recorded: intensity in parts of the beam (F, Y, X), places in px, degrees."""

    clean: np.ndarray
    positions: np.ndarray
    heights: np.ndarray
    tilt: float

    @property
    def window(self) -> tuple[slice, slice]:
        """The part of the field around the particle."""
        low = np.maximum(np.floor(self.positions.min(axis=0) - ROOM / FINE), 0).astype(int)
        high = np.ceil(self.positions.max(axis=0) + ROOM / FINE).astype(int)
        return slice(low[0], high[0]), slice(low[1], high[1])


def drawn_particle(one: int, rng: np.random.Generator, folder: Path, first: int = SEED) -> Drawn:
    """Particle number `one`; every third is of the same range of tilts."""
    low, high = TILTS[one % 3], TILTS[one % 3 + 1]
    tilt, along = np.radians(rng.uniform(low, high)), rng.uniform(0, 2 * np.pi)
    specimen = {
        "kind": "particle",
        "number": 79,
        "lattice_constant": 4.078,
        "radius": float(rng.uniform(6, 11)),
        "spread": 0.2,
        "adatoms": float(rng.uniform(0, 0.3)),
        "temperature": float(np.exp(rng.uniform(np.log(0.2), 0))),
        "zone": "110",
        "tilt_y": float(tilt * np.sin(along)),
        "tilt_x": float(tilt * np.cos(along)),
        "turn": float(rng.uniform(-np.pi, np.pi)),
        "seed": first + one,
    }
    found = particle_wave(specimen, ENERGY, FINE, folder)
    lens = CtfParams(
        energy=ENERGY,
        defocus=float(rng.uniform(-60, -20)),
        Cs=float(rng.uniform(-2e5, -1e5)),
        focal_spread=float(rng.uniform(20, 40)),
    )
    clean = image_focal_series(found.wave[None], [lens], FOCI, FINE)[0].numpy()
    return Drawn(clean=clean, positions=found.positions, heights=found.heights, tilt=float(np.degrees(tilt)))


CAMERA = MtfParams(model="rational", floor=0.0, knee=0.25, steepness=2.0)


def some_camera(rng: np.random.Generator) -> MtfParams:
    """A camera as those of the recipe, of which calibrations know all."""
    knee, floor, steepness = (float(rng.uniform(*ends)) for ends in ((0.2, 0.8), (0.0, 0.1), (1.8, 3.0)))
    return MtfParams(model="rational", floor=floor, knee=knee, steepness=steepness)


def recorded(clean: np.ndarray, dose: float, rng: np.random.Generator, camera: MtfParams | None = CAMERA) -> np.ndarray:
    """Counted electrons of a series, `dose` e/A2 in all images together."""
    counts = torch.from_numpy(rng.poisson(np.clip(clean, 0, None) * dose / len(FOCI) * FINE**2)).float()
    return counts.numpy() if camera is None else apply_mtf(counts[:, None], [camera] * len(FOCI))[:, 0].numpy()


def own_cases(number: int, folder: Path, without_mtf: bool) -> Iterator[Case]:
    """Series of so many particles, a third of them in each range of tilts, at every dose."""
    for one in range(number):
        rng = np.random.default_rng([SEED, one])
        drawn = drawn_particle(one, rng, folder)
        for mtf, dose in itertools.product((True, False) if without_mtf else (True,), DOSES):
            yield _case(one, drawn, recorded(drawn.clean, dose, rng, CAMERA if mtf else None), dose, mtf)


def cases_of_calibration(number: int, folder: Path) -> Iterator[Case]:
    """The same of other particles, each seen by a camera of its own."""
    for one in range(number):
        rng = np.random.default_rng([SEED_OF_CALIBRATION, one])
        drawn, camera = drawn_particle(one, rng, folder, SEED_OF_CALIBRATION), some_camera(rng)
        for dose in DOSES:
            yield _case(one, drawn, recorded(drawn.clean, dose, rng, camera), dose, True)


def _case(one: int, drawn: Drawn, stack: np.ndarray, dose: float, mtf: bool) -> Case:
    rows, columns = drawn.window
    return Case(
        key=f"{one}@{dose}",
        stack=stack[:, rows, columns],
        pixel_size=FINE,
        columns=drawn.positions - (rows.start, columns.start),
        heights=drawn.heights,
        tilt=drawn.tilt,
        dose=dose,
        mtf=mtf,
    )


def judge_places(number: int, folder: Path, model: str) -> None:
    """Series as they are, and with the first or last image off by the way from a column to one of its neighbours."""
    print("\n| dose, e/A2 | series | noticed | right to 0.6 A | unsure | lying on each other | moved all the same | unsure |")
    print("|---|---|---|---|---|---|---|---|")
    outcomes: dict[tuple[float, bool], list[tuple[bool, bool, bool]]] = {}
    for one in range(FIRST_DISPLACED, FIRST_DISPLACED + number):
        rng = np.random.default_rng([SEED, one])
        drawn = drawn_particle(one, rng, folder)
        middle = np.argmin(((drawn.positions - drawn.positions.mean(axis=0)) ** 2).sum(axis=1))
        away = drawn.positions - drawn.positions[middle]
        near = away[(np.hypot(*away.T) * FINE > 0.5) & (np.hypot(*away.T) * FINE < NEIGHBOUR)]
        for dose, place in itertools.product(DOSES, (None, 0, len(FOCI) - 1)):
            true, clean = np.zeros((len(FOCI), 2)), drawn.clean.copy()
            if place is not None:
                true[place] = near[rng.integers(len(near))]
                clean[place] = fourier_shift(clean[place], true[place])
            stack = recorded(clean, dose, rng)[:, *drawn.window]
            said = located(stack, model)
            shifts = np.array(said["series_shifts_px"])
            wrong = np.hypot(*(shifts - true).T).max() * FINE > 0.6
            unsure = "period" in said.get("doubt", "")
            outcomes.setdefault((dose, place is not None), []).append((bool(shifts.any()), not wrong, unsure))
    for dose in DOSES:
        moved, still = (np.array(outcomes[dose, off]) for off in (True, False))
        shares = " | ".join(f"{value:.3f}" for value in moved.mean(axis=0))
        print(f"| {dose} | {len(moved)} | {shares} | {len(still)} | {still[:, 0].mean():.3f} | {still[:, 2].mean():.3f} |")


def fourier_shift(image: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """A periodic image whose content is moved by a shift, px."""
    y, x = (np.fft.fftfreq(side) * step for side, step in zip(image.shape, shift, strict=True))
    return np.fft.ifft2(np.fft.fft2(image) * np.exp(-2j * np.pi * (y[:, None] + x))).real


def located(stack: np.ndarray, model: str) -> dict:
    """What is said of a series, whose order is told."""
    image = Micrograph(data=stack, pixel_size=(FINE, FINE), modality="hrtem")
    network = NetworkParams(foci=",".join(map(str, FOCI)))
    return locate(image, model=model, series=True, network=network).provenance["network"]


def calibration(cases: list[Case], model: str) -> dict[str, float]:
    """What a card says of its probabilities (``inference/count_probabilities.py``), fitted on images seen as those of users."""
    network = load_model(model)
    usual = float(network.card.calibration.get(USUAL_NOISE, 1.0))
    found = {USUAL_NOISE: usual}
    for kind in (SERIES, SINGLE):
        parts = []
        for case in cases:
            data = case.stack if kind == SERIES else case.stack[len(case.stack) // 2]
            prediction = run(predict(network, data, (case.pixel_size, case.pixel_size), averaged=True))
            structures = recognised(prediction, network.card, NetworkParams())
            if not len(structures.positions):
                continue
            places = prediction.grid.to_image(structures.positions)
            distance, nearest = cKDTree(case.columns).query(places)
            near = distance * case.pixel_size < MATCH
            noise = np.full(int(near.sum()), noise_seen(prediction.image))
            parts.append((structures.probabilities[near], case.heights[nearest[near]], noise))
        found |= kind_calibration(parts, kind, usual)
    return found


def bench_cases(folder: Path) -> Iterator[Case]:
    """Series that the folder's ``draw.py`` draws."""
    spec = importlib.util.spec_from_file_location("draw", folder / "draw.py")
    draw = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(draw)
    for key, stack, size, columns, heights, tilt in draw.particles(str(folder)):
        yield Case(
            key=key, stack=stack, pixel_size=size, columns=columns, heights=heights, tilt=tilt, dose=float(key.split("@")[1])
        )


def counted(case: Case, model: str, alone: bool, network: NetworkParams) -> Counted:
    """Count the atoms of a series, or of its middle image."""
    data = case.stack[len(case.stack) // 2] if alone else case.stack
    image = Micrograph(data=data, pixel_size=(case.pixel_size, case.pixel_size), modality="hrtem", name=case.key)
    found = locate(image, model=model, series=not alone, network=network)
    counts, probability = np.zeros(len(case.heights), int), np.zeros(len(case.heights))
    right = 0
    if len(found):
        distance, nearest = cKDTree(found.positions).query(case.columns)
        near = distance * case.pixel_size < MATCH
        counts[near] = found.features[ATOM_COUNT].to_numpy()[nearest[near]]
        probability[near] = found.features[COUNT_PROBABILITY].to_numpy()[nearest[near]]
        right = len(np.unique(nearest[near]))
    # Of many particles, the images would fill the memory.
    light = replace(case, stack=np.empty((len(case.stack), 0, 0)))
    return Counted(case=light, counts=counts, probability=probability, false=len(found) - right)


def calibration_error(parts: list[Counted]) -> float:
    """Mean distance of the probability from the share that is right, over ten bins, weighted with their columns."""
    found = np.concatenate([one.counts > 0 for one in parts])
    chance = np.concatenate([one.probability for one in parts])[found]
    right = np.concatenate([one.counts == one.case.heights for one in parts])[found]
    where = np.minimum((chance * BINS).astype(int), BINS - 1)
    gaps = [abs(chance[where == k].mean() - right[where == k].mean()) * (where == k).sum() for k in np.unique(where)]
    return float(sum(gaps) / max(1, len(chance)))


def shares(parts: list[Counted]) -> tuple[float, float, float, float]:
    """Recall and precision of positions, shares of all columns counted exactly and within one."""
    counts = np.concatenate([one.counts for one in parts])
    heights = np.concatenate([one.case.heights for one in parts])
    found, false = counts > 0, sum(one.false for one in parts)
    error = np.abs(counts - heights)
    right = int(found.sum())
    return (
        float(found.mean()),
        right / max(1, right + false),
        float(((error == 0) & found).mean()),
        float(((error <= 1) & found).mean()),
    )


def table(title: str, parts: list[Counted], ranges: tuple[float, ...] = TILTS) -> None:
    """Print the shares by dose and tilt."""
    print(f"\n{title}\n| tilt, degrees | dose, e/A2 | columns | recall | precision | exact | within one | calibration error |")
    print("|---|---|---|---|---|---|---|---|")
    for low, high in itertools.pairwise(ranges):
        for dose in sorted({one.case.dose for one in parts}):
            mine = [one for one in parts if low <= one.case.tilt <= high and one.case.dose == dose]
            if mine:
                number = sum(len(one.case.heights) for one in mine)
                numbers = " | ".join(f"{value:.3f}" for value in (*shares(mine), calibration_error(mine)))
                print(f"| {low:g} to {high:g} | {dose:g} | {number} | {numbers} |")
    print(f"calibration error over all: {calibration_error(parts):.3f}", flush=True)


def confusion(parts: list[Counted]) -> np.ndarray:
    """Columns by true (rows) and counted (columns) number of atoms; the first column is for those that were not found."""
    most = max(int(max(one.case.heights.max(), one.counts.max())) for one in parts)
    matrix = np.zeros((most + 1, most + 1), int)
    for one in parts:
        np.add.at(matrix, (one.case.heights, one.counts), 1)
    return matrix


def draw_figures(series: list[Counted], single: list[Counted], folder: Path) -> None:
    """The confusion matrix at the highest dose, and the shares against dose, as pictures."""
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    most = max(one.case.dose for one in series)
    matrix = confusion([one for one in series if one.case.dose == most])
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    axes[0].imshow(share, cmap="viridis", vmin=0, vmax=1, origin="lower")
    axes[0].set(xlabel="atoms counted (0: not found)", ylabel="atoms", title=f"{most:g} e/Å² in total")
    for (true, found), value in np.ndenumerate(share):
        if value >= 0.005:
            axes[0].text(
                found, true, f"{100 * value:.0f}", ha="center", va="center", fontsize=6, color="w" if value < 0.6 else "k"
            )
    for parts, style, name in ((series, "-", "series"), (single, "--", "middle image")):
        doses = sorted({one.case.dose for one in parts})
        for colour, (low, high) in zip(("C0", "C1", "C2"), itertools.pairwise(TILTS), strict=True):
            mine = {dose: [one for one in parts if one.case.dose == dose and low <= one.case.tilt <= high] for dose in doses}
            if all(mine.values()):
                exact = [shares(mine[dose])[2] for dose in doses]
                axes[1].semilogx(doses, exact, style, color=colour, marker="o", label=f"{name}, {low:g} to {high:g} degrees")
    axes[1].set(xlabel="dose of the series, e/Å²", ylabel="columns counted exactly", ylim=(0, 1))
    axes[1].legend(fontsize=7)
    figure.savefig(folder / "particles_counted.png", dpi=110)
    plt.close(figure)


def judge_film(model: str) -> None:
    """Print what `sequence` makes of the sample film: sites, and the presence of those that come and go, frame by frame."""
    film, truth = draw_sample("gold-film")
    found = sequence(film, model=model)
    moved = np.array(found.drift[["y_px", "x_px"]], float)
    places = found.sites[["y_px", "x_px"]].to_numpy()
    missing = 0
    for site in np.unique(truth.positions.round(3), axis=0, return_index=True)[1]:
        at = truth.positions[site]
        there = np.zeros(film.frames, bool)
        there[truth.frame[np.hypot(*(truth.positions - at).T) < 1.0]] = True
        distance, nearest = cKDTree(places).query(at + np.nanmean(moved[:1], axis=0))
        if distance * film.pixel_size[0] > MATCH:
            missing += 1
            continue
        seen = found.presence[nearest] > 0.5
        if not there.all():
            print(f"column at {at.round(1)} px, there in {there.sum()} of {film.frames} frames: right in {(seen == there).sum()}")
    steady = int((found.sites["occupancy"] > 0.99).sum())
    print(f"film: {len(places)} sites, {steady} always there, {missing} columns without one, {len(found.events)} events")


def answered_apart(given: argparse.Namespace) -> bool:
    """What is asked for beside the tables: the film, displaced images, a calibration; whether there was any of it."""
    if given.film:
        judge_film(given.model)
    if given.displaced:
        judge_places(given.displaced, given.waves, given.model)
    if given.calibrate:
        print("calibration:", calibration(list(cases_of_calibration(given.calibrate, given.waves)), given.model))
    return bool(given.film or given.displaced or given.calibrate)


def main() -> None:
    """Judge, print tables, draw figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--own", type=int, default=0)
    parser.add_argument("--bench", type=Path)
    parser.add_argument("--model", default="hrtem-particles")
    parser.add_argument("--waves", type=Path, default=waves_folder() / "benchmark")
    parser.add_argument("--displaced", type=int, default=0, help="so many particles, an image of which is off by a period")
    parser.add_argument("--calibrate", type=int, default=0, help="so many other particles tell the calibration of a card")
    parser.add_argument("--film", action="store_true", help="also the sample film, by `sequence`")
    parser.add_argument("--figures", type=Path)
    parser.add_argument("--without-mtf", action="store_true", help="also without the camera's MTF")
    parser.add_argument("--register", action="store_true", help="lay the images on each other first, which own ones are")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if answered_apart(given) and not (given.own or given.bench):
        return
    if not (given.own or given.bench):
        parser.error("give --own N or --bench FOLDER")
    own = own_cases(given.own, given.waves, given.without_mtf) if given.own else ()
    others = bench_cases(given.bench) if given.bench else ()
    network = NetworkParams(register=given.register)
    alone = replace(network, register=False)
    series, single = [], []
    for case in itertools.chain(own, others):
        series.append(counted(case, given.model, alone=False, network=network))
        single.append(counted(case, given.model, alone=True, network=alone))
    for mtf in sorted({one.case.mtf for one in series}, reverse=True):
        camera = "" if mtf else ", without the camera's MTF"
        table(f"focal series{camera}", [one for one in series if one.case.mtf == mtf])
        table(f"middle image alone{camera}", [one for one in single if one.case.mtf == mtf])
    print("\nconfusion at the highest dose (rows: atoms; first column: not found)")
    print(confusion([one for one in series if one.case.dose == max(each.case.dose for each in series)]))
    if given.figures:
        draw_figures(series, single, given.figures)


if __name__ == "__main__":
    main()
