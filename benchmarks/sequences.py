"""How well columns that come and go are followed: ``python benchmarks/sequences.py [--own N] [--doses 0.1,0.05] [--bench FILE]``.

Movies of particles of several lattices whose edge columns come and go: Gaussians, drift, row jitter, counting noise. Sites that
are occupied in more than 5 % of the frames have to be found. ``--bench FILE`` judges on a movie of others, which ``draw.py`` in
the file's folder draws.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.workflows import Sequence, sequence

LEAST_OCCUPANCY, NEAR = 0.05, 0.35


@dataclass(frozen=True, kw_only=True, eq=False)
class Movie:
    """Frames (T, Y, X) in counts, and the truth: sites (S, 2) in frame 0's pixels, presence (T, S), drift (T, 2)."""

    frames: np.ndarray
    sites: np.ndarray
    present: np.ndarray
    drift: np.ndarray
    pixel_size: float


def movie(rng: np.random.Generator, dose: float, frames: int = 60, side: int = 192) -> Movie:
    """A drawn movie of a particle."""
    places, heights, mobile, sigma = _particle(rng, side)
    present = np.ones((frames, len(places)), bool)
    appear, vanish = rng.uniform(0.01, 0.12, len(places)), rng.uniform(0.01, 0.12, len(places))
    state = rng.random(len(places)) < appear / (appear + vanish)
    for k in range(frames):
        if k:
            state = np.where(state, rng.random(len(places)) >= vanish, rng.random(len(places)) < appear)
        present[k, mobile] = state[mobile]
    drift = np.cumsum(rng.normal(0, 0.5, (frames, 2)) + rng.normal(0, 0.1, 2), axis=0)
    drift -= drift[0] if rng.random() < 0.5 else 0
    background, jitter = rng.uniform(2, 5), rng.uniform(0.1, 0.4)
    yy, xx = np.mgrid[:side, :side].astype(float)
    drawn = []
    for here, shift in zip(present, drift, strict=True):
        image = np.full((side, side), background)
        for (y, x), height in zip((places + shift)[here], heights[here], strict=True):
            image += height * np.exp(-((yy[:, :1] - y) ** 2) / (2 * sigma**2)) * np.exp(-((xx[:1] - x) ** 2) / (2 * sigma**2))
        rows = rng.normal(0, jitter, side)[:, None]
        drawn.append(rng.poisson(dose * np.maximum(map_coordinates(image, [yy, xx + rows], order=1, mode="nearest"), 0)))
    return Movie(frames=np.array(drawn, np.float32), sites=places, present=present, drift=drift, pixel_size=0.25)


