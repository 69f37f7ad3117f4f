import pytest
import torch

from napari_atomseg.inference.local_normalisation import local_mean, locally_normalised

WIDTH = 6.0


def window(side, centre, width):
    """The Gaussian window about a pixel, made to sum to 1 over the image."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    weight = torch.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / (2 * width**2))
    return weight / weight.sum()


@pytest.mark.parametrize("centre", [(40, 40), (0, 7), (79, 79)])
def test_it_is_equation_2_and_3(centre):
    torch.manual_seed(0)
    series = torch.rand(1, 3, 80, 80) + torch.linspace(0, 3, 80)
    level = torch.stack([(window(80, centre, WIDTH) * one).sum() for one in series[0]]).mean()
    found = local_mean(series, WIDTH).mean(dim=1)[0]
    assert found[centre] == pytest.approx(float(level), abs=0.02)
    without = series - local_mean(series, WIDTH).mean(dim=1, keepdim=True)
    deviation = torch.stack([(window(80, centre, WIDTH) * one**2).sum().sqrt() for one in without[0]]).mean()
    expected = without[0, :, centre[0], centre[1]] / deviation
    assert torch.allclose(locally_normalised(series, WIDTH)[0, :, centre[0], centre[1]], expected, rtol=0.03, atol=0.01)


def test_images_of_a_series_keep_their_difference():
    torch.manual_seed(0)
    one = torch.rand(1, 1, 64, 64)
    series = locally_normalised(torch.cat([one, one + 2.0], dim=1), WIDTH)
    assert float(series[:, 1].mean() - series[:, 0].mean()) > 1


def test_gain_offset_and_slow_changes_do_not_matter():
    torch.manual_seed(0)
    image = torch.rand(1, 1, 96, 96)
    assert torch.allclose(locally_normalised(image, WIDTH), locally_normalised(40 * image + 700, WIDTH), atol=1e-3)
    sloped = image * torch.linspace(1, 2, 96) + torch.linspace(0, 5, 96)
    inner = (..., slice(20, 76), slice(20, 76))
    assert (locally_normalised(image, WIDTH)[inner] - locally_normalised(sloped, WIDTH)[inner]).abs().mean() < 0.2


def test_nothing_stays_nothing():
    assert locally_normalised(torch.full((1, 1, 40, 40), 7.0), WIDTH).abs().max() < 0.2
    assert torch.equal(locally_normalised(torch.zeros(1, 2, 40, 40), WIDTH), torch.zeros(1, 2, 40, 40))
