"""Which columns the finder by itself finds on structures that nothing was tuned on, as a table.

``ATOMSEG_BENCH=FOLDER python benchmarks/finder.py [--half tuning|held-out|all] [--model NAME ...] [--truth FOLDER] [--worst N]``
draws a hundred structures (crystals along zone axes with vacancies, walls between two of them, particles, atomic layers; where
two elements take part the fainter column of like density has 0.1 to 1 of the brighter one's intensity) and images them by
convolution. FOLDER holds ``corrupt.py`` and ``score.py`` of the column bench, by whose rules they are corrupted and scored.
Constants are tuned on one half of the structures; the other one is for quoting. With ``--truth`` the structures are those of
``multislice_truth.py``.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk, mx2
from ase.data import atomic_numbers, covalent_radii
from ase.spacegroup import crystal
from multislice_truth import DETECTOR, columns_of
from scipy.spatial import cKDTree

from napari_atomseg.core.jobs import run
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.specimens.cut_params import CutParams
from napari_atomseg.specimens.cutting import cut
from napari_atomseg.workflows import SimulationParams, StemParams, locate, simulate

STRUCTURES = 100
FIELD = (30.0, 38.0)
"""Range of the field of view, Angstrom."""
FEWEST_VISIBLE = 20
"""Columns; a draw that shows fewer is drawn anew."""
RESOLVED = 1.15
"""Columns nearer to each other make stripes; a draw in which more than a few visible ones are is drawn anew, Angstrom."""
MOST_UNRESOLVED = 0.05
CONTRAST_POWER = 1.7
"""An atom scatters into the dark field as this power of its atomic number."""
PEAKS = (3, 10, 30, 100)
VARIANTS = ("poisson", "scan")


@dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """A structure's clean image and its columns (N, 2) in (y, x), px."""

    name: str
    image: np.ndarray
    pixel_size: float
    columns: np.ndarray


def partner(heavy: int, rng: np.random.Generator) -> int:
    """Atomic number of an element whose atom shows 0.1 to 1 of the intensity of the heavy one's."""
    return max(3, round(heavy * rng.uniform(0.1, 1) ** (1 / CONTRAST_POWER)))


def cubic(symbols: list[int], sites: list[tuple[float, float, float]], group: int, length: float) -> Atoms:
    """A cubic crystal."""
    return crystal(symbols, sites, spacegroup=group, cellpar=(length, length, length, 90, 90, 90))


def one_element(rng: np.random.Generator) -> Atoms:
    """A metal or a semiconductor of one element."""
    kind = rng.choice(["fcc", "bcc", "hcp", "diamond"])
    choices = {"fcc": ["Al", "Cu", "Ag", "Au", "Pt", "Ni"], "bcc": ["Fe", "W", "Nb"], "hcp": ["Ti", "Zr", "Mg"]}
    return bulk(str(rng.choice(choices.get(str(kind), ["Si", "Ge"]))), cubic=kind not in ("hcp",))


def two_elements(rng: np.random.Generator) -> Atoms:
    """A binary compound with a random ratio of intensities; distances are sums of covalent radii, but at least 2 Angstrom."""
    heavy = int(rng.integers(40, 84))
    light = partner(heavy, rng)
    bond = max(2.0, float(covalent_radii[heavy] + covalent_radii[light]))
    kind = rng.choice(["zincblende", "rocksalt", "cesiumchloride", "fluorite", "L1_0", "L1_2", "wurtzite"])
    if kind == "zincblende":
        return cubic([heavy, light], [(0, 0, 0), (0.25,) * 3], 216, 4 * bond / np.sqrt(3))
    if kind == "rocksalt":
        return cubic([heavy, light], [(0, 0, 0), (0.5,) * 3], 225, 2 * bond)
    if kind == "cesiumchloride":
        return cubic([heavy, light], [(0, 0, 0), (0.5,) * 3], 221, 2 * bond / np.sqrt(3))
    if kind == "fluorite":
        return cubic([heavy, light], [(0, 0, 0), (0.25,) * 3], 225, 4 * bond / np.sqrt(3))
    if kind == "L1_2":
        return cubic([heavy, light], [(0, 0, 0), (0, 0.5, 0.5)], 221, np.sqrt(2) * bond)
    if kind == "L1_0":
        length = np.sqrt(2) * bond
        places = [(0, 0, 0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)]
        return Atoms([heavy, heavy, light, light], scaled_positions=places, cell=(length, length, 0.96 * length), pbc=True)
    length = bond * np.sqrt(8 / 3)
    sites = [(1 / 3, 2 / 3, 0), (1 / 3, 2 / 3, 0.375)]
    return crystal([heavy, light], sites, spacegroup=186, cellpar=(length, length, 1.633 * length, 90, 90, 120))


