"""Scenes without atoms: reproducible, within range, grains that fill the plane."""

from __future__ import annotations

import numpy as np
import pytest

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.specimens.low_resolution import (
    PARTS,
    BandsParams,
    BoxesParams,
    CracksParams,
    GrainsParams,
    SharpParticlesParams,
    SoftParticlesParams,
    grains,
    low_resolution,
    scattered,
    sharp_particles,
)

SHAPE = (96, 128)


@pytest.mark.parametrize("name", PARTS)
def test_a_seed_gives_one_scene_between_zero_and_one(name):
    parts = [(name, PARTS[name][0]())]
    first, again, other = low_resolution(SHAPE, parts, 3), low_resolution(SHAPE, parts, 3), low_resolution(SHAPE, parts, 4)
    assert first.shape == SHAPE
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.isfinite(first).all()
    assert first.min() >= 0
    assert first.max() == 1
    assert first.std() > 0.005


@pytest.mark.parametrize("number", [1, 15, 175])
def test_grains_fill_the_plane(number, rng):
    assert grains(SHAPE, GrainsParams(number=number), rng).min() > 0


def test_each_grain_is_one_plane():
    image = grains((200, 200), GrainsParams(number=10), np.random.default_rng(2))
    # Second differences vanish but at borders.
    bent = np.abs(np.diff(image, 2, axis=1)) > 1e-9
    assert bent.mean() < 0.12


def test_borders_of_grains_have_one_value_near_the_mean():
    plain = grains(SHAPE, GrainsParams(number=30), np.random.default_rng(1))
    lined = grains(SHAPE, GrainsParams(number=30, borders=True), np.random.default_rng(1))
    drawn = lined[lined != plain]
    assert 0.02 < drawn.size / plain.size < 0.4
    assert np.ptp(drawn) < 1e-12
    assert 0.5 <= drawn[0] / plain.mean() <= 1.5


def test_sharp_particles_have_the_size_that_was_asked_for(rng):
    image = sharp_particles((400, 400), SharpParticlesParams(number=1, smallest=0.1, largest=0.1), rng)
    y, x = np.nonzero(image)
    assert 0 < max(np.ptp(y), np.ptp(x)) <= 81
    assert np.count_nonzero(image) <= np.pi * 41**2


def test_places_keep_their_distance_and_stay_inside(rng):
    for _ in range(10):
        places = scattered(SHAPE, 40, rng)
        assert 15 <= len(places) <= 40
        apart = np.hypot(*np.moveaxis(places[:, None] - places, -1, 0))[np.triu_indices(len(places), 1)]
        assert apart.min() >= 1
        assert ((places >= 0) & (places < SHAPE)).all()


def test_a_number_of_zero_leaves_nothing_and_never_a_nan():
    nothing = [
        ("soft_particles", SoftParticlesParams(number=0)),
        ("bands", BandsParams(number=0)),
        ("boxes", BoxesParams(number=0)),
        ("cracks", CracksParams(number=0)),
    ]
    assert np.array_equal(low_resolution(SHAPE, nothing, 1), np.zeros(SHAPE))


def test_an_unknown_part_is_refused():
    with pytest.raises(AtomsegError, match="clouds"):
        low_resolution(SHAPE, [("clouds", None)], 1)
