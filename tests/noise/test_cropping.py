import numpy as np
import torch

from napari_atomseg.noise.cropping import CroppingParams, cropping, kept_points


def test_margins_are_filled_and_the_rest_is_kept():
    image = torch.rand(2, 1, 100, 80) + 1
    params = [CroppingParams(top=0.1, left=0.25), CroppingParams(bottom=0.2, right=0.5, fill="constant", value=-3)]
    first, second = cropping(image, params, [0, 0])[:, 0]
    assert torch.equal(first[10:, 20:], image[0, 0, 10:, 20:])
    assert (first[:10] == image[0].median()).all()
    assert (first[:, :20] == image[0].median()).all()
    assert torch.equal(second[:80, :40], image[1, 0, :80, :40])
    assert (second[80:] == -3).all()
    assert (second[:, 40:] == -3).all()


def test_turned_rectangle_keeps_its_area_and_turns_as_one_sees_it():
    params = CroppingParams(top=0.2, bottom=0.4, left=0.2, right=0.3, rotation=0.3, fill="constant", value=-1)
    kept = cropping(torch.ones(1, 1, 400, 400), [params], [0])[0, 0] > 0
    assert abs(float(kept.float().mean()) - 0.4 * 0.5) < 2e-3
    # Counter-clockwise: the lower edge, y down, rises towards the right.
    lower = [int(kept[:, x].nonzero()[-1]) for x in (150, 250)]
    assert lower[1] < lower[0]


def test_points_in_what_is_left():
    params = CroppingParams(top=0.3, left=0.1, rotation=0.2, fill="constant", value=-1)
    kept = cropping(torch.ones(1, 1, 60, 80), [params], [0])[0, 0] > 0
    points = np.argwhere(np.ones((60, 80)))
    assert np.array_equal(kept_points(points, params, (60, 80)).reshape(60, 80), kept.numpy())
    assert kept_points(np.empty((0, 2)), params, (60, 80)).shape == (0,)
