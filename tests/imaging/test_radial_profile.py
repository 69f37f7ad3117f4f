import math

import numpy as np
import pytest
import torch

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import fields_of
from napari_atomseg.imaging.linear_adf import batch_columns
from napari_atomseg.imaging.radial_profile import (
    RadialProfileParams,
    profile_transforms,
    profile_widths,
    radial_profile,
    render_profiles,
)
from napari_atomseg.imaging.scattering import rms_radii, scattering_power

SHAPES = [
    RadialProfileParams(),
    RadialProfileParams(gaussian=0.6, exponential=1.0, butterworth=0.5, steepness=4, alpha=0.75),
    RadialProfileParams(gaussian=0.5, exponential=0.5, butterworth=1.0, steepness=16, alpha=1.25, scale=0.5),
]
FINE = torch.linspace(0, 60, 600001, dtype=torch.float64)


@pytest.mark.parametrize("params", SHAPES)
def test_integral_over_the_plane_is_one(params):
    width = 0.8
    integral = torch.trapezoid(radial_profile(FINE, width, params) * 2 * math.pi * FINE, FINE)
    assert float(integral) == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("params", SHAPES)
def test_heavier_atoms_are_brighter(params):
    # Eq. 22, over the plane: weights Z^gamma with profiles of integral one.
    radius = FINE[::60]
    powers = scattering_power(torch.arange(1, 104)).double()
    integrals = [
        torch.trapezoid(power * radial_profile(radius, float(width), params) * radius, radius)
        for power, width in zip(powers, profile_widths(params), strict=True)
    ]
    assert (torch.stack(integrals).diff() > 0).all()


@pytest.mark.parametrize("alpha", [0.75, 1.0, 1.25])
def test_widths_keep_mean_and_spread_of_the_radii(alpha):
    widths = profile_widths(RadialProfileParams(alpha=alpha))
    assert float(widths.mean()) == pytest.approx(float(rms_radii().mean()))
    assert float(widths.std()) == pytest.approx(float(rms_radii().std()))
    assert torch.equal(widths.argsort(), rms_radii().argsort())
    assert (widths > 0).all()


def test_transform_is_the_hankel_transform():
    from scipy.special import j0

    tables = profile_transforms(SHAPES)
    assert tables[:, 0].numpy() == pytest.approx(1, rel=1e-5)
    for n, params in enumerate(SHAPES):
        values = radial_profile(FINE, 1.0, params) * 2 * math.pi * FINE
        for entry in (100, 500, 2000):
            q = 3.5 * entry / 2047
            direct = torch.trapezoid(values * torch.from_numpy(j0(2 * np.pi * q * FINE.numpy())), FINE)
            assert float(tables[n, entry]) == pytest.approx(float(direct), abs=2e-5)


# What is left is the cusp of the exponential and the edge of a steep, narrow Butterworth function, beyond the last mode.
@pytest.mark.parametrize(("params", "error"), list(zip(SHAPES, (1.5e-3, 3e-3, 6e-3), strict=True)))
def test_image_is_the_direct_sum(params, error):
    # Pixels of 0.1 A: their area is integrated with 5 x 5 points.
    places = np.array([[30.3, 31.8], [36.1, 40.77], [22.0, 40.5]])
    numbers, weights = torch.tensor([6, 79, 26]), np.array([1.0, 3.0, 2.0])
    image = render_profiles(batch_columns([places], [weights], [0.0]), numbers, [params], (64, 70), 0.1)[0, 0].numpy()
    sub = (np.arange(5) - 2) / 5
    y, x = (np.arange(64)[:, None] + sub).ravel(), (np.arange(70)[:, None] + sub).ravel()
    total = np.zeros((320, 350))
    for place, number, weight in zip(places, numbers.tolist(), weights, strict=True):
        radius = torch.from_numpy(0.1 * np.hypot(y[:, None] - place[0], x[None, :] - place[1]))
        total += weight * radial_profile(radius, float(profile_widths(params)[number - 1]), params).numpy() * 0.01
    expected = total.reshape(64, 5, 70, 5).mean((1, 3))
    assert np.abs(image - expected).max() < error * expected.max()


def test_batch_is_one_by_one_and_flux_is_kept():
    rng = np.random.default_rng(0)
    counts = (4, 7, 1)
    places, weights = [rng.uniform(60, 90, (n, 2)) for n in counts], [rng.uniform(1, 2, n) for n in counts]
    numbers = [torch.from_numpy(rng.choice([6, 8, 38], n)) for n in counts]
    sizes = [0.2, 0.15, 0.5]
    together = render_profiles(batch_columns(places, weights, [0.0] * 3), torch.cat(numbers), SHAPES, (150, 151), sizes)
    assert together.sum((1, 2, 3)).tolist() == pytest.approx([one.sum() for one in weights], rel=5e-3)
    for n in range(3):
        columns = batch_columns(places[n : n + 1], weights[n : n + 1], [0.0])
        alone = render_profiles(columns, numbers[n], SHAPES[n : n + 1], (150, 151), sizes[n])[0]
        assert torch.allclose(together[n], alone, atol=1e-3 * float(alone.max()))


def test_no_atoms_are_dark():
    assert not render_profiles(
        batch_columns([np.empty((0, 2))], [[]], [0.0]), torch.empty(0, dtype=torch.int64), SHAPES[:1], (16, 16), 0.1
    ).any()


def test_wrong_parameters_are_an_error():
    with pytest.raises(AtomsegError, match="above zero"):
        profile_transforms([RadialProfileParams(gaussian=0, exponential=0, butterworth=0)])
    with pytest.raises(AtomsegError, match="steepness"):
        RadialProfileParams(steepness=1)
    assert all(field.help for field in fields_of(RadialProfileParams))
