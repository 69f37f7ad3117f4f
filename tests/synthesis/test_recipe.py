"""Recipes are understood or refused in one sentence, and a seed gives one record."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.synthesis.distributions import draw
from napari_atomseg.synthesis.recipe import draw_record, presets, read_recipe, recipe_from
from napari_atomseg.synthesis.record import Record

SMALL = {
    "name": "small",
    "image": {"size": 32, "pixel_size": 0.2},
    "specimens": [{"kind": "crystal", "name": "Pt"}],
    "imaging": {"exponent": 1.7},
    "peak": 50,
}


def test_presets_are_there_and_readable():
    assert {"temimagenet", "columns_stem"} <= set(presets())
    for name in presets():
        recipe = read_recipe(name)
        assert recipe.name == name
        assert recipe.about


@pytest.mark.parametrize("name", presets())
def test_a_seed_gives_one_record_that_survives_json(name):
    recipe = read_recipe(name)
    first, again, other = draw_record(recipe, 3), draw_record(recipe, 3), draw_record(recipe, 4)
    assert first == again
    assert first != other
    assert Record.from_json(first.to_json()) == first
    assert json.loads(first.to_json())["recipe"] in {part.name for part in recipe.parts or (recipe,)}


def test_distributions_have_their_moments(rng):
    uniform = [draw({"uniform": [2, 4]}, rng) for _ in range(4000)]
    assert np.mean(uniform) == pytest.approx(3, abs=0.05)
    assert min(uniform) >= 2
    assert max(uniform) <= 4
    logarithmic = np.log([draw({"log_uniform": [1, 100]}, rng) for _ in range(4000)])
    assert np.mean(logarithmic) == pytest.approx(np.log(10), abs=0.1)
    normal = [draw({"normal": [1, 2]}, rng) for _ in range(4000)]
    assert np.std(normal) == pytest.approx(2, rel=0.05)
    assert {draw({"integer": [1, 3]}, rng) for _ in range(200)} == {1, 2, 3}
    assert {draw({"choice": ["a", "b"]}, rng) for _ in range(50)} == {"a", "b"}
    assert draw(7, rng) == 7


@pytest.mark.parametrize("scale", [0.1, 0.5, 3.0])
def test_truncated_exponentials_have_their_limits_and_mean(rng, scale):
    # Of a density exp(-u / s) between 0 and 1 the mean is s - 1 / (exp(1 / s) - 1).
    mean = scale - 1 / np.expm1(1 / scale)
    plain = np.array([draw({"exponential": [0.5, 750, scale]}, rng) for _ in range(20000)])
    assert plain.min() >= 0.5
    assert plain.max() <= 750
    assert (plain.mean() - 0.5) / 749.5 == pytest.approx(mean, rel=0.03)
    logarithms = np.log([draw({"log_exponential": [0.5, 750, scale]}, rng) for _ in range(20000)])
    assert logarithms.max() <= np.log(750) + 1e-9
    assert (logarithms.mean() - np.log(0.5)) / np.log(1500) == pytest.approx(mean, rel=0.03)


@pytest.mark.parametrize(
    "given",
    [
        {"even": [0, 1]},
        {"exponential": [0, 1]},
        {"exponential": [0, 1, 0]},
        {"exponential": [0, 1, -2]},
        {"exponential": [2, 1, 0.5]},
        {"exponential": [0, 1, float("nan")]},
        {"log_exponential": [0, 1, 0.5]},
        {"uniform": [3, 1]},
        {"uniform": [1]},
        {"log_uniform": [0, 1]},
        {"choice": []},
        {"uniform": [0, float("inf")]},
    ],
)
def test_distributions_that_make_no_sense_are_refused(given, rng):
    with pytest.raises(AtomsegError, match="thickness"):
        draw(given, rng, "thickness")


@pytest.mark.parametrize("change", [{"image": None}, {"extra": 1}, {"specimens": []}])
def test_incomplete_recipes_are_refused(change):
    values = {name: value for name, value in {**SMALL, **change}.items() if value is not None}
    with pytest.raises(AtomsegError, match="small"):
        recipe_from(values, "small")


def test_files_are_read_and_broken_ones_are_said_so(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    assert read_recipe(path).name == "small"
    path.write_text(yaml.safe_dump(SMALL).replace("peak: 50", "peak: 1.0e3"))
    assert draw_record(read_recipe(path), 0).peak == 1000
    path.write_text("a: [1, 2")
    with pytest.raises(AtomsegError, match="YAML"):
        read_recipe(path)
    with pytest.raises(AtomsegError, match="presets"):
        read_recipe("no such recipe")


def test_an_effect_happens_as_often_as_it_is_said_and_leaves_the_rest_alone():
    recipe = {**SMALL, "noise": [{"thermal": {"probability": 0.3, "sigma": {"uniform": [0, 1]}}}, {"counting": {}}]}
    often = {**SMALL, "noise": [{"thermal": {"probability": 1.0, "sigma": {"uniform": [0, 1]}}}, {"counting": {}}]}
    some = [draw_record(recipe_from(recipe, "x"), seed) for seed in range(400)]
    every = [draw_record(recipe_from(often, "x"), seed) for seed in range(400)]
    assert np.mean([len(record.noise) == 2 for record in some]) == pytest.approx(0.3, abs=0.08)
    assert [record.noise[-1] for record in some] == [record.noise[-1] for record in every]


@pytest.mark.parametrize(
    ("change", "words"),
    [({}, "50 electrons in the brightest pixel"), ({"dose": 300.0}, "300 e/Å²"), ({"mean": 4.5}, "4.5 electrons a pixel")],
)
def test_a_record_says_how_many_electrons(change, words):
    assert draw_record(recipe_from({**SMALL, **change}, "x"), 1).amount == words


@pytest.mark.parametrize("text", ["", "[]", '{"format": 99}', '{"recipe": "x"}', "nonsense"])
def test_what_is_no_record_is_refused(text):
    with pytest.raises(AtomsegError, match="record"):
        Record.from_json(text)


@pytest.mark.parametrize("name", ["hrstem", "hrsem", "hrtem"])
def test_solids_and_their_supports_are_drawn_from_the_ranges_of_lobato_et_al(name):
    recipe = read_recipe(name)
    records = [draw_record(recipe, seed, 32) for seed in range(600)]
    drawn = [record.specimen for record in records if record.specimen["kind"] == "solid"]
    for part in ("", "support_"):
        ranges = {"space_group": (1, 230), "species": (1, 16), "least_distance": (0.95, 7), "glass_distance": (0.95, 1.6)}
        for key, (low, high) in {**ranges, "density": (2, 7)}.items():
            values = [one[part + key] for one in drawn]
            assert np.mean(values) == pytest.approx((low + high) / 2, rel=0.1)
            assert low <= min(values) <= max(values) <= high
    assert {one["longest"] for one in drawn} == {25}
    assert ({one["rod_corners"] for one in drawn}, {one["corners"] for one in drawn}) == (set(range(3, 16)), set(range(4, 21)))
    supports = [one["support"] for one in drawn]
    assert supports.count("crystal") / len(supports) == pytest.approx(0.475, abs=0.06)
    assert supports.count("glass") / len(supports) == pytest.approx(0.475, abs=0.06)


@pytest.mark.parametrize("name", ["hrstem", "lrstem", "hrsem", "lrsem"])
def test_jitter_and_contrast_have_the_ranges_of_lobato_et_al(name):
    recipe = read_recipe(name)
    records = [draw_record(recipe, seed, 32) for seed in range(400)]
    sigma = [step[1]["sigma_x"] for one in records for step in one.noise if "sigma_x" in step[1]]
    assert np.mean(sigma) == pytest.approx(0.4, abs=0.05)
    scaling = [step[1] for one in records for step in one.scene if step[0] == "scaling"]
    assert {(one["least_ratio"], one["most_ratio"]) for one in scaling} == {(0.01, 0.35)}
    assert np.mean([one["wanted_ratio"] for one in scaling]) == pytest.approx(0.18, abs=0.02)
