"""How well drawn series are aligned: hops, errors of shifts and rows, noise, drift of turned scans, time; as tables.

``python benchmarks/series.py [NUMBER]`` draws NUMBER series (by default 200) of 12 to 40 frames of 256 x 256 px at 30 counts with
a landmark (a corner or one vacancy), fewer of the rest; needs nothing but the plugin and its tests. ``--stream FRAMES``: only
so many frames of 512 x 512 px at 3 counts that wander about, read from a file as they are needed.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile
from scipy import ndimage

from napari_atomseg.core.jobs import run
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.registration.frame_rows import register_rows
from napari_atomseg.registration.frames import register_frames
from napari_atomseg.registration.rotated_scans import register_rotated
from napari_atomseg.workflows import AlignParams, RefineParams, align, locate, read, refine

sys.path.append(str(Path(__file__).parents[1] / "tests" / "registration"))
from series_scenes import SIGMA, SPACING, drift, lattice, series, turned_scan

SIDE, PIXEL = 256, 0.2


def registered(frames: np.ndarray):
    """Shifts of the frames of a stack."""
    return run(register_frames(lambda k: frames[k], len(frames), frames.shape[1:]))


def hops(number: int) -> None:
    """Whole frames."""
    print("| landmark | series | hops | rms error, px | within 1 sigma, % | doubt said |\n|---|---|---|---|---|---|")
    for kind in ("defect", "corner", "perfect"):
        many = number if kind != "perfect" else max(4, number // 10)
        hopped = said = 0
        errors, ratios = [], []
        for seed in range(many):
            rng = np.random.default_rng(seed)
            frames, shifts, _ = series(rng, kind, int(rng.integers(12, 41)), side=SIDE)
            found = registered(frames)
            wrong = found.shifts - shifts
            hopped += bool(not np.abs(wrong).max() < SPACING / 3)
            said += bool(found.verdict)
            wrong -= wrong.mean(axis=0)
            errors.append(wrong.ravel())
            ratios.append((wrong / found.stds).ravel())
        inside = 100 * np.mean(np.abs(np.concatenate(ratios)) < 1)
        rms = np.sqrt(np.mean(np.concatenate(errors) ** 2))
        print(f"| {kind} | {many} | {hopped} | {rms:.4f} | {inside:.0f} | {said} |", flush=True)


def rows(number: int) -> None:
    """Rows displaced by 0.25 A."""
    print("\n| frames | rows of each frame, A rms: before | after | noise of the average over 1/sqrt(N) |\n|---|---|---|---|")
    for many in (12, 24, 40):
        before, after, noise = [], [], []
        for seed in range(number):
            frames, shifts, moved = series(np.random.default_rng(seed), "defect", many, side=SIDE, jitter=0.25 / PIXEL)
            whole = registered(frames)
            found = run(register_rows(lambda k, frames=frames: frames[k], whole.shifts, frames.shape[1:]))
            true = shifts[:, None, 1] + moved
            wrong, at_first = found.shifts[..., 1] - true, whole.shifts[:, None, 1] - true
            after.append((wrong - wrong.mean()).std() * PIXEL)
            before.append((at_first - at_first.mean()).std() * PIXEL)
            numbers = align(Micrograph(data=frames, pixel_size=(PIXEL, PIXEL)), params=AlignParams(mode="rows")).numbers["noise"]
            noise.append(numbers["average"] / numbers["ideal_average"])
        print(f"| {many} | {np.mean(before):.3f} | {np.mean(after):.3f} | {np.mean(noise):.2f} |", flush=True)


def columns_of_averages(number: int) -> None:
    """Positions on the average against their bound."""
    ratios = []
    for seed in range(number):
        rng = np.random.default_rng(seed)
        state = rng.bit_generator.state
        places, heights = lattice(rng, SIDE, "defect")
        rng.bit_generator.state = state
        frames, _, _ = series(rng, "defect", 12, side=SIDE)
        average = align(Micrograph(data=frames, pixel_size=(PIXEL, PIXEL))).average
        known = np.isfinite(average.data)
        margin = 30
        inside = np.all((places > margin) & (places < SIDE - margin), axis=1) & (heights > 0.9)
        image = Micrograph(data=np.where(known, average.data, np.nanmean(average.data)), pixel_size=(PIXEL, PIXEL))
        found = locate(image, model="classical")
        found = refine(image, found, params=RefineParams(gain=1 / 12, offset=0.0))
        from scipy.spatial import cKDTree

        distance, which = cKDTree(found.positions).query(places[inside])
        near = distance < 2
        wrong = found.positions[which[near]] - places[inside][near]
        wrong -= wrong.mean(axis=0)
        # A Gaussian on a level, counting noise: the bound of a column alone (Winick, J. Opt. Soc. Am. A 3 (1986) 1809).
        grid = np.arange(-15, 16)
        spot = 30 * np.exp(-(grid[:, None] ** 2 + grid**2) / (2 * SIGMA**2))
        information = 12 * np.sum((spot * grid / SIGMA**2) ** 2 / (spot + 3.0))
        ratios.append(np.sqrt(np.mean(wrong**2)) * np.sqrt(information))
    print(f"\nPositions on the average of 12 frames: rms over the bound {np.mean(ratios):.2f}", flush=True)


def turned(number: int) -> None:
    """Scans in several directions."""
    print("\n| scans | drift | ratio of axes, % off | angle off, degrees | rows, A rms |\n|---|---|---|---|---|")
    middle = np.arange(SIDE)[:, None] - (SIDE - 1) / 2
    for rotations in ((0, 90), (0, 37, 90)):
        for kind in ("linear", "random walk"):
            stretch, angle, left = [], [], []
            for seed in range(number):
                rng = np.random.default_rng(seed)
                places, heights = lattice(rng, SIDE, "defect", second=21.0, angle=np.radians(rng.uniform(84, 96)))
                steady = rng.normal(0, 0.02, 2)
                drifts = []
                for _ in rotations:
                    walk = np.cumsum(rng.normal(0, 0.1, (SIDE, 2)), axis=0)
                    drifts.append(middle * steady if kind == "linear" else walk - walk.mean(axis=0))
                scans = [turned_scan(rng, places, heights, SIDE, one, d) for one, d in zip(rotations, drifts, strict=True)]
                found = run(register_rotated(scans, rotations))
                wrong = found.drifts - np.array(drifts)
                wrong -= wrong.mean(axis=1, keepdims=True)
                # What the first scan's rows are still displaced by, as a stretch and a shear of its image.
                trend = (wrong[0] * middle).sum(axis=0) / (middle**2).sum()
                stretch.append(100 * abs(trend[0]))
                angle.append(np.degrees(abs(trend[1])))
                left.append(wrong.std() * PIXEL)
            print(
                f"| {', '.join(map(str, rotations))} | {kind} | {np.max(stretch):.2f} (worst) | {np.max(angle):.2f} (worst) | "
                f"{np.mean(left):.3f} |",
                flush=True,
            )


def speed() -> None:
    """Time and memory."""
    print("\n| frames | px | mode | s | peak, GB |\n|---|---|---|---|---|")
    for many, side, mode in ((2, 512, "rigid"), (2, 512, "rows"), (20, 2048, "rigid")):
        rng = np.random.default_rng(1)
        shifts = drift(rng, many)
        big, _, _ = series(rng, "perfect", 2, side=side) if side <= 512 else (None, None, None)
        tile = series(rng, "perfect", 2, side=512)[0][0]
        frames = [np.roll(np.tile(tile, (side // 512, side // 512)), np.round(one).astype(int), (0, 1)) for one in shifts]
        stack = big if big is not None and many == 2 else np.array(frames)
        begun = time.perf_counter()
        align(Micrograph(data=stack, pixel_size=(PIXEL, PIXEL)), params=AlignParams(mode=mode))
        spent, memory = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"| {many} | {side} x {side} | {mode} | {spent:.1f} | {memory:.1f} |", flush=True)


def stream(frames: int) -> None:
    """Frames that wander by up to 128 px, read from a file: time of the processor, peak of memory, error of the shifts."""
    rng = np.random.default_rng(3)
    scene = ndimage.gaussian_filter(series(rng, "defect", 2, side=768)[0][0].astype(float), 1.0)
    walk = np.cumsum(rng.normal(0, 0.4, (frames, 2)), axis=0)
    walk = np.round(128 + 100 * np.tanh((walk - walk.mean(axis=0)) / 100)).astype(int)
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "film.tif"
        with tifffile.TiffWriter(film, bigtiff=True) as file:
            for y, x in walk:
                file.write(rng.poisson(scene[y : y + 512, x : x + 512] / 10).astype(np.uint8), contiguous=True)
        found = align(read(film)[0])
    errors = np.array(found.numbers["shifts_px"]) - (walk[0] - walk)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print("| frames | processor, s | peak, GB | rms error of shifts, px | largest |\n|---|---|---|---|---|")
    rms, largest = np.sqrt(np.mean(errors**2)), np.abs(errors).max()
    print(f"| {frames} | {used.ru_utime:.0f} | {used.ru_maxrss / 1e6:.2f} | {rms:.3f} | {largest:.3f} |")


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("number", type=int, nargs="?", default=200)
    parser.add_argument("--stream", type=int, default=0, metavar="FRAMES")
    asked = parser.parse_args()
    if asked.stream:
        stream(asked.stream)
        return
    number = asked.number
    few = max(2, number // 40)
    hops(number // 2)
    rows(few)
    columns_of_averages(few)
    turned(few)
    speed()


if __name__ == "__main__":
    main()
