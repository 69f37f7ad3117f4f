"""The projected cell against cells typed by hand, and against atoms of a block of crystal projected one by one."""

import os
from pathlib import Path

import numpy as np
import pytest
from ase.spacegroup import crystal
from scipy.spatial import cKDTree

from napari_atomseg.analysis.lattice.column_cell import REACH, column_cell

TYPED = Path(os.environ.get("ATOMSEG_SHARED", Path(__file__).parents[4] / "shared")) / "data" / "statstem"
HEXAGONAL, CUBIC = (90, 90, 120), (90, 90, 90)


def fcc(symbol, a):
    return crystal((symbol,), [(0, 0, 0)], spacegroup=225, cellpar=(a, a, a, *CUBIC))


def perovskite(a_site, b_site, anion, a):
    sites = [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0)]
    return crystal((a_site, b_site, anion), sites, spacegroup=221, cellpar=(a, a, a, *CUBIC))


def made(symbols, sites, group, *cell):
    return crystal(symbols, sites, spacegroup=group, cellpar=cell)


TWENTY = {
    "Au": lambda: fcc("Au", 4.078),
    "Fe": lambda: made(("Fe",), [(0, 0, 0)], 229, 2.866, 2.866, 2.866, *CUBIC),
    "Si": lambda: made(("Si",), [(0, 0, 0)], 227, 5.431, 5.431, 5.431, *CUBIC),
    "GaAs": lambda: made(("Ga", "As"), [(0, 0, 0), (0.25, 0.25, 0.25)], 216, 5.653, 5.653, 5.653, *CUBIC),
    "NaCl": lambda: made(("Na", "Cl"), [(0, 0, 0), (0.5, 0.5, 0.5)], 225, 5.64, 5.64, 5.64, *CUBIC),
    "CsCl": lambda: made(("Cs", "Cl"), [(0, 0, 0), (0.5, 0.5, 0.5)], 221, 4.12, 4.12, 4.12, *CUBIC),
    "CeO2": lambda: made(("Ce", "O"), [(0, 0, 0), (0.25, 0.25, 0.25)], 225, 5.411, 5.411, 5.411, *CUBIC),
    "SrTiO3": lambda: perovskite("Sr", "Ti", "O", 3.905),
    "PbTiO3": lambda: made(
        ("Pb", "Ti", "O", "O"),
        [(0, 0, 0), (0.5, 0.5, 0.54), (0.5, 0.5, 0.11), (0.5, 0, 0.62)], 99, 3.904, 3.904, 4.152, *CUBIC,
    ),
    "LaAlO3 R-3c": lambda: made(
        ("La", "Al", "O"), [(0, 0, 0.25), (0, 0, 0), (0.525, 0, 0.25)], 167, 5.364, 5.364, 13.11, *HEXAGONAL,
    ),
    "Mg": lambda: made(("Mg",), [(1 / 3, 2 / 3, 0.25)], 194, 3.209, 3.209, 5.211, *HEXAGONAL),
    "CdS": lambda: made(("Cd", "S"), [(1 / 3, 2 / 3, 0), (1 / 3, 2 / 3, 0.375)], 186, 4.137, 4.137, 6.714, *HEXAGONAL),
    "Bi2Te3 R-3m": lambda: made(
        ("Bi", "Te", "Te"), [(0, 0, 0.4), (0, 0, 0), (0, 0, 0.2095)], 166, 4.386, 4.386, 30.5, *HEXAGONAL,
    ),
    "LiCoO2 R-3m": lambda: made(
        ("Li", "Co", "O"), [(0, 0, 0.5), (0, 0, 0), (0, 0, 0.2605)], 166, 2.816, 2.816, 14.05, *HEXAGONAL,
    ),
    "FePt L1_0": lambda: made(("Fe", "Pt"), [(0, 0, 0), (0.5, 0.5, 0.5)], 123, 2.72, 2.72, 3.71, *CUBIC),
    "graphene": lambda: made(("C",), [(1 / 3, 2 / 3, 0.5)], 191, 2.461, 2.461, 20, *HEXAGONAL),
    "MoS2": lambda: made(("Mo", "S"), [(1 / 3, 2 / 3, 0.25), (1 / 3, 2 / 3, 0.621)], 194, 3.16, 3.16, 12.3, *HEXAGONAL),
    "MgAl2O4 spinel": lambda: made(
        ("Mg", "Al", "O"), [(0.125, 0.125, 0.125), (0.5, 0.5, 0.5), (0.2624, 0.2624, 0.2624)], 227, 8.08, 8.08, 8.08, *CUBIC,
    ),
    "TiO2 rutile": lambda: made(("Ti", "O"), [(0, 0, 0), (0.305, 0.305, 0)], 136, 4.594, 4.594, 2.959, *CUBIC),
    "Al2O3": lambda: made(("Al", "O"), [(0, 0, 0.352), (0.306, 0, 0.25)], 167, 4.759, 4.759, 12.99, *HEXAGONAL),
}  # fmt: skip
ZONES = ((0, 0, 1), (1, 0, 0), (1, 1, 0))