def _particle(rng: np.random.Generator, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Places, heights, which columns come and go, and their width."""
    spacing, angle = rng.uniform(9.5, 13.5), rng.uniform(0, np.pi)
    kind = rng.choice(["square", "hexagonal", "centred"])
    second, between = {"square": (1.0, 90.0), "hexagonal": (1.0, 60.0), "centred": (1.0, 70.53)}[kind]
    turn = angle + np.deg2rad(between)
    vectors = spacing * np.array([[np.sin(angle), np.cos(angle)], [second * np.sin(turn), second * np.cos(turn)]])
    cells = np.stack(np.meshgrid(*[np.arange(-20, 21)] * 2, indexing="ij"), -1).reshape(-1, 2)
    places = cells @ vectors + side / 2 + rng.uniform(-3, 3, 2)
    radius = rng.uniform(0.27, 0.36) * side
    away = np.hypot(*((places - side / 2) * [1, rng.uniform(0.85, 1.15)]).T)
    inside = away < radius
    depth = (radius - away[inside]) / radius
    mobile = depth < rng.uniform(0.1, 0.3)
    heights = np.where(mobile, 10.0, 10.0 + 20 * depth) * np.where(mobile, 1.0, rng.uniform(0.9, 1.1, inside.sum()))
    return places[inside], heights, mobile, spacing / 11 * rng.uniform(2.3, 2.9)


@dataclass(frozen=True, kw_only=True)
class Score:
    """Sites missed of those to be found, false ones, all found, occupancy error (rms), event errors over all true events."""

    missed: int
    asked: int
    false: int
    found: int
    occupancy: float
    events: float
    true_events: int
    rows: float
    raw: float

    def __str__(self) -> str:
        return (
            f"missed {self.missed}/{self.asked}  false {self.false}/{self.found}  occupancy rms {self.occupancy:.4f}  events "
            f"{100 * self.events:.1f} % of {self.true_events} (rows of the table {100 * self.rows:.1f} %, raw flips "
            f"{100 * self.raw:.1f} %)"
        )


def score(case: Movie, found: Sequence) -> Score:
    """Judge what was found by the truth."""
    first = case.sites + case.drift[0]
    apart = float(np.median(cKDTree(first).query(first, k=2)[0][:, 1]))
    mine = found.sites[["y_px", "x_px"]].to_numpy()
    distance, site = cKDTree(mine).query(first)
    matched = distance < NEAR * apart
    occupancy = case.present.mean(axis=0)
    flips = (case.present[1:] != case.present[:-1]).sum(axis=0)
    asked = occupancy > LEAST_OCCUPANCY
    expected = (found.sites["appearances"] + found.sites["disappearances"]).to_numpy()
    rows = np.bincount(found.events["site"], minlength=len(mine)) + np.bincount(
        found.events.loc[found.events["kind"] == "hop", "from_site"], minlength=len(mine)
    )
    raw = (np.diff(found.presence > 0.5, axis=1) != 0).sum(axis=1)

    def wrong(numbers: np.ndarray) -> float:
        return float(np.abs(np.where(matched, numbers[site], 0) - flips).sum() / max(flips.sum(), 1))

    far = cKDTree(first[occupancy > 0]).query(mine)[0] > NEAR * apart
    errors = np.where(matched, found.sites["occupancy"].to_numpy()[site], 0) - occupancy
    return Score(
        missed=int((asked & ~matched).sum()),
        asked=int(asked.sum()),
        false=int(far.sum()),
        found=len(mine),
        occupancy=float(np.sqrt(np.mean(errors**2))),
        events=wrong(expected),
        true_events=int(flips.sum()),
        rows=wrong(rows),
        raw=wrong(raw),
    )


def _bench(path: Path, dose: float) -> Movie:
    spec = importlib.util.spec_from_file_location("draw", path.parent / "draw.py")
    assert spec is not None
    assert spec.loader is not None
    draw = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(draw)
    _, frames, truth = draw.movie(str(path), dose)
    return Movie(
        frames=frames, sites=truth["sites"], present=truth["present"], drift=truth["drift"], pixel_size=truth["pixel_size"]
    )


def main() -> None:
    """Print a line for each movie."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--own", type=int, default=0, help="drawn movies at each dose")
    parser.add_argument("--doses", default="0.1,0.05")
    parser.add_argument("--bench", type=Path, default=None)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", default=None)
    asked = parser.parse_args()
    for dose in map(float, asked.doses.split(",")):
        cases = [(f"own {n}", movie(np.random.default_rng([asked.seed, n]), dose)) for n in range(asked.own)]
        cases += [(asked.bench.stem, _bench(asked.bench, dose))] if asked.bench else []
        for name, case in cases:
            begun = time.monotonic()
            image = Micrograph(data=case.frames, pixel_size=(case.pixel_size,) * 2, name=name)
            found = sequence(image, model=asked.model)
            drift = found.drift[["y_px", "x_px"]].to_numpy() - (case.drift - case.drift[0])
            print(
                f"{name} dose {dose}: {score(case, found)}  drift rms {np.sqrt(np.nanmean(drift**2)):.3f} px  "
                f"{time.monotonic() - begun:.0f} s  {found.numbers['model']} {found.numbers['learnt']}",
                flush=True,
            )


if __name__ == "__main__":
    main()
