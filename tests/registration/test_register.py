"""Where a simulated image lies on an experiment: known placements come back."""

import math

import numpy as np
import pytest
from spots import draw

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import run
from napari_atomseg.registration.placement import Limits, Placement
from napari_atomseg.registration.register import register
from napari_atomseg.registration.spectra import rotation_between
from napari_atomseg.registration.spline_image import SplineImage, resampled

SPACING, SIGMA = 3.9, 0.5


@pytest.fixture(scope="module")
def model():
    """Places (Å) and heights of columns, none like the next, so that one placement alone is right."""
    rng = np.random.default_rng(1)
    cells = np.stack(np.meshgrid(np.arange(-3, 14), np.arange(-3, 14), indexing="ij"), -1).reshape(-1, 2) * SPACING + 0.7
    return np.concatenate([cells, cells + SPACING / 2]), np.repeat([100.0, 50.0], len(cells)) * rng.uniform(
        0.7, 1.3, 2 * len(cells)
    )


def seen(model, placement, shape, pixel=0.2, noise=0.0, seed=0):
    """Image of the columns after a placement, with another gain and offset."""
    places, heights = model
    image = draw(placement.on_experiment(places) / pixel, placement.magnification * SIGMA / pixel, shape, 3 * heights, 40)
    return image + noise * np.random.default_rng(seed).normal(size=shape)


def far(found, true, shape, pixel):
    """Largest distance, px, between where two placements put the pixels of an experiment."""
    corners = np.array([[y, x] for y in (0, shape[0] * pixel) for x in (0, shape[1] * pixel)], float)
    return np.abs(found.on_simulation(corners) - true.on_simulation(corners)).max() / pixel


@pytest.mark.parametrize(
    "true",
    [
        Placement(),
        Placement(shift=(1.234, -2.345), rotation=math.radians(1.3), magnification=1.01),
        Placement(shift=(-3.3, 4.4), rotation=math.radians(-4), magnification=0.97),
    ],
)
def test_shift_rotation_and_magnification_come_back_from_noise(model, true):
    simulated, experimental = seen(model, Placement(), (300, 290), 0.13), seen(model, true, (180, 190), noise=15)
    found = run(register(simulated, experimental, (0.13, 0.13), (0.2, 0.2)))
    assert far(found.placement, true, (180, 190), 0.2) < 0.03
    middle = np.array([[18.0, 19.0]])
    assert np.abs(found.placement.on_simulation(middle) - true.on_simulation(middle)).max() / 0.2 < 0.02
    assert abs(math.degrees(found.placement.rotation - true.rotation)) < 0.02
    assert abs(found.placement.magnification - true.magnification) < 1e-4
    assert found.others == ()


def test_without_noise_it_is_exact(model):
    true = Placement(shift=(0.71, -1.13), rotation=math.radians(0.5), magnification=0.998)
    found = run(register(seen(model, Placement(), (260, 250), 0.15), seen(model, true, (150, 160)), (0.15, 0.15), (0.2, 0.2)))
    assert far(found.placement, true, (150, 160), 0.2) < 1e-3


@pytest.mark.parametrize(("rotation", "scale"), [(False, False), (True, False), (False, True)])
def test_what_is_not_fitted_stays(model, rotation, scale):
    true = Placement(shift=(1, 2), rotation=math.radians(0.4), magnification=1.004)
    limits = Limits(rotation=0.1 * rotation, scale=0.05 * scale)
    found = run(register(seen(model, Placement(), (120, 120)), seen(model, true, (100, 110)), (0.2, 0.2), (0.2, 0.2), limits))
    assert (found.placement.rotation != 0) == rotation
    assert (found.placement.magnification != 1) == scale


