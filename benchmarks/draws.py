"""Whether every recipe gives an image, whatever is drawn: ``python benchmarks/draws.py [NUMBER] [RECIPE ...]``, at 64 px.

Prints what each recipe stumbled over, with the seed; 10,000 draws of one take about ten minutes. Ends with status 1 if any did.
"""

from __future__ import annotations

import sys
import time

import torch

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.synthesis.recipe import Recipe, draw_record, presets, read_recipe
from napari_atomseg.synthesis.render import render

SIZE = 64


def trouble(recipe: Recipe, seed: int) -> str:
    """What is wrong with one image, or nothing."""
    try:
        batch = render([draw_record(recipe, seed, SIZE)], ("noise_free", "background_free"))
    except (AtomsegError, ValueError, RuntimeError, ArithmeticError) as error:
        return str(error)
    finite = all(bool(torch.isfinite(one).all()) for one in (batch.image, *batch.labels.values()))
    return "" if finite else "values that are no numbers"


def main() -> None:
    """Draw from every recipe and say what came of it."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    failed = False
    for name in sys.argv[2:] or presets():
        recipe, begun = read_recipe(name), time.perf_counter()
        found = {seed: said for seed in range(number) if (said := trouble(recipe, seed))}
        failed |= bool(found)
        print(
            f"{name}: {number} images, {1e3 * (time.perf_counter() - begun) / number:.0f} ms each, {len(found)} failed",
            flush=True,
        )
        for seed, said in list(found.items())[:5]:
            print(f"  seed {seed}: {said}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
