"""The losses of Lobato et al. by their equations."""

import numpy as np
import pytest
import torch

from napari_atomseg.training import restoration_losses as losses
from napari_atomseg.training.restoration_losses import RestorationWeights, restoration_loss


@pytest.fixture
def images():
    made = torch.Generator().manual_seed(1)
    true = torch.randn(3, 1, 32, 32, generator=made) * torch.tensor([1.0, 3.0, 0.01])[:, None, None, None] + 2
    return true + 0.1 * torch.randn(3, 1, 32, 32, generator=made), true


def test_equation_4_counts_each_image_in_its_own_contrast(images):
    found, true = (image.numpy() for image in images)
    weight = 1 / np.maximum(0.1, true.std(axis=(1, 2, 3)))
    expected = np.mean(weight * np.abs(found - true).mean(axis=(1, 2, 3)))
    assert losses.absolute_loss(*images).item() == pytest.approx(expected, rel=1e-4)
    expected = np.mean(weight * ((found - true) ** 2).mean(axis=(1, 2, 3)))
    assert losses.square_loss(*images).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("side", [2, 4, 8, 16])
def test_equation_7_in_the_middle_of_an_image(images, side):
    image = images[0][1]
    y, x, low = 15, 17, side // 2
    window = image[0, y - low : y - low + side, x - low : x - low + side].numpy()
    expected = (float(image[0, y, x]) - window.mean()) / max(0.1, window.std())
    assert losses.whitened(image[None], side)[0, 0, y, x].item() == pytest.approx(expected, abs=1e-4)


def test_whitening_does_not_see_a_slow_background_or_the_contrast(images):
    image = images[1][:1]
    brighter = 5 * image + 1000
    assert torch.allclose(losses.whitened(brighter, 8), losses.whitened(image, 8), atol=0.01)


def test_equation_9_has_a_slope_where_nothing_differs(images):
    found, true = images
    coefficients = np.fft.fft2((found - true).numpy(), norm="ortho")
    assert losses.fourier_loss(found, true).item() == pytest.approx(np.mean(np.abs(coefficients) ** 0.125), rel=1e-4)
    same = true.clone().requires_grad_()
    losses.fourier_loss(same, true).backward()
    assert torch.isfinite(same.grad).all()


def test_equations_10_and_11(images):
    _, true = images
    assert losses.mean_loss(true + 0.5, true).item() == pytest.approx(0.5, rel=1e-5)
    assert losses.deviation_loss(true + 0.5, true).item() == pytest.approx(0, abs=1e-5)
    doubled = 2 * true - true.mean(dim=(1, 2, 3), keepdim=True)
    expected = true.std(dim=(1, 2, 3), correction=0).mean().item()
    assert losses.deviation_loss(doubled, true).item() == pytest.approx(expected, rel=1e-4)


def test_equations_12_and_15_are_each_others_mirror():
    true, found = torch.tensor([[[[2.0, 1.0]]]]), torch.tensor([[[[-1.0, 0.5]]]])
    of_true, of_found = torch.sigmoid(true - found.mean()), torch.sigmoid(found - true.mean())
    expected = -(of_true.log().mean() + (1 - of_found).log().mean())
    assert losses.discriminator_loss(true, found).item() == pytest.approx(expected.item(), rel=1e-5)
    expected = -((1 - of_true).log().mean() + of_found.log().mean())
    assert losses.adversarial_loss(true, found).item() == pytest.approx(expected.item(), rel=1e-5)
    assert losses.adversarial_loss(true, found) > losses.adversarial_loss(found, true)


def test_a_loss_without_weight_is_left_out(images):
    one = RestorationWeights(absolute=2.0)
    assert restoration_loss(*images, one).item() == pytest.approx(2 * losses.absolute_loss(*images).item())
    both = RestorationWeights(absolute=2.0, mean=3.0)
    more = restoration_loss(*images, both) - restoration_loss(*images, one)
    assert more.item() == pytest.approx(3 * losses.mean_loss(*images).item(), abs=1e-5)


def test_every_loss_is_least_for_the_true_image(images):
    found, true = images
    for name, loss in losses.PIXEL_LOSSES.items():
        assert loss(true, true) < loss(found, true), name
