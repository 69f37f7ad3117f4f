"""What networks that restore are given beside the image: its kind, and what repeats over it."""

import pytest
import torch

from napari_atomseg.networks.architectures import build_network
from napari_atomseg.networks.architectures.blocks import given_planes
from napari_atomseg.networks.architectures.cgrdn import CgrdnParams
from napari_atomseg.networks.architectures.gated import GatedParams
from napari_atomseg.networks.architectures.unet import UnetParams
from napari_atomseg.networks.outputs import RESTORED
from napari_atomseg.training.features_of_another import Planes, for_planes, take_features

SHAPES = {
    "unet": UnetParams(width=8, depth=2, row_context=4, refinements=1, conditions=2),
    "gated": GatedParams(width=4, levels=2, blocks=1, conditions=2),
    "cgrdn": CgrdnParams(features=8, growth=4, layers=1, blocks=1, groups=1, conditions=2),
}


def with_planes(periodic, shape):
    torch.manual_seed(1)
    return build_network(type(shape)(**{**vars(shape), "periodic": periodic}), (RESTORED,)).eval()


def test_planes_are_told_apart():
    images = torch.arange(4.0).reshape(1, 4, 1, 1)
    image, conditions, repeated = given_planes(images, 2, True)
    assert (image.item(), conditions.flatten().tolist(), [one.item() for one in repeated]) == (0.0, [1.0, 2.0], [3.0])
    assert given_planes(images[:, :3], 2, False)[2] == []


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_network_hears_what_repeats_if_it_was_made_to(shape):
    images = torch.randn(1, 4, 16, 16)
    changed = torch.cat([images[:, :3], images[:, 3:] + 1], dim=1)
    with torch.no_grad():
        deaf, hearing = (with_planes(periodic, shape) for periodic in (False, True))
        torch.testing.assert_close(deaf(changed), deaf(images))
        assert (hearing(changed) - hearing(images)).abs().max() > 1e-4


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_network_that_goes_on_with_one_more_plane_begins_with_what_the_other_knew(shape):
    other, network = (with_planes(periodic, shape) for periodic in (False, True))
    kinds = ("hrstem", "hrtem")
    take_features(network, for_planes(other.state_dict(), Planes(kinds), Planes(kinds, periodic=True)))
    images = torch.randn(1, 4, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(network(images), other(images))
        if shape == SHAPES["unet"]:
            # A share of what repeats is added to the image, as much as is learnt at each pixel.
            network.periodic_share[0].bias.fill_(1.0)
            torch.testing.assert_close(network(images), other(images) + images[:, 3:])
