"""What networks that restore learn from, and how they are judged."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import run
from napari_atomseg.inference.whole_normalisation import cut_off, mean_and_deviation
from napari_atomseg.networks.architectures import build_network
from napari_atomseg.networks.architectures.cgrdn import CgrdnParams
from napari_atomseg.synthesis.recipe import draw_record, read_recipe, recipe_from
from napari_atomseg.training import lessons
from napari_atomseg.training import restoration_examples as drawing
from napari_atomseg.training.fit import fit
from napari_atomseg.training.lessons import lesson_of, scenes
from napari_atomseg.training.params import TrainParams
from napari_atomseg.training.restoration_examples import (
    draw_restoration_examples,
    kind_planes,
    kinds_of,
    restoration_examples,
    standard_planes,
    straightened,
)
from napari_atomseg.training.restoration_validation import psnr, validate_restoration


@pytest.fixture(scope="module")
def recipe():
    return read_recipe("restore")


def test_every_kind_of_image_takes_part(recipe):
    kinds = {part.name: part.kind for part in recipe.parts}
    drawn = {kinds[draw_record(recipe, seed).recipe] for seed in range(200)}
    assert drawn == {"hrstem", "lrstem", "hrtem", "lrtem", "hrsem", "lrsem"}


def test_recipes_of_one_kind_share_its_plane(recipe):
    columns = replace(recipe, parts=tuple(part for part in recipe.parts if part.kind == "hrstem"), part_weights=())
    assert {part.name for part in columns.parts} == {"hrstem", "columns_stem", "temimagenet"}
    assert kinds_of(recipe) == ["hrstem", "lrstem", "hrtem", "lrtem", "hrsem", "lrsem"]
    assert kinds_of(columns) == ["hrstem"]
    assert draw_restoration_examples(columns, 1, 0, 2, 48).image.shape[1] == 3


def test_a_recipe_of_parts_that_has_more_is_refused():
    with pytest.raises(AtomsegError, match="unknown peak"):
        recipe_from({"name": "mine", "parts": ["hrstem"], "peak": 3}, "mine.yaml")
    with pytest.raises(AtomsegError, match="parts of a recipe have no parts"):
        recipe_from({"name": "mine", "parts": ["restore"]}, "mine.yaml")


def test_examples_are_images_and_their_scenes(recipe):
    examples = draw_restoration_examples(recipe, 1, 0, 4, 48)
    again = draw_restoration_examples(recipe, 1, 0, 4, 48)
    assert examples.image.shape == (4, 8, 48, 48)
    assert examples.targets.shape == (4, 1, 48, 48)
    assert torch.equal(examples.image, again.image)
    assert torch.isfinite(torch.cat([examples.image, examples.targets], dim=1)).all()
    # What differs is noise: on the whole the two are alike.
    assert (examples.image[:, :1] - examples.targets).mean(dim=(1, 2, 3)).abs().median() < 0.5


def test_planes_say_the_kind_or_nothing():
    planes = kind_planes([2, None], 3, (4, 5))
    assert planes[0].amax(dim=(1, 2)).tolist() == [0, 0, 1]
    assert planes.shape == (2, 3, 4, 5)
    assert planes[1].abs().max() == 0


def test_scans_of_atoms_are_learnt_from_with_their_rows_put_back_too(rng):
    y, x = np.mgrid[:64, :96].astype(np.float32)
    rows = rng.normal(0, 1.0, 64).astype(np.float32)[:, None]
    lattice = lambda at: 5 + np.cos(2 * np.pi * at / 12) * np.cos(2 * np.pi * y / 12)  # noqa: E731
    image, scene = (torch.from_numpy(one.astype(np.float32))[None, None] for one in (lattice(x - rows), lattice(x)))
    image = image + 0.1 * torch.randn(image.shape, generator=torch.Generator().manual_seed(1))
    found = [straightened(image, scene, np.random.default_rng(seed)) for seed in range(20)]
    before = float((image - scene).square().mean())
    errors = np.array([float((one - scene)[..., 4:-4].square().mean()) / before for one in found])
    kept = errors > 0.9
    assert 0 < kept.sum() < 12
    assert errors[~kept].max() < 0.3
    # Nothing is put back in a scene in which nothing tells it.
    flat = torch.full_like(scene, 3.0)
    assert torch.equal(straightened(image, flat, np.random.default_rng(0)), image)


def test_gain_and_offset_of_an_image_do_not_matter():
    image, scene = torch.rand(1, 1, 32, 32), torch.rand(1, 1, 32, 32)
    kinds, known = np.array([0]), np.array([True])
    one = restoration_examples(standard_planes(image, scene, scanned=True), kinds, known, 1, None)
    other = restoration_examples(standard_planes(200 * image - 50, 200 * scene - 50, scanned=True), kinds, known, 1, None)
    assert torch.allclose(one.image, other.image, atol=1e-4)
    assert torch.allclose(one.targets, other.targets, atol=1e-4)


def test_what_repeats_over_the_whole_field_comes_with_each_part_of_it(recipe):
    batches = [draw_restoration_examples(recipe, 9, number, 4, 64) for number in range(3)]
    image, scene = (torch.cat(parts) for parts in zip(*((one.image, one.targets) for one in batches), strict=True))
    shown = image[:, -1:].std(dim=(1, 2, 3)) > 0.05
    assert int(shown.sum()) > 0
    like = [
        float(torch.corrcoef(torch.stack([one.flatten(), two.flatten()]))[0, 1])
        for one, two in zip(image[shown, -1:], scene[shown], strict=True)
    ]
    assert np.median(like) > 0.5


def test_a_network_that_goes_on_is_shown_what_repeats_from_then_on(recipe, monkeypatch):
    from types import SimpleNamespace

    from napari_atomseg.networks.card import ModelCard
    from napari_atomseg.training import run_settings

    before = {"width": 8, "conditions": 6}
    card = ModelCard(name="mine", task="restoration", architecture="unet", network=before, outputs=lesson_of(recipe).outputs)
    monkeypatch.setattr(run_settings, "load_model", lambda name: SimpleNamespace(card=card))
    shape, _ = run_settings.run_settings(recipe, start_from="mine")
    assert (shape.width, shape.conditions, shape.periodic) == (8, 6, True)


def test_a_hot_pixel_does_not_decide_the_deviation():
    image = torch.rand(1, 1, 64, 64)
    hot = image.clone()
    hot[0, 0, 3, 3] = 1e6
    (mean, deviation), (true_mean, true_deviation) = mean_and_deviation(cut_off(hot)), mean_and_deviation(image)
    assert mean.item() == pytest.approx(true_mean.item(), rel=0.01)
    assert deviation.item() == pytest.approx(true_deviation.item(), rel=0.01)
    assert mean_and_deviation(torch.full((1, 1, 8, 8), 3.0))[1].item() == 1.0


def test_the_ratio_of_signal_and_noise_in_decibels():
    true = torch.zeros(1, 1, 2, 2)
    true[..., 0, 0] = 2.0
    assert psnr(true + 0.02, true).item() == pytest.approx(40.0, abs=1e-3)


def test_the_true_image_has_no_error(recipe):
    batch = draw_restoration_examples(recipe, 3, 0, 3, 32)

    class Perfect(torch.nn.Module):
        def forward(self, images):
            return batch.targets

    reached = validate_restoration(Perfect(), [batch], 0.0, "cpu")
    assert max(reached["mean error"], reached["deviation error"]) == 0
    assert reached["psnr gain"] > 50


def test_a_small_network_learns_to_take_noise_off(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(lessons, "BATCHES", 2)
    lesson = lesson_of(recipe)
    small = CgrdnParams(features=8, growth=4, layers=2, blocks=1, groups=1, conditions=lesson.network.conditions)
    params = TrainParams(steps=40, batch=4, patch=32, validate_every=40, warm_up=5, learning_rate=5e-3, loss="restoration")
    torch.manual_seed(params.seed)
    untaught = lesson.validate(build_network(small, lesson.outputs), list(scenes(recipe, params.patch, 0.0)), 0.0, "cpu")
    reached = [one.scores for one in fit(recipe, small, params, tmp_path, workers=0) if getattr(one, "scores", None)][-1]
    assert reached["loss"] < untaught["loss"]
    assert (tmp_path / "history.csv").read_text().splitlines()[0].count("gain")


def test_scenes_are_seen_again_flipped_in_later_batches(recipe, monkeypatch):
    monkeypatch.setattr(drawing, "FIELD", 1)
    later = draw_restoration_examples(recipe, 5, 12, 4, 32)
    first = draw_restoration_examples(recipe, 5, 0, 4, 32)
    again = draw_restoration_examples(recipe, 5, 12, 4, 32)
    torch.testing.assert_close(again.image, later.image, msg="example n of a seed is always the same")
    one, other = (standardised(batch.targets[row]) for batch, row in ((first, 0), (later, 1)))
    ways = [one.flip(axes) for axes in ([], [1], [2], [1, 2])]
    assert min(float((way - other).abs().max()) for way in ways) < 1e-3


def standardised(image):
    return (image - image.mean()) / image.std()


def test_a_job_of_restoration_ends_with_weights(recipe, tmp_path):
    params = TrainParams(steps=1, batch=2, patch=32, validate_every=1, loss="restoration")
    weights = run(
        fit(recipe, CgrdnParams(features=4, growth=2, layers=1, blocks=1, groups=1, conditions=6), params, tmp_path, workers=0)
    )
    assert "enter.weight" in weights


def test_a_model_that_restores_is_not_asked_for_maps(recipe):
    from types import SimpleNamespace

    from napari_atomseg.inference.predict import predict
    from napari_atomseg.networks.card import ModelCard, ModelError

    lesson = lesson_of(recipe)
    card = ModelCard(name="mine", task=lesson.task, outputs=lesson.outputs, normalisation=lesson.normalisation)
    with pytest.raises(ModelError, match="restores images"):
        run(predict(SimpleNamespace(card=card), np.zeros((64, 64)), (0.2, 0.2)))


def test_an_empty_field_is_an_example_like_others():
    dark = standard_planes(torch.zeros(1, 1, 32, 32), torch.zeros(1, 1, 32, 32), scanned=False).repeat(2, 1, 1, 1)
    found = restoration_examples(dark, np.array([0, 1]), np.array([True, False]), 2, np.random.default_rng(0))
    assert bool(found.image.isfinite().all())
    assert bool(found.targets.isfinite().all())


def test_parts_of_a_recipe_are_followed_as_often_as_they_weigh():
    recipe = recipe_from({"name": "mine", "parts": {"lrstem": 3, "lrsem": 1}}, "mine.yaml")
    drawn = [draw_record(recipe, seed, 32).recipe for seed in range(400)]
    # Four standard deviations of a binomial distribution.
    assert drawn.count("lrstem") / len(drawn) == pytest.approx(0.75, abs=4 * (0.75 * 0.25 / 400) ** 0.5)
    for weight in (0, -1, "much", True):
        with pytest.raises(AtomsegError, match="number above 0"):
            recipe_from({"name": "mine", "parts": {"lrstem": weight}}, "mine.yaml")
