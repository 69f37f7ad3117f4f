"""How fast the polynomial correction is applied and fitted, beside the naive way in the same run, as a table.

``python benchmarks/correction.py`` draws its own pairs of images; ``ATOMSEG_PAIRS=FOLDER`` takes those of a folder instead. Every
fit has a fresh process, so that its peak of memory is its own (libraries and images included).
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from napari_atomseg.core.jobs import run
from napari_atomseg.imaging.correction.correction import Correction
from napari_atomseg.imaging.correction.fitting import fit
from napari_atomseg.imaging.correction.params import CorrectionParams
from napari_atomseg.imaging.correction.terms import evaluate, monomials, symmetric_terms
from napari_atomseg.imaging.correction.variables import PixelVariables
from napari_atomseg.readers.image_pairs import ImagePair, read_pairs

FORMS = ("paper", "robust", "better")
IMAGES = 9
SIDE = 250
"""px: side of the images that are drawn and of the one that is corrected."""
REPEATS = 15


def draw_pair(seed: int) -> ImagePair:
    """Gaussian columns and a sharper image of them that rises faster than its thickness."""
    chance = np.random.default_rng(seed)
    places = chance.normal(SIDE / 2, SIDE / 6, (560, 2))
    weights = chance.uniform(0.3, 1, len(places))
    pixels = np.arange(SIDE)[:, None]

    def image(width: float) -> np.ndarray:
        y, x = (np.exp(-((pixels - places[:, axis]) ** 2) / 2 / width**2) for axis in (0, 1))
        return np.asarray((y * weights) @ x.T)

    sharp = image(3.2)
    return ImagePair(name=f"drawn_{seed}", convolution=image(3.8), multislice=1.3 * sharp + 0.05 * sharp**2)


def load_pairs() -> list[ImagePair]:
    """Nine pairs, drawn or from the folder that ATOMSEG_PAIRS names."""
    folder = os.environ.get("ATOMSEG_PAIRS")
    return read_pairs(folder)[:IMAGES] if folder else [draw_pair(seed) for seed in range(IMAGES)]


def timed_fit(form: str, pixels: int) -> tuple[Correction, float, float]:
    """Correction, seconds, and peak of memory in GB."""
    pairs = load_pairs()
    start = time.perf_counter()
    correction = run(fit(pairs, CorrectionParams(form=form, pixels=pixels)))
    seconds = time.perf_counter() - start
    unit = 1 if sys.platform == "darwin" else 1024
    return correction, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def naive(correction: Correction, image: np.ndarray) -> np.ndarray:
    """Corrected image through a design matrix of all terms of all pixels."""
    values = PixelVariables(image, correction.variables).rows(0, image.shape[0]).T
    responses = (values - correction.centring) @ correction.scaling.T
    if correction.params.form == "paper":
        design = evaluate(responses, monomials(responses.shape[1], correction.params.degree, correction.params.interactions))
    else:
        design = symmetric_terms(responses, correction.groups)
    return np.asarray((design @ correction.coefficients).reshape(image.shape))


def best_time(work: Callable[[], object], repeats: int) -> float:
    """Least time of several calls, in ms."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


def main() -> None:
    """Print both tables."""
    source = os.environ.get("ATOMSEG_PAIRS", "drawn")
    threads = os.environ.get("OMP_NUM_THREADS", "unset")
    print(f"pairs: {source}; {platform.machine()}, {os.cpu_count()} cores, OMP_NUM_THREADS={threads}")
    print("\nfit on 9 images\nform     terms  px/image   seconds   peak GB")
    image = draw_pair(99).convolution
    fitted = {}
    for form in FORMS:
        for pixels in (CorrectionParams().pixels, 0):
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
                fitted[form], seconds, memory = process.submit(timed_fit, form, pixels).result()
            print(f"{form:7} {fitted[form].number_of_terms:6} {pixels or 'all':>9} {seconds:9.1f} {memory:9.2f}", flush=True)
    print(f"\napplied to {SIDE} x {SIDE} px\nform    quadratic form ms   design matrix ms   ratio   largest difference")
    for form, correction in fitted.items():
        scaled = image / image.max() * correction.variables.scale
        quick = best_time(lambda c=correction, i=scaled: c.predict(i), REPEATS)
        slow = best_time(lambda c=correction, i=scaled: naive(c, i), 2)
        cut = (slice(2, -2), slice(2, -2))
        expected = naive(correction, scaled)[cut]
        difference = np.abs(correction.predict(scaled)[cut] - expected).max() / np.abs(expected).max()
        print(f"{form:7} {quick:17.1f} {slow:18.1f} {slow / quick:7.1f} {difference:20.1e}", flush=True)


if __name__ == "__main__":
    main()