@pytest.mark.parametrize("field", [(70, 80), (190, 200)])
def test_smaller_and_larger_fields(model, field):
    """A piece of the experiment is found where it was cut; an experiment is found within a larger model."""
    true = Placement(shift=(9.4, 7.7)) if field[0] < 150 else Placement(shift=(-5.1, -6.3))
    simulated = seen(model, Placement(shift=tuple(-value for value in true.shift)), field)
    experimental = seen(model, Placement(), (150, 160), noise=15)
    found = run(register(simulated, experimental, (0.2, 0.2), (0.2, 0.2)))
    assert np.abs(np.subtract(found.placement.shift, true.shift)).max() / 0.2 < 0.04
    image = resampled(SplineImage(simulated, (0.2, 0.2)), found.placement, (150, 160), (0.2, 0.2))
    assert np.isnan(image).any() == (field[0] < 150)


def test_oblong_pixels(model):
    places, heights = model
    experimental = np.repeat(0.0, 120 * 160).reshape(120, 160)
    y, x = np.arange(120)[:, None] * 0.25 + 0.4, np.arange(160)[:, None] * 0.2 - 0.9
    experimental = (np.exp(-((y - places[:, 0]) ** 2) / 0.5) * heights) @ np.exp(-((x - places[:, 1]) ** 2) / 0.5).T
    found = run(register(seen(model, Placement(), (180, 180)), experimental, (0.2, 0.2), (0.25, 0.2)))
    assert found.placement.shift == pytest.approx((-0.4, 0.9), abs=1e-3)


def test_pixels_without_a_value_do_not_count(model):
    simulated, experimental = seen(model, Placement(), (180, 180)), seen(model, Placement(shift=(1.1, 0.6)), (150, 160), noise=10)
    experimental[40:70, 50:90] = np.nan
    simulated[:30, :40] = np.inf
    found = run(register(simulated, experimental, (0.2, 0.2), (0.2, 0.2)))
    assert found.placement.shift == pytest.approx((1.1, 0.6), abs=0.008)
    image = resampled(SplineImage(simulated, (0.2, 0.2)), found.placement, (150, 160), (0.2, 0.2))
    assert np.isnan(image[:30, :38]).all()
    assert np.isfinite(image[50:, 60:]).all()


@pytest.mark.parametrize("noise", [0, 60])
def test_a_crystal_without_defects_has_many_places_and_the_least_displaced_is_taken(noise):
    cells = np.stack(np.meshgrid(np.arange(-3, 14), np.arange(-3, 14), indexing="ij"), -1).reshape(-1, 2) * SPACING
    crystal = (cells, np.full(len(cells), 100.0))
    true = Placement(shift=(0.5, -0.8), rotation=math.radians(0.3))
    found = run(
        register(seen(crystal, Placement(), (150, 160)), seen(crystal, true, (150, 160), noise=noise), (0.2, 0.2), (0.2, 0.2))
    )
    assert np.hypot(*np.subtract(found.placement.shift, true.shift)) < 0.1
    assert math.hypot(*found.others[0]) == pytest.approx(SPACING, abs=0.1)
    assert "periodic" in found.notes[0]
    assert "not determined" in found.notes[0]


def test_a_piece_as_small_as_a_column_has_many_places(model):
    experimental = seen(model, Placement(), (150, 160), noise=5)
    found = run(register(seen(model, Placement(shift=(-3.9, -3.9)), (14, 14)), experimental, (0.2, 0.2), (0.2, 0.2)))
    assert found.others
    assert "periodic" in found.notes[0]


def test_one_vacancy_tells_the_cells_apart():
    cells = np.stack(np.meshgrid(np.arange(-3, 14), np.arange(-3, 14), indexing="ij"), -1).reshape(-1, 2) * SPACING
    heights = np.full(len(cells), 100.0)
    heights[8 * 17 + 7] = 0
    true = Placement(shift=(SPACING * 2 + 0.3, 0.1))
    found = run(
        register(
            seen((cells, heights), Placement(), (160, 160)),
            seen((cells, heights), true, (150, 160), noise=60),
            (0.2, 0.2),
            (0.2, 0.2),
        )
    )
    assert found.placement.shift == pytest.approx(true.shift, abs=0.1)


