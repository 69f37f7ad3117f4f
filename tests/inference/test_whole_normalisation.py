import pytest
import torch

from napari_atomseg.inference.whole_normalisation import FARTHEST, OUTERMOST, cut_off


@pytest.mark.parametrize("shape", [(2, 1, 1, 2), (2, 1, 9, 7), (3, 1, 200, 300), (1, 1, 1200, 1100)])
def test_what_is_cut_off_lies_outside_the_quantiles(shape):
    images = 1e3 * torch.randn(shape, generator=torch.Generator().manual_seed(1)) ** 5
    low, high = torch.quantile(images.flatten(1), torch.tensor([OUTERMOST, 1 - OUTERMOST]), dim=1)
    spare = FARTHEST * (high - low)
    for image, found, lowest, highest in zip(images, cut_off(images), low - spare, high + spare, strict=True):
        assert float(found.min()) == pytest.approx(max(float(image.min()), float(lowest)), rel=1e-4)
        assert float(found.max()) == pytest.approx(min(float(image.max()), float(highest)), rel=1e-4)
