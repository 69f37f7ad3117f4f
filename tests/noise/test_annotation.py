import pytest
import torch

from napari_atomseg.noise.annotation import AnnotationParams, annotated_pixels, annotation


def test_bar_has_its_length_and_thickness():
    mask = annotated_pixels((100, 200), [AnnotationParams(bar=0.25, dot=3)], [4])[0, 0]
    rows, columns = mask.any(1).nonzero()[:, 0], mask.any(0).nonzero()[:, 0]
    assert (len(rows), len(columns), int(mask.sum())) == (3, 50, 150)


def test_letters_fill_half_their_dots():
    mask = annotated_pixels((200, 400), [AnnotationParams(letters=12, dot=2)], [1])[0, 0]
    assert int(mask.sum()) == pytest.approx(12 * 35 * 4 / 2, rel=0.15)
    assert int(mask.any(1).sum()) <= 14


def test_image_and_label_are_marked_at_the_same_pixels():
    params = [AnnotationParams(bar=0.2, letters=5)] * 2
    pair = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 50.0]).reshape(2, 1, 1, 1)
    out = annotation(pair, params, [3, 3])
    marked = annotated_pixels((64, 64), params[:1], [3])[0]
    assert torch.equal(out[:, ~marked], pair[:, ~marked])
    # The brightest of each image, up to rounding.
    for one, given in zip(out, pair, strict=True):
        torch.testing.assert_close(one[marked], given.max().expand(int(marked.sum())))


def test_places_vary_and_what_is_too_large_is_cut():
    params = [AnnotationParams(bar=0.1, letters=2)] * 20
    masks = annotated_pixels((64, 64), params, range(20))
    assert float(masks.float().mean(0).max()) < 0.7
    assert annotated_pixels((5, 9), [AnnotationParams(bar=1.0, letters=50, dot=20)], [1]).any()
