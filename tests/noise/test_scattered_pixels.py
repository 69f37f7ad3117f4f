import pytest
import torch

from napari_atomseg.noise.scattered_pixels import scattered_pixels


def test_share_of_pixels():
    mask = scattered_pixels((300, 400), [2000, 0], [0, 9], [1, 2], "cpu")
    assert mask.shape == (2, 1, 300, 400)
    # Two points may fall on one pixel: the share is 1 - exp(-points / pixels).
    assert float(mask[0].float().mean()) == pytest.approx(1 - torch.exp(torch.tensor(-2000 / 120_000)).item(), rel=0.02)
    assert not mask[1].any()


def test_uniform():
    mask = scattered_pixels((100, 100), [4000], [0], [1], "cpu")[0, 0].float()
    assert abs(float(mask[:50].mean() / mask[50:].mean()) - 1) < 0.15
    assert abs(float(mask[:, :50].mean() / mask[:, 50:].mean()) - 1) < 0.15


def test_walks_make_connected_clusters():
    mask = scattered_pixels((200, 200), [1], [40], [3], "cpu")[0, 0]
    places = mask.nonzero()
    assert 5 < len(places) <= 41
    distance = (places[:, None] - places[None]).abs().sum(-1)
    reached = distance[0] <= 1
    for _ in range(41):
        reached = ((distance <= 1) & reached).any(1)
    assert reached.all()
