import numpy as np
import pytest
import torch

from napari_atomseg.core.tasks import TASKS
from napari_atomseg.synthesis.recipe import read_recipe
from napari_atomseg.training.examples import _visibility, draw_examples


@pytest.fixture(scope="module")
def recipe():
    return read_recipe("columns_stem")


@pytest.fixture(scope="module")
def batches(recipe):
    return [draw_examples(recipe, 5, number, 4, 64) for number in range(8)]


def test_the_same_number_gives_the_same_batch_bit_for_bit(recipe, batches):
    again = draw_examples(recipe, 5, 3, 4, 64)
    assert torch.equal(again.image, batches[3].image)
    assert torch.equal(again.targets, batches[3].targets)


def test_no_two_batches_share_an_image(batches):
    flat = torch.cat([batch.image.flatten(1) for batch in batches])
    distance = torch.cdist(flat, flat) + 1e9 * torch.eye(len(flat))
    assert float(distance.min()) > 0


def test_everything_is_finite_and_maps_lie_between_zero_and_one(batches):
    for batch in batches:
        assert batch.image.shape == (4, 1, 64, 64)
        assert batch.targets.shape == (4, len(TASKS), 64, 64)
        assert torch.isfinite(batch.image).all()
        assert torch.isfinite(batch.targets).all()
        assert 0 <= float(batch.targets[:, :2].min()) <= float(batch.targets[:, :2].max()) <= 1


def test_the_map_of_columns_has_its_tops_on_the_columns(batches):
    for batch in batches:
        for row, positions in enumerate(batch.positions):
            inside = positions[np.all((positions > 2) & (positions < 61), axis=1)]
            pixel = np.rint(inside).astype(int)
            assert np.all(batch.targets[row, 0].numpy()[pixel[:, 0], pixel[:, 1]] > 0.7)
            assert np.all(batch.asked[row, 0].numpy()[pixel[:, 0], pixel[:, 1]] == 1)


def test_the_deblurred_image_holds_the_intensity_of_the_background_free_one(batches):
    ratio = [
        float(batch.targets[row, 4].sum() / batch.targets[row, 3].sum())
        for batch in batches
        for row in range(4)
        if float(batch.targets[row, 3].sum()) > 50
    ]
    assert np.median(ratio) == pytest.approx(1.0, abs=0.1)


def test_columns_that_no_one_sees_are_not_asked_for():
    y, x = torch.meshgrid(torch.arange(60.0), torch.arange(60.0), indexing="ij")
    heights = {(20, 20): 1.0, (20, 40): 0.3, (40, 20): 0.04, (40, 40): 0.01, (20, 23): 0.05}
    clean = sum(h * torch.exp(-((y - p[0]) ** 2 + (x - p[1]) ** 2) / (2 * 2.2**2)) for p, h in heights.items())
    seen = _visibility(clean, np.array(list(heights), float), 0.2)
    assert seen.tolist() == [2, 2, 1, 0, 1]
