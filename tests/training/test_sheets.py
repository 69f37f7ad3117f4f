import numpy as np
import pytest
import torch

from napari_atomseg.synthesis.recipe import read_recipe, recipe_from
from napari_atomseg.training.sheets import LABEL_WIDTH, sheet, vacant_sites
from napari_atomseg.training.structure_examples import draw_structure_examples

SIDE, NATIVE = 96, 0.2


@pytest.fixture(scope="module")
def recipe():
    return read_recipe("hrtem-graphene")


def only(kind, **given):
    """The recipe with one kind of specimen."""
    recipe = read_recipe("hrtem-graphene")
    values = {
        "name": "one",
        "modality": "tem",
        "image": recipe.image,
        "specimens": [{"kind": kind, **given}],
        "imaging": recipe.imaging,
        "dose": recipe.dose,
        "noise": [{"counting": {}}],
    }
    return recipe_from(values, "here")


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_maps_and_places_move_together(turns, mirrored):
    given = sheet(only("graphene", vacancies=4, periodic=True), 0, SIDE, NATIVE).moved(turns, mirrored, (17, -40))
    y, x = np.rint(given.positions).astype(int).T % SIDE
    assert given.targets[0].numpy()[y, x].min() > 0.9
    assert given.potential.numpy()[y, x].mean() > given.potential.mean() + 3 * given.potential.std()


@pytest.mark.parametrize("kind", ["sheet", "graphene"])
def test_labels_sum_to_one_and_leave_minima(kind):
    given = sheet(only(kind), 1, SIDE, NATIVE)
    assert torch.allclose(given.targets.sum(dim=0), torch.ones(SIDE, SIDE), atol=1e-6)
    places = given.positions
    apart = np.hypot(*((places[:, None] - places + SIDE / 2) % SIDE - SIDE / 2).transpose(2, 0, 1)) * NATIVE
    assert apart[apart > 0].min() > 1.05
    assert LABEL_WIDTH <= 0.4


def test_the_same_sheet_is_drawn_once(recipe):
    assert sheet(recipe, 3, SIDE, NATIVE) is sheet(recipe, 3, SIDE, NATIVE)


def test_dirt_hides_what_is_beneath():
    dirty = sheet(only("graphene", dirt=1, dirt_radius=3, dirt_density=2.0, periodic=True), 0, SIDE, NATIVE)
    hidden = 1 - float(dirty.asked.mean())
    assert 0.02 < hidden < 0.6
    assert len(dirty.positions) == pytest.approx(0.382 * (SIDE * NATIVE) ** 2, rel=0.05)


def test_films_and_nothing_are_background():
    film = sheet(only("points", least_distance=0.8, lightest=6, heaviest=6), 0, SIDE, NATIVE)
    assert len(film.positions) == 0
    assert float(film.targets[-1].min()) == 1
    assert float(film.potential.std()) > 0
    assert float(film.asked.min()) == 1


def test_examples_are_the_same_each_time_and_differ_from_each_other(recipe):
    first, again, other = (draw_structure_examples(recipe, 1, number, 2, 64) for number in (5, 5, 6))
    assert torch.equal(first.image, again.image)
    assert not torch.equal(first.image, other.image)
    assert first.image.shape == (2, 1, 64, 64)
    assert first.targets.shape == (2, 2, 64, 64)
    assert float(first.image.std()) == pytest.approx(1, abs=0.1)
    assert first.snr.shape == (2,)


def test_focal_series_have_as_many_images():
    series = only("graphene", periodic=True)
    series.imaging["foci"] = [-100, 0, 100]
    assert draw_structure_examples(series, 0, 0, 2, 64).image.shape == (2, 3, 64, 64)


def test_defects_have_more_say():
    whole = sheet(only("graphene", periodic=True), 0, SIDE, NATIVE)
    assert float(whole.asked.max()) == float(whole.asked.min()) == 1
    broken = sheet(only("graphene", vacancies=2, rotations=1, periodic=True), 0, SIDE, NATIVE)
    share = float((broken.asked > 1).float().mean())
    assert 0.03 < share < 0.6
    assert float(broken.asked.max()) == 8
    assert float(sheet(only("points", least_distance=0.8), 0, SIDE, NATIVE).asked.max()) == 1


def test_a_missing_neighbour_s_place():
    """Of three atoms about a vacancy, each with two bonds."""
    around = polygon(3, 1.42)
    second = np.concatenate([place * 1.5 + side * np.array([place[1], -place[0]]) * 0.87 for place in around for side in (-1, 1)])
    atoms = np.concatenate([around, second.reshape(-1, 2)])
    assert vacant_sites(atoms, np.arange(len(atoms)) < 3) == pytest.approx(np.zeros((3, 2)), abs=0.1)


def polygon(corners, radius):
    angle = 2 * np.pi * np.arange(corners) / corners
    return radius * np.stack([np.sin(angle), np.cos(angle)], axis=1)
