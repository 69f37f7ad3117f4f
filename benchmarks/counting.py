"""How well atoms are counted, as numbers beside their targets.

``python benchmarks/counting.py [TRIALS]`` draws cross-sections of known counts, images of known columns and series of frames.
Beside the counts stand those of a classifier that knows the distribution of the truth, which nothing can beat. With
``ATOMSEG_SHARED`` set to a folder with ``data/truth/statstem_PtIr.npz`` volumes are compared with those of StatSTEM.
``python benchmarks/counting.py multislice`` counts a wedge of platinum and a particle of gold made by our own multislice with a
library made by it too, which takes half an hour.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from napari_atomseg.analysis.hidden_markov import forward_backward, learn_hopping
from napari_atomseg.analysis.intensities.counting import Counted, count_atoms, count_frames
from napari_atomseg.analysis.intensities.cross_sections import cross_sections
from napari_atomseg.analysis.intensities.params import IntensityParams
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.jobs import run
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.workflows import CutParams, MultisliceParams, SimulationParams, locate, measure, refine, simulate

MOST = 12
PX, SIGMA, SPACING, HEIGHT = 0.2, 2.6, 11.0, 0.2
SLICED = SimulationParams(method="multislice", pixel_size=0.2, multislice=MultisliceParams(configurations=2))


def say(what: str, found: str, target: str) -> None:
    """One line of the table."""
    print(f"| {what} | {found} | {target} |", flush=True)


def draw(rng: np.random.Generator, columns: int, scatter: float, relative: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Counts and cross-sections, in steps, of columns of 1 to 12 atoms."""
    atoms = rng.integers(1, MOST + 1, columns)
    return atoms, atoms * (1 + relative * rng.normal(size=columns)) + scatter * rng.normal(size=columns)


def best(values: np.ndarray, scatter: float, relative: float) -> np.ndarray:
    """Counts of a classifier that knows steps, widths and shares."""
    means = np.arange(1, MOST + 1)
    sigmas = np.hypot(scatter, relative * means)
    return 1 + np.argmin(((values[:, None] - means) / sigmas) ** 2 / 2 + np.log(sigmas), axis=1)


def counted(values: np.ndarray, error: float) -> Counted:
    """Counts as the program gives them for cross-sections whose errors it knows, as it does from an image."""
    return run(count_atoms(values, np.full(len(values), error), IntensityParams()))


def counts(trials: int) -> None:
    """Cross-sections drawn straight from a mixture."""
    for columns, scatter, relative in ((300, 0.15, 0.0), (600, 0.3, 0.03), (100, 0.15, 0.0), (100, 0.3, 0.0)):
        rng = np.random.default_rng(0)
        right, of_best, number, sure, icl = [], [], [], [], []
        for _ in range(trials):
            atoms, values = draw(rng, columns, scatter, relative)
            found = counted(values, scatter)
            right.append(np.mean(found.count == atoms))
            of_best.append(np.mean(best(values, scatter, relative) == atoms))
            number.append(found.choice.chosen == MOST)
            icl.append(found.choice.chosen_by("icl") == MOST)
            sure.append(found.choice.probability)
        name = f"{columns} columns, scatter {scatter:g} of a step, {100 * relative:g} % multiplicative, {trials} trials"
        if columns == 300:
            say(f"{name}: right number by ICL", f"{100 * np.mean(icl):.1f} %", ">= 95 %")
            say(f"{name}: counts right", f"{100 * np.mean(right):.2f} %", ">= 99 %")
        elif columns == 600:
            shown = f"{100 * np.mean(right):.1f} % (median {100 * np.median(right):.1f} %)"
            say(f"{name}: counts right", shown, f"{100 * np.mean(of_best):.1f} % (best) less 2")
            say(f"{name}: right number", f"{100 * np.mean(number):.1f} %", "")
        else:
            say(
                f"{name}: right number, and how sure it says it is",
                f"{100 * np.mean(number):.0f} %, {100 * np.mean(sure):.0f} %",
                "alike",
            )


