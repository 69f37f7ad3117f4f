"""Images from records: the same in any batch, labels where the columns are, counts as asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from agreement import AFTER_MANY, assert_agree
from ase.io import write

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.imaging.linear_adf import batch_columns
from napari_atomseg.specimens.library import crystal
from napari_atomseg.synthesis.labels import circular_mask, deblurred, gaussian_map
from napari_atomseg.synthesis.recipe import draw_record, presets, read_recipe, recipe_from
from napari_atomseg.synthesis.render import LABELS, render
from napari_atomseg.synthesis.specimen_kinds import specimen

PLAIN = {
    "name": "plain",
    "image": {"size": 64, "pixel_size": 0.2},
    "specimens": [{"kind": "crystal", "name": "Pt", "thickness": 20.0, "turn": 0.3}],
    "imaging": {"exponent": 1.7, "probe": {"semiangle": 25.0, "source_size": 0.8}},
    "peak": 50,
}


def plain(**change):
    return draw_record(recipe_from({**PLAIN, **change}, "plain"), 1)


@pytest.mark.parametrize("name", presets())
def test_the_same_records_give_the_same_images_in_any_batch(name):
    recipe = read_recipe(name)
    records = [draw_record(recipe, seed, 48) for seed in range(6)]
    together = render(records)
    for row, record in enumerate(records):
        alone = render([record])
        assert_agree(alone.image[0], together.image[row], AFTER_MANY)
        for label in LABELS:
            assert_agree(alone.labels[label][0], together.labels[label][row])
        assert np.array_equal(alone.positions[0], together.positions[row])
    assert torch.isfinite(together.image).all()
    assert torch.equal(render(records).image, together.image)


def test_without_noise_the_image_is_the_scene_and_its_peak_is_as_asked_for():
    batch = render([plain()])
    assert torch.equal(batch.image, batch.labels["noise_free"])
    assert torch.equal(batch.image, batch.labels["background_free"])
    assert float(batch.image.max()) == pytest.approx(50, rel=1e-5)


def test_columns_are_maxima_of_the_image_and_of_their_labels():
    batch = render([plain()])
    inner = batch.positions[0][np.all((batch.positions[0] > 6) & (batch.positions[0] < 57), axis=1)]
    assert len(inner) > 10
    for planes in (batch.image, batch.labels["gaussian"], batch.labels["deblurred"], batch.labels["circular_mask"]):
        plane = planes[0, 0].numpy()
        for y, x in np.round(inner).astype(int):
            assert plane[y, x] >= 0.6 * plane[y - 3 : y + 4, x - 3 : x + 4].max()


def test_counting_noise_has_the_variance_of_its_mean():
    record = plain(noise=[{"counting": {}}], image={"size": 256, "pixel_size": 0.2})
    batch = render([record], ("noise_free",))
    residual = batch.image - batch.labels["noise_free"]
    assert float(residual.mean()) == pytest.approx(0, abs=0.1)
    assert float(residual.var()) == pytest.approx(float(batch.labels["noise_free"].mean()), rel=0.05)


def test_background_is_in_the_noise_free_label_alone():
    batch = render([plain(scene=[{"pedestal": {"height": 0.5}}])], ("noise_free", "background_free"))
    apart = batch.labels["noise_free"] - batch.labels["background_free"]
    assert torch.allclose(apart, torch.full_like(apart, 25.0), atol=1e-3)


def test_finer_labels_lie_on_the_same_columns():
    batch = render([plain()], ("gaussian", "upsampled_gaussian", "background_free", "upsampled_background_free"))
    assert batch.labels["upsampled_gaussian"].shape[-2:] == (128, 128)
    total = [float(batch.labels[name].sum()) for name in ("background_free", "upsampled_background_free")]
    assert total[1] == pytest.approx(total[0], rel=1e-3)
    for y, x in batch.positions[0]:
        if 5 < y < 58 and 5 < x < 58:
            row, column = round(2 * y + 0.5), round(2 * x + 0.5)
            near = batch.labels["upsampled_gaussian"][0, 0, row - 2 : row + 3, column - 2 : column + 3]
            assert float(near.max()) > 0.9


def test_painted_labels_have_their_size_and_intensity(rng):
    places = rng.uniform(20, 44, (1, 2))
    columns = batch_columns([torch.from_numpy(places)], [torch.tensor([7.0])], [0.0])
    disc = circular_mask(columns, (64, 64), [11.0])
    assert float(disc.sum()) == pytest.approx(np.pi * 5.5**2, rel=0.06)
    assert float(deblurred(columns, (64, 64), [1.3]).sum()) == pytest.approx(7.0, rel=1e-5)
    bump = gaussian_map(columns, (64, 64), [2.0])[0, 0]
    weights = bump / bump.sum()
    grid = torch.arange(64.0)
    assert float((weights.sum(1) * grid).sum()) == pytest.approx(places[0, 0], abs=0.02)
    assert float(bump.sum()) == pytest.approx(2 * np.pi * 4, rel=0.01)


def test_columns_at_and_beyond_the_border_paint_what_is_inside():
    columns = batch_columns([torch.tensor([[-1.0, 10.0], [63.0, 63.0], [-500.0, 3.0]])], [torch.ones(3)], [0.0])
    disc = circular_mask(columns, (64, 64), [6.0])[0, 0]
    assert float(disc[0:3, 8:13].sum()) > 5
    assert float(disc[60:, 60:].sum()) == pytest.approx(np.pi * 9 / 4, abs=4)
    assert float(disc[10:50, 20:50].sum()) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"specimens": [{"kind": "dragon"}]}, "dragon"),
        ({"specimens": [{"kind": "crystal", "name": "Pt", "colour": 3}]}, "colour"),
        ({"scene": [{"fog": {}}]}, "fog"),
        ({"noise": [{"mice": {}}]}, "mice"),
        ({"imaging": {"probe": {"semiangle": -3}}}, "semiangle"),
    ],
)
def test_what_cannot_be_made_is_refused_in_one_sentence(change, message):
    with pytest.raises(AtomsegError, match=message):
        render([plain(**change)])


def test_a_crystal_of_a_file_is_that_of_the_library(tmp_path):
    path = tmp_path / "platinum.cif"
    write(path, crystal("Pt"), format="cif")
    own = {"kind": "crystal", "file": str(path), "zone": [1, 1, 0], "thickness": 20.0, "turn": 0.3}
    known = {"kind": "crystal", "name": "Pt", "zone": [1, 1, 0], "thickness": 20.0, "turn": 0.3}
    images = [render([plain(specimens=[one])]).image for one in (own, known)]
    assert torch.allclose(*images, atol=1e-3)
    with pytest.raises(AtomsegError, match="no such file"):
        render([plain(specimens=[{"kind": "crystal", "file": str(tmp_path / "none.cif")}])])
    with pytest.raises(AtomsegError, match="needs the name"):
        render([plain(specimens=[{"kind": "crystal"}])])


def test_a_leaning_crystal_is_smeared_in_the_image_and_not_in_the_truth():
    def made(**change):
        specimen = {**PLAIN["specimens"][0], "thickness": 100.0, **change}
        record = plain(specimens=[specimen], image={"size": 128, "pixel_size": 0.1})
        return render([record], ("background_free",))

    upright, leaning = made(), made(mistilt=0.01, mistilt_angle=0.0)
    assert np.array_equal(upright.positions[0], leaning.positions[0])
    assert np.array_equal(upright.columns[0].scattering, leaning.columns[0].scattering)

    def sharpness(batch):
        plane = batch.image[0, 0] / batch.image.mean()
        return [float(torch.diff(plane, dim=axis).square().mean()) for axis in (0, 1)]

    (before_y, before_x), (after_y, after_x) = sharpness(upright), sharpness(leaning)
    assert after_x / before_x < 0.8 * after_y / before_y


def test_a_thin_part_of_a_wedge_is_smeared_less():
    given = {"kind": "crystal", "name": "Pt", "thickness": 100.0, "mistilt": 0.02, "wedge": 0.8, "seed": 1}
    atoms = specimen(given, (60.0, 60.0))
    upright = specimen({**given, "wedge": 0.0}, (60.0, 60.0))
    share = atoms.counts / upright.counts
    assert share.min() < 0.3
    assert share.max() > 0.9
    assert np.allclose(np.hypot(*atoms.smear.T), share * np.hypot(*upright.smear.T))
    random = {"kind": "random_crystal", "space_group": 225, "mistilt": 0.02, "seed": 1}
    assert np.hypot(*specimen(random, (30.0, 30.0)).smear.T).min() > 0.5
