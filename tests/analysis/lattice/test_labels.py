"""Sublattices are named by the structure, and a lattice that the columns alone do not show is found with its cell."""

import re

import numpy as np
import pandas as pd
import pytest

from napari_atomseg.analysis.lattice.column_cell import column_cell
from napari_atomseg.analysis.lattice.guided import hinted_bases
from napari_atomseg.analysis.lattice_measurement import measure_lattices
from napari_atomseg.analysis.measurement import Setting
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.jobs import run
from napari_atomseg.specimens.library import crystal

PX = 0.1


def seen(cell, sites, cells=8, noise=0.03, seed=0, turn=0.4, mirror=False, kept=1.0):
    """Some columns of a structure, turned, some of them missing, with brightness by scattering; their atoms beside."""
    rng = np.random.default_rng(seed)
    index = np.stack(np.mgrid[:cells, :cells], -1).reshape(-1, 2)
    places = np.concatenate([(index + cell.sites[site]) @ cell.basis for site in sites])
    kind = np.repeat(sites, len(index))
    if mirror:
        places = places * [-1, 1]
    places = places @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    places += 8 - places.min(axis=0) + rng.normal(0, noise, places.shape)
    chosen = rng.uniform(size=len(places)) < kept
    height = cell.scattering[kind] ** 0.9 * (1 + 0.03 * rng.normal(size=len(kind)))
    features = pd.DataFrame({"intensity": height, "y_std_px": noise / PX, "x_std_px": noise / PX})[chosen]
    columns = Columns(positions=places[chosen] / PX, features=features.reset_index(drop=True), pixel_size=(PX, PX))
    return columns, np.array(cell.contents, dtype=object)[kind[chosen]]


def measured(columns, cell, what=("sublattices",)):
    return run(measure_lattices(columns, Setting(shape=(900, 900), size=(PX, PX), asked=what, cells=(cell,))))


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize(("name", "zone"), [("SrTiO3", (0, 0, 1)), ("SrTiO3", (1, 1, 0)), ("TiO2", (0, 0, 1))])
def test_every_column_is_named_as_it_was_made(name, zone, mirror):
    cell = column_cell(crystal(name), zone)
    columns, atoms = seen(cell, range(len(cell.sites)), mirror=mirror)
    found = measured(columns, cell)
    table = found.columns.features
    on = table["grain"] >= 0
    assert on.mean() > 0.95
    assert np.mean(table["column_atoms"][on].to_numpy() == atoms[on]) > 0.99
    assert not found.numbers["lattices"][0]["reference"]["columns_not_seen"]


def test_columns_that_are_not_seen_are_named_too():
    cell = column_cell(crystal("SrTiO3"), (0, 0, 1))
    heavy = [site for site, contents in enumerate(cell.contents) if contents != "O"]
    found = measured(seen(cell, heavy)[0], cell).numbers["lattices"][0]
    assert [one["atoms"] for one in found["sublattices"]] == ["Sr", "Ti O"]
    assert found["reference"]["columns_not_seen"] == ["O", "O"]


def test_octahedra_are_those_of_the_structure():
    cell = column_cell(crystal("SrTiO3"), (0, 0, 1))
    columns, atoms = seen(cell, range(len(cell.sites)))
    # Titanium brighter than strontium, as at some thicknesses in other images: only the structure tells what is what.
    table = measured(columns, cell, ("cells",)).columns.features
    centres = table["tilt_deg"].notna()
    assert set(atoms[centres]) == {"Ti O"}


@pytest.mark.parametrize("seed", [0, 2, 4, 5])
def test_few_noisy_columns_are_indexed_with_the_cell_of_the_structure(seed):
    cell = column_cell(crystal("SrTiO3"), (1, 1, 0))
    columns, atoms = seen(cell, [0, 1], cells=6, noise=0.2, seed=seed, kept=0.5)
    found = measured(columns, cell)
    lattice = found.numbers["lattices"][0]
    assert any("looked for with the cell" in said for said in found.numbers["verdicts"])
    assert [lattice["a_angstrom"], lattice["b_angstrom"]] == pytest.approx(np.hypot(*cell.basis.T), rel=0.03)
    table = found.columns.features
    on = table["grain"] >= 0
    assert on.mean() > 0.9
    assert np.mean(table["column_atoms"][on].to_numpy() == atoms[on]) > 0.9


def test_the_direction_of_a_known_cell_is_found():
    cell = column_cell(crystal("TiO2"), (1, 0, 0))
    columns, _ = seen(cell, [0], turn=0.7)
    turn = np.array([[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]])
    best = hinted_bases(columns.positions, cell.basis / PX)[0]
    whole = best @ np.linalg.inv(cell.basis @ turn / PX)
    assert whole == pytest.approx(np.rint(whole), abs=0.05)


def test_a_wrong_pixel_size_is_said_with_what_the_lattice_would_make_of_it():
    cell = column_cell(crystal("SrTiO3"), (0, 0, 1))
    columns, _ = seen(cell, [0, 1], turn=0.0, noise=0.005)
    stretched = Columns(positions=columns.positions * [1.04, 1.03], features=columns.features, pixel_size=(PX, PX))
    said = " ".join(measured(stretched, cell).numbers["verdicts"])
    assert "3.5% too large" in said
    assert "differ by 1.0%" in said
    high, wide = map(float, re.search(r"([0-9.]+) pm high and ([0-9.]+) pm wide", said).groups())
    assert [high, wide] == pytest.approx([10 / 1.04, 10 / 1.03], abs=0.01)


def test_two_phases_are_told_apart_and_named():
    film, ground = (column_cell(crystal(name), (0, 0, 1)) for name in ("SrTiO3", "TiO2"))
    left, _ = seen(film, [0, 1], cells=11, turn=0.0)
    right, _ = seen(ground, [0, 1], cells=9, turn=0.15)
    shifted = right.positions + np.array([0, left.positions[:, 1].max() - right.positions[:, 1].min() + 25])
    both = left.joined(Columns(positions=shifted, features=right.features[["intensity", "y_std_px", "x_std_px"]]))
    setting = Setting(shape=(900, 1200), size=(PX, PX), asked=("strain",), cells=(film, ground))
    found = run(measure_lattices(both, setting))
    side = np.repeat([0, 1], [len(left), len(right)])
    grain = found.columns.features["grain"].to_numpy()
    named = [one["reference"]["structure"] for one in found.numbers["lattices"]]
    assert sorted(named) == ["SrTiO3 [0 0 1]", "TiO2 [0 0 1]"]
    for number, name in enumerate(named):
        mine = side[grain == number]
        assert np.mean(mine == (name.startswith("TiO2"))) > 0.97
    assert any("is SrTiO3" in said for said in found.numbers["verdicts"])
    assert np.abs(found.columns.features["strain_xx"]).median() < 0.01
