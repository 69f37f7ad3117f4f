"""TEM images from records: counts as the dose asks for, foci that belong together, columns in the class of their height."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from agreement import AFTER_MANY, assert_agree

from napari_atomseg.cli import main
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.imaging.linear_adf import batch_columns
from napari_atomseg.synthesis.recipe import draw_record, read_recipe, recipe_from
from napari_atomseg.synthesis.record import Record
from napari_atomseg.synthesis.render import LABELS, render
from napari_atomseg.synthesis.render_hrtem import class_maps
from napari_atomseg.synthesis.series import batches, image_of, true_columns
from napari_atomseg.workflows import read

SERIES, SHEET = "nanoparticle_focal_series", "graphene_hrtem"
PARTICLE = {
    "name": "particle",
    "image": {"size": 128, "pixel_size": 0.15},
    "specimens": [{"kind": "particle", "radius": 6.0, "zone": "110"}],
    "imaging": {
        "lens": {"energy": 300000, "defocus": -80.0, "Cs": -150000.0, "focal_spread": 30.0},
        "mtf": {"model": "rational"},
        "foci": [0, 60],
    },
    "dose": 500.0,
    "classes": 14,
    "noise": [{"counting": {}}],
}


def particle(seed: int = 1, **change: object) -> Record:
    return draw_record(recipe_from({**PARTICLE, **change}, "particle"), seed)


@pytest.mark.parametrize(("name", "foci", "classes"), [(SERIES, 3, 14), (SHEET, 1, 1)])
def test_a_record_gives_one_image_in_any_batch_and_bit_for_bit_in_the_same(name, foci, classes):
    wanted = (*LABELS, "class_maps", "upsampled_gaussian", "upsampled_noise_free")
    recipe = read_recipe(name)
    records = [draw_record(recipe, seed, 64) for seed in range(3)]
    together, again = render(records, wanted), render(records, wanted)
    assert together.image.shape == (3, foci, 64, 64)
    assert together.labels["class_maps"].shape == (3, classes + 1, 64, 64)
    assert together.labels["upsampled_gaussian"].shape == (3, 1, 128, 128)
    assert torch.equal(together.image, again.image)
    for row, record in enumerate(records):
        alone = render([Record.from_json(record.to_json())], wanted)
        assert_agree(alone.image[0], together.image[row], AFTER_MANY)
        for label in wanted:
            assert_agree(alone.labels[label][0], together.labels[label][row])


@pytest.mark.parametrize("name", [SERIES, SHEET])
def test_counts_are_dose_times_area_on_average(name):
    record = replace(draw_record(read_recipe(name), 2, 128), dose=2e4)
    expected = record.dose * record.pixel_size**2
    image = render([record], ()).image
    assert image.mean().item() == pytest.approx(expected, rel=0.1)
    empty = particle(specimens=[{"kind": "points", "least_distance": 3.0, "share": 0.0}])
    assert render([empty], ()).image.mean().item() == pytest.approx(500 * 0.15**2, rel=0.02)


def test_the_camera_colours_the_noise():
    def neighbours(mtf):
        imaging = {**PARTICLE["imaging"], "mtf": mtf, "foci": [0]}
        batch = render([particle(imaging=imaging, dose=1e4)], ("noise_free",))
        noise = (batch.image - batch.labels["noise_free"])[0, 0].numpy()
        return np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1]

    assert abs(neighbours({"model": "none"})) < 0.03
    assert neighbours({"model": "rational", "knee": 0.2}) > 0.3


def test_the_first_focus_of_a_series_is_the_single_image_and_noise_differs_between_frames():
    series = particle()
    single = replace(series, imaging={**series.imaging, "foci": [0.0]})
    second = replace(series, imaging={**series.imaging, "foci": [0.0], "lens": {**series.imaging["lens"], "defocus": -20.0}})
    wanted = ("noise_free", "class_maps")
    three, one, other = (render([record], wanted) for record in (series, single, second))
    assert_agree(three.image[:, :1], one.image, AFTER_MANY)
    assert_agree(three.labels["noise_free"][:, 1:], other.labels["noise_free"])
    assert_agree(three.labels["class_maps"], one.labels["class_maps"])
    noise = (three.image - three.labels["noise_free"])[0].flatten(1).numpy()
    assert abs(np.corrcoef(noise)[0, 1]) < 0.05


def test_class_maps_sum_to_one_and_peak_at_columns_of_their_height():
    batch = render([particle()], ("class_maps",))
    maps, truth = batch.labels["class_maps"][0].numpy(), batch.columns[0]
    assert np.allclose(maps.sum(axis=0), 1, atol=1e-6)
    assert maps.min() >= 0
    assert len(set(truth.counts)) > 2
    for (y, x), count in zip(np.round(batch.positions[0]).astype(int), truth.counts, strict=True):
        assert maps[:, y, x].argmax() == round(count) - 1
        assert maps[round(count) - 1, y, x] > 0.7
    grid = np.stack(np.mgrid[:128, :128], -1).reshape(-1, 2)
    distance = np.linalg.norm(grid[:, None] - batch.positions[0], axis=2).min(axis=1).reshape(128, 128)
    assert maps[-1][distance > 3.2 / 0.15].min() > 0.95


def test_one_column_has_a_gaussian_of_its_height_and_higher_ones_share_the_last_class():
    columns = batch_columns([torch.tensor([[16.0, 16.0], [16.0, 60.0]])], [torch.tensor([2.0, 9.0])], [0.0])
    maps = class_maps(columns, (33, 80), 4.0, 3)[0]
    assert maps.shape == (4, 33, 80)
    assert maps[1, 16, 20].item() == pytest.approx(np.exp(-0.5), rel=1e-5)
    assert maps[3, 16, 20].item() == pytest.approx(1 - np.exp(-0.5), rel=1e-5)
    assert maps[2, 16, 60].item() == pytest.approx(1)
    assert maps[0].max() == 0


def test_at_its_best_focus_columns_of_a_corrected_microscope_are_bright():
    imaging = {"lens": PARTICLE["imaging"]["lens"], "foci": [0]}
    sheet = [{"kind": "sheet", "relaxations": 4}]
    record = particle(specimens=sheet, imaging=imaging, noise=[], image={"size": 96, "pixel_size": 0.12})
    batch = render([record], ("noise_free",))
    assert torch.equal(batch.image, batch.labels["noise_free"])
    inner = np.round([place for place in batch.positions[0] if (place > 3).all() and (place < 92).all()]).astype(int)
    plane = batch.image[0, 0].numpy()
    assert plane[inner[:, 0], inner[:, 1]].mean() > plane.mean() + plane.std()


def test_series_are_made_apart_from_single_images_and_stacks_are_micrographs():
    records = [
        particle(1),
        particle(2),
        draw_record(read_recipe("columns_stem"), 1, 128),
        draw_record(read_recipe(SHEET), 1, 128),
    ]
    found = list(batches(records, ("gaussian",)))
    assert [len(batch.records) for batch in found] == [2, 2]
    stack = image_of(found[0], 1, "image")
    assert np.asarray(stack.data).shape == (2, 128, 128)
    assert stack.pixel_size == pytest.approx((0.15, 0.15))
    assert np.asarray(image_of(found[0], 1, "gaussian").data).shape == (128, 128)
    assert np.asarray(image_of(found[1], 0, "image").data).shape == (128, 128)
    assert true_columns(found[0], 0).features["atom_count"].min() >= 1
    with pytest.raises(ValueError, match="one batch"):
        render([records[0], records[2]])


def test_what_has_no_dose_or_a_wrong_lens_is_refused():
    with pytest.raises(AtomsegError, match="dose"):
        render([replace(particle(), dose=None)])
    for record in (particle(), draw_record(read_recipe("columns_stem"), 1, 32)):
        with pytest.raises(AtomsegError, match="beauty"):
            render([record], ("beauty",))
    with pytest.raises(AtomsegError, match="defocuss"):
        render([particle(imaging={"lens": {"defocuss": 3}})])
    with pytest.raises(AtomsegError, match="peak"):
        recipe_from({name: value for name, value in PARTICLE.items() if name != "dose"}, "particle")


def test_the_command_line_writes_stacks_and_class_maps(tmp_path):
    given = ["synthesise", SERIES, "--size", "48", "-o", str(tmp_path), "--labels", "class_maps,gaussian"]
    with pytest.raises(SystemExit, match="0"):
        main(given)
    for name, shape in (("image", (3, 48, 48)), ("class_maps", (15, 48, 48)), ("gaussian", (48, 48))):
        (found,) = read(next(tmp_path.glob(f"*_{name}.tif")))
        assert np.asarray(found.data).shape == shape


def test_records_of_earlier_versions_are_read():
    text = '{"recipe":"x","seed":1,"shape":[8,8],"pixel_size":0.2,"specimen":{"seed":1},"imaging":{},"peak":5.0,"scene":[],'
    text += '"noise":[],"format":1}'
    record = Record.from_json(text)
    assert (record.peak, record.dose, record.classes) == (5.0, None, 1)


def test_particles_of_single_images_are_tilted_by_up_to_five_degrees_about_either_zone_axis():
    recipe = read_recipe("nanoparticle_hrtem")
    records = [draw_record(recipe, seed, 64) for seed in range(400)]
    tilts = np.rad2deg([np.hypot(one.specimen["tilt_y"], one.specimen["tilt_x"]) for one in records])
    assert 4.5 < tilts.max() <= 5.0
    assert {one.specimen["zone"] for one in records} == {"110", "111"}
    batch = render([records[0]], ("noise_free", "class_maps"))
    assert batch.image.shape[1] == 1
    assert batch.labels["class_maps"].shape[1] == 2
    assert bool(batch.image.isfinite().all())


@pytest.mark.parametrize(("name", "low", "high"), [(SHEET, 10, 1e6), ("nanoparticle_hrtem", 10, 1e4), (SERIES, 100, 1e4)])
def test_the_doses_of_madsen_et_al_are_reached(name, low, high):
    recipe = read_recipe(name)
    doses = [draw_record(recipe, seed, 64).dose for seed in range(400)]
    assert low <= min(doses) < 1.1 * low
    assert high / 1.1 < max(doses) <= high
