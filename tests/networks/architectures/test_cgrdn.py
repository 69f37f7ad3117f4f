import pytest
import torch
from field_of_view import assert_reach

from napari_atomseg.networks.architectures import architecture_of, build_network
from napari_atomseg.networks.architectures.cgrdn import Cgrdn, CgrdnParams
from napari_atomseg.networks.outputs import Output

RESTORED = (Output(name="restored", activation="linear", unit="intensity", loss="log_mean_square"),)
SMALL = CgrdnParams(features=8, growth=4, layers=2, blocks=2, groups=2)


def test_the_published_number_of_parameters():
    assert sum(one.numel() for one in build_network(CgrdnParams(), RESTORED).parameters()) == 7_035_521


def test_no_layer_normalises():
    kinds = {type(one).__name__ for one in Cgrdn(SMALL, RESTORED).modules()}
    assert not any("Norm" in kind for kind in kinds)


@pytest.mark.parametrize("shape", [(1, 1, 16, 24), (3, 1, 10, 6)])
def test_an_image_keeps_its_size(shape):
    assert architecture_of(SMALL) == "cgrdn"
    assert Cgrdn(SMALL, RESTORED)(torch.zeros(shape)).shape == shape


def test_without_a_residual_the_image_is_what_it_was():
    network = Cgrdn(SMALL, RESTORED)
    torch.nn.init.zeros_(network.leave.weight)
    torch.nn.init.zeros_(network.leave.bias)
    image = torch.randn(1, 1, 12, 12)
    assert torch.equal(network(image), image)


def test_nothing_farther_than_the_reach_matters():
    torch.manual_seed(0)
    assert_reach(Cgrdn(SMALL, RESTORED), change=1e6)


@pytest.mark.parametrize("shape", [(2, 1, 16, 24), (1, 1, 10, 6)])
def test_blocks_that_share_memory_give_what_they_gave(shape):
    torch.manual_seed(0)
    network, images = Cgrdn(SMALL, RESTORED), torch.randn(shape)
    fresh = network(images).detach()
    with torch.inference_mode():
        assert torch.allclose(network(images), fresh, atol=1e-5)
        assert torch.allclose(network(images), fresh, atol=1e-5)
