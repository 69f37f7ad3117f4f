import torch

from napari_atomseg.training.discriminator import PatchDiscriminator


def test_an_image_of_256_pixels_has_32_by_32_verdicts():
    with torch.no_grad():
        assert PatchDiscriminator()(torch.zeros(1, 1, 256, 256), torch.zeros(1, 1, 256, 256)).shape == (1, 1, 32, 32)


def test_a_verdict_looks_at_70_pixels():
    torch.manual_seed(0)
    network = PatchDiscriminator()
    # Instance normalisation looks at the whole image.
    for place, layer in enumerate(network.layers):
        if isinstance(layer, torch.nn.InstanceNorm2d):
            network.layers[place] = torch.nn.Identity()
    distorted, image = torch.randn(2, 1, 1, 160, 160)
    image.requires_grad_()
    network(distorted, image)[0, 0, 10, 10].backward()
    rows, columns = (image.grad[0, 0].abs().sum(dim=axis).nonzero() for axis in (1, 0))
    assert len(rows) == len(columns) == 70


def test_the_distorted_image_has_a_say():
    network = PatchDiscriminator()
    image = torch.randn(1, 1, 80, 80)
    with torch.no_grad():
        assert not torch.equal(network(image, image), network(torch.randn(1, 1, 80, 80), image))
