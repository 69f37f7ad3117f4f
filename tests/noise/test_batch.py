import pytest
import torch

from napari_atomseg.noise.batch import apply_to, only_where
from napari_atomseg.noise.thermal import ThermalParams
from napari_atomseg.optics.batch import per_image


@only_where(lambda params: params.sigma > 0)
def add_sigma(image, params, seeds):
    assert all(one.sigma > 0 for one in params)
    return image + per_image([one.sigma for one in params], image)


def test_only_chosen_samples_change():
    image = torch.rand(3, 1, 4, 4)
    params = [ThermalParams(sigma=sigma) for sigma in (0.0, 2.0, 0.0)]
    out = add_sigma(image, params, [0, 1, 2])
    assert torch.equal(out[[0, 2]], image[[0, 2]])
    assert torch.equal(out[1], image[1] + 2)
    assert add_sigma(image, [ThermalParams()] * 3, [0, 1, 2]) is image


def test_numbers_that_do_not_match():
    with pytest.raises(ValueError, match="3 images"):
        add_sigma(torch.rand(3, 1, 4, 4), [ThermalParams()], [0, 1, 2])


def test_each_sample_keeps_its_own_seed():
    def write_seed(image, params, seeds):
        return image * 0 + per_image([float(seed) for seed in seeds], image)

    out = apply_to([0, 2], write_seed, torch.ones(3, 1, 1, 1), [None] * 3, [7, 8, 9])
    assert out.ravel().tolist() == [7, 1, 9]
