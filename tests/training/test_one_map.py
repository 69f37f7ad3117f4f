"""A network for each map, as Lin et al. train theirs."""

import pytest
import torch

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.networks.architectures import build_network
from napari_atomseg.networks.architectures.unet import UnetParams
from napari_atomseg.synthesis.recipe import read_recipe
from napari_atomseg.training.lessons import lesson_of
from napari_atomseg.training.losses import LOSSES


@pytest.mark.parametrize(("task", "score"), [("mask", "f1"), ("denoise", "psnr_denoise")])
def test_a_network_learns_one_map_alone(task, score):
    lesson = lesson_of(read_recipe("columns_stem"), task)
    examples = lesson.draw(read_recipe("columns_stem"), 0, 0, 2, 64, 0.2)
    whole = lesson_of(read_recipe("columns_stem")).draw(read_recipe("columns_stem"), 0, 0, 2, 64, 0.2)
    number = [output.name for output in lesson_of(read_recipe("columns_stem")).outputs].index(task)
    torch.testing.assert_close(examples.targets, whole.targets[:, number : number + 1])
    network = build_network(UnetParams(width=4, depth=2, stem=1, row_context=0, refinements=0), lesson.outputs)
    found = network(examples.image)
    assert found.shape == examples.targets.shape
    assert torch.isfinite(LOSSES["likelihood"](found, examples.targets, examples.asked, lesson.outputs))
    assert score in lesson.validate(network, [examples], 0.2, "cpu")


def test_maps_that_a_recipe_does_not_teach_are_refused():
    with pytest.raises(AtomsegError, match="no map mask"):
        lesson_of(read_recipe("hrtem-graphene"), "mask")
