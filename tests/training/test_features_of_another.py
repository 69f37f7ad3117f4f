"""A network that begins with the features of another one."""

import torch

from napari_atomseg.networks.architectures import build_network
from napari_atomseg.networks.architectures.unet import UnetParams
from napari_atomseg.networks.outputs import COLUMN_OUTPUTS, RESTORED
from napari_atomseg.training.features_of_another import take_features

SHAPE = {"width": 8, "depth": 2, "row_context": 4, "refinements": 1}


def test_features_are_those_of_the_other_network_until_the_kind_is_learnt():
    torch.manual_seed(1)
    other = build_network(UnetParams(**SHAPE), COLUMN_OUTPUTS).eval()
    network = build_network(UnetParams(**SHAPE, conditions=3), (RESTORED,)).eval()
    heads = network.heads.weight.clone()
    copied = take_features(network, other.state_dict())
    assert copied > 0.9 * sum(one.numel() for one in other.state_dict().values())
    torch.testing.assert_close(network.heads.weight, heads)
    seen = []
    for one in (other, network):
        one.heads.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    image = torch.randn(1, 1, 32, 32)
    with torch.no_grad():
        other(image)
        for kind in (torch.zeros(1, 3, 32, 32), torch.ones(1, 3, 32, 32)):
            network(torch.cat([image, kind], dim=1))
    torch.testing.assert_close(seen[1], seen[0])
    torch.testing.assert_close(seen[2], seen[0])


def test_all_is_taken_from_a_network_of_the_same_kind():
    one, other = (build_network(UnetParams(**SHAPE), (RESTORED,)) for _ in range(2))
    take_features(one, other.state_dict())
    for name, weights in other.state_dict().items():
        torch.testing.assert_close(one.state_dict()[name], weights)
