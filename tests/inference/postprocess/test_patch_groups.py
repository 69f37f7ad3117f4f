import numpy as np
import pytest
import torch
from spots import draw, square_lattice

from napari_atomseg.core.jobs import run
from napari_atomseg.inference.postprocess import patch_groups
from napari_atomseg.inference.postprocess.patch_groups import average, correct

SHAPE = (150, 160)
SPACING_PX = 14.0
NOISE = 0.3
WIDTH_PX = 2.2


def corrected(denoised, image):
    return run(correct(denoised, image))


def averaged(look, maps):
    return run(average(look, maps))


def drawn(positions, width=WIDTH_PX, shape=SHAPE, height=1.0, level=0.2):
    return torch.from_numpy(draw(positions, width, shape, height=height, level=level).astype(np.float32))


def noise(rng, level=NOISE, shape=SHAPE):
    return torch.from_numpy(rng.normal(0, level, shape).astype(np.float32))


def rms(values):
    return float(values.square().mean().sqrt())


@pytest.fixture(scope="module")
def crystal():
    return square_lattice(SHAPE, SPACING_PX)


def test_what_is_drawn_wrongly_at_every_column_is_put_back(crystal, rng):
    clean = drawn(crystal)
    wrong = drawn(crystal, width=1.25 * WIDTH_PX, height=0.8)
    result = corrected(wrong, clean + noise(rng))
    assert rms(result - clean) < 0.35 * rms(wrong - clean)


def test_of_two_kinds_of_columns_each_gets_its_own(crystal, rng):
    faint = crystal + SPACING_PX / 2 * np.array([0.9, 1.09])
    both = np.concatenate([crystal, faint])
    true, said = (np.repeat([1.0, low], [len(crystal), len(faint)]) for low in (0.4, 0.25))
    clean, wrong = drawn(both, height=true), drawn(both, height=said)
    result = corrected(wrong, clean + noise(rng, 0.2))
    assert rms(result - clean) < 0.5 * rms(wrong - clean)


@pytest.mark.parametrize("level", [0.05, 0.3, 2.0])
def test_noise_about_a_perfect_image_is_not_put_into_it(crystal, rng, level):
    clean = drawn(crystal)
    assert rms(corrected(clean, clean + noise(rng, level)) - clean) < 0.06 * level


def test_counts_about_a_perfect_image_are_not_put_into_it(crystal, rng):
    clean = drawn(crystal, height=3.0, level=0.5)
    counted = torch.from_numpy(rng.poisson(clean.numpy()).astype(np.float32))
    assert rms(corrected(clean, counted) - clean) < 0.06 * rms(counted - clean)


def test_without_noise_the_image_itself_is_right(crystal):
    clean = drawn(crystal)
    assert rms(corrected(clean, clean) - clean) < 1e-5
    wrong = drawn(crystal, height=0.8)
    assert rms(corrected(wrong, clean) - clean) < 0.1 * rms(wrong - clean)


@pytest.mark.parametrize(("gain", "offset"), [(100.0, 0.0), (0.1, 0.0), (1.0, 5.0), (50.0, -20.0)])
def test_gain_and_offset_go_straight_through(crystal, rng, gain, offset):
    wrong, image = drawn(crystal, height=0.8), drawn(crystal) + noise(rng)
    plain = corrected(wrong, image)
    other = (corrected(gain * wrong + offset, gain * image + offset) - offset) / gain
    assert rms(other - plain) < 0.02 * rms(plain - wrong)


def test_tiles_are_each_corrected_to_the_end(crystal, rng, monkeypatch):
    monkeypatch.setattr(patch_groups, "TILE", 70)
    clean, wrong = drawn(crystal), drawn(crystal, height=0.75)
    result = corrected(wrong, clean + noise(rng, 0.2))
    for rows in (slice(0, 70), slice(70, 140)):
        for columns in (slice(0, 70), slice(70, 140)):
            place = (rows, columns)
            assert rms((result - clean)[place]) < 0.7 * rms((wrong - clean)[place])


