"""How near to the limit of counted electrons the refinement comes, and whether its error bars are right, as tables.

``python benchmarks/precision.py`` draws pairs of columns that touch. With ``ATOMSEG_BENCH`` set to a folder that holds
``truth``, ``corrupt.py`` and ``score.py`` it also refines those images with counting noise alone, from their true
positions displaced by 0.3 Angstrom (rms in the plane), and divides the rms error by the bench's own bound.
"""

from __future__ import annotations

import os
import sys
import zlib
from collections import defaultdict
from pathlib import Path

import numpy as np

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.imaging.column_image import render_columns
from napari_atomseg.workflows import RefineParams, refine

START_ERROR_A = 0.3
SIGMA_PX, HEIGHT, BACKGROUND = 3.0, 100.0, 10.0
APART_IN_SIGMA = (1.5, 1.75, 2.0, 2.5)
PAIRS = 100


def pairs(apart: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A counted image, its true columns (2 N, 2), px, and the directions of the pairs (N, 2)."""
    side = int(np.sqrt(PAIRS))
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), -1).reshape(-1, 2)
    centres = (9 * grid + 6) * SIGMA_PX + rng.uniform(-0.5, 0.5, (PAIRS, 2))
    angle = rng.uniform(0, 2 * np.pi, PAIRS)
    along = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    half = apart * SIGMA_PX / 2 * along
    true = np.concatenate([centres - half, centres + half])
    length = int((9 * side + 3) * SIGMA_PX)
    clean = render_columns(true, np.full(len(true), HEIGHT * 2 * np.pi * SIGMA_PX**2), SIGMA_PX, (length, length)) + BACKGROUND
    return rng.poisson(clean).astype(np.float32), true, along


def pair_table() -> None:
    """Print bias, error and error bars of touching pairs."""
    print(f"| pairs apart, sigma | bias along the pair, px | rms error, px | errors within one sigma, % |\n|{'---|' * 4}")
    rng = np.random.default_rng(0)
    for apart in APART_IN_SIGMA:
        errors, inside = [], []
        for _ in range(4):
            image, true, along = pairs(apart, rng)
            start = true + rng.normal(0, 0.3 * SIGMA_PX / np.sqrt(2), true.shape)
            found = refine(Micrograph(data=image), Columns(positions=start).with_features(sigma_px=SIGMA_PX))
            error = found.positions - true
            errors.append((error, np.concatenate([-along, along])))
            inside.append(np.abs(error) < found.features[["y_std_px", "x_std_px"]].to_numpy())
        error, outwards = (np.concatenate(parts) for parts in zip(*errors, strict=True))
        bias, rms = np.mean(np.sum(error * outwards, axis=1)), np.sqrt(np.mean(error**2))
        print(f"| {apart:g} | {bias:+.4f} | {rms:.3f} | {100 * np.concatenate(inside).mean():.0f} |")


def bench_table(folder: Path) -> None:
    """Print rms error over the bound, F1 and the share of errors within one standard deviation."""
    sys.path.insert(0, str(folder))
    import corrupt  # type: ignore[import-not-found]
    import score  # type: ignore[import-not-found]

    lines: dict[str, list[str]] = defaultdict(list)
    calibrated: dict[str, list[np.ndarray]] = defaultdict(list)
    names = []
    for key, noisy, target, _, pixel_size, true, _ in corrupt.images(str(folder / "truth")):
        name, variant, peak = key.split("@")
        if variant != "poisson":
            continue
        rng = np.random.default_rng(zlib.crc32(key.encode()) + 1)
        start = true + rng.normal(0, START_ERROR_A / pixel_size / np.sqrt(2), true.shape)
        found = refine(Micrograph(data=noisy, pixel_size=(pixel_size,) * 2), Columns(positions=start), params=RefineParams())
        scored = score.score_columns(found.positions, true, target, pixel_size)
        bound = score.score_columns(true, true, target, pixel_size)["crlb_pm"]
        lines[peak].append(f"{scored['rms_pm'] / bound:.2f} ({scored['f1']:.3f})")
        names = [*names, name] if name not in names else names
        inner = np.all((true > 2 / pixel_size) & (true < np.array(target.shape) - 2 / pixel_size), axis=1)
        fitted = inner & score.visible(target, pixel_size, true) & (found.features["fit"] != "failed").to_numpy()
        std = found.features[["y_std_px", "x_std_px"]].to_numpy()[fitted]
        calibrated[peak].append(np.abs(found.positions - true)[fitted] < std)
    print(f"\n| peak, counts | {' | '.join(names)} | within one sigma along y / x, % |\n|{'---|' * (len(names) + 2)}")
    for peak, cells in lines.items():
        y, x = 100 * np.concatenate(calibrated[peak]).mean(axis=0)
        print(f"| {peak} | {' | '.join(cells)} | {y:.0f} / {x:.0f} |")


if __name__ == "__main__":
    pair_table()
    if "ATOMSEG_BENCH" in os.environ:
        bench_table(Path(os.environ["ATOMSEG_BENCH"]))
