"""Whether what is found keeps to what is there: polar domains, vacancies, a dislocation, a twin.

``python benchmarks/beliefs.py [MODEL]`` draws each scene with and without displaced scan rows, finds the columns (by the
network MODEL, or without one), fits them on the raw image, and prints by how much the shift of a sublattice comes back, how
many empty sites were filled, how many columns were invented and how many missed. True positions are those of the crystal.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.spatial import cKDTree

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.imaging.linear_adf import batch_columns, render_gaussians
from napari_atomseg.noise.compose import apply
from napari_atomseg.noise.counting import CountingParams
from napari_atomseg.noise.scan_jitter import ScanJitterParams
from napari_atomseg.workflows import locate, refine

SIDE, PIXEL = 48.0, 0.12
"""Field and pixels, Angstrom."""
WIDTH = 0.45
"""Standard deviation of a column's image, Angstrom."""
PEAK, GROUND = 60.0, 8.0
"""Counts of the brightest column and of what lies under all."""
EDGE, MATCH = 3.0, 0.6
"""Border that is not judged, and farthest distance of a match, Angstrom."""
STO = 3.905


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """Columns (N, 2) in Angstrom with heights; `moved` those of the shifted sublattice, `shift` theirs; empty sites."""

    name: str
    positions: np.ndarray
    heights: np.ndarray
    moved: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    shift: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    empty: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))


def perovskite() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions, heights, and which are those in the middles of the cells."""
    cells = np.stack(np.meshgrid(*[np.arange(-1, SIDE / STO + 1)] * 2, indexing="ij"), -1).reshape(-1, 2) * STO
    positions = np.concatenate([cells, cells + STO / 2]) + 0.7
    middle = np.repeat([False, True], len(cells))
    return positions, np.where(middle, 0.45, 1.0), middle


def polar(direction: tuple[float, float], size: float) -> Scene:
    """Middles shifted one way left of a wall, the other way right of it."""
    positions, heights, middle = perovskite()
    sign = np.where(positions[:, 1] < SIDE / 2, 1.0, -1.0)
    shift = np.where(middle[:, None], sign[:, None] * size * np.array(direction), 0.0)
    name = f"polar, {size:g} Å {'along' if direction[1] else 'across'} the rows"
    return Scene(name=name, positions=positions + shift, heights=heights, moved=middle, shift=shift)


def vacancies(rng: np.random.Generator) -> Scene:
    """Every thirtieth column missing."""
    positions, heights, _ = perovskite()
    gone = rng.uniform(size=len(positions)) < 1 / 30
    return Scene(name="vacancies", positions=positions[~gone], heights=heights[~gone], empty=positions[gone])


def dislocation() -> Scene:
    """An edge dislocation in a square lattice; isotropic elasticity, Poisson's ratio 0.3 (Hirth & Lothe, Eq. 3-45)."""
    lattice = 2.8
    cells = np.stack(np.meshgrid(*[np.arange(-3, SIDE / lattice + 3)] * 2, indexing="ij"), -1).reshape(-1, 2) * lattice
    y, x = (cells - SIDE / 2 - 0.3 * lattice).T
    square, nu = x**2 + y**2, 0.3
    along = lattice / (2 * np.pi) * (np.arctan2(y, x) + x * y / (2 * (1 - nu) * square))
    across = -lattice / (2 * np.pi) * ((1 - 2 * nu) / (4 * (1 - nu)) * np.log(square) + (x**2 - y**2) / (4 * (1 - nu) * square))
    moved = cells + np.stack([across, along], axis=1)
    # The two sides of the cut overlap by what the dislocation adds: of columns that nearly meet, one goes.
    near = cKDTree(moved).query_pairs(0.6 * lattice)
    keep = np.ones(len(moved), bool)
    keep[[second for _, second in near]] = False
    return Scene(name="dislocation", positions=moved[keep], heights=np.ones(int(keep.sum())))


def twin() -> Scene:
    """A crystal and its mirror image."""
    basis = np.array([[2.9, 0.8], [0.5, 2.4]])
    steps = np.stack(np.meshgrid(*[np.arange(-40, 40)] * 2, indexing="ij"), -1).reshape(-1, 2) @ basis
    right = steps[steps[:, 1] > 0.6]
    both = np.concatenate([right, right * [1, -1]]) + SIDE / 2
    inside = np.all((both > -3) & (both < SIDE + 3), axis=1)
    return Scene(name="twin", positions=both[inside], heights=np.ones(int(inside.sum())))