def test_the_strip_beyond_the_last_whole_tile_is_corrected_too(crystal, rng, monkeypatch):
    monkeypatch.setattr(patch_groups, "TILE", 72)
    clean, wrong = drawn(crystal), drawn(crystal, height=0.75)
    strip = (slice(144, None), slice(20, 140))
    result = corrected(wrong, clean + noise(rng, 0.2))
    assert rms((result - clean)[strip]) < 0.7 * rms((wrong - clean)[strip])


@pytest.mark.parametrize("shape", [(1, 1), (5, 60), (8, 8), (11, 90), (12, 12), (13, 25), (40, 9)])
def test_images_of_a_few_pixels_stay_finite_and_nearly_what_they_were(rng, shape):
    clean = drawn(square_lattice(shape, SPACING_PX), shape=shape)
    result = corrected(clean, clean + noise(rng, shape=shape))
    assert torch.isfinite(result).all()
    assert rms(result - clean) < 0.3 * NOISE
    if min(shape) < min(patch_groups.SIDES):
        assert torch.equal(result, clean)


@pytest.mark.parametrize("level", [0.0, 3.0])
def test_flat_images_stay_finite(level, rng):
    flat = torch.full((40, 50), level)
    torch.testing.assert_close(corrected(flat, flat), flat)
    assert rms(corrected(flat, flat + noise(rng, shape=(40, 50))) - flat) < 0.25 * NOISE
    assert averaged(flat, flat[None])[0] == pytest.approx(flat, abs=1e-5)


def test_chance_in_places_that_look_alike_averages_out(crystal, rng):
    clean = drawn(crystal)
    # The errors of a network are as wide as columns.
    wide = patch_groups._blurred(noise(rng, 1.0), 1.5)
    off = clean + 0.08 * wide / wide.std()
    assert rms(averaged(off, off[None])[0] - clean) < 0.5 * rms(off - clean)


@pytest.mark.parametrize("kind", ["vacancy", "adatom", "shift"])
def test_a_place_that_differs_keeps_what_stands_there(crystal, rng, kind):
    middle = np.argmin(np.hypot(*(crystal - np.array(SHAPE) / 2).T))
    place = crystal[middle]
    columns = np.delete(crystal, middle, axis=0)
    if kind == "adatom":
        place = place + SPACING_PX / 2 * np.array([0.9, 1.09])
        columns = np.concatenate([crystal, [place]])
    if kind == "shift":
        columns = np.concatenate([columns, [place + np.array([0.0, 3.0])]])
    clean = drawn(columns)
    wide = patch_groups._blurred(noise(rng, 1.0), 1.5)
    off = clean + 0.03 * wide / wide.std()
    y, x = np.rint(place).astype(int)
    near = (slice(y - 2, y + 3), slice(x - 2, x + 3))
    result = averaged(off, off[None])[0]
    assert float((result - clean)[near].abs().max()) < 0.2
    perfect = drawn(crystal)
    assert rms((perfect - clean)[near]) > 5 * rms((result - clean)[near])


def test_each_map_is_averaged_by_itself_over_what_the_look_says(crystal, rng):
    look = drawn(crystal)
    maps = torch.stack([look, 5 * drawn(crystal, width=1.0, level=0.0)]) + 0.1 * torch.stack([noise(rng, 1.0), noise(rng, 5.0)])
    both = averaged(look, maps)
    assert both.shape == maps.shape
    assert both[1] == pytest.approx(averaged(look, maps[1:])[0], abs=1e-6)
    assert rms(both[0] - look) < 0.07


@pytest.mark.parametrize("shape", [(10, 10), (23, 200), (24, 24), (30, 24)])
def test_an_image_smaller_than_a_few_patches_comes_back_as_it_was(rng, shape):
    given = noise(rng, shape=shape)
    assert torch.equal(averaged(given, given[None])[0], given)


def test_the_given_images_are_not_changed(crystal, rng):
    clean, image = drawn(crystal), drawn(crystal) + noise(rng)
    kept = clean.clone(), image.clone()
    corrected(clean, image)
    averaged(clean, image[None])
    assert torch.equal(clean, kept[0])
    assert torch.equal(image, kept[1])