def test_limits_and_strangers_are_told(model, rng):
    true = Placement(rotation=math.radians(1.5), magnification=1.02)
    limits = Limits(rotation=math.radians(1), scale=0.01)
    found = run(register(seen(model, Placement(), (180, 180)), seen(model, true, (150, 160)), (0.2, 0.2), (0.2, 0.2), limits))
    assert any("rotation stands at its limit of 1 degrees" in note for note in found.notes)
    assert any("magnification stands at its limit" in note for note in found.notes)
    found = run(register(seen(model, Placement(), (90, 80)), rng.normal(size=(80, 90)), (0.2, 0.2), (0.2, 0.2)))
    assert any("hardly resemble" in note for note in found.notes)


def test_large_images_are_searched_coarsely_and_refined_finely(model):
    true = Placement(shift=(0.33, 1.02), rotation=math.radians(0.7))
    found = run(
        register(seen(model, Placement(), (180, 180)), seen(model, true, (900, 500), 0.033, 10), (0.2, 0.2), (0.033, 0.033))
    )
    assert far(found.placement, true, (900, 500), 0.033) < 0.1


@pytest.mark.parametrize(
    ("simulated", "pixel", "words"),
    [
        (np.ones((50, 50)), 0.2, "simulated image is 1 everywhere"),
        (np.full((50, 50), np.nan), 0.2, "0 valid pixels"),
        (np.eye(5), 0.2, "5 x 5 px"),
        (np.eye(50), 5.0, "a factor of 25"),
    ],
)
def test_refusals(simulated, pixel, words, model):
    with pytest.raises(AtomsegError, match=words):
        run(register(simulated, seen(model, Placement(), (80, 80)), (pixel, pixel), (0.2, 0.2)))


@pytest.mark.parametrize("degrees", [-80.0, -33.0, 4.5, 61.0])
def test_any_turn_of_a_crystal_is_found_from_its_spectra(degrees):
    turn = math.radians(degrees)
    cells = np.stack(np.meshgrid(np.arange(-20, 30), np.arange(-20, 30), indexing="ij"), -1).reshape(-1, 2)
    # An oblong cell: only half a turn looks the same.
    places = cells * np.array([3.1, 4.7])
    model = (places, np.full(len(places), 100.0))
    middle = np.array([15.0, 15.0])
    about = middle - np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) @ middle
    turned = seen(model, Placement(rotation=turn, shift=tuple(about)), (150, 160), noise=20)
    found = rotation_between(seen(model, Placement(), (150, 160)), turned, (0.2, 0.2), (0.2, 0.2))
    assert math.degrees(found) == pytest.approx(degrees, abs=0.5)


def test_of_turns_that_look_alike_the_smallest_is_found():
    cells = np.stack(np.meshgrid(np.arange(-20, 30), np.arange(-20, 30), indexing="ij"), -1).reshape(-1, 2) * SPACING
    square = (cells, np.full(len(cells), 100.0))
    turned = seen(square, Placement(rotation=math.radians(3)), (150, 160), noise=20)
    found = rotation_between(seen(square, Placement(), (150, 160)), turned, (0.2, 0.2), (0.2, 0.2))
    assert math.degrees(found) == pytest.approx(3, abs=0.5)


def test_a_bent_scan_of_a_perfect_crystal_is_not_laid_onto_a_small_corner_that_fits():
    cells = np.stack(np.meshgrid(np.arange(-3, 20), np.arange(-3, 20), indexing="ij"), -1).reshape(-1, 2) * SPACING
    bent = cells + np.stack([0.5 * np.sin(cells[:, 1] / 7), 0.012 * cells[:, 1] + 0.3 * np.sin(cells[:, 0] / 9)], 1)
    heights = np.full(len(cells), 100.0)
    found = run(
        register(
            seen((cells, heights), Placement(), (200, 200)),
            seen((bent, heights), Placement(shift=(0.5, -0.8)), (200, 200), noise=20),
            (0.2, 0.2),
            (0.2, 0.2),
        )
    )
    assert np.abs(found.placement.shift).max() < SPACING
    assert "not determined" in found.notes[0]