def oxide(rng: np.random.Generator) -> Atoms:
    """A perovskite, a rutile or a spinel of elements drawn at random."""
    heavy = int(rng.integers(38, 84))
    light = partner(heavy, rng)
    oxygen = atomic_numbers["O"]
    kind = rng.choice(["perovskite", "rutile", "spinel"])
    if kind == "perovskite":
        return cubic([heavy, light, oxygen], [(0, 0, 0), (0.5,) * 3, (0.5, 0.5, 0)], 221, rng.uniform(3.8, 4.2))
    if kind == "spinel":
        return cubic([heavy, light, oxygen], [(0, 0, 0), (0.625,) * 3, (0.385,) * 3], 227, rng.uniform(8.0, 8.6))
    sites = [(0, 0, 0), (0.305, 0.305, 0)]
    return crystal([heavy, oxygen], sites, spacegroup=136, cellpar=(4.6, 4.6, 2.95, 90, 90, 90))


ZONES = ("0,0,1", "1,1,0", "1,1,1", "1,0,0", "0,1,0", "1,1,2")
Drawn = tuple[Atoms, CutParams]
"""Atoms and how they lie."""


def foil(rng: np.random.Generator, field: float) -> Drawn:
    """A crystal that fills the field, with vacancies here and there."""
    cell = (one_element, two_elements, two_elements, oxide)[int(rng.integers(4))](rng)
    return cell, CutParams(
        zone_axis=str(rng.choice(ZONES)),
        rotation_deg=float(rng.uniform(0, 90)),
        thickness=float(rng.uniform(15, 60)),
        vacancies=float(rng.choice([0.0, 0.0, 0.1])),
        width_y=field,
        width_x=field + 2.9,
        seed=int(rng.integers(2**31)),
    )


def piece(rng: np.random.Generator, field: float) -> Atoms:
    """Atoms of a foil in the field."""
    atoms = cut(*foil(rng, field))
    atoms.pbc = False
    return atoms


def wall(rng: np.random.Generator, field: float) -> Drawn:
    """Two crystals side by side, or one beside itself turned, with a boundary through the middle."""
    left, right = piece(rng, field), piece(rng, field)
    turn = rng.uniform(0, np.pi)
    normal = np.array([np.cos(turn), np.sin(turn)])
    middle = np.array([field / 2, field / 2])

    def beyond(atoms: Atoms, side: float) -> Atoms:
        return atoms[side * ((atoms.positions[:, :2] - middle) @ normal) > 0.8]

    both = beyond(left, 1.0) + beyond(right, -1.0)
    return _loose(both), CutParams(width_y=field, width_x=field)


def particle(rng: np.random.Generator, field: float) -> Drawn:
    """A sphere of a crystal in vacuum."""
    cell = (one_element, two_elements)[int(rng.integers(2))](rng)
    radius = rng.uniform(9, 15)
    repeat = [int(np.ceil(2.6 * radius / height)) for height in 1 / np.linalg.norm(cell.cell.reciprocal(), axis=1)]
    block = cell.repeat(repeat)
    middle = block.cell.array.sum(axis=0) / 2
    ball = block[np.linalg.norm(block.positions - middle, axis=1) < radius]
    return _loose(ball), CutParams(zone_axis=str(rng.choice(ZONES[:3])), rotation_deg=float(rng.uniform(0, 90)))


def layer(rng: np.random.Generator, field: float) -> Drawn:
    """An atomic layer of a dichalcogenide with vacancies."""
    metal = str(rng.choice(["Mo", "W", "Nb", "V"]))
    other = str(rng.choice(["S", "Se", "Te"]))
    sheet = mx2(metal + other + "2", a=rng.uniform(3.1, 3.5), thickness=3.2, vacuum=5.0).repeat((18, 20, 1))
    del sheet[np.flatnonzero(rng.random(len(sheet)) < 0.03).tolist()]
    return _loose(sheet), CutParams(rotation_deg=float(rng.uniform(0, 60)), width_y=field, width_x=field)


def _loose(atoms: Atoms) -> Atoms:
    atoms.pbc = False
    atoms.set_cell(None)
    return atoms


KINDS: dict[str, Callable[[np.random.Generator, float], Drawn]] = {
    "foil": foil,
    "wall": wall,
    "particle": particle,
    "layer": layer,
}
SHARES = (0.5, 0.2, 0.22, 0.08)


