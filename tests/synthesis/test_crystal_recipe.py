"""Recipes for one crystal: its columns and no others, from a file or from measured columns, replayable and clear in refusal."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from ase.io import write
from scipy.spatial import cKDTree

from napari_atomseg.analysis.lattice.lattice import shortest_distance
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError, MissingCalibrationError
from napari_atomseg.specimens.library import crystal, library_cell
from napari_atomseg.specimens.measured_cell import measured_cell
from napari_atomseg.specimens.projection import columns_of
from napari_atomseg.specimens.zone_axis import fill_field
from napari_atomseg.synthesis.crystal_recipe import OWN_SHARE, recipe_of_lattice, relative
from napari_atomseg.synthesis.recipe import draw_record, read_recipe, recipe_from
from napari_atomseg.synthesis.record import Record
from napari_atomseg.synthesis.render import render
from napari_atomseg.workflows import read_columns, recipe_for_crystal
from napari_atomseg.writers.columns_csv import write_columns

STILL = {"vacancies": 0, "displacement": 0, "scale": 1.0, "edge": None, "wedge": 0, "mistilt": 0, "thickness": 40}
A = 3.905
SIZE = 0.15


def drawn_columns(turn=0.3, scatter=0.02, **changed):
    """Columns of SrTiO3 [001] as an image of 15 pm pixels would show them."""
    truth = columns_of(fill_field(library_cell("SrTiO3"), (55.0, 60.0), 40.0, turn=turn, shift=(1.0, 0.7), margin=-1.0))
    rng = np.random.default_rng(3)
    places = truth.positions + rng.normal(0, scatter, truth.positions.shape)
    found = Columns(positions=places / SIZE, pixel_size=(SIZE, SIZE)).with_features(
        intensity=truth.scattering * rng.normal(1, 0.03, len(places))
    )
    return replace(found, **changed)


def own(recipe):
    return recipe.specimens[0]


def only_own(recipe, **changed):
    specimens = ({**own(recipe), **STILL, "turn": 0.0, **changed},)
    return replace(recipe, specimens=specimens, imaging={**recipe.imaging, "exponent": 1.7})


@pytest.fixture
def structure(tmp_path):
    path = tmp_path / "my SrTiO3.cif"
    write(path, crystal("SrTiO3"))
    return path


def test_columns_of_strontium_titanate_give_its_cell_back():
    given = own(recipe_for_crystal(columns=drawn_columns()))
    basis, sites, heights = (np.array(given[name]) for name in ("basis", "sites", "intensities"))
    assert np.linalg.norm(basis, axis=1) == pytest.approx([A, A], rel=0.02)
    assert abs(np.linalg.det(basis)) == pytest.approx(A**2, rel=0.02)
    assert basis[0, 0] == 0
    assert basis[0, 1] > 0
    true = library_cell("SrTiO3")
    scattering = columns_of(fill_field(true, (30.0, 30.0), 40.0)).scattering
    levels = np.unique(np.round(scattering, 3))
    order = np.argsort(heights)
    # Sr, Ti with O, and two columns of O.
    assert len(heights) == 4
    assert heights[order[-2:]] == pytest.approx(levels[-2:] / levels[-1], rel=0.05)
    assert heights[order[:2]] == pytest.approx([levels[0] / levels[-1]] * 2, rel=0.05)
    apart = (sites[order[-2]] - sites[order[-1]]) % 1.0
    assert apart == pytest.approx([0.5, 0.5], abs=0.02)
    assert shortest_distance(sites, basis) == pytest.approx(A / 2, rel=0.02)


@pytest.mark.parametrize("source", ["file", "columns"])
def test_drawn_images_show_the_columns_of_the_crystal(source, structure):
    recipe = recipe_for_crystal(structure, (0, 0, 1)) if source == "file" else recipe_for_crystal(columns=drawn_columns())
    batch = render([draw_record(only_own(recipe, turn=0.4), 5)], ())
    found = batch.columns[0]
    inner = np.all((found.positions > 2) & (found.positions < 18), axis=1)
    assert torch.isfinite(batch.image).all()
    assert inner.sum() == pytest.approx(4 * 16**2 / A**2, rel=0.2)
    nearest = cKDTree(found.positions).query(found.positions[inner], k=2)[0][:, 1]
    assert np.allclose(nearest, A / 2, rtol=0.02)
    levels = columns_of(fill_field(library_cell("SrTiO3"), (30.0, 30.0), 40.0)).scattering
    assert found.scattering.min() / found.scattering.max() == pytest.approx(levels.min() / levels.max(), rel=0.05)


@pytest.mark.parametrize("source", ["file", "columns"])
def test_recipes_and_records_are_plain_values_and_replayable(source, structure):
    recipe = recipe_for_crystal(structure) if source == "file" else recipe_for_crystal(columns=drawn_columns())
    again = recipe_from(json.loads(json.dumps(asdict(recipe))), "again")
    assert again.name == recipe.name
    records = [draw_record(recipe, seed, 48) for seed in range(8)]
    assert records == [draw_record(again, seed, 48) for seed in range(8)]
    record = next(record for record in records if record.specimen["kind"] == own(recipe)["kind"])
    replayed = render([Record.from_json(record.to_json())], ())
    assert torch.equal(replayed.image, render([record], ()).image)


def test_most_images_show_the_crystal_and_the_others_stay():
    recipe = recipe_for_crystal(columns=drawn_columns())
    weights = {}
    for kind in recipe.specimens:
        weights[kind["kind"]] = weights.get(kind["kind"], 0) + kind["weight"]
    assert sum(weights.values()) == pytest.approx(1, abs=1e-3)
    assert weights["cell"] == pytest.approx(OWN_SHARE * (1 - weights["low_resolution"]), abs=1e-4)
    general = {kind["kind"]: kind["weight"] for kind in read_recipe("columns_stem").specimens}
    assert weights["low_resolution"] == pytest.approx(general["low_resolution"] / sum(general.values()), abs=1e-3)
    assert {"random_crystal", "crystal", "particle", "sheet", "points"} < set(weights)


def test_every_drawn_disturbance_can_be_made():
    recipe = recipe_for_crystal(columns=drawn_columns())
    mine = replace(recipe, specimens=recipe.specimens[:1])
    batch = render([draw_record(mine, seed, 48) for seed in range(16)], ())
    assert torch.isfinite(batch.image).all()


def test_intensities_become_elements_with_their_ratios():
    cell = measured_cell(np.eye(2)[::-1] * 4, [[0, 0], [0.5, 0.5], [0, 0.5]], [2.0, 1.0, 0.1])
    scattering = cell.occupancy * cell.numbers**1.7
    assert scattering / scattering[0] == pytest.approx([1, 0.5, 0.05])
    assert np.all(np.abs(np.log(cell.occupancy)) < 0.1)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [([4.0, 2.0], [1, 0.5]), ([-4.0, -2.0], [1, 0.5]), ([4, np.nan], [1, 1]), ([np.nan] * 2, [1, 1]), ([4, -1], [1, 0.01])],
)
def test_intensities_of_dark_and_unknown_columns(given, wanted):
    assert relative(np.array(given)) == pytest.approx(wanted)


def bright_triangle(cell):
    """Distances of the two next columns from the brightest, Angstrom, and the area between them with its sign."""
    places = cell.sites @ cell.basis
    steps = np.stack(np.meshgrid(*[np.arange(-3, 4)] * 2, indexing="ij"), -1).reshape(-1, 2) @ cell.basis
    first, *others = np.argsort(-cell.occupancy * cell.numbers**1.7)
    nearest = [min(places[other] - places[first] + steps, key=lambda vector: np.hypot(*vector)) for other in others]
    (y, x), (v, u) = nearest
    return np.hypot(y, x), np.hypot(v, u), y * u - x * v


def test_a_handed_oblique_lattice_is_not_mirrored(tmp_path):
    true = measured_cell([[0, 4.0], [5.0, 1.2]], [[0, 0], [0.31, 0.22], [0.62, 0.71]], [1, 0.5, 0.2])
    truth = columns_of(fill_field(true, (60.0, 70.0), 40.0, turn=0.5, shift=(0.3, 0.9), margin=-1.0))
    measured = Columns(positions=truth.positions / SIZE, pixel_size=(SIZE, SIZE)).with_features(intensity=truth.scattering)
    # Through a file, as a user has it.
    write_columns(measured, tmp_path / "area.csv")
    given = own(recipe_for_crystal(columns=read_columns(tmp_path / "area.csv")))
    back = measured_cell(given["basis"], given["sites"], given["intensities"])
    assert bright_triangle(back) == pytest.approx(bright_triangle(true), rel=1e-3)


def test_names_come_from_what_was_given(structure):
    assert recipe_for_crystal(structure, (1, 1, 0)).name == "columns_my_SrTiO3_110"
    named = drawn_columns(provenance={"image": {"name": "grain 3.dm4"}})
    assert recipe_for_crystal(columns=named).name == "columns_grain_3"
    assert recipe_for_crystal(columns=drawn_columns()).name == "columns_lattice"


def test_a_given_pixel_size_stands_above_that_of_the_columns():
    given = own(recipe_for_crystal(columns=drawn_columns(), pixel_size=(2 * SIZE, 2 * SIZE)))
    assert np.linalg.norm(given["basis"], axis=1) == pytest.approx([2 * A, 2 * A], rel=0.02)


def test_what_is_no_crystal_is_refused_in_one_sentence(tmp_path, structure):
    with pytest.raises(AtomsegError, match="give one of the two"):
        recipe_for_crystal()
    with pytest.raises(AtomsegError, match="give one of the two"):
        recipe_for_crystal(structure, columns=drawn_columns())
    with pytest.raises(MissingCalibrationError, match="pixel size"):
        recipe_for_crystal(columns=drawn_columns(pixel_size=None))
    with pytest.raises(AtomsegError, match="no such file"):
        recipe_for_crystal(tmp_path / "nothing.cif")
    with pytest.raises(AtomsegError, match="zone axis"):
        recipe_for_crystal(structure, (0, 0, 0))
    scattered = Columns(positions=np.random.default_rng(0).uniform(0, 300, (200, 2)), pixel_size=(SIZE, SIZE))
    with pytest.raises(AtomsegError, match="no lattice"):
        recipe_for_crystal(columns=scattered)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"basis": None}, "basis of a cell"),
        ({"basis": [[0, 4], [0, 8]]}, "one line"),
        ({"basis": [[0, 1e-3], [4, 0]]}, "long"),
        ({"basis": [[0, "a"], [4, 0]]}, "basis of a cell"),
        ({"sites": []}, "sites of a cell"),
        ({"sites": [[0, 0]] * 501, "intensities": [1] * 501}, "up to 500"),
        ({"intensities": [1, 2, 3]}, "as many intensities"),
        ({"intensities": [-1]}, "below zero"),
        ({"colour": 3}, "no parameter colour"),
    ],
)
def test_cells_that_make_no_sense_are_refused(change, message):
    recipe = recipe_of_lattice(np.array([[0, 4.0], [4.0, 0]]), np.zeros((1, 2)), np.ones(1))
    with pytest.raises(AtomsegError, match=message):
        render([draw_record(only_own(recipe, **change), 1, 32)], ())
