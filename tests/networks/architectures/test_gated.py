import pytest
import torch
from field_of_view import assert_reach

from napari_atomseg.networks.architectures import architecture_of, build_network
from napari_atomseg.networks.architectures.gated import Gate, Gated, GatedParams, PixelNormalisation
from napari_atomseg.networks.outputs import Output

RESTORED = (Output(name="restored", activation="linear", unit="intensity", loss="log_mean_square"),)
SMALL = GatedParams(width=4, levels=2, blocks=1)


def test_the_usual_one_is_small():
    assert sum(one.numel() for one in build_network(GatedParams(), RESTORED).parameters()) < 1.1e6


@pytest.mark.parametrize("conditions", [0, 3])
def test_an_image_keeps_its_size(conditions):
    params = GatedParams(width=4, levels=3, conditions=conditions)
    assert architecture_of(params) == "gated"
    network = Gated(params, RESTORED)
    side = network.multiple
    assert network(torch.zeros(2, 1 + conditions, 3 * side, 2 * side)).shape == (2, 1, 3 * side, 2 * side)


def test_without_a_residual_the_image_is_what_it_was():
    network = Gated(SMALL, RESTORED)
    torch.nn.init.zeros_(network.leave.weight)
    torch.nn.init.zeros_(network.leave.bias)
    image = torch.randn(1, 1, 16, 16)
    torch.testing.assert_close(network(image), image)


def test_blocks_begin_as_nothing_and_can_learn():
    network = Gated(SMALL, RESTORED)
    features = torch.randn(1, 4, 8, 8)
    torch.testing.assert_close(network.down[0](features), features)
    network(torch.randn(1, 1, 16, 16)).square().mean().backward()
    assert all(float(block[0].scales.grad.abs().sum()) > 0 for block in network.down)


def test_a_gate_multiplies_and_a_pixel_has_unit_variance():
    features = torch.arange(8.0).reshape(1, 8, 1, 1)
    assert Gate()(features).flatten().tolist() == [0, 5, 12, 21]
    normal = PixelNormalisation(8)(features)
    assert float(normal.mean()) == pytest.approx(0, abs=1e-6)
    assert float(normal.var(correction=0)) == pytest.approx(1, rel=1e-4)


def test_what_is_farther_than_the_reach_does_not_matter():
    torch.manual_seed(0)
    network = Gated(SMALL, RESTORED)
    for name, parameter in network.named_parameters():
        if name.endswith("scales"):
            torch.nn.init.ones_(parameter)
    assert_reach(network)
