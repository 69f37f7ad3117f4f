"""How fast multislice images are, and how near to abTEM and to multislice in the whole field, as tables.

``python benchmarks/multislice.py [ATOMS] [STEP]`` calculates a still cell of SrTiO3 beside a plain script with abTEM, on the same
grid and slices and with its potential, and a platinum particle of about ATOMS atoms (147) in windows, by PRISM and in the whole
field at once, with a probe every STEP Angstrom (1.0). Two to four minutes on one core.
"""

from __future__ import annotations

import sys
import time
import warnings

import abtem
import numpy as np
from ase import Atoms
from ase.cluster import Octahedron

from napari_atomseg.core.jobs import run
from napari_atomseg.imaging.detectors import DetectorParams
from napari_atomseg.imaging.multislice.cost import cost
from napari_atomseg.imaging.multislice.image import MultisliceImage
from napari_atomseg.imaging.multislice.params import MultisliceParams
from napari_atomseg.imaging.multislice.plan import plan_image
from napari_atomseg.imaging.multislice.scan_image import multislice_image
from napari_atomseg.optics.probe import ProbeParams

CELL, FIELD = 3.905, 20.0
"""Side of the cell of SrTiO3 and field about the particle, Angstrom."""
SHAPES = {147: (7, 3), 309: (9, 4), 561: (11, 5)}
"""Cuboctahedra: length and cut of octahedra."""


def titanate(height: int) -> Atoms:
    """Cells of SrTiO3 on top of each other."""
    sites = [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)]
    return Atoms("SrTiO3", scaled_positions=sites, cell=[CELL] * 3, pbc=(True, True, False)).repeat((1, 1, height))


def particle(atoms: int) -> Atoms:
    """A cuboctahedron of platinum, out of its zone axis, in a field without period."""
    found = Octahedron("Pt", *SHAPES[atoms])
    found.rotate(45, "z")
    found.rotate(7, "x")
    found.center(vacuum=2.0)
    middle = (found.positions.max(axis=0) + found.positions.min(axis=0)) / 2
    field = max(FIELD, float(np.ptp(found.positions[:, :2], axis=0).max()) + 3)
    found.positions[:, :2] += field / 2 - middle[:2]
    found.set_cell([field, field, found.cell.array[2, 2]])
    found.pbc = False
    return found


def beside_abtem() -> None:
    """One cell, ten high."""
    probe, ring = ProbeParams(energy=200e3, semiangle=21), DetectorParams(inner_angle=50, outer_angle=120)
    params = MultisliceParams(scheme="full", projection="abtem", configurations=0, device="cpu")
    atoms = titanate(10)
    plan = plan_image(atoms, probe, ring, params, 0.1)
    # The second run of each: the first one compiles and plans.
    for _ in range(2):
        ours = run(multislice_image(atoms, probe, ring, params, 0.1))
        started = time.perf_counter()
        block = atoms.repeat((plan.windows_x.repeats, plan.windows_y.repeats, 1))
        potential = abtem.Potential(
            block, gpts=(plan.windows_x.gpts,) * 2, slice_thickness=2, parametrization="lobato", projection="infinite"
        ).build(lazy=False)
        lens = abtem.Probe(energy=200e3, semiangle_cutoff=21)
        lens.grid.match(potential)
        scan = abtem.GridScan((0, 0), (CELL, CELL), gpts=(plan.columns.count, plan.rows.count), endpoint=False)
        detector = abtem.AnnularDetector(50, 120)
        measured = lens.scan(potential, scan=scan, detectors=detector, max_batch=16, lazy=False)
        theirs = np.asarray(measured.interpolate(gpts=(plan.columns.pixels, plan.rows.pixels)).array).T
        seconds = time.perf_counter() - started
    apart = np.abs(ours.image - theirs).max() / theirs.max()
    print("| one cell of SrTiO3, 39 Å | s | largest difference / maximum |\n|---|---|---|")
    print(f"| a script with abTEM | {seconds:.1f} | |\n| here, the same grid | {ours.seconds:.1f} | {apart:.1e} |")
    exact = run(multislice_image(atoms, probe, ring, MultisliceParams(configurations=0, device="cpu"), 0.1))
    print(f"| here, as usual | {exact.seconds:.1f} | |\n")


def schemes(number: int, step: float) -> None:
    """Tiles and PRISM beside the whole field."""
    atoms = particle(number)
    probe, ring = ProbeParams(energy=200e3, semiangle=24.5, Cs=1.2e4), DetectorParams(inner_angle=50, outer_angle=150)
    print(f"| {len(atoms)} Pt | s | expected s | whole field / this | 1-R2 | gain |\n|---|---|---|---|---|---|")
    whole: MultisliceImage | None = None
    for name, options in (
        ("whole field", {"scheme": "full"}),
        ("tiles", {}),
        ("PRISM 4", {"scheme": "prism", "interpolation": 4}),
    ):
        params = MultisliceParams(**{"configurations": 0, "device": "cpu", "scan_step": step, **options})
        expected = cost(atoms, probe, ring, params, 0.2).seconds
        found = run(multislice_image(atoms, probe, ring, params, 0.2))
        whole = whole or found
        image, true = found.image.astype(float), whole.image.astype(float)
        unexplained = ((image - true) ** 2).sum() / ((true - true.mean()) ** 2).sum()
        gain = (image * true).sum() / (image**2).sum()
        print(
            f"| {name} | {found.seconds:.1f} | {expected:.1f} | {whole.seconds / found.seconds:.1f} | {unexplained:.1e} "
            f"| {gain:.4f} |",
            flush=True,
        )


def main() -> None:
    """Both tables."""
    warnings.simplefilter("ignore")
    beside_abtem()
    schemes(int(sys.argv[1]) if len(sys.argv) > 1 else 147, float(sys.argv[2]) if len(sys.argv) > 2 else 1.0)


if __name__ == "__main__":
    main()
