"""Networks ready for use give what they learnt to give."""

import pytest
import torch
from torch import nn

from napari_atomseg.networks.folded_normalisation import fold_normalisation
from napari_atomseg.networks.zoo import list_models, load_model


@pytest.mark.parametrize("name", sorted(name for name, folder in list_models().items() if folder.parent.name == "models"))
def test_a_folded_network_gives_the_same(name):
    network = load_model(name).network
    given = sum(int(getattr(network.params, planes, 0)) for planes in ("conditions", "periodic"))
    given += getattr(network.params, "images", 1)
    image = torch.randn(1, given, 64, 64, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        before = network(image)
        fold_normalisation(network)
        after = network(image)
    assert float((after - before).abs().max()) < 1e-4 * float(before.abs().max())


def test_normalisation_behind_a_convolution_is_gone_and_any_other_is_kept():
    chain = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.PReLU(3), nn.BatchNorm2d(3))
    for one in (chain[1], chain[3]):
        one.running_mean.uniform_(-1, 1)
        one.running_var.uniform_(0.5, 2)
    chain.eval()
    image = torch.randn(1, 2, 16, 16, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        before = chain(image)
        fold_normalisation(chain)
        after = chain(image)
    assert [type(one) for one in chain] == [nn.Conv2d, nn.Identity, nn.PReLU, nn.BatchNorm2d]
    torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-5)
