import pytest
import torch
from field_of_view import assert_reach

from napari_atomseg.networks.architectures import build_network
from napari_atomseg.networks.architectures.multiscale import Multiscale, MultiscaleParams, dilations
from napari_atomseg.networks.outputs import structure_outputs


@pytest.mark.parametrize("stem", [1, 2])
def test_shapes(stem):
    params = MultiscaleParams(growth=2, layers=5, widest=3, stem=stem, images=2)
    network = build_network(params, structure_outputs(1)).eval()
    assert dilations(params) == [1, 2, 3, 1, 2]
    assert network(torch.zeros(1, 2, 12, 14)).shape == (1, 2, 12, 14)


def test_every_layer_sees_all_before_it():
    network = Multiscale(MultiscaleParams(growth=3, layers=4, stem=1), structure_outputs(1))
    assert [layer[0].in_channels for layer in network.layers] == [1, 4, 7, 10]
    assert network.score.in_channels == 13


def test_nothing_farther_than_the_reach_matters():
    torch.manual_seed(0)
    assert_reach(Multiscale(MultiscaleParams(growth=3, layers=4, widest=3), structure_outputs(1)))


def test_its_gradients_are_numbers_in_sixteen_bits_too():
    torch.manual_seed(0)
    network = Multiscale(MultiscaleParams(growth=4, layers=6, widest=5), structure_outputs(1))
    with torch.autocast("cpu", torch.bfloat16):
        found = network(torch.randn(1, 1, 64, 64))
    found.float().square().mean().backward()
    assert all(bool(torch.isfinite(one.grad).all()) for one in network.parameters())