def typed_cell(path):
    """Vectors (y, x) and sites of a cell that was typed by hand, with the symbols of its columns."""
    lengths, rows, within = {}, [], False
    for words in (line.split() for line in path.read_text().splitlines()):
        if not words:
            continue
        if words[0].startswith(("length", "angle")):
            lengths[words[0]] = float(words[1])
        elif words[0] in ("columns", "atoms", "zInfo"):
            within = words[0] != "zInfo"
        elif within:
            rows.append((words[0], float(words[1]), float(words[2])))
    turn = np.radians(lengths["angle_ab"])
    basis = np.array([[0, lengths["length_a"]], lengths["length_b"] * np.array([np.sin(turn), np.cos(turn)])])
    return lengths, basis, np.array([row[1:] for row in rows]), {row[0] for row in rows}


def structure_of(name, lengths):
    """The crystal whose projection was typed, with the lengths of that file."""
    a, b, c = (lengths[f"length_{side}"] for side in "abc")
    return {
        "Au100": lambda: (fcc("Au", a), (0, 0, 1)),
        "Au110": lambda: (fcc("Au", a), (1, 1, 0)),
        "Pt100": lambda: (fcc("Pt", a), (0, 0, 1)),
        "Pt110": lambda: (fcc("Pt", a), (1, 1, 0)),
        "Ce100": lambda: (fcc("Ce", a), (0, 0, 1)),
        "Ce110": lambda: (fcc("Ce", a), (1, 1, 0)),
        "CdS_ZB011": lambda: (made(("Cd", "S"), [(0, 0, 0), (0.25, 0.25, 0.25)], 216, a, a, a, *CUBIC), (0, 1, 1)),
        "CdS_WZ100": lambda: (
            made(("Cd", "S"), [(1 / 3, 2 / 3, 0), (1 / 3, 2 / 3, 0.375)], 186, c, c, a, *HEXAGONAL), (1, 0, 0),
        ),
        "STO100": lambda: (perovskite("Sr", "Ti", "O", a), (0, 0, 1)),
        "PTO100": lambda: (perovskite("Pb", "Ti", "O", a), (0, 0, 1)),
        "CsPbBr3_100": lambda: (perovskite("Cs", "Pb", "Br", a), (0, 0, 1)),
        "CsPbI3_tetragonal_110": lambda: (
            made(("Cs", "Pb", "I", "I"), [(0, 0.5, 0.5), (0, 0, 0), (0, 0, 0.5), (0.25, 0.25, 0)], 127,
                 a * np.sqrt(2), a * np.sqrt(2), b, *CUBIC), (1, 1, 0),
        ),
        "MoTe2_001": lambda: (made(("Mo", "Te"), [(0, 0, 0), (1 / 3, 2 / 3, 0.1)], 1, a, a, 20, *HEXAGONAL), (0, 0, 1)),
    }[name]()  # fmt: skip


def spread_out(basis, sites, radius):
    """Places of the sites of many cells about the origin."""
    reach = int(2.5 * radius / np.hypot(*basis.T).min()) + 2
    cells = np.stack(np.mgrid[-reach : reach + 1, -reach : reach + 1], -1).reshape(-1, 1, 2)
    places = (cells + sites).reshape(-1, 2) @ basis
    return places[np.hypot(*places.T) <= radius]


def largest_difference(basis, sites, cell, kept):
    """Between two periodic sets of points, after the best turn, mirror and translation."""
    theirs = spread_out(basis, sites - sites[0], 10)
    lattice = spread_out(cell.basis, np.zeros((1, 2)), 16)
    best = np.inf
    for mirror in (1, -1):
        for vector in lattice[np.abs(np.hypot(*lattice.T) - np.hypot(*basis[0])) < 0.1] * [mirror, 1]:
            turn = np.arctan2(*basis[0]) - np.arctan2(*vector)
            rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
            ours = (spread_out(cell.basis, cell.sites[kept], 24) * [mirror, 1]) @ rotation
            tree = cKDTree(ours)
            for site in cell.sites[kept]:
                places = theirs + (site @ cell.basis * [mirror, 1]) @ rotation
                apart = places - ours[tree.query(places)[1]]
                apart = apart - (apart.max(axis=0) + apart.min(axis=0)) / 2
                best = min(best, np.hypot(*apart.T).max())
    return best


