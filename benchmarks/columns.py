"""How well and how fast columns are found, without a network and with one, as tables for the README.

``python benchmarks/columns.py [MODEL]`` simulates its scenes with the plugin's own samples. With ``ATOMSEG_BENCH`` set to a
folder that holds ``truth``, ``corrupt.py`` and ``score.py`` it scores those images instead. The naive way, Laplacian of
Gaussian at the column's true width and Otsu's threshold, runs beside it on the same images. With the name of a model there are
lines for the network: positions of its map, those fitted on the raw image from there, and how near its images are to the truth,
beside BM3D (after Anscombe's transform) where the package ``bm3d`` is installed.
"""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import ndimage
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from skimage.filters import threshold_otsu
from skimage.metrics import structural_similarity

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.synthesis import samples
from napari_atomseg.workflows import RefineParams, locate, maps, refine, straighten_rows

TRUE_SIGMA_A = 0.5
LARGE_SIDE = 1024
BORDER_A, MATCH_A = 2.0, 0.6
"""Border that is not scored and farthest distance of a match, Angstrom."""
FRACTIONS_OF_DOSE = (0.01, 0.1, 1.0)

Score = tuple[float, float]
"""F1 and rms distance in pm."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Shot:
    """One noisy image, the kind that it is of, and how positions (N, 2) in px are scored on it."""

    kind: str
    image: np.ndarray
    pixel_size: float
    score: Callable[[np.ndarray], Score]
    target: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class Network:
    """What a network gave on one image; decibels and structural similarity of its images against the truth."""

    mapped: Score
    refined: Score
    straightened: Score
    background: tuple[float, float]
    denoise: tuple[float, float]
    bm3d: tuple[float, float]
    time: float


@dataclass(frozen=True, kw_only=True)
class Line:
    """What one image gave; times in seconds."""

    naive: Score
    found: Score
    refined: Score
    naive_time: float
    found_time: float
    refined_time: float


def bench_shots(folder: Path) -> Iterator[Shot]:
    """Images of the column bench in `folder`, scored by its own rules."""
    sys.path.insert(0, str(folder))
    from corrupt import images
    from score import score_columns

    for key, noisy, target, _, pixel_size, columns, _ in images(str(folder / "truth")):
        _, variant, peak = key.split("@")

        def score(found, columns=columns, target=target, pixel_size=pixel_size) -> Score:
            result = score_columns(found, columns, target, pixel_size)
            return result["f1"], result["rms_pm"]

        yield Shot(kind=f"{variant} {peak}", image=noisy, pixel_size=pixel_size, score=score, target=target)


def own_shots() -> Iterator[Shot]:
    """The plugin's samples at several doses, against the columns that they were drawn from."""
    for fraction in FRACTIONS_OF_DOSE:
        for name in samples.SAMPLES:
            setting = samples._SETTINGS[name]
            samples._SETTINGS[name] = replace(setting, dose=setting.dose * fraction)
            try:
                micrograph, truth = samples.draw_sample(name)
            finally:
                samples._SETTINGS[name] = setting
            image = micrograph.frame()

            def score(found, truth=truth, pixel_size=setting.pixel_size) -> Score:
                return agreement(found, truth.positions, truth.image_shape, pixel_size)

            yield Shot(kind=f"{100 * fraction:g} % of dose", image=image, pixel_size=setting.pixel_size, score=score)


def agreement(found: np.ndarray, true: np.ndarray, shape: tuple[int, ...], pixel_size: float) -> Score:
    """F1 and rms distance after one-to-one matching, away from the border."""
    limit, border = MATCH_A / pixel_size, BORDER_A / pixel_size

    def inside(points: np.ndarray) -> np.ndarray:
        return np.all((points > border) & (points < np.array(shape) - 1 - border), axis=1)

    distance = cdist(true, found)
    rows, others = linear_sum_assignment(np.minimum(distance, 2 * limit))
    near = distance[rows, others] < limit
    rows, others = rows[near], others[near]
    hit = inside(true[rows])
    false = inside(np.delete(found, others, axis=0)).sum()
    missed = inside(true).sum() - hit.sum()
    errors = distance[rows[hit], others[hit]] * pixel_size * 100
    rms = float(np.sqrt(np.mean(errors**2))) if hit.any() else float("nan")
    return float(2 * hit.sum() / max(1, 2 * hit.sum() + false + missed)), rms


def naive_columns(image: np.ndarray, pixel_size: float) -> np.ndarray:
    """Local maxima of the Laplacian of Gaussian that exceed Otsu's threshold of it, shape (N, 2), px."""
    sigma = TRUE_SIGMA_A / pixel_size
    response = -ndimage.gaussian_laplace(image.astype(np.float32), sigma)
    side = 2 * round(sigma) + 1
    peak = (response == ndimage.maximum_filter(response, side)) & (response > threshold_otsu(response))
    return np.argwhere(peak).astype(float)


def measure(shot: Shot) -> Line:
    """Score and time the three ways on one image."""
    micrograph = Micrograph(data=shot.image, pixel_size=(shot.pixel_size, shot.pixel_size))
    start = time.perf_counter()
    naive = naive_columns(shot.image, shot.pixel_size)
    after_naive = time.perf_counter()
    found: Columns = locate(micrograph, model="classical", refined=False)
    after_found = time.perf_counter()
    refined = refine(micrograph, found)
    after_refined = time.perf_counter()
    return Line(
        naive=shot.score(naive),
        found=shot.score(found.positions),
        refined=shot.score(refined.positions),
        naive_time=after_naive - start,
        found_time=after_found - after_naive,
        refined_time=after_refined - after_found,
    )


