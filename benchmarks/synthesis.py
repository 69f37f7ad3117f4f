"""How fast training images are made, as a table.

``python benchmarks/synthesis.py`` draws the ``temimagenet`` recipe with all its labels in as many processes as there are
cores, one thread each, as training does; what one stage takes is told for a single process.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import time
from concurrent.futures import ProcessPoolExecutor

SIDES = (256, 128)
PAIRS = 384
BATCH = 16


def make(task: tuple[int, int]) -> int:
    """Draw one batch: side in px and first seed in, number of pairs out."""
    import torch

    from napari_atomseg.synthesis.recipe import draw_record, read_recipe
    from napari_atomseg.synthesis.render import render

    torch.set_num_threads(1)
    side, first = task
    recipe = read_recipe("temimagenet")
    return len(render([draw_record(recipe, first + number, side) for number in range(BATCH)]).records)


def rate(pool: ProcessPoolExecutor, side: int) -> float:
    """Pairs per second with all processes at work."""
    list(pool.map(make, [(side, 10**6 + number) for number in range(6 * (os.cpu_count() or 1))]))
    begun = time.perf_counter()
    made = sum(pool.map(make, [(side, BATCH * number) for number in range(PAIRS // BATCH)]))
    return made / (time.perf_counter() - begun)


def main() -> None:
    """Print the table."""
    cores = os.cpu_count() or 1
    print(f"{platform.machine()}, {cores} processes of one thread, Python {platform.python_version()}\n")
    print("| side, px | pairs/s (image, six labels, true columns) | ms for a pair and process |\n|---|---|---|")
    with ProcessPoolExecutor(cores, mp_context=multiprocessing.get_context("spawn")) as pool:
        for side in SIDES:
            found = rate(pool, side)
            print(f"| {side} | {found:.0f} | {1e3 * cores / found:.1f} |")


if __name__ == "__main__":
    main()
