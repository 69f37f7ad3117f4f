"""After the fact: labels and columns go where the image goes, and what was written over is no column any more."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_atomseg.noise.compose import apply
from napari_atomseg.synthesis.camera import steps_of
from napari_atomseg.synthesis.post_processing import pixel_size_after, replaced_pixels
from napari_atomseg.synthesis.recipe import draw_record, recipe_from
from napari_atomseg.synthesis.render import LABELS, render
from napari_atomseg.synthesis.series import image_of, true_columns

TURNED = {"interpolation": {"rotation": 0.4, "scale_y": 1.03, "scale_x": 0.97, "shear": 0.02, "filled": True}}
LETTERED = {"annotation": {"bar": 0.4, "letters": 4, "dot": 3}}
CUT = {"cropping": {"top": 0.2, "left": 0.1, "rotation": 0.1, "fill": "constant", "value": 3.0}}
STEM = {
    "name": "after",
    "image": {"size": 96, "pixel_size": 0.2},
    "specimens": [{"kind": "crystal", "name": "Pt", "thickness": 20.0, "turn": 0.3}],
    "imaging": {"probe": {"semiangle": 25.0, "source_size": 0.6}},
    "mean": 40.0,
}
SERIES = {
    **STEM,
    "imaging": {"lens": {"energy": 300000, "defocus": 60.0, "focal_spread": 30.0}, "foci": [0, 40], "mtf": {"model": "rational"}},
}


def made(*noise, recipe=STEM, wanted=LABELS):
    record = draw_record(recipe_from({**recipe, "noise": list(noise)}, "after"), 3)
    return render([record], wanted), record


@pytest.mark.parametrize("noise", [(TURNED,), (TURNED, CUT, LETTERED), (LETTERED, TURNED)])
def test_columns_and_maps_lie_where_the_image_has_its_maxima(noise):
    batch, _ = made(*noise, wanted=(*LABELS, "upsampled_gaussian"))
    planes = {name: batch.labels[name][0, 0].numpy() for name in ("noise_free", "gaussian", "upsampled_gaussian")}
    inner = [place for place in batch.positions[0] if (place > 4).all() and (place < 91).all()]
    hidden = replaced_pixels((96, 96), steps_of(batch.records[0], 1.0))[0, 0].numpy()
    found = 0
    for y, x in inner:
        row, column = round(y), round(x)
        if hidden[row - 4 : row + 5, column - 4 : column + 5].any():
            continue
        found += 1
        near = planes["noise_free"][row - 3 : row + 4, column - 3 : column + 4]
        weights = near - near.min()
        grid = np.arange(-3, 4)
        assert (weights.sum(1) @ grid) / weights.sum() == pytest.approx(y - row, abs=0.4)
        assert planes["gaussian"][row, column] > 0.5
        assert planes["upsampled_gaussian"][round(2 * y + 0.5), round(2 * x + 0.5)] > 0.7
    assert found > 15
    assert set(np.unique(batch.labels["circular_mask"].numpy())) == {0.0, 1.0}
    assert 0 <= float(batch.labels["gaussian"].min()) <= float(batch.labels["gaussian"].max()) <= 1


def test_the_lattice_keeps_its_constant_in_angstrom():
    batch, record = made({"interpolation": {"rotation": 0.5, "filled": True}})
    assert pixel_size_after(record) == pytest.approx(0.2 / (np.cos(0.5) + np.sin(0.5)))
    assert image_of(batch, 0, "gaussian").pixel_size == pytest.approx((pixel_size_after(record),) * 2)
    columns = true_columns(batch, 0)
    assert columns.pixel_size == pytest.approx((pixel_size_after(record),) * 2)

    def shortest(places):
        distance = np.linalg.norm(places[:, None] - places[None], axis=2)
        return np.median(np.where(distance < 0.1, np.inf, distance).min(axis=0))

    plain, _ = made()
    assert shortest(columns.positions * columns.pixel_size[0]) == pytest.approx(shortest(plain.columns[0].positions), rel=1e-3)


def test_nothing_enters_from_outside_a_filled_frame():
    batch, _ = made({"interpolation": {"rotation": 0.7, "filled": True}})
    places = batch.positions[0]
    # Were the corners mirrored, there would be maxima without columns: the map has as many as lie in the frame.
    inside = np.all((places > 2) & (places < 93), axis=1)
    plane = batch.labels["gaussian"]
    peaks = (torch.nn.functional.max_pool2d(plane, 5, 1, 2) == plane) & (plane > 0.5)
    assert abs(int(peaks[..., 3:93, 3:93].sum()) - int(inside.sum())) <= 6


@pytest.mark.parametrize("recipe", [STEM, SERIES])
def test_what_is_written_over_is_kept_in_targets_and_no_column(recipe):
    plain, _ = made({"counting": {}}, recipe=recipe)
    batch, record = made({"counting": {}}, LETTERED, CUT, recipe=recipe)
    gone = replaced_pixels((96, 96), steps_of(record, 1.0))
    assert 0.1 < float(gone.float().mean()) < 0.7
    everywhere = gone.expand_as(batch.image)
    for name in ("noise_free", "background_free"):
        assert torch.equal(batch.labels[name][everywhere], batch.image[everywhere])
        assert torch.equal(batch.labels[name][~everywhere], plain.labels[name][~everywhere])
    for name in ("circular_mask", "small_mask", "gaussian"):
        assert not batch.labels[name][gone].any()
        assert torch.equal(batch.labels[name][~gone], plain.labels[name][~gone])
    assert torch.equal(batch.image[~everywhere], plain.image[~everywhere])
    assert len(batch.positions[0]) < len(plain.positions[0])
    nearest = np.round(batch.positions[0]).astype(int)
    nearest = nearest[np.all((nearest >= 0) & (nearest < 96), axis=1)]
    assert not gone[0, 0].numpy()[nearest[:, 0], nearest[:, 1]].any()


def test_atoms_know_their_columns_still():
    batch, _ = made(CUT)
    truth = batch.columns[0]
    assert truth.column.min() == -1
    assert set(truth.column[truth.column >= 0]) == set(range(len(truth.positions)))


def test_the_image_is_that_of_all_steps_in_a_row():
    batch, record = made({"counting": {}}, TURNED, {"blur": {"sigma": 0.7}}, LETTERED)
    clean, _ = made()
    whole = apply(clean.image, [steps_of(record, float(clean.image.max()))])
    assert torch.equal(batch.image, whole)
