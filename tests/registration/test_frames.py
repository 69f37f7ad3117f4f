"""Frames of drawn series come to lie on each other, and what the data does not tell is said."""

import numpy as np
import pytest
from series_scenes import SPACING, series

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import run
from napari_atomseg.registration.frame_rows import register_rows
from napari_atomseg.registration.frame_warps import register_warps
from napari_atomseg.registration.frames import register_frames


def registered(frames, **more):
    return run(register_frames(lambda k: frames[k], len(frames), frames.shape[1:], **more))


@pytest.mark.parametrize("kind", ["defect", "corner"])
def test_shifts_of_a_drifting_lattice_with_a_landmark(kind):
    errors, ratios = [], []
    for seed in range(4):
        frames, shifts, _ = series(np.random.default_rng(seed), kind, 12)
        found = registered(frames)
        assert np.abs(found.shifts - shifts).max() < SPACING / 3, "hopped by a period"
        assert found.verdict == ""
        assert found.dropped == ()
        # The first frame's error is in all others.
        wrong = found.shifts - shifts
        wrong -= wrong.mean(axis=0)
        errors.append(wrong)
        ratios.append(wrong / found.stds)
    assert np.sqrt(np.mean(np.square(errors))) < 0.05
    assert 0.7 < np.sqrt(np.mean(np.square(ratios))) < 1.4


def test_steps_longer_than_half_a_period_are_told_by_a_landmark():
    frames, shifts, _ = series(np.random.default_rng(7), "defect", 10, longest=1.2)
    found = registered(frames)
    assert np.abs(found.shifts - shifts).max() < 0.2
    assert "longer than half a period" in found.verdict


def test_a_perfect_lattice_is_said_to_be_one():
    frames, shifts, _ = series(np.random.default_rng(3), "perfect", 12)
    found = registered(frames)
    assert np.abs(found.shifts - shifts).max() < 0.2
    assert "without a landmark" in found.verdict


def test_a_straight_edge_does_not_tell_the_shift_along_it():
    rng = np.random.default_rng(4)
    edge = 100.0 / (1 + np.exp((np.arange(96) - 48)[:, None] / 2)) + np.zeros(96) + 5
    found = registered(rng.poisson(np.repeat(edge[None], 6, axis=0)).astype(np.float32))
    assert "along x" in found.verdict
    assert np.median(found.stds[:, 0]) < 0.2


def test_frames_of_nothing_of_something_else_and_without_numbers_are_left_out():
    rng = np.random.default_rng(5)
    frames, shifts, _ = series(rng, "defect", 12)
    frames[3] = rng.poisson(4, frames[3].shape)
    frames[6] = np.nan
    frames[8] = 7.0
    frames[10] = series(np.random.default_rng(99), "corner", 2)[0][1][::-1]
    found = registered(frames)
    assert set(found.dropped) == {3, 6, 8, 10}
    good = [k for k in range(12) if k not in found.dropped]
    assert np.abs(found.shifts[good] - shifts[good]).max() < 0.2
    assert np.isnan(found.shifts[list(found.dropped)]).all()


def test_fading_is_not_drift():
    frames, shifts, _ = series(np.random.default_rng(6), "corner", 10, peak=400.0)
    fading = np.linspace(1, 0.4, 10)
    found = registered(frames * fading[:, None, None].astype(np.float32))
    assert np.abs(found.shifts - shifts).max() < 0.1
    assert np.corrcoef(found.brightness, fading)[0, 1] > 0.99


def test_two_frames_alike_lie_on_each_other():
    frames, _, _ = series(np.random.default_rng(8), "defect", 2)
    found = registered(frames[[0, 0]])
    np.testing.assert_allclose(found.shifts, 0, atol=1e-6)


def test_nothing_at_all_is_refused():
    with pytest.raises(AtomsegError, match="fewer than two frames show anything"):
        registered(np.zeros((4, 64, 64), np.float32))


def test_rows_are_put_back():
    frames, shifts, rows = series(np.random.default_rng(9), "defect", 12, jitter=1.25)
    whole = registered(frames)
    found = run(register_rows(lambda k: frames[k], whole.shifts, frames.shape[1:]))
    wrong = found.shifts[..., 1] - shifts[:, None, 1] - rows
    wrong -= wrong.mean()
    assert wrong[:, 12:-12].std() < rows.std() / 3
    assert found.jitter[1] == pytest.approx(1.25, rel=0.15)


def test_smooth_distortions_are_taken_off():
    from scipy import ndimage

    rng = np.random.default_rng(10)
    clean, shifts, _ = series(rng, "defect", 8, side=160, peak=1e5, longest=0.2)
    bends, frames = [], []
    grid = np.indices(clean.shape[1:]).astype(float)
    for frame in clean:
        bend = np.array([ndimage.zoom(rng.normal(0, 1.5, (4, 4)), 40, order=3) for _ in range(2)])
        bends.append(bend)
        frames.append(rng.poisson(np.maximum(ndimage.map_coordinates(frame / 2e3, grid - bend, order=3, mode="mirror"), 0)))
    frames = np.array(frames, np.float32)
    whole = registered(frames)
    found = run(register_warps(lambda k: frames[k], whole.shifts, frames.shape[1:]))
    places = np.stack(np.meshgrid(*(np.linspace(0, 159, n) for n in found.nodes.shape[1:3]), indexing="ij"))
    true = np.array([[ndimage.map_coordinates(part, places, order=1) for part in bend] for bend in bends])
    true = np.moveaxis(true, 1, -1) + shifts[:, None, None]
    wrong = whole.shifts[:, None, None] + found.nodes - true
    before = whole.shifts[:, None, None] - true
    wrong, before = (one - one.mean(axis=0) for one in (wrong, before))
    assert wrong[:, 1:-1, 1:-1].std() < before[:, 1:-1, 1:-1].std() / 3


def test_frames_that_change_are_said_to_have_little_in_common():
    from scipy import ndimage

    rng = np.random.default_rng(12)
    frames = [ndimage.gaussian_filter(rng.normal(size=(96, 96)), 3) for _ in range(8)]
    # Each frame has a third of the one before.
    for k in range(1, 8):
        frames[k] = 0.35 * frames[k - 1] + frames[k]
    assert "little in common" in registered(np.array(frames, np.float32)).verdict
