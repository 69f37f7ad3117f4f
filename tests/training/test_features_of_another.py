"""A network that begins with the features of another one."""

import pytest
import torch

from napari_atomseg.networks.architectures import build_network
from napari_atomseg.networks.architectures.cgrdn import CgrdnParams
from napari_atomseg.networks.architectures.gated import GatedParams
from napari_atomseg.networks.architectures.unet import UnetParams
from napari_atomseg.networks.outputs import COLUMN_OUTPUTS, RESTORED
from napari_atomseg.training.features_of_another import Planes, for_planes, take_features

SHAPE = {"width": 8, "depth": 2, "row_context": 4, "refinements": 1}


def test_features_are_those_of_the_other_network_until_the_kind_is_learnt():
    torch.manual_seed(1)
    other = build_network(UnetParams(**SHAPE), COLUMN_OUTPUTS).eval()
    network = build_network(UnetParams(**SHAPE, conditions=3), (RESTORED,)).eval()
    heads = network.heads.weight.clone()
    copied = take_features(network, for_planes(other.state_dict(), Planes(), Planes(("a", "b", "c"))))
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


@pytest.mark.parametrize(
    ("architecture", "shape"),
    [
        (UnetParams, {**SHAPE, "stem": 2}),
        (CgrdnParams, {"features": 8, "growth": 4, "layers": 2, "blocks": 2, "groups": 2}),
        (GatedParams, {"width": 8, "levels": 2}),
    ],
)
def test_kinds_are_heard_by_name_whatever_others_there_are(architecture, shape):
    torch.manual_seed(2)
    before, after = Planes(("hrstem", "hrtem", "hrsem"), True), Planes(("lrstem", "hrsem"), True)
    other, network = (
        build_network(architecture(**shape, conditions=len(one.kinds), periodic=True), (RESTORED,)).eval()
        for one in (before, after)
    )
    take_features(network, for_planes(other.state_dict(), before, after))
    image, repeated = torch.randn(2, 1, 1, 32, 32)
    off, on = torch.zeros(1, 1, 32, 32), torch.ones(1, 1, 32, 32)
    with torch.no_grad():
        expected, unknown = (other(torch.cat([image, off, off, one, repeated], dim=1)) for one in (on, off))
        torch.testing.assert_close(network(torch.cat([image, off, on, repeated], dim=1)), expected)
        # A kind that it has not learnt yet is as good as none.
        torch.testing.assert_close(network(torch.cat([image, on, off, repeated], dim=1)), unknown)
    assert not torch.allclose(expected, unknown)
