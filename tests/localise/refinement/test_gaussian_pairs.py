"""Overlapping columns, backgrounds, shapes and gains: nothing pulls at a column that is fitted with all others."""

from __future__ import annotations

import numpy as np
import pytest
from spots import draw, square_lattice

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.jobs import run
from napari_atomseg.localise.refinement.params import RefineParams
from napari_atomseg.localise.refinement.refine import refine_columns
from napari_atomseg.localise.refinement.shape import (
    HEIGHT,
    SIGMA,
    SLANT,
    STRETCH,
    TAIL,
    X,
    Y,
    blank_model,
    profile,
    squared_distance,
)
from napari_atomseg.localise.refinement.uncertainty import cramer_rao_bound

WIDTH = 3.0
TWO_THIRDS = (0.58, 0.78)


def refined(image, positions, sigma=WIDTH, **params):
    columns = Columns(positions=positions).with_features(sigma_px=float(sigma))
    return run(refine_columns(np.asarray(image, np.float32), columns, RefineParams(**params)))


def shaped(positions, shape, sigma=WIDTH, height=100.0, level=10.0, flat=(0.0, 0.0), tail=0.0):
    """Sum of columns of any shape, in double precision."""
    y, x = (axis.ravel() * 1.0 for axis in np.mgrid[: shape[0], : shape[1]])
    image = np.full(y.size, float(level))
    for place, one in zip(positions, np.broadcast_to(height, len(positions)), strict=True):
        model = blank_model(1)
        model[0, [Y, X, SIGMA, HEIGHT, STRETCH, SLANT, TAIL]] = *place, sigma, one, *flat, tail
        image += one * profile(squared_distance((y - place[0])[None], (x - place[1])[None], model), model)[0]
    return image.reshape(shape)


def pairs(rng, distance, ratio):
    """A hundred pairs at random angles, far from each other: positions (100, 2, 2), unit vectors (100, 2), image."""
    centres = 45.0 * np.stack(np.mgrid[:10, :10], -1).reshape(-1, 2) + 35 + rng.uniform(-0.5, 0.5, (100, 2))
    angle = rng.uniform(0, 2 * np.pi, 100)
    axis = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    true = centres[:, None] + np.array([-0.5, 0.5])[:, None] * distance * WIDTH * axis[:, None]
    shape = (475, 475)
    image = draw(true.reshape(-1, 2), WIDTH, shape, height=np.tile([100.0, 100.0 * ratio], 100)) + rng.normal(0, 1, shape)
    return true, axis, image


@pytest.mark.parametrize("background", ["local", "shared"])
@pytest.mark.parametrize(("distance", "ratio"), [(1.5, 1.0), (1.75, 1.0), (2.0, 1.0), (2.5, 1.0), (2.0, 0.5)])
def test_the_columns_of_a_pair_do_not_pull_at_each_other(rng, distance, ratio, background):
    true, axis, image = pairs(rng, distance, ratio)
    start = true + rng.normal(0, 0.3 * WIDTH, true.shape)
    found = refined(image, start.reshape(-1, 2), background=background)
    measured = (found.features["fit"] != "failed").to_numpy().reshape(100, 2)
    assert measured.mean() > 0.97
    both = measured.all(axis=1)
    error = (found.positions.reshape(true.shape) - true)[both]
    std = found.features[["y_std_px", "x_std_px"]].to_numpy().reshape(true.shape)[both]
    # How much too far apart each of the two stands.
    outwards = np.einsum("npc,nc->np", error, axis[both]) * [-1, 1]
    assert abs(outwards.mean()) < 0.02
    assert TWO_THIRDS[0] < np.mean(np.abs(error) < std) < TWO_THIRDS[1]
    assert np.sqrt(np.mean(error**2)) == pytest.approx(np.sqrt(np.mean(std**2)), rel=0.25)
    assert found.features["sigma_px"].median() == pytest.approx(WIDTH, rel=5e-3)