@pytest.mark.skipif(not TYPED.is_dir(), reason="the cells typed by hand are not at hand")
@pytest.mark.parametrize("path", sorted(TYPED.glob("cell_*.txt")), ids=lambda path: path.stem)
def test_cells_that_were_typed_by_hand_come_out_of_the_structure(path):
    lengths, basis, sites, symbols = typed_cell(path)
    atoms, zone = structure_of(path.stem.removeprefix("cell_"), lengths)
    cell = column_cell(atoms, zone)
    kept = [row for row, held in enumerate(cell.contents) if {word.strip("0123456789.") for word in held.split()} & symbols]
    ours = len(kept) / abs(np.linalg.det(cell.basis))
    assert ours == pytest.approx(len(sites) / abs(np.linalg.det(basis)), rel=0.01)
    assert largest_difference(basis, sites, cell, kept) < 0.02


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("name", TWENTY)
def test_the_cell_repeats_to_the_atoms_of_a_block_and_nothing_smaller_does(name, zone):
    atoms = TWENTY[name]()
    cell = column_cell(atoms, zone)
    # Projected by its own arithmetic: any frame across the beam will do.
    beam = np.array(zone) @ atoms.cell.array
    beam = beam / np.linalg.norm(beam)
    across = np.linalg.svd(beam[None])[2][1:]
    flat = atoms.repeat((6, 6, 6)).positions @ across.T
    flat = flat - flat[np.argmin(np.hypot(*(flat - flat.mean(axis=0)).T))]
    flat = np.unique(np.round(flat, 3), axis=0)
    near = flat[np.hypot(*flat.T) < 12]
    inner = near[np.hypot(*near.T) < 8]
    # Distances between atoms in projection are those between columns, unless a column is several places of atoms wide.
    ours = spread_out(cell.basis, cell.sites, 14)
    sites = cell.sites @ cell.basis
    of_cell = np.linalg.norm(ours[:, None] - sites[None], axis=-1).ravel()
    of_block = np.linalg.norm(near[:, None] - inner[None], axis=-1).ravel()
    if not np.any((of_block > 0.02) & (of_block < REACH)):
        of_block, of_cell = (np.unique(of[(of > 0.02) & (of < 3.9)]) for of in (of_block, of_cell))
        assert np.abs(of_block[:, None] - of_cell[None]).min(axis=1).max() < 0.01
        assert np.abs(of_block[:, None] - of_cell[None]).min(axis=0).max() < 0.01
    # No shift smaller than the cell keeps the columns.
    for shift in cell.sites[1:]:
        moved = cell.sites + shift
        apart = moved[:, None] - cell.sites[None]
        apart = np.linalg.norm((apart - np.rint(apart)) @ cell.basis, axis=-1)
        onto = np.argmin(apart, axis=1)
        same = [cell.contents[row] == cell.contents[other] for row, other in enumerate(onto)]
        assert apart.min(axis=1).max() > 0.02 or not all(same)
    # As much is projected onto an area as the crystal holds there.
    weight = np.sum(atoms.numbers.astype(float) ** 1.7) / atoms.cell.volume
    assert cell.scattering.sum() / abs(np.linalg.det(cell.basis)) == pytest.approx(weight, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "zone", "area"),
    [
        ("Au", (0, 0, 1), 4.078**2 / 4),
        ("Au", (1, 1, 0), 4.078**2 / np.sqrt(8)),
        ("Fe", (0, 0, 1), 2.866**2 / 2),
        ("SrTiO3", (0, 0, 1), 3.905**2),
        ("FePt L1_0", (0, 0, 1), 2.72**2),
        ("FePt L1_0", (1, 0, 0), 2.72 * 3.71),
        ("graphene", (0, 0, 1), 2.461**2 * np.sqrt(3) / 2),
        ("Mg", (0, 0, 1), 3.209**2 * np.sqrt(3) / 2),
        ("Bi2Te3 R-3m", (0, 0, 1), 4.386**2 * np.sqrt(3) / 6),
    ],
)  # fmt: skip
def test_halved_cells_are_halved(name, zone, area):
    assert abs(np.linalg.det(column_cell(TWENTY[name](), zone).basis)) == pytest.approx(area, rel=1e-3)
