"""Clean multislice images of structures whose columns are known, to judge positions and their error bars on.

``python benchmarks/multislice_truth.py FOLDER [NAME ...]`` writes one ``NAME.npz`` for each structure (image, pixel size,
columns, sum of atomic numbers), made by the plugin's own multislice engine: dumbbells, light columns beside heavy ones,
particles, walls, monolayers. What is there already is left alone, so that the set can be made in pieces; it takes some
minutes on one core.
``benchmarks/calibration.py FOLDER`` reads it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import mx2
from ase.spacegroup import crystal
from scipy.cluster.hierarchy import fcluster, linkage

from napari_atomseg.core.jobs import run
from napari_atomseg.imaging.detectors import DetectorParams
from napari_atomseg.imaging.multislice.params import MultisliceParams
from napari_atomseg.specimens.clusters import ClusterParams, cluster
from napari_atomseg.specimens.cut_params import CutParams
from napari_atomseg.specimens.cutting import cut
from napari_atomseg.workflows import SimulationParams, StemParams, simulate

PIXEL_SIZE = 0.15
FIELD = 36.3
"""Angstrom; no whole number of any cell, so that columns take all places on the pixel grid."""
LENS = StemParams(energy=200e3, semiangle=24.0, defocus=10.0, Cs=1.2e4, source_size=0.88)
DETECTOR = DetectorParams(inner_angle=55.0, outer_angle=118.0)
SAME_COLUMN = 0.3
"""Atoms whose projections are nearer to each other stand in one column, Angstrom."""

Specimen = tuple[Atoms, CutParams]


def foil(
    symbols: str, sites: list[tuple[float, float, float]], group: int, cell: tuple[float, ...], zone: str, thick: float
) -> Specimen:
    """A crystal along a zone axis; the symbols are separated by spaces, angles are 90 degrees unless given."""
    angles = cell[3:] or (90.0, 90.0, 90.0)
    atoms = crystal(symbols.split(), sites, spacegroup=group, cellpar=(*cell[:3], *angles))
    return atoms, CutParams(zone_axis=zone, thickness=thick, width_y=FIELD, width_x=FIELD + 2.9)


def ordered_sphere() -> Specimen:
    """FePt L1_0 along [001]: whole columns of either element, shorter towards the rim."""
    cell = Atoms(
        "Fe2Pt2", scaled_positions=[(0, 0, 0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)], cell=(3.85, 3.85, 3.71), pbc=True
    )
    block = cell.repeat((9, 9, 9))
    middle = block.cell.array.sum(axis=0) / 2
    sphere = block[np.linalg.norm(block.positions - middle, axis=1) < 15.0]
    sphere.pbc = False
    return sphere, CutParams(zone_axis="0,0,1", rotation_deg=17.0)


def polar_wall() -> Specimen:
    """PbTiO3 along [010] with a 180 degree wall across the field."""
    rows = []
    for row in range(10):
        sign = 1.0 if row < 5 else -1.0
        sites = [
            (0, 0.5, 0),
            (0.5, 0, 0.5 - 0.04 * sign),
            (0.5, 0, 0.11 * sign),
            (0, 0, 0.5 + 0.117 * sign),
            (0.5, 0.5, 0.5 + 0.117 * sign),
        ]
        rows += [
            (symbol, ((x + row) * 3.904, y * 3.904, z * 4.152))
            for symbol, (x, y, z) in zip(["Pb", "Ti", "O", "O", "O"], sites, strict=True)
        ]
    slab = Atoms([one for one, _ in rows], positions=[place for _, place in rows], cell=(39.04, 3.904, 4.152), pbc=True)
    slab = slab.repeat((1, 11, 10))
    slab.pbc = False
    slab.set_cell(None)
    return slab, CutParams(zone_axis="0,1,0", width_y=FIELD, width_x=FIELD)


def layer_with_vacancies() -> Specimen:
    """WS2, one layer, two of a hundred atoms missing."""
    sheet = mx2("WS2", a=3.153, thickness=3.14, vacuum=5.0).repeat((14, 16, 1))
    rng = np.random.default_rng(5)
    del sheet[np.flatnonzero(rng.random(len(sheet)) < 0.02).tolist()]
    sheet.pbc = False
    sheet.set_cell(None)
    return sheet, CutParams(zone_axis="0,0,1", width_y=FIELD, width_x=FIELD)


def particle(element: str, shape: str, diameter: float, zone: str) -> Specimen:
    """A nanoparticle."""
    return cluster(ClusterParams(element=element, shape=shape, diameter=diameter)), CutParams(zone_axis=zone, rotation_deg=8.0)


U = 0.3887
"""Of the oxygen in a spinel."""
SPECIMENS: dict[str, Callable[[], Specimen]] = {
    "au_001": lambda: foil("Au", [(0, 0, 0)], 225, (4.078,) * 3, "0,0,1", 40.0),
    "gaas_110": lambda: foil("Ga As", [(0, 0, 0), (0.25,) * 3], 216, (5.653,) * 3, "1,1,0", 60.0),
    "inp_110": lambda: foil("In P", [(0, 0, 0), (0.25,) * 3], 216, (5.869,) * 3, "1,1,0", 50.0),
    "alsb_110": lambda: foil("Al Sb", [(0, 0, 0), (0.25,) * 3], 216, (6.136,) * 3, "1,1,0", 50.0),
    "spinel_110": lambda: foil("Mg Al O", [(0, 0, 0), (0.625,) * 3, (U,) * 3], 227, (8.083,) * 3, "1,1,0", 60.0),
    "co3o4_110": lambda: foil("Co Co O", [(0, 0, 0), (0.625,) * 3, (U,) * 3], 227, (8.084,) * 3, "1,1,0", 40.0),
    "pto_wall": polar_wall,
    "bto_110": lambda: foil("Ba Ti O", [(0, 0, 0), (0.5,) * 3, (0.5, 0.5, 0)], 221, (4.01,) * 3, "1,1,0", 50.0),
    "laalo3_001": lambda: foil("La Al O", [(0, 0, 0), (0.5,) * 3, (0.5, 0.5, 0)], 221, (3.79,) * 3, "0,0,1", 60.0),
    "zno_110": lambda: foil(
        "Zn O", [(1 / 3, 2 / 3, 0), (1 / 3, 2 / 3, 0.382)], 186, (3.25, 3.25, 5.207, 90, 90, 120), "1,1,0", 40.0
    ),
    "ybco_100": lambda: foil(
        "Ba Y Cu Cu O O O O",
        [(0.5, 0.5, 0.184), (0.5, 0.5, 0.5), (0, 0, 0), (0, 0, 0.355),
         (0, 0.5, 0), (0, 0, 0.158), (0.5, 0, 0.378), (0, 0.5, 0.377)],
        47, (3.82, 3.885, 11.68), "1,0,0", 40.0,
    ),
    "fept_sphere": ordered_sphere,
    "ws2": layer_with_vacancies,
    "pd_100": lambda: particle("Pd", "truncated octahedron", 26.0, "1,0,0"),
}  # fmt: skip


def columns_of(atoms: Atoms) -> tuple[np.ndarray, np.ndarray]:
    """Centres (N, 2) in (y, x), Angstrom, weighted by atomic number, and sums of atomic numbers of the columns of a piece."""
    places = atoms.positions[:, [1, 0]]
    label = fcluster(linkage(places, "average"), SAME_COLUMN, "distance") - 1
    weight = np.bincount(label, atoms.numbers)
    centre = np.stack([np.bincount(label, atoms.numbers * places[:, axis]) for axis in (0, 1)], axis=1) / weight[:, None]
    return centre, weight


def simulated(name: str, folder: Path) -> str:
    """Make and store one structure's image; a line about it."""
    structure, params = SPECIMENS[name]()
    params = CutParams(**{**vars(params), "thermal": 0.0})
    wanted = SimulationParams(
        method="multislice",
        pixel_size=PIXEL_SIZE,
        cut=params,
        stem=LENS,
        detector=DETECTOR,
        multislice=MultisliceParams(configurations=0),
    )
    image = run(simulate.steps(structure, wanted))
    size = image.require_pixel_size()[0]
    centres, weight = columns_of(cut(structure, params))
    places = centres / size
    height, width = image.shape
    inside = np.all((places > -0.5) & (places < np.array([height, width]) - 0.5), axis=1)
    data = np.asarray(image.data, np.float32)
    np.savez(
        folder / f"{name}.npz", image=data, pixel_size_A=size, columns=places[inside], z_sum=weight[inside], name=np.array(name)
    )
    return f"{name}: {height} x {width} px of {size:.4f} A, {inside.sum()} columns, brightest {data.max():.4f} of the beam"


def main() -> None:
    """Make what is not there yet."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or SPECIMENS:
        if not (folder / f"{name}.npz").exists():
            print(simulated(name, folder), flush=True)


if __name__ == "__main__":
    main()
