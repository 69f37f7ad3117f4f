"""How fast images of structures are, from the convolution to multislice, as tables.

``python benchmarks/simulation.py [quick]`` times the convolution and the corrected convolution of a platinum particle of 561
atoms at 250 x 250 px beside a loop over its atoms, and multislice of a part of the same particle, from which the time of its
whole image follows: their ratio is what the correction saves. Then it runs benchmarks/correction.py and benchmarks/multislice.py,
unless `quick`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import correction as correction_benchmark
import multislice as multislice_benchmark
import numpy as np
from ase import Atoms

from napari_atomseg.core.jobs import run
from napari_atomseg.imaging.convolution import ConvolutionParams, convolve
from napari_atomseg.imaging.correction.fitting import fit
from napari_atomseg.imaging.correction.params import CorrectionParams
from napari_atomseg.imaging.detectors import DetectorParams
from napari_atomseg.imaging.multislice.cost import cost
from napari_atomseg.imaging.multislice.params import MultisliceParams
from napari_atomseg.imaging.multislice.scan_image import multislice_image
from napari_atomseg.optics.probe import ProbeParams
from napari_atomseg.specimens.clusters import ClusterParams, cluster
from napari_atomseg.specimens.cut_params import CutParams
from napari_atomseg.specimens.cutting import cut

SIDE, PIXEL = 250, 0.1
FORMS = ("paper", "robust", "better")
PROBE = ProbeParams(energy=200e3, semiangle=24.5, Cs=1.2e4, source_size=0.88)
DETECTOR = DetectorParams(inner_angle=50, outer_angle=150)
PART = 6.0
"""Side of the part of the field whose probes are really calculated, Angstrom."""


def particle(side: float) -> Atoms:
    """Cuboctahedron of 561 atoms along [110], in the middle of a square field."""
    return cut(cluster(ClusterParams(diameter=25)), CutParams(zone_axis="1,1,0", width_y=side, width_x=side))


def quickest(work: Callable[[], object], repeats: int = 15) -> float:
    """Seconds of the fastest of several runs: what other work on the machine adds is left out."""
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return min(times)


def atom_by_atom(atoms: Atoms, params: ConvolutionParams) -> np.ndarray:
    """The same convolution with a loop over the atoms and the whole plane for each of them."""
    y, x = np.mgrid[:SIDE, :SIDE] * PIXEL
    image = np.zeros((SIDE, SIDE))
    for (across, down, _), number in zip(atoms.positions, atoms.numbers, strict=True):
        distance = (y - down) ** 2 + (x - across) ** 2
        image += number**params.exponent * np.exp(-distance / (2 * params.sigma**2)) / (2 * np.pi * params.sigma**2)
    return image


def main() -> None:
    """Print the tables."""
    atoms, params = particle(SIDE * PIXEL), ConvolutionParams()
    image = convolve(atoms, params, (PIXEL, PIXEL), (SIDE, SIDE))
    naive = atom_by_atom(atoms, params)
    fast = quickest(lambda: convolve(atoms, params, (PIXEL, PIXEL), (SIDE, SIDE)))
    slow = quickest(lambda: atom_by_atom(atoms, params), 2)
    apart = np.abs(image - naive).max() / image.max()
    print(f"| {len(atoms)} atoms, {SIDE} x {SIDE} px | ms | naive, ms | ratio | largest difference / maximum |")
    print("|---|---|---|---|---|")
    print(f"| convolution | {1e3 * fast:.1f} | {1e3 * slow:.0f} | {slow / fast:.0f} | {apart:.1e} |")
    pairs = [correction_benchmark.draw_pair(seed) for seed in range(4)]
    applied = {}
    for form in FORMS:
        correction = run(fit(pairs, CorrectionParams(form=form)))
        scaled = image * pairs[0].convolution.max() / image.max()
        applied[form] = quickest(lambda correction=correction, scaled=scaled: correction.apply(scaled, extrapolate=True))
        print(f"| correction, {form} | {1e3 * applied[form]:.1f} | see below | | |")
    part = particle(PART)
    spent = run(multislice_image(part, PROBE, DETECTOR, MultisliceParams(configurations=1), PIXEL)).seconds
    whole = spent * cost(atoms, PROBE, DETECTOR, MultisliceParams(configurations=1), PIXEL).seconds
    whole /= cost(part, PROBE, DETECTOR, MultisliceParams(configurations=1), PIXEL).seconds
    saved = whole / (fast + applied["robust"])
    print(
        f"\nMultislice, one snapshot: {spent:.1f} s for {PART:g} x {PART:g} A in the middle, about {whole:.0f} s for the field."
    )
    print(f"Convolution and correction (robust) take 1 / {saved:,.0f} of that; sixteen snapshots take 16 times as long.")
    if "quick" not in sys.argv[1:]:
        correction_benchmark.main()
        multislice_benchmark.main()


if __name__ == "__main__":
    main()
