"""From scene to counts: the mean that was asked for, the camera on signal or noise, limits relative to the scene."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from agreement import AFTER_MANY, assert_agree

from napari_atomseg.cli import main
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.synthesis.recipe import draw_record, read_recipe, recipe_from
from napari_atomseg.synthesis.render import render

MTF = {"model": "double gaussian", "narrow_share": 0.3, "narrow_width": 0.2, "wide_width": 0.8}
PROFILE = {"gaussian": 0.7, "exponential": 0.6, "butterworth": 0.8, "scale": 0.5}
PLAIN = {
    "name": "plain",
    "image": {"size": 128, "pixel_size": 0.15},
    "specimens": [{"kind": "crystal", "name": "SrTiO3", "thickness": 20.0, "turn": 0.3}],
    "imaging": {"exponent": 1.7, "profile": PROFILE},
    "mean": 20.0,
}
LENS = {"lens": {"energy": 300000, "defocus": 60.0, "focal_spread": 30.0}, "foci": [0]}


def plain(seed=1, **change):
    return draw_record(recipe_from({**PLAIN, **change}, "plain"), seed)


@pytest.mark.parametrize("imaging", [PLAIN["imaging"], {"probe": {}}, LENS, {"profile": PROFILE, "mtf": MTF}])
@pytest.mark.parametrize(
    "scene", [[], [{"response": {"exponent": 1.4}}, {"inversion": {"inverted": True}}, {"plane": {"height": 0.4}}]]
)
def test_the_scene_has_the_mean_that_was_asked_for(imaging, scene):
    batch = render([plain(imaging=imaging, scene=scene, noise=[{"counting": {}}])], ("noise_free",))
    assert float(batch.labels["noise_free"].mean()) == pytest.approx(20, rel=0.01)
    assert float(batch.image.mean()) == pytest.approx(20, rel=0.02)


EMPTY = {"specimens": [{"kind": "points", "least_distance": 5.0, "share": 0.0}]}


@pytest.mark.parametrize("imaging", [PLAIN["imaging"], {"probe": {}}, {"profile": PROFILE, "mtf": MTF}])
def test_an_empty_field_is_a_dark_image(imaging):
    noise = [{"scintillator": {}}, {"clipping": {"upper_share": 0.6}}, {"quantisation": {"levels": 100}}]
    scene = [{"inversion": {"inverted": True}}, {"plane": {"height": 0.4}}, {"scaling": {"most_ratio": 0.35}}]
    batch = render([plain(imaging=imaging, noise=noise, scene=scene, **EMPTY)])
    assert batch.labels["noise_free"].abs().max() == 0
    assert bool(batch.image.isfinite().all())
    assert len(batch.positions[0]) == 0


def test_heavier_columns_are_brighter_and_wider_profiles_make_wider_masks():
    batch = render([plain()], ("circular_mask", "background_free"))
    positions, scattering = batch.positions[0], batch.columns[0].scattering
    inner = np.all((positions > 3) & (positions < 124), axis=1)
    places = np.round(positions[inner]).astype(int)
    values = batch.labels["background_free"][0, 0].numpy()[places[:, 0], places[:, 1]]
    heavy = scattering[inner] > np.median(scattering)
    assert values[heavy].min() > values[~heavy].max()
    wide = plain(imaging={"profile": {**PROFILE, "scale": 0.8}})
    areas = [
        float(batch.labels["circular_mask"].mean()),
        float(render([wide], ("circular_mask",)).labels["circular_mask"].mean()),
    ]
    assert areas[1] / areas[0] == pytest.approx((0.8 / 0.5) ** 2, rel=0.15)


def test_the_camera_is_in_the_target_and_in_the_noise_only_where_it_is_said():
    def neighbours(acts_on):
        record = plain(imaging={"profile": PROFILE, "mtf": {**MTF, "acts_on": acts_on}}, mean=500.0, noise=[{"counting": {}}])
        batch = render([record], ("noise_free", "background_free"))
        assert torch.equal(batch.labels["noise_free"], batch.labels["background_free"])
        noise = (batch.image - batch.labels["noise_free"])[0, 0].numpy()
        return np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1], batch.labels["noise_free"]

    (white, target), (coloured, same) = neighbours("signal"), neighbours("signal and noise")
    assert abs(white) < 0.03
    assert coloured > 0.2
    torch.testing.assert_close(target, same)
    sharp = render([plain(mean=500.0)], ("noise_free",)).labels["noise_free"]
    assert float(target.std()) < 0.95 * float(sharp.std())


def test_readout_noise_is_not_seen_through_the_lens_of_the_camera():
    record = plain(
        imaging={"profile": PROFILE, "mtf": MTF}, noise=[{"counting": {"dose_scale": None}}, {"thermal": {"sigma": 3.0}}]
    )
    batch = render([record], ("noise_free",))
    noise = (batch.image - batch.labels["noise_free"])[0, 0].numpy()
    assert noise.std() == pytest.approx(3, rel=0.03)
    assert abs(np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1]) < 0.03


def test_saturation_and_steps_of_the_converter_go_with_the_scene():
    record = plain(noise=[{"counting": {}}, {"clipping": {"upper_share": 0.6}}, {"quantisation": {"levels": 10}}])
    batch = render([record], ("noise_free",))
    brightest = float(batch.labels["noise_free"].max())
    limit = 0.6 * (brightest + 3 * brightest**0.5)
    steps = batch.image * 10 / brightest
    assert float(steps.max()) == pytest.approx(limit * 10 / brightest, abs=0.5)
    assert int((batch.image == batch.image.max()).sum()) > 100
    assert torch.allclose(steps, steps.round(), atol=1e-3)


@pytest.mark.parametrize(
    "change",
    [
        {"mean": -3.0},
        {"mean": {"exponential": [1, 5, 0]}},
        {"imaging": {"profile": {"scale": -1}}},
        {"imaging": {"profile": {"gaussian": 0, "exponential": 0, "butterworth": 0}}},
    ],
)
def test_absurd_scenes_and_numbers_are_refused(change):
    with pytest.raises(AtomsegError):
        render([plain(**change)])


def test_a_share_of_the_images_has_profiles_and_both_kinds_make_one_batch():
    recipe = recipe_from({**PLAIN, "imaging": {**LENS, "profile": PROFILE, "profile_share": 0.3, "mtf": MTF}}, "mixed")
    records = [draw_record(recipe, seed, 32) for seed in range(300)]
    profiles = ["profile" in record.imaging for record in records]
    assert np.mean(profiles) == pytest.approx(0.3, abs=0.08)
    chosen = records[: 2 + profiles.index(True)]
    together = render(chosen, ("noise_free", "gaussian"))
    for row, record in enumerate(chosen):
        alone = render([record], ("noise_free", "gaussian"))
        assert_agree(alone.image[0], together.image[row], AFTER_MANY)
        assert_agree(alone.labels["gaussian"][0], together.labels["gaussian"][row])


@pytest.mark.parametrize("name", ["hrtem", "lrtem"])
def test_images_of_a_tem_look_as_the_paper_has_them(name, tmp_path):
    recipe = read_recipe(name)
    records = [draw_record(recipe, seed, 64) for seed in range(24)]
    batch = render(records, ("noise_free", "background_free", "circular_mask"))
    ratio = batch.labels["noise_free"].std((1, 2, 3)) / batch.labels["noise_free"].mean((1, 2, 3))
    plain_rows = [
        row for row, record in enumerate(records) if not {"annotation", "cropping"} & {step[0] for step in record.noise}
    ]
    assert float(ratio[plain_rows].max()) <= 0.36
    assert batch.labels["circular_mask"].any() == (name == "hrtem")
    with pytest.raises(SystemExit) as done:
        main(["synthesise", name, "-n", "2", "-o", str(tmp_path), "--size", "48"])
    assert done.value.code == 0
    assert len(list(tmp_path.glob("*_image.tif"))) == 2
