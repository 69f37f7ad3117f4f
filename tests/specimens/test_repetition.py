"""Where a structure ends: at an empty slab, and nowhere else."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, graphene, mx2, surface

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.specimens.clusters import ClusterParams, cluster
from napari_atomseg.specimens.library import ENTRIES, crystal
from napari_atomseg.specimens.repetition import is_crystal, repeat_of, repetition


def boxed_particle():
    particle = cluster(ClusterParams(diameter=10))
    particle.set_cell([25, 30, 35])
    particle.pbc = True
    return particle


def sheet_of_two_cells(gap):
    """Two layers of atoms 2 Angstrom apart, and an empty slab."""
    return Atoms("Pt2", positions=[[0, 0, 1], [0, 0, 3]], cell=[2.5, 2.5, 2 + gap], pbc=True)


@pytest.mark.parametrize("name", [name for name in ENTRIES if name not in ("MoS2", "graphene")])
def test_crystals_are_repeated_everywhere(name):
    assert is_crystal(crystal(name))


@pytest.mark.parametrize(
    "atoms",
    [
        bulk("Cs", "bcc", a=6.14),
        bulk("Cs", "bcc", a=6.14, cubic=True),
        bulk("Rb", "bcc", a=5.585),
        bulk("Xe", "fcc", a=6.13),
        bulk("Mg"),
        Atoms("C4", scaled_positions=[[0, 0, 0.25], [1 / 3, 2 / 3, 0.25], [0, 0, 0.75], [2 / 3, 1 / 3, 0.75]],
              cell=[2.461, 2.461, 6.708, 90, 90, 120], pbc=True),
    ],
    ids=["Cs", "Cs conventional", "Rb", "Xe", "Mg", "graphite"],
)  # fmt: skip
def test_wide_planes_of_a_crystal_are_no_empty_slab(atoms):
    assert is_crystal(atoms)


def test_a_cavity_is_no_empty_slab():
    block = bulk("Pt", cubic=True).repeat((6, 6, 6))
    middle = np.diag(block.cell.array) / 2
    hollow = block[np.linalg.norm(block.positions - middle, axis=1) > 8]
    assert len(hollow) < len(block) - 100
    assert is_crystal(hollow)
    tube = block[np.linalg.norm((block.positions - middle)[:, :2], axis=1) > 8]
    assert is_crystal(tube)


@pytest.mark.parametrize(
    ("atoms", "repeated"),
    [
        (crystal("MoS2"), "ab"),
        (crystal("graphene"), "ab"),
        (mx2("WSe2", vacuum=6), "ab"),
        (graphene(vacuum=8), "ab"),
        (graphene(), "ab"),
        (surface(bulk("Pt", cubic=True), (1, 1, 1), 4, vacuum=5), "ab"),
        (boxed_particle(), ""),
        (Atoms("Pt", positions=[[5, 5, 5]], cell=[10, 10, 10], pbc=True), ""),
        (Atoms("Pt4", positions=[[8, 8, z] for z in range(0, 8, 2)], cell=[16, 17, 8], pbc=True), "c"),
        (Atoms("Pt", positions=[[0, 0, 0]]), ""),
        (Atoms("Pt", positions=[[0, 0, 0]], cell=[3, 3, 3]), ""),
        (Atoms("Pt", positions=[[0, 0, 0]], cell=[3, 3, 3], pbc=(True, False, True)), "ac"),
        (sheet_of_two_cells(4.01), "ab"),
        (sheet_of_two_cells(3.9), "abc"),
    ],
    ids=[
        "MoS2", "graphene", "WSe2", "graphene with vacuum", "graphene without third axis", "slab", "boxed", "one atom", "wire",
        "no cell", "no periodicity", "partly periodic", "wide enough", "narrow",
    ],
)  # fmt: skip
def test_what_is_repeated(atoms, repeated):
    found = repetition(atoms)
    assert "".join(axis for axis, goes_on in zip("abc", found.repeated, strict=True) if goes_on) == repeated
    assert len(found.atoms) == len(atoms)


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [1, 2, 0]])
@pytest.mark.parametrize("move", [0.0, 0.45, 0.9])
def test_a_slab_ends_along_any_axis_wherever_it_lies_and_is_whole(order, move):
    slab = surface(bulk("Cu", cubic=True), (1, 0, 0), 3, vacuum=6)
    slab.set_scaled_positions((slab.get_scaled_positions() + np.array([0, 0, move])) % 1)
    slab.pbc = True
    turned = slab.copy()
    turned.set_cell(slab.cell.array[order][:, order])
    turned.positions = slab.positions[:, order]
    found = repetition(turned)
    ends = order.index(2)
    assert found.repeated == tuple(axis != ends for axis in range(3))
    assert np.ptp(found.atoms.positions[:, ends]) == pytest.approx(5 * 3.61 / 2, abs=0.01)
    assert found.empty[ends] == pytest.approx(12, abs=0.1)


def test_the_gap_of_an_oblique_cell_is_measured_across_its_slab():
    """Along the long edge of a leaning cell the slab looks thicker than it is."""
    leaning = Atoms("Pt", positions=[[0, 0, 0]], cell=[[2.6, 0, 0], [0, 2.6, 0], [6, 0, 3]], pbc=True)
    assert is_crystal(leaning)


@pytest.mark.parametrize(("text", "cells"), [("auto", None), (" None ", (1, 1, 1)), ("3,2,1", (3, 2, 1)), ("3, 2, 1", (3, 2, 1))])
def test_repetitions_as_people_write_them(text, cells):
    assert repeat_of(text) == cells


@pytest.mark.parametrize("text", ["", "3", "3,3", "0,1,1", "-1,1,1", "a,b,c", "1.5,1,1", "3x3x1"])
def test_what_is_no_repetition_is_refused(text):
    with pytest.raises(AtomsegError, match="auto, none, or three numbers"):
        repeat_of(text)


def test_cells_that_nothing_could_hold_or_that_are_not_there():
    with pytest.raises(AtomsegError, match="up to 1,000,000"):
        repetition(crystal("Si"), "100,100,100")
    with pytest.raises(AtomsegError, match="no unit cell"):
        repetition(Atoms("Pt", positions=[[0, 0, 0]]), "2,1,1")
    assert repetition(Atoms("Pt", positions=[[0, 0, 0]]), "none").repeated == (False,) * 3
