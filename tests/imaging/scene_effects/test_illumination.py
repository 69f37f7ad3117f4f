import math

import pytest
import torch
from agreement import assert_agree

from napari_atomseg.core.params import fields_of
from napari_atomseg.imaging.scene_effects.illumination import LineLightParams, PointLightParams, light_from_line, light_from_point

STEPS = [
    (light_from_line, LineLightParams(angle=0.4), LineLightParams(strength=0.7, angle=0.4, offset=0.1, reach=0.3)),
    (light_from_point, PointLightParams(), PointLightParams(strength=0.5, centre_y=0.1, reverse=True)),
]


@pytest.mark.parametrize(("step", "neutral", "strong"), STEPS, ids=["line", "point"])
def test_no_light_is_the_identity_and_batch_is_one_by_one(step, neutral, strong):
    image = torch.rand(2, 1, 20, 25)
    assert torch.equal(step(image, [neutral] * 2), image)
    together = step(image, [neutral, strong])
    assert torch.equal(together[0], image[0])
    assert_agree(together[1], step(image[1:], [strong])[0])
    assert all(field.help for field in fields_of(type(strong)))


def test_point_light_in_closed_form():
    light = light_from_point(torch.ones(1, 1, 31, 41), [PointLightParams(strength=0.6, reach=0.25)])[0, 0]
    reach = 0.25 * math.hypot(31, 41)
    assert float(light[15, 20]) == pytest.approx(1)
    assert float(light[15, 30]) == pytest.approx(0.4 + 0.6 * math.exp(-10 / reach), rel=1e-5)
    reverse = light_from_point(torch.ones(1, 1, 31, 41), [PointLightParams(strength=0.6, reach=0.25, reverse=True)])[0, 0]
    assert torch.allclose(light + reverse, torch.full_like(light, 1.4))


def test_line_light_is_even_along_its_line():
    light = light_from_line(torch.ones(1, 1, 31, 41), [LineLightParams(strength=1.0, angle=0.0, reach=0.3)])[0, 0]
    assert torch.allclose(light, light[:1].expand_as(light))
    assert float(light[0, 26]) == pytest.approx(math.exp(-6 / (0.3 * math.hypot(31, 41))), rel=1e-5)