def test_one_level_gives_the_heights_and_the_width_of_a_small_particle(rng):
    """Columns three sigma apart in vacuum: between them no pixel shows the background."""
    true = 3 * WIDTH * np.stack(np.mgrid[:5, :5], -1).reshape(-1, 2) + 40 + rng.uniform(-0.5, 0.5, (25, 2))
    heights = rng.uniform(70, 130, 25)
    image = draw(true, WIDTH, (116, 116), height=heights) + rng.normal(0, 0.5, (116, 116))
    found = refined(image, true + rng.normal(0, 0.5, true.shape), 1.15 * WIDTH, background="shared")
    assert (found.features["fit"] == "ok").all()
    assert np.median(np.abs(found.features["intensity"] / heights - 1)) < 0.01
    assert np.allclose(found.features["intensity"], heights, rtol=0.03)
    assert np.allclose(found.features["sigma_px"], WIDTH, rtol=5e-3)
    assert np.allclose(found.features["background"], 10, atol=0.3)
    assert np.abs(found.positions - true).max() < 0.06


@pytest.mark.parametrize("background", ["local", "tilted", "shared"])
def test_without_noise_a_particle_in_vacuum_is_recovered(rng, background):
    true = 3 * WIDTH * np.stack(np.mgrid[:4, :4], -1).reshape(-1, 2) + 40 + rng.uniform(-0.5, 0.5, (16, 2))
    heights = rng.uniform(70, 130, 16)
    found = refined(draw(true, WIDTH, (108, 108), height=heights), true + rng.normal(0, 0.4, true.shape), background=background)
    assert np.abs(found.positions - true).max() < 5e-3
    assert np.allclose(found.features["intensity"], heights, rtol=1e-2)
    assert np.allclose(found.features["sigma_px"], WIDTH, rtol=5e-3)


def test_a_slanted_background_moves_columns_a_little_and_none_that_may_tilt():
    shape = (130, 140)
    true = square_lattice(shape, 8 * WIDTH, margin=15)
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = draw(true, WIDTH, shape) + 0.06 * y - 0.03 * x
    flat, tilted = (refined(image, np.round(true), background=background) for background in ("local", "tilted"))
    assert np.abs(tilted.positions - true).max() < 2e-3
    assert np.abs(flat.positions - true).max() < 0.05
    assert np.abs(flat.positions - true).mean() > 5 * np.abs(tilted.positions - true).mean()
    assert np.allclose(tilted.features["background"], 10 + 0.06 * true[:, 0] - 0.03 * true[:, 1], atol=0.1)


@pytest.mark.parametrize("width", ["shared", "each"])
@pytest.mark.parametrize(("flatness", "theta"), [(0.3, 0.4), (0.2, -1.2), (0.4, np.pi / 2), (0.3, 0.0)])
def test_flat_columns_are_recovered(rng, width, flatness, theta):
    shape = (150, 150)
    true = square_lattice(shape, 8 * WIDTH, margin=20)
    flat = flatness * np.array([np.cos(2 * theta), np.sin(2 * theta)])
    image = shaped(true, shape, flat=flat) + rng.normal(0, 0.5, shape)
    found = refined(image, true + rng.normal(0, 0.5, true.shape), shape="elliptic", width=width)
    table = found.features
    assert (table["fit"] == "ok").all()
    ratio = np.sqrt((1 + flatness) / (1 - flatness))
    assert np.allclose(table["sigma_px"] / table["sigma_minor_px"], ratio, rtol=0.01 if width == "shared" else 0.05)
    assert np.allclose(table["sigma_px"], WIDTH / np.sqrt(1 - flatness), rtol=0.01 if width == "shared" else 0.03)
    assert np.abs(np.sin(table["theta_rad"] - theta)).max() < (0.02 if width == "shared" else 0.06)
    assert np.allclose(table["intensity"], 100, rtol=0.03)
    assert np.sqrt(np.mean((found.positions - true) ** 2)) < 0.01


