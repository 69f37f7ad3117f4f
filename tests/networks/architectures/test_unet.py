import pytest
import torch

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.tasks import TASKS
from napari_atomseg.networks.architectures.unet import Unet, UnetParams, receptive_reach
from napari_atomseg.networks.outputs import RESTORED

SHAPES = [
    UnetParams(width=4, depth=2, stem=1, row_context=0),
    UnetParams(width=4, depth=3, stem=2, row_context=0),
    UnetParams(width=4, depth=2, stem=2, row_context=5),
    UnetParams(width=4, depth=2, stem=2, row_context=2, refinements=0),
    UnetParams(width=4, depth=1, stem=1, row_context=0),
]


def awake(params):
    """A network whose row context does not start as nothing, and whose rectifiers let the signal through."""
    torch.manual_seed(1)
    network = Unet(params).eval()
    for block in [*network.rows, *(one.rows for one in network.refine)]:
        torch.nn.init.normal_(block.after.weight, std=0.1)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.constant_(layer.bias, 1.0)
            torch.nn.init.constant_(layer.weight, 1.0)
    return network


@pytest.mark.parametrize("params", SHAPES, ids=str)
def test_maps_have_the_shape_of_the_image(params):
    network = Unet(params).eval()
    side = 3 * network.multiple
    assert network(torch.zeros(2, 1, side, 2 * side)).shape == (2, len(TASKS), side, 2 * side)


@pytest.mark.parametrize("params", SHAPES, ids=str)
def test_an_output_depends_on_nothing_beyond_the_reach_and_on_something_near_it(params):
    network = awake(params)
    reach = receptive_reach(params)
    side = network.multiple * (2 * (reach // network.multiple + 3))
    middle = side // 2
    image = torch.zeros(1, 1, side, side, requires_grad=True)
    for shift in range(network.multiple):
        (gradient,) = torch.autograd.grad(network(image)[0, :, middle + shift, middle + shift].sum(), image)
        rows, columns = torch.nonzero(gradient[0, 0], as_tuple=True)
        farthest = max(int((rows - middle - shift).abs().max()), int((columns - middle - shift).abs().max()))
        assert farthest <= reach
        assert farthest > 0.4 * reach, "the reach is so generous that tiles would be read in vain"


def test_rows_far_along_a_line_are_heard_by_the_row_context_only():
    with_rows = receptive_reach(UnetParams(row_context=16))
    without = receptive_reach(UnetParams(row_context=0))
    assert with_rows - without > 3 * 2 * 16


def test_the_paper_s_network_can_be_built():
    # Ronneberger et al.: 64 channels in the first level; here the widest has four times as many, as in Lin et al.'s code.
    network = Unet(UnetParams(width=64, depth=3, stem=1, row_context=0))
    assert 1.5e6 < sum(parameter.numel() for parameter in network.parameters()) < 2.5e6


@pytest.mark.parametrize("wrong", [{"width": 0}, {"depth": 9}, {"stem": 3}, {"row_context": -1}])
def test_shapes_that_make_no_sense_are_refused(wrong):
    with pytest.raises(AtomsegError):
        UnetParams(**wrong)


def test_the_kind_of_the_image_changes_what_is_given_and_not_what_stands_beside():
    torch.manual_seed(2)
    network = Unet(UnetParams(width=8, depth=2, row_context=4, refinements=1, conditions=2), (RESTORED,)).eval()
    image = torch.randn(1, 1, 32, 32)
    kinds = [torch.tensor(kind).reshape(1, 2, 1, 1).expand(1, 2, 32, 32) for kind in ([1.0, 0.0], [0.0, 1.0])]
    with torch.no_grad():
        first, second = (network(torch.cat([image, kind], dim=1)) for kind in kinds)
    assert first.shape == (1, 1, 32, 32)
    assert not torch.allclose(first, second)