def scenes() -> Iterator[Scene]:
    """All of them."""
    for size in (0.1, 0.2):
        yield polar((0, 1), size)
        yield polar((1, 0), size)
    yield vacancies(np.random.default_rng(5))
    yield dislocation()
    yield twin()


def recorded(scene: Scene, jitter: float, seed: int) -> Micrograph:
    """The scene in counts, its rows displaced by so many Angstrom (standard deviation of the offsets)."""
    side = round(SIDE / PIXEL)
    pixels = scene.positions / PIXEL - 0.5
    columns = batch_columns([torch.from_numpy(pixels)], [torch.from_numpy(scene.heights)], [WIDTH / PIXEL], "cpu")
    clean = render_gaussians(columns, (side, side))
    image = clean * (PEAK / clean.max()) + GROUND
    phi = 0.6
    sigma = jitter / PIXEL * float(np.sqrt(1 - phi**2))
    steps = [
        ("scan_jitter", ScanJitterParams(sigma_x=sigma, sigma_y=0.6 * sigma, phi_x=phi, phi_y=phi), seed),
        ("counting", CountingParams(), seed + 1),
    ]
    data = apply(image, [steps if jitter else steps[1:]])[0, 0].numpy()
    return Micrograph(data=data, pixel_size=(PIXEL, PIXEL), name=scene.name)


def judged(scene: Scene, found: np.ndarray) -> dict[str, float]:
    """What positions (M, 2) in Angstrom make of a scene."""

    def inside(points: np.ndarray) -> np.ndarray:
        return np.all((points > EDGE) & (points < SIDE - EDGE), axis=1)

    tree = cKDTree(found)
    distance, nearest = tree.query(scene.positions)
    hit = distance < MATCH
    offset = np.median(found[nearest[hit]] - scene.positions[hit], axis=0)
    place = np.where(hit[:, None], found[nearest] - offset, np.nan)
    judge = inside(scene.positions)
    error = np.linalg.norm(place - scene.positions, axis=1)[judge & hit]
    far = cKDTree(scene.positions).query(found - offset)[0] > MATCH
    result = {
        "missed": float(np.sum(judge & ~hit)),
        "invented": float(np.sum(far & inside(found))),
        "rms_pm": 100 * float(np.sqrt(np.mean(error**2))),
        "shift": np.nan,
        "filled": np.nan,
    }
    if len(scene.empty):
        result["filled"] = float(np.sum(tree.query(scene.empty)[0][inside(scene.empty)] < MATCH))
    if scene.moved.any():
        result["shift"] = _shift_share(scene, place, judge)
    return result


def _shift_share(scene: Scene, place: np.ndarray, judge: np.ndarray) -> float:
    """Found shift of the sublattice against its four neighbours, in units of the true one; 1 is right."""
    rest = np.flatnonzero(~scene.moved)
    true_sites = scene.positions - scene.shift
    shares = []
    for row in np.flatnonzero(scene.moved & judge):
        around = rest[np.argsort(np.linalg.norm(true_sites[rest] - true_sites[row], axis=1))[:4]]
        found = place[row] - place[around].mean(axis=0)
        true = scene.shift[row]
        shares.append(float(found @ true / (true @ true)))
    return float(np.nanmean(shares))


def main() -> None:
    """Print the table."""
    model = sys.argv[1] if len(sys.argv) > 1 else None
    print("| scene | rows displaced, pm | positions | shift found / true | filled | invented | missed | rms, pm |")
    print("|---|---|---|---|---|---|---|---|")
    ways: list[tuple[str, Callable[[Micrograph, Columns], np.ndarray]]] = [
        (f"map of {model}" if model else "classical", lambda _, found: found.positions),
        ("fitted on the raw image", lambda image, found: refine(image, found).positions),
    ]
    for scene in scenes():
        for jitter in (0.0, 0.2):
            image = recorded(scene, jitter, 11)
            found = locate(image, model=model, refined=False)
            for name, way in ways:
                values = judged(scene, (way(image, found) + 0.5) * PIXEL)
                print(
                    f"| {scene.name} | {100 * jitter:.0f} | {name} | {values['shift']:.2f} | {values['filled']:.0f} "
                    f"| {values['invented']:.0f} | {values['missed']:.0f} | {values['rms_pm']:.1f} |"
                )


if __name__ == "__main__":
    main()
