import torch

from napari_atomseg.noise.clipping import ClippingParams, clipping


def test_limits_of_each_sample():
    image = torch.linspace(-1, 2, 30).expand(3, 1, 1, 30)
    params = [ClippingParams(upper=1.5), ClippingParams(lower=0), ClippingParams(upper=1, lower=0)]
    out = clipping(image, params, [0, 0, 0])
    assert out.amax((1, 2, 3)).tolist() == [1.5, 2, 1]
    assert out.amin((1, 2, 3)).tolist() == [-1, 0, 0]
    inside = (image[0] > 0) & (image[0] < 1)
    assert torch.equal(out[:, inside], image[:, inside])
