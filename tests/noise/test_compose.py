import dataclasses
import json

import pytest
import torch
from agreement import AFTER_MANY, ON_AN_EDGE, assert_agree

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import fields_of, from_dict, to_dict
from napari_atomseg.noise.compose import EFFECTS, apply
from napari_atomseg.noise.counting import CountingParams
from napari_atomseg.noise.thermal import ThermalParams

STRONG = {
    "scan_jitter": {"sigma_x": 0.5, "sigma_y": 0.4, "phi_x": 0.6, "phi_y": 0.2},
    "line_noise": {"sigma": 0.7},
    "counting": {"dose_scale": 4.0},
    "scintillator": {"dose_scale": 30.0, "pulses": "single"},
    "fast_scan": {"alpha": 3.0, "beta": 2.0},
    "row_line": {"lines": 6},
    "fixed_pattern": {"sigma": 0.1},
    "dark_current": {"mean": 3.0, "sigma": 1.0, "hot": 0.02},
    "thermal": {"sigma": 0.1},
    "flicker": {"sigma": 0.1},
    "row_reset": {"sigma": 0.1},
    "black_pixels": {"points": 20, "steps": 4},
    "zingers": {"points": 20, "steps": 4},
    "clipping": {"upper": 1.0},
    "quantisation": {"gain": 20.0},
    "interpolation": {"rotation": 0.2, "scale_x": 1.1, "shift_y": 3.3},
    "blur": {"sigma": 0.9},
    "annotation": {"bar": 0.2, "letters": 4},
    "cropping": {"top": 0.1, "rotation": 0.1},
}
MILD = {
    "counting": {"dose_scale": 2000.0},
    "scintillator": {"dose_scale": 1.0},
    "fast_scan": {"alpha": 9.0},
    "row_line": {"lines": 3, "longest": 9},
    "dark_current": {"mean": 0.2},
    "zingers": {"points": 3, "burst": 1.0},
    "clipping": {"lower": 0.5},
    "interpolation": {"shear": 0.2, "scale_y": 0.9},
    "blur": {"sigma": 0.3},
    "annotation": {"letters": 1, "dot": 1, "brightness": 0.0},
    "cropping": {"left": 0.3, "fill": "constant"},
}
OFF = {name: {"dose_scale": None} for name in ("counting", "scintillator")}
NOT_RANDOM = {"fast_scan", "clipping", "quantisation", "interpolation", "blur", "cropping"}


def params(name, table):
    return EFFECTS[name].params(**table.get(name, {}))


def image(batch=5, shape=(61, 75)):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(batch, 1, *shape, generator=generator) * 3


def test_every_effect_is_tried_here():
    assert list(STRONG) == list(EFFECTS)
    assert [effect.order for effect in EFFECTS.values()] == sorted(effect.order for effect in EFFECTS.values())


@pytest.mark.parametrize("name", EFFECTS)
def test_zero_strength_is_identity(name):
    before = image(2)
    assert torch.equal(EFFECTS[name].function(before, [params(name, OFF)] * 2, [1, 2]), before)


@pytest.mark.parametrize("name", EFFECTS)
def test_image_that_comes_in_is_kept_and_the_one_that_goes_out_is_new(name):
    before = image()
    after = EFFECTS[name].function(before, [params(name, STRONG)] * 5, range(5))
    assert torch.equal(before, image())
    assert after.shape == before.shape
    assert after.dtype == torch.float32
    assert torch.isfinite(after).all()
    assert not torch.equal(after, before)


@pytest.mark.parametrize("shape", [(61, 75), (128, 128), (1, 1)])
@pytest.mark.parametrize("name", EFFECTS)
def test_batch_is_one_by_one(name, shape):
    before = image(5, shape)
    each = [params(name, table) for table in (STRONG, OFF, MILD, STRONG, MILD)]
    seeds = [11, 12, 13, 14, 15]
    batch = EFFECTS[name].function(before, each, seeds)
    for n in range(5):
        assert_agree(batch[n : n + 1], EFFECTS[name].function(before[n : n + 1], each[n : n + 1], seeds[n : n + 1]), ON_AN_EDGE)


@pytest.mark.parametrize("name", EFFECTS)
def test_seeds(name):
    effect = EFFECTS[name]
    same = image(1).expand(3, -1, -1, -1).contiguous()
    first, second, other = effect.function(same, [params(name, STRONG)] * 3, [7, 7, 8])
    assert_agree(first, second, ON_AN_EDGE)
    if name in NOT_RANDOM:
        assert_agree(first, other)
    else:
        assert not torch.allclose(first, other, rtol=1e-3)


@pytest.mark.parametrize("name", EFFECTS)
def test_every_parameter_is_described_and_stored(name):
    cls = EFFECTS[name].params
    for field in fields_of(cls):
        described = field.help or ", " in cls.__doc__
        assert described, field.name
        assert field.choices or field.kind is bool or field.quantity.low > float("-inf"), field.name
    value = params(name, STRONG)
    assert from_dict(cls, json.loads(json.dumps(to_dict(value)))) == value
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.anything = 1


def test_absurd_numbers_are_refused():
    with pytest.raises(AtomsegError, match="dose_scale"):
        CountingParams(dose_scale=-1.0)
    with pytest.raises(AtomsegError, match="sigma"):
        ThermalParams(sigma=float("nan"))


def test_each_sample_has_its_own_steps_in_its_own_order():
    before = image(4)
    steps = [
        [("scan_jitter", params("scan_jitter", STRONG), 1), ("counting", params("counting", STRONG), 2)],
        [],
        [("counting", params("counting", STRONG), 3), ("blur", params("blur", STRONG), 0), ("counting", CountingParams(), 4)],
        [(name, params(name, STRONG), n) for n, name in enumerate(EFFECTS)],
    ]
    after = apply(before, steps)
    assert torch.equal(after[1], before[1])
    for n, own in enumerate(steps):
        alone = before[n : n + 1]
        for name, values, seed in own:
            alone = EFFECTS[name].function(alone, [values], [seed])
        assert_agree(after[n : n + 1], alone, AFTER_MANY)


def test_steps_that_make_no_sense():
    with pytest.raises(AtomsegError, match="there is no effect"):
        apply(image(1), [[("snow", None, 0)]])
    with pytest.raises(AtomsegError, match="takes CountingParams"):
        apply(image(1), [[("counting", ThermalParams(), 0)]])
    with pytest.raises(ValueError, match="1 images"):
        apply(image(1), [])
