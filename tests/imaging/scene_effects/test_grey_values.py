import math

import pytest
import torch
from agreement import assert_agree

from napari_atomseg.core.params import fields_of
from napari_atomseg.imaging.scene_effects.grey_values import (
    GaussianBackgroundParams,
    InversionParams,
    PedestalParams,
    PlaneParams,
    ResponseParams,
    ScalingParams,
    add_gaussian_background,
    add_pedestal,
    add_plane,
    apply_response,
    invert_contrast,
    scale_contrast,
)

STEPS = [
    (invert_contrast, InversionParams(), InversionParams(inverted=True)),
    (apply_response, ResponseParams(), ResponseParams(exponent=0.6)),
    (add_plane, PlaneParams(angle=0.3), PlaneParams(height=0.4, angle=2.0)),
    (add_gaussian_background, GaussianBackgroundParams(), GaussianBackgroundParams(height=0.5, centre_y=0.2, sigma=0.3)),
    (add_pedestal, PedestalParams(), PedestalParams(height=0.2)),
    (scale_contrast, ScalingParams(), ScalingParams(most_ratio=0.2, to_maximum=True)),
]
NAMES = [step[0].__name__ for step in STEPS]


@pytest.fixture
def image():
    return torch.rand(3, 1, 33, 47, generator=torch.Generator().manual_seed(0)) * 7


@pytest.mark.parametrize(("step", "neutral", "strong"), STEPS, ids=NAMES)
def test_default_is_the_identity_and_batch_is_one_by_one(step, neutral, strong, image):
    assert torch.equal(step(image, [neutral] * 3), image)
    together = step(image, [strong, neutral, strong])
    assert torch.equal(together[1], image[1])
    for n in (0, 2):
        assert not torch.allclose(together[n], image[n], rtol=1e-3)
        assert_agree(together[n], step(image[n : n + 1], [strong])[0])


@pytest.mark.parametrize(("step", "neutral", "strong"), STEPS, ids=NAMES)
def test_params_are_documented(step, neutral, strong):
    assert all(field.help for field in fields_of(type(strong)))


def test_inversion_twice_is_an_offset(image):
    twice = invert_contrast(invert_contrast(image, [InversionParams(inverted=True)] * 3), [InversionParams(inverted=True)] * 3)
    assert torch.allclose(twice, image - image.amin((-2, -1), keepdim=True), atol=1e-5)


def test_response():
    image = torch.tensor([[[[-4.0, 9.0]]]])
    assert apply_response(image, [ResponseParams(exponent=0.5)]).flatten().tolist() == pytest.approx([2, 3])


@pytest.mark.parametrize("angle", [0.0, 0.5, 2.0, 3.7, -1.0])
def test_plane_rises_from_zero_to_its_height(angle, image):
    plane = add_plane(image, [PlaneParams(height=0.5, angle=angle)] * 3) - image
    assert float(plane.min()) == pytest.approx(0, abs=1e-4)
    assert plane.amax((1, 2, 3)).numpy() == pytest.approx(0.5 * image.amax((1, 2, 3)).numpy(), rel=1e-4)
    step_y, step_x = plane[0, 0, 1, 0] - plane[0, 0, 0, 0], plane[0, 0, 0, 1] - plane[0, 0, 0, 0]
    assert math.remainder(math.atan2(step_y, step_x) - angle, 2 * math.pi) == pytest.approx(0, abs=1e-3)


def test_gaussian_background(image):
    params = GaussianBackgroundParams(height=0.5, centre_y=0.25, centre_x=0.5, sigma=0.2)
    bump = (add_gaussian_background(image, [params] * 3) - image)[0, 0] / float(image[0].max())
    assert float(bump[8, 23]) == pytest.approx(0.5, rel=1e-4)
    assert float(bump[8, 30]) == pytest.approx(0.5 * math.exp(-49 / (2 * 6.6**2)), rel=1e-3)


def test_relative_contrast_is_brought_within_limits():
    generator = torch.Generator().manual_seed(1)
    strong, weak, flat = (
        torch.rand(1, 1, 40, 40, generator=generator),
        torch.rand(1, 1, 40, 40, generator=generator),
        torch.ones(1, 1, 40, 40),
    )
    image = torch.cat([strong**4, 1000 + weak, 3 * flat])
    limits = ScalingParams(least_ratio=0.01, most_ratio=0.35)
    result = scale_contrast(image, [limits] * 3)
    ratio = result.std((-2, -1), correction=0) / result.mean((-2, -1))
    assert ratio.flatten().tolist() == pytest.approx([0.35, 0.01, 0], rel=1e-2, abs=1e-6)
    assert torch.allclose(result[0] - image[0], (result[0] - image[0]).mean(), atol=1e-6)
    assert torch.equal(result[2], image[2])


def test_a_contrast_beyond_a_limit_is_brought_to_what_is_wanted():
    even = torch.rand(1, 1, 40, 40, generator=torch.Generator().manual_seed(1))
    image = torch.cat([even**4, 1000 + even, 2 + even])
    limits = ScalingParams(least_ratio=0.01, most_ratio=0.35, wanted_ratio=0.2)
    result = scale_contrast(image, [limits] * 3)
    ratio = result.std((-2, -1), correction=0) / result.mean((-2, -1))
    assert ratio.flatten().tolist()[:2] == pytest.approx([0.2, 0.2], rel=1e-2)
    assert torch.equal(result[2], image[2])


def test_scaling_to_the_maximum(image):
    assert scale_contrast(image, [ScalingParams(to_maximum=True)] * 3).amax((1, 2, 3)).tolist() == [1, 1, 1]
    assert not scale_contrast(torch.zeros(1, 1, 4, 4), [ScalingParams(to_maximum=True)]).isnan().any()
