import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_atomseg.noise.blur import BlurParams, blur


@pytest.mark.parametrize("sigma", [0.2, 0.7, 1.0, 4.3])
def test_beside_scipy(sigma):
    image = torch.rand(1, 1, 40, 55)
    expected = gaussian_filter(image[0, 0].double().numpy(), sigma, mode="reflect", radius=int(np.ceil(4 * sigma)))
    assert np.allclose(blur(image, [BlurParams(sigma=sigma)], [0])[0, 0], expected, atol=1e-6)


def test_flux_is_conserved_to_the_border():
    image = torch.rand(2, 1, 30, 20)
    out = blur(image, [BlurParams(sigma=1.0), BlurParams(sigma=12.0)], [0, 0])
    assert torch.allclose(out.sum((1, 2, 3)), image.sum((1, 2, 3)), rtol=1e-5)


def test_variance_of_a_point_is_sigma_squared():
    image = torch.zeros(1, 1, 41, 41)
    image[..., 20, 20] = 1
    out = blur(image, [BlurParams(sigma=1.0)], [0])[0, 0]
    x = torch.arange(41.0) - 20
    assert float(out.sum(0) @ x**2) == pytest.approx(1, rel=2e-3)
    assert float(out.sum(1) @ x**2) == pytest.approx(1, rel=2e-3)