def ask(shot: Shot, model: str) -> Network:
    """Score and time a network on one image."""
    micrograph = Micrograph(data=shot.image, pixel_size=(shot.pixel_size, shot.pixel_size))
    start = time.perf_counter()
    found = locate(micrograph, model=model, refined=False)
    spent = time.perf_counter() - start
    images = maps(micrograph, model=model, tasks=("background", "denoise"))
    return Network(
        mapped=shot.score(found.positions),
        refined=shot.score(refine(micrograph, found).positions),
        straightened=shot.score(straightened(micrograph, found)),
        background=likeness(images["background"].frame(), shot.target),
        denoise=likeness(images["denoise"].frame(), shot.target),
        bm3d=likeness(by_bm3d(shot.image), shot.target) if shot.target is not None else (np.nan, np.nan),
        time=spent,
    )


def straightened(micrograph: Micrograph, found: Columns) -> np.ndarray:
    """Positions fitted with displaced rows, freed of what displaced whole rows; as fitted where no lattice is seen."""
    fitted = refine(micrograph, found, params=RefineParams(row_jitter=True))
    try:
        return straighten_rows(fitted)[0].positions
    except AtomsegError:
        return fitted.positions


def likeness(image: np.ndarray | None, target: np.ndarray | None) -> tuple[float, float]:
    """Peak signal-to-noise ratio (dB) and structural similarity after the best linear match of intensities."""
    if image is None or target is None:
        return np.nan, np.nan
    slope, offset = np.polyfit(image.ravel().astype(float), target.ravel().astype(float), 1)
    matched = slope * image + offset
    top = float(target.max())
    decibels = 10 * np.log10(top**2 / np.mean((matched - target) ** 2))
    return float(decibels), float(structural_similarity(matched, target.astype(float), data_range=top))


def by_bm3d(image: np.ndarray) -> np.ndarray | None:
    """The image freed of Poisson noise by the peer, if it is installed."""
    try:
        from bm3d import bm3d
    except ImportError:
        return None
    stable = 2 * np.sqrt(np.maximum(image, 0) + 3 / 8)
    return (np.asarray(bm3d(stable, 1.0)) / 2) ** 2 - 3 / 8


def network_table(lines: dict[str, list[Network]]) -> Iterator[str]:
    """Markdown rows of a network, one for each kind of image."""
    yield (
        "| images | map: F1 | rms, pm | ms | refined: rms, pm | rows straightened: rms, pm | without background: dB | SSIM "
        "| denoised: dB | SSIM | BM3D: dB | SSIM |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|---|---|"
    for kind, group in lines.items():
        mapped, refined, straight, background, denoise, peer = (
            np.nanmean([getattr(line, way) for line in group], axis=0)
            for way in ("mapped", "refined", "straightened", "background", "denoise", "bm3d")
        )
        spent = 1e3 * np.mean([line.time for line in group])
        pairs = " | ".join(f"{one[0]:.1f} | {one[1]:.3f}" for one in (background, denoise, peer))
        yield f"| {kind} | {mapped[0]:.3f} | {mapped[1]:.1f} | {spent:.0f} | {refined[1]:.1f} | {straight[1]:.1f} | {pairs} |"


def table(lines: dict[str, list[Line]]) -> Iterator[str]:
    """Markdown rows, one for each kind of image."""
    yield "| images | n | LoG + Otsu: F1 | rms, pm | ms | classical: F1 | rms, pm | ms | time ratio | refined: rms, pm | + ms |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for kind, group in lines.items():
        naive, found, refined = (
            np.nanmean([getattr(line, way) for line in group], axis=0) for way in ("naive", "found", "refined")
        )
        times = 1e3 * np.mean([(line.naive_time, line.found_time, line.refined_time) for line in group], axis=0)
        yield (
            f"| {kind} | {len(group)} | {naive[0]:.3f} | {naive[1]:.1f} | {times[0]:.0f} | {found[0]:.3f} | {found[1]:.1f} "
            f"| {times[1]:.0f} | {times[1] / times[0]:.1f} | {refined[1]:.1f} | {times[2]:.0f} |"
        )


def large_image_times(shot: Shot) -> tuple[float, float]:
    """Seconds for 1024 x 1024 px: the naive way and ours without refinement; the best of three, in turns."""
    repeats = [-(-LARGE_SIDE // length) for length in shot.image.shape]
    image = np.tile(shot.image, repeats)[:LARGE_SIDE, :LARGE_SIDE]
    micrograph = Micrograph(data=image, pixel_size=(shot.pixel_size, shot.pixel_size))
    naive, ours = [], []
    for _ in range(3):
        start = time.perf_counter()
        naive_columns(image, shot.pixel_size)
        middle = time.perf_counter()
        locate(micrograph, model="classical", refined=False)
        naive.append(middle - start)
        ours.append(time.perf_counter() - middle)
    return min(naive), min(ours)


def main() -> None:
    """Print the table."""
    folder = os.environ.get("ATOMSEG_BENCH")
    shots = list(bench_shots(Path(folder)) if folder else own_shots())
    measure(shots[0])  # the first run pays for imports
    lines: dict[str, list[Line]] = defaultdict(list)
    for shot in shots:
        lines[shot.kind].append(measure(shot))
    print("\n".join(table(lines)))
    model = sys.argv[1] if len(sys.argv) > 1 else None
    if model:
        answers: dict[str, list[Network]] = defaultdict(list)
        ask(shots[0], model)
        for shot in shots:
            answers[shot.kind].append(ask(shot, model))
        print(f"\n{model}:\n")
        print("\n".join(network_table(answers)))
    naive, ours = large_image_times(shots[0])
    print(
        f"\n{LARGE_SIDE} x {LARGE_SIDE} px without refinement: LoG + Otsu {naive:.2f} s, classical {ours:.2f} s, "
        f"ratio {ours / naive:.1f}."
    )


if __name__ == "__main__":
    main()