def test_unlike_flat_columns_each_get_their_own_axes(rng):
    shape = (150, 150)
    true = square_lattice(shape, 8 * WIDTH, margin=20)
    angles = rng.uniform(-1.5, 1.5, len(true))
    image = sum(
        shaped([place], shape, level=0.0, flat=0.3 * np.array([np.cos(2 * angle), np.sin(2 * angle)]))
        for place, angle in zip(true, angles, strict=True)
    )
    found = refined(image + 10 + rng.normal(0, 0.2, shape), np.round(true), shape="elliptic", width="each")
    assert np.abs(np.sin(found.features["theta_rad"] - angles)).max() < 0.04
    assert np.allclose(found.features["sigma_px"] / found.features["sigma_minor_px"], np.sqrt(1.3 / 0.7), rtol=0.04)


def test_unlike_round_columns_each_get_their_own_width(rng):
    shape = (150, 150)
    true = square_lattice(shape, 8 * WIDTH, margin=20)
    widths = rng.uniform(0.85, 1.15, len(true)) * WIDTH
    found = refined(draw(true, widths[:, None], shape) + rng.normal(0, 0.3, shape), np.round(true), width="each")
    assert np.allclose(found.features["sigma_px"], widths, rtol=0.02)


@pytest.mark.parametrize("share", [0.1, 0.3])
@pytest.mark.parametrize("spacing", [6.0, 9.0])
def test_the_tails_of_a_probe_are_recovered(rng, share, spacing):
    shape = (160, 160)
    true = square_lattice(shape, spacing * WIDTH, margin=0)
    image = shaped(true, shape, tail=share) + rng.normal(0, 0.3, shape)
    found = refined(image, true + rng.normal(0, 0.5, true.shape), tails=True)
    inside = np.all((true > 25) & (true < 135), axis=1)
    assert found.features["tail_share"].iloc[0] == pytest.approx(share, abs=0.03)
    assert np.allclose(found.features["intensity"][inside], 100, rtol=0.02)
    assert np.allclose(found.features["sigma_px"], WIDTH, rtol=0.01)
    assert np.abs(found.positions - true)[inside].max() < 0.03


def test_where_there_are_no_tails_none_are_found(rng):
    shape = (150, 150)
    true = square_lattice(shape, 7 * WIDTH, margin=15)
    found = refined(draw(true, WIDTH, shape) + rng.normal(0, 0.3, shape), np.round(true), tails=True)
    assert found.features["tail_share"].iloc[0] == pytest.approx(0, abs=0.01)
    assert np.allclose(found.features["intensity"], 100, rtol=0.02)


@pytest.mark.parametrize("gain", [1.0, 4.0, 100.0])
@pytest.mark.parametrize("offset", [0.0, 500.0])
def test_error_bars_scale_with_the_root_of_the_gain(rng, gain, offset):
    """An image of counts in units of which one electron gives `gain`, and its true spread."""
    shape = (300, 300)
    true = square_lattice(shape, 9 * WIDTH, margin=15)
    image = gain * rng.poisson(draw(true, WIDTH, shape) / gain) + offset
    found = refined(image, true + rng.normal(0, 0.3, true.shape), gain=gain, offset=offset)
    bound = cramer_rao_bound(WIDTH, 100.0, 10.0, gain=gain)
    std = found.features[["y_std_px", "x_std_px"]].to_numpy()
    assert np.nanmedian(std) == pytest.approx(bound, rel=0.05 if gain < 50 else 0.15)
    good = np.isfinite(std)
    assert np.sqrt(np.mean((found.positions - true)[good] ** 2)) == pytest.approx(bound, rel=0.25)


def test_a_wrong_gain_states_what_it_says(rng):
    """A smaller gain than the image's is outdone by the residuals; a larger one is believed."""
    shape = (300, 300)
    true = square_lattice(shape, 9 * WIDTH, margin=15)
    image = rng.poisson(draw(true, WIDTH, shape))
    bound = cramer_rao_bound(WIDTH, 100.0, 10.0)
    for gain, expected in ((0.01, 1.0), (1.0, 1.0), (9.0, 3.0)):
        found = refined(image, np.round(true), gain=gain)
        assert found.features["x_std_px"].median() == pytest.approx(expected * bound, rel=0.1)