def drawn_truth(index: int, visible: Callable[..., np.ndarray]) -> Truth:
    """The structure of this number; the same each time."""
    rng = np.random.default_rng([index, 20])
    while True:
        kind = str(rng.choice(list(KINDS), p=SHARES))
        atoms, params = KINDS[kind](rng, rng.uniform(*FIELD))
        truth = imaged(f"{kind}_{index}", atoms, params, rng)
        seen = truth.columns[visible(truth.image, truth.pixel_size, truth.columns)]
        if len(seen) >= FEWEST_VISIBLE and unresolved(seen * truth.pixel_size) <= MOST_UNRESOLVED:
            return truth


def unresolved(places: np.ndarray) -> float:
    """Share of places (N, 2), in Angstrom, that have another one too near."""
    return float(np.mean(cKDTree(places).query(places, k=2)[0][:, 1] < RESOLVED))


def imaged(name: str, atoms: Atoms, params: CutParams, rng: np.random.Generator) -> Truth:
    """Clean image of a structure by convolution with the probe."""
    params = CutParams(**{**vars(params), "thermal": 0.0})
    lens = StemParams(energy=200e3, semiangle=24.0, defocus=10.0, Cs=1.2e4, source_size=float(rng.uniform(0.6, 1.1)))
    wanted = SimulationParams(
        method="convolution", pixel_size=float(rng.uniform(0.1, 0.2)), cut=params, stem=lens, detector=DETECTOR
    )
    image = run(simulate.steps(atoms, wanted))
    size = image.require_pixel_size()[0]
    places = columns_of(cut(atoms, params))[0] / size
    inside = np.all((places > -0.5) & (places < np.array(image.shape) - 0.5), axis=1)
    return Truth(name=name, image=np.asarray(image.data, np.float32), pixel_size=size, columns=places[inside])


def stored_truths(folder: Path) -> Iterator[Truth]:
    """Structures that lie in files."""
    for path in sorted(folder.glob("*.npz")):
        held = np.load(path)
        yield Truth(
            name=path.stem, image=np.clip(held["image"], 0, None), pixel_size=float(held["pixel_size_A"]), columns=held["columns"]
        )


def truths(half: str, folder: Path | None, visible: Callable[..., np.ndarray]) -> Iterator[Truth]:
    """Structures of a half of the drawn ones, or those of a folder."""
    if folder is not None:
        yield from stored_truths(folder)
        return
    first, step = {"tuning": (0, 2), "held-out": (1, 2), "all": (0, 1)}[half]
    for index in range(first, STRUCTURES, step):
        yield drawn_truth(index, visible)


def main() -> None:
    """Print a table for each model, and the images that it does worst on."""
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--half", choices=["tuning", "held-out", "all"], default="held-out")
    told.add_argument("--model", nargs="+", default=["classical"])
    told.add_argument("--truth", type=Path)
    told.add_argument("--worst", type=int, default=0)
    asked = told.parse_args()
    sys.path.insert(0, os.environ["ATOMSEG_BENCH"])
    from corrupt import corrupt
    from score import score_columns, visible

    lines: dict[tuple[str, str, int], dict[str, tuple[float, float, float]]] = defaultdict(dict)
    begun = time.perf_counter()
    for truth in truths(asked.half, asked.truth, visible):
        for variant in VARIANTS:
            for peak in PEAKS:
                seed = zlib.crc32(f"{truth.name}@{variant}@{peak}".encode())
                noisy, target, _ = corrupt(truth.image, truth.pixel_size, variant, peak, seed)
                shot = Micrograph(data=noisy, pixel_size=(truth.pixel_size, truth.pixel_size))
                for model in asked.model:
                    found = locate(shot, model=model, refined=False)
                    score = score_columns(found.positions, truth.columns, target, truth.pixel_size)
                    lines[model, variant, peak][truth.name] = (score["f1"], score["recall"], score["precision"])
    print(f"{time.perf_counter() - begun:.0f} s")
    print("\n".join(table(lines, asked.worst)))


def table(lines: dict[tuple[str, str, int], dict[str, tuple[float, float, float]]], worst: int) -> Iterator[str]:
    """Markdown rows, one for each model, variant and dose."""
    yield "| model | images | n | F1 | recall | precision | worst |"
    yield "|---|---|---|---|---|---|---|"
    for (model, variant, peak), scores in lines.items():
        mean = np.mean(list(scores.values()), axis=0)
        last = sorted(scores, key=lambda name: scores[name][0])[:worst]
        names = ", ".join(f"{name} {scores[name][1]:.2f}/{scores[name][2]:.2f}" for name in last)
        yield f"| {model} | {variant} {peak} | {len(scores)} | {mean[0]:.3f} | {mean[1]:.3f} | {mean[2]:.3f} | {names} |"


if __name__ == "__main__":
    main()
