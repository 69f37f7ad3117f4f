"""Are the stated error bars right? Coverage and rms error over the Cramer-Rao bound on multislice images, as a table.

``python benchmarks/calibration.py FOLDER --bench BENCH [--only-visible] [--structures A,B] [--peaks 3,100]``: FOLDER holds
what ``multislice_truth.py`` wrote, BENCH ``score.py`` of the column bench. Counting noise alone; all columns start 0.2 A
(rms) from the truth, light ones that no dark field shows among them, or only those that can be seen. A coordinate counts as
covered when its error is within one stated standard deviation; both coordinates of all columns that have one are pooled.
A peak of 0 is the image without noise, where the rms error is the model's own.
"""

from __future__ import annotations

import argparse
import sys
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.workflows import RefineParams, refine

START_ERROR_A = 0.2
BORDER_A = 2.0
NOISELESS_PEAK = 1e4
"""Brightest pixel of an image without noise."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """One image: errors and standard deviations (N, 2) of the columns that have one, in pm; bound on rms; share without."""

    errors: np.ndarray
    stds: np.ndarray
    bound: float
    without: int
    seconds: float

    @property
    def coverage(self) -> float:
        """Per cent of the coordinates within one standard deviation."""
        return 100 * float(np.mean(np.abs(self.errors) < self.stds))

    @property
    def rms(self) -> float:
        """Of the distance, pm."""
        return float(np.sqrt(np.mean(np.sum(self.errors**2, axis=1))))


def outcome(path: Path, peak: int, score: object, *, only_visible: bool, seed: int, params: RefineParams) -> Outcome:
    """Refine one structure's columns in counting noise."""
    truth = np.load(path)
    size, true = float(truth["pixel_size_A"]), truth["columns"]
    rng = np.random.default_rng(zlib.crc32(f"{path.stem}@{peak}@{seed}".encode()))
    target = np.clip(truth["image"] / truth["image"].max() * (peak or NOISELESS_PEAK), 0, None)
    noisy = (rng.poisson(target) if peak else target).astype(np.float32)
    seen = score.visible(target, size, true)  # type: ignore[attr-defined]
    given = true[seen] if only_visible else true
    start = given + rng.normal(0, START_ERROR_A / size / np.sqrt(2), given.shape)
    begun = time.perf_counter()
    found = refine(Micrograph(data=noisy, pixel_size=(size, size)), Columns(positions=start), params=params)
    seconds = time.perf_counter() - begun
    inner = np.all((given > BORDER_A / size) & (given < np.array(target.shape) - 1 - BORDER_A / size), axis=1)
    asked = inner & score.visible(target, size, given)  # type: ignore[attr-defined]
    std = found.features[["y_std_px", "x_std_px"]].to_numpy()
    have = asked & np.isfinite(std).all(axis=1)
    return Outcome(
        errors=100 * size * (found.positions - given)[have],
        stds=100 * size * std[have],
        bound=score.crlb_pm(target, size, given[asked]),  # type: ignore[attr-defined]
        without=int(asked.sum() - have.sum()),
        seconds=seconds,
    )


def pooled(outcomes: list[Outcome]) -> str:
    """Coverage, rms over bound and share without a standard deviation of several images, as cells."""
    covered = np.concatenate([np.abs(one.errors) < one.stds for one in outcomes])
    ratio = np.sqrt(np.mean([(one.rms / one.bound) ** 2 for one in outcomes]))
    without = sum(one.without for one in outcomes) / sum(one.without + len(one.errors) for one in outcomes)
    return f"{100 * covered.mean():.1f} % | {ratio:.3f} | {100 * without:.1f} %"


def main() -> None:
    """Print a table for each dose, and what all structures give together."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bench", type=Path, required=True)
    parser.add_argument("--only-visible", action="store_true")
    parser.add_argument("--structures", default="")
    parser.add_argument("--peaks", default="3,10,30,100")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--background", default=None)
    asked = parser.parse_args()
    sys.path.insert(0, str(asked.bench))
    import score  # type: ignore[import-not-found]

    params = RefineParams(**({"background": asked.background} if asked.background else {}))
    paths = sorted(asked.folder.glob("*.npz"))
    paths = [path for path in paths if not asked.structures or path.stem in asked.structures.split(",")]
    for peak in map(int, asked.peaks.split(",")):
        print(
            f"\n| {peak} counts | within one sigma, % | rms / bound | rms, pm | mean sigma, pm | without, % | s |\n|{'---|' * 7}"
        )
        every = []
        for path in paths:
            some = [
                outcome(path, peak, score, only_visible=asked.only_visible, seed=seed, params=params)
                for seed in range(asked.seeds)
            ]
            every += some
            rms = np.sqrt(np.mean([one.rms**2 for one in some]))
            sigma = np.sqrt(2 * np.mean(np.concatenate([one.stds for one in some]) ** 2))
            cover = np.mean([one.coverage for one in some])
            without = sum(one.without for one in some) / sum(one.without + len(one.errors) for one in some)
            print(
                f"| {path.stem} | {cover:.1f} | {rms / some[0].bound:.3f} | {rms:.2f} | {sigma:.2f} | {100 * without:.1f} "
                f"| {np.mean([one.seconds for one in some]):.2f} |",
                flush=True,
            )
        print(f"pooled: {pooled(every)}", flush=True)


if __name__ == "__main__":
    main()
