import pytest
import torch
from field_of_view import assert_reach

from napari_atomseg.networks.architectures import architecture_of, build_network
from napari_atomseg.networks.architectures.fusionnet import FusionNet, FusionNetParams, Grow
from napari_atomseg.networks.outputs import Output, structure_outputs

ONE = (Output(name="structure", activation="sigmoid", unit="probability", loss="cross_entropy"),)


def parameters(params, outputs):
    return sum(one.numel() for one in build_network(params, outputs).parameters())


def test_the_published_number_of_parameters():
    """One channel in and out; a softmax with background; a focal series of three and columns of up to five atoms."""
    assert parameters(FusionNetParams(), ONE) == 5_191_393
    assert parameters(FusionNetParams(), structure_outputs(1)) == 5_191_426
    assert parameters(FusionNetParams(images=3), structure_outputs(5)) == 5_192_134


@pytest.mark.parametrize("stem", [1, 2])
@pytest.mark.parametrize("images", [1, 3])
def test_shapes(stem, images):
    params = FusionNetParams(width=4, levels=2, stem=stem, images=images)
    network = FusionNet(params, structure_outputs(2)).eval()
    assert architecture_of(params) == "fusionnet"
    assert network(torch.zeros(2, images, 24, 16)).shape == (2, 3, 24, 16)
    assert network.multiple == 4 * stem


def test_growth_begins_as_bilinear_interpolation():
    wide = Grow(4, 2)[0]
    given = torch.rand(1, 4, 9, 9)
    mean = torch.stack([given[0, 0] + given[0, 2], given[0, 1] + given[0, 3]])[None] / 2
    expected = torch.nn.functional.interpolate(mean, scale_factor=2, mode="bilinear", align_corners=False)
    inner = (..., slice(2, -2), slice(2, -2))
    assert torch.allclose(wide(given)[inner], expected[inner], atol=1e-6)


def test_nothing_farther_than_the_reach_matters():
    torch.manual_seed(0)
    assert_reach(FusionNet(FusionNetParams(width=4, levels=1, stem=2), structure_outputs(1)), edge=23)