def picture(rng: np.random.Generator, side: int, atoms: np.ndarray, ramp: float, dose: float) -> tuple[np.ndarray, Columns]:
    """An image of columns on a ramp of background, and the columns where they are."""
    places = 10 + SPACING * np.stack(np.mgrid[:side, :side], axis=-1).reshape(-1, 2) + rng.normal(0, 0.3, (side**2, 2))
    length = int(20 + SPACING * side)
    y, x = np.mgrid[:length, :length]
    image = 0.5 * (1 + ramp * x / length)
    for (py, px), height in zip(places, HEIGHT * atoms, strict=True):
        top, left = max(0, int(py) - 14), max(0, int(px) - 14)
        part = np.s_[top : int(py) + 15, left : int(px) + 15]
        image[part] += height * np.exp(-((y[part] - py) ** 2 + (x[part] - px) ** 2) / (2 * SIGMA**2))
    columns = Columns(positions=places, pixel_size=(PX, PX)).with_features(sigma_px=SIGMA, fit="ok")
    return rng.poisson(dose * image) / dose, columns


def images(trials: int) -> None:
    """Cross-sections and their errors from images, and counts on a ramp."""
    rng = np.random.default_rng(1)
    for background in ("smooth", "local", "shared"):
        away, ratio = [], []
        for _ in range(trials):
            atoms = rng.uniform(2, 8, 100)
            image, columns = picture(rng, 10, atoms, 0.0 if background == "shared" else 0.3, 200)
            found = run(cross_sections(image, columns, (PX, PX), IntensityParams(background=background)))
            true = 2 * np.pi * SIGMA**2 * HEIGHT * atoms * PX**2
            away.append((found.values - true) / found.std)
            ratio.append(np.median(found.values / true) - 1)
        name = f"background {background}, {trials} trials of 100 columns"
        say(f"{name}: bias", f"{100 * np.mean(ratio):+.2f} %", "< 2 % (ramp of 30 %)")
        say(f"{name}: within one error", f"{100 * np.mean(np.abs(np.concatenate(away)) < 1):.1f} %", "68 +- 5 %")
    right, bound = [], []
    step = 2 * np.pi * SIGMA**2 * HEIGHT * PX**2
    for _ in range(max(4, trials // 5)):
        atoms = rng.integers(1, MOST + 1, 25 * 25)
        image, columns = picture(rng, 25, atoms, 0.3, 200)
        found = run(cross_sections(image, columns, (PX, PX), IntensityParams()))
        noise = float(np.sqrt(np.mean(found.std**2))) / step
        rest = np.sqrt(max(0.3**2 - noise**2, 0.0))
        values = found.values / step * (1 + 0.03 * rng.normal(size=625)) + rest * rng.normal(size=625)
        right.append(np.mean(counted(values, 0.3).count == atoms))
        bound.append(np.mean(best(values, 0.3, 0.03) == atoms))
    name = "625 columns of an image on a ramp of 30 %, scatter 0.3 of a step, 3 % multiplicative"
    shown = f"{100 * np.mean(right):.1f} % (median {100 * np.median(right):.1f} %)"
    say(f"{name}: counts right", shown, f"{100 * np.mean(bound):.1f} % (best) less 2")


def frames(trials: int) -> None:
    """Five frames whose cross-sections scatter by 0.35 of a step; false and missed changes of both ways."""
    for rate in (0.01, 0.03):
        rng = np.random.default_rng(2)
        false, missed, true, curve = np.zeros(2), np.zeros(2), 0, []
        for _ in range(trials):
            atoms = rng.integers(1, MOST + 1, (117, 1)) * np.ones((1, 5), int)
            for frame in range(1, 5):
                moves = (rng.random(117) < rate) * rng.choice([-1, 1], 117)
                atoms[:, frame] = np.clip(atoms[:, frame - 1] + moves, 1, MOST)
            values = (atoms + 0.35 * rng.normal(size=atoms.shape)).ravel()
            place, site = np.tile(np.arange(5), 117), np.repeat(np.arange(117), 5)
            error = np.full(len(values), 0.35)
            together = run(count_frames(values, error, place, site, IntensityParams()))
            alone = together.mixture.probabilities(values, error).argmax(axis=1)
            moved = np.diff(atoms, axis=1) != 0
            true += moved.sum()
            for row, found in enumerate((alone, together.count)):
                seen = np.diff(found.reshape(117, 5), axis=1) != 0
                false[row] += np.sum(seen & ~moved)
                missed[row] += np.sum(~seen & moved)
            mixture = together.mixture
            emission = -0.5 * ((values.reshape(117, 5, 1) - mixture.means) / mixture.sigmas) ** 2 - np.log(mixture.sigmas)
            transition, _, _ = learn_hopping(emission, mixture.weights)
            curve.append((forward_backward(emission, transition, mixture.weights).changes, moved))
        belief, moved = (np.concatenate([one[part] for one in curve]) for part in (0, 1))
        limit = np.sort(belief[moved])[int(missed[0])]
        at_equal = np.sum((belief >= limit) & ~moved)
        name = f"5 frames, {100 * rate:g} % of the columns change in a frame ({true} changes)"
        say(f"{name}: false, missed; each frame for itself", f"{false[0]:.0f}, {missed[0]:.0f}", "")
        say(f"{name}: false, missed; most likely path", f"{false[1]:.0f}, {missed[1]:.0f}", "")
        say(f"{name}: fewer false ones at as many missed", f"{false[0] / max(at_equal, 1):.1f} times", ">= 8 times")
        for share in (0.5, 0.2, 0.1, 0.05, 0.02):
            seen = belief > share
            say(
                f"{name}: probability of a change above {share:g}",
                f"{np.sum(seen & ~moved)} false, {np.sum(~seen & moved)} missed",
                "",
            )


def existence(trials: int) -> None:
    """Columns of which 30 % are missing, where counts are few; a finder that sees 85 % of them and 10 % of the holes."""
    rng = np.random.default_rng(4)
    bins = np.array([0, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 1.01])
    for dose in (3, 5, 8):
        believed, true = [], []
        for _ in range(trials):
            atoms = np.where(rng.random((14, 14)) < 0.7, 1.0, 0.0)
            atoms[[0, -1]] = atoms[:, [0, -1]] = 1.0
            full = atoms.ravel() > 0
            image, columns = picture(rng, 14, atoms.ravel(), 0.0, dose)
            seen = np.where(full, rng.random(196) < 0.85, rng.random(196) < 0.1) | (np.arange(196) < 14)
            found = columns.select(np.flatnonzero(seen)).with_features(y_std_px=0.05, x_std_px=0.05, intensity=1.0)
            micrograph = Micrograph(data=image, pixel_size=(PX, PX), pixel_size_source="typed", name="holes")
            sites = measure(micrograph, found, what=("existence",), intensities=IntensityParams(background="shared")).tables[
                "sites"
            ]
            row = np.rint((sites[["y_px", "x_px"]].to_numpy(float) - 10) / SPACING).astype(int) @ [14, 1]
            believed.append(sites["existence_probability"].to_numpy(float))
            true.append(full[row])
        belief, there = np.concatenate(believed), np.concatenate(true)
        inside = [(belief >= low) & (belief < high) for low, high in pairwise(bins)]
        off = [(abs(belief[one].mean() - there[one].mean()), one.sum()) for one in inside if one.any()]
        worst, number = max(one for one in off if one[1] >= 100)
        mean = sum(away * count for away, count in off) / len(belief)
        name = f"existence, {dose} counts on a background of 0.5, {len(belief)} sites"
        say(
            f"{name}: off on average; in the worst class of 100 sites and more",
            f"{100 * mean:.1f} %, {100 * worst:.1f} % ({number})",
            "5 %",
        )


def quickness() -> None:
    """20,000 columns."""
    _, values = draw(np.random.default_rng(3), 20_000, 0.2, 0.02)
    begin = time.perf_counter()
    counted(values, 0.2)
    say("20,000 columns counted", f"{time.perf_counter() - begin:.1f} s", "< 2 s")


def statstem() -> None:
    """Volumes of a real particle against StatSTEM's fit."""
    path = Path(os.environ.get("ATOMSEG_SHARED", "shared")) / "data/truth/statstem_PtIr.npz"
    if not path.exists():
        return
    truth = np.load(path)
    size = float(truth["pixel_size_A"])
    places = truth["statstem_coords_A"][:, 1::-1] / size - 1
    columns = Columns(positions=places, pixel_size=(size, size)).with_features(
        sigma_px=truth["statstem_sigma_A"] / size, fit="ok"
    )
    volume = 2 * np.pi * truth["statstem_sigma_A"] ** 2 * truth["statstem_height"]
    for background in ("none", "shared"):
        found = run(cross_sections(truth["image"], columns, (size, size), IntensityParams(background=background)))
        ratio = found.values / volume - 1
        shown = f"median {100 * np.median(ratio):+.2f} %, 95 % within {100 * np.quantile(np.abs(ratio), 0.95):.2f} %"
        say(f"Pt-Ir particle against StatSTEM, background {background}", shown, "3 %")


def multislice() -> None:
    """A wedge of platinum and a particle of gold along [001], counted with libraries, all by our multislice."""
    from ase.build import bulk

    from napari_atomseg.simulation.cross_section_library import cross_section_library

    for name, element, side, most, columns in (
        ("wedge of platinum", "Pt", 3.92, 8, wedge(3.92, 8)),
        ("particle of gold, 1.6 nm", "Au", 4.08, 4, ball(4.08, 8.0)),
    ):
        how = replace(SLICED, cut=CutParams(zone_axis="0,0,1"))
        library = run(cross_section_library.steps(bulk(element, cubic=True, a=side), how, atoms=most, atom_distance=side))
        count_with_library(name, pictured(element, columns, side), columns, library)


def wedge(side: float, most: int) -> np.ndarray:
    """Columns (N, 4) of y, x in Angstrom, atoms, and height of the lowest in cells, of a crystal that becomes thicker."""
    places = [(row, column) for row in range(5) for column in range(12)]
    return np.array([(3.5 + y * side / 2, 3.5 + x * side / 2, 1 + x * most // 12, ((y + x) % 2) / 2) for y, x in places])


def ball(side: float, radius: float) -> np.ndarray:
    """The same of a round particle."""
    found = []
    for row in range(-8, 9):
        for column in range(-8, 9):
            levels = np.arange(-8, 9) + 0.5 * ((row + column) % 2)
            inside = levels[(row**2 + column**2) / 4 + levels**2 < (radius / side) ** 2]
            if len(inside):
                found.append((row * side / 2, column * side / 2, len(inside), inside.min()))
    table = np.array(found)
    table[:, :2] += 3.5 - table[:, :2].min(axis=0)
    return table


def pictured(element: str, columns: np.ndarray, side: float) -> Micrograph:
    """Image of columns (N, 4) by multislice."""
    from ase import Atoms

    places = [(x, y, side * (low + level)) for y, x, atoms, low in columns for level in range(int(atoms))]
    places = np.array(places) - [0, 0, side * columns[:, 3].min()]
    field = columns[:, :2].max(axis=0) + 3.5
    cut = CutParams(zone_axis="0,0,1", repeat="none", width_y=float(field[0]), width_x=float(field[1]))
    return run(simulate.steps(Atoms(f"{element}{len(places)}", positions=places), replace(SLICED, cut=cut)))


def count_with_library(name: str, image: Micrograph, truth: np.ndarray, library: np.ndarray) -> None:
    """Columns found, fitted and counted; truth (N, 3 or more) of y, x in Angstrom and atoms, up to a common shift."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "library.txt"
        np.savetxt(path, library)
        columns = refine(image, locate(image, model="classical"))
        params = IntensityParams(library=str(path), background="none", integration="voronoi")
        found = measure(image, columns, what=("counts",), intensities=params).columns
    apart = found.positions_angstrom[:, None] - truth[None, :, :2]
    shift = np.median(apart[np.arange(len(found)), np.argmin(np.hypot(*np.moveaxis(apart, 2, 0)), axis=1)], axis=0)
    distance = np.hypot(*np.moveaxis(apart - shift, 2, 0))
    owner = np.argmin(distance, axis=1)
    near = distance.min(axis=1) < 0.8
    away = found.features["atom_count"].to_numpy(float)[near] - truth[owner[near], 2]
    say(f"{name}, {near.sum()} of {len(truth)} columns found: right", f"{100 * np.mean(away == 0):.0f} %", "")
    say(f"{name}: within one atom", f"{100 * np.mean(np.abs(away) <= 1):.0f} %", ">= 98 %")


def main() -> None:
    """Print the table."""
    print("| what | found | target |\n| --- | --- | --- |")
    if sys.argv[1:] == ["multislice"]:
        multislice()
        return
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    statstem()
    quickness()
    images(max(10, trials // 4))
    existence(max(10, trials // 4))
    frames(max(10, trials // 5))
    counts(trials)


if __name__ == "__main__":
    main()
