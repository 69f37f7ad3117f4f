"""Low-resolution specimens in the synthesis: an image instead of atoms."""

from __future__ import annotations

import pytest
import torch

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.synthesis.recipe import draw_record, recipe_from
from napari_atomseg.synthesis.render import render


def record(**change):
    specimen = {"kind": "low_resolution", "parts": ["grains", "cracks"], "grains": 20, "borders": True, **change}
    recipe = {
        "name": "low",
        "image": {"size": 64, "pixel_size": 0.5},
        "specimens": [specimen],
        "imaging": {"probe": {}},
        "peak": 40,
    }
    return draw_record(recipe_from(recipe, "low"), 1)


def test_the_scene_is_image_and_truth_and_there_are_no_columns():
    batch = render([record()], ("noise_free", "background_free", "deblurred", "gaussian", "circular_mask", "upsampled_deblurred"))
    assert float(batch.image.max()) == pytest.approx(40)
    for name in ("noise_free", "background_free", "deblurred"):
        assert torch.equal(batch.image, batch.labels[name])
    for name in ("gaussian", "circular_mask"):
        assert not batch.labels[name].any()
    assert len(batch.positions[0]) == 0
    assert float(batch.labels["upsampled_deblurred"].sum()) == pytest.approx(float(batch.image.sum()), rel=1e-3)


@pytest.mark.parametrize("change", [{"parts": ["dragons"]}, {"dragons": 3}])
def test_unknown_parts_are_refused(change):
    with pytest.raises(AtomsegError, match="dragons"):
        render([record(**change)])
