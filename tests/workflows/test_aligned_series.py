"""Series become one image, headless, and say what they cannot tell."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_atomseg.cli.app import app
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.workflows import AlignParams, align, locate, read
from napari_atomseg.writers.image import write_image

sys.path.append(str(Path(__file__).parents[1] / "registration"))
from series_scenes import lattice, series, turned_scan


@pytest.fixture(scope="module")
def recorded():
    """A series of 12 frames, and its shifts."""
    frames, shifts, _ = series(np.random.default_rng(11), "defect", 12)
    return Micrograph(data=frames, pixel_size=(0.2, 0.2), name="series", frame_time_s=0.5, dose=100.0), shifts


def test_the_average_has_the_noise_of_that_many_frames_and_keeps_the_signal(recorded):
    micrograph, shifts = recorded
    found = align(micrograph, params=AlignParams(crop=True))
    noise = found.numbers["noise"]
    assert noise["average"] < 1.1 * noise["one_frame"] / np.sqrt(12)
    assert np.abs(np.array(found.numbers["shifts_px"]) - shifts).max() < 0.2
    assert np.isfinite(found.average.data).all()
    assert found.average.pixel_size == micrograph.pixel_size
    assert found.average.dose == 1200.0
    assert found.frames().shape == (12, *found.average.shape)


def test_a_wave_at_half_nyquist_outlives_the_averaging():
    # Without noise; the waves run along both axes, and a landmark tells their periods.
    side, rng = 128, np.random.default_rng(3)
    shifts = np.concatenate([[[0, 0]], np.cumsum(rng.uniform(-0.7, 0.7, (15, 2)), axis=0)])
    y, x = np.indices((side, side)).astype(float)
    frames = []
    for shift in shifts:
        v, u = y - shift[0], x - shift[1]
        spot = 40 * np.exp(-((v - 60) ** 2 + (u - 70) ** 2) / 60)
        frames.append(100 + 10 * np.cos(np.pi / 2 * v) + 10 * np.cos(np.pi / 2 * u) + spot)
    found = align(Micrograph(data=np.array(frames, np.float32), pixel_size=None), params=AlignParams(crop=True))
    assert np.abs(np.array(found.numbers["shifts_px"]) - shifts).max() < 0.05
    image = np.asarray(found.average.data)
    for axis in (0, 1):
        line = image.mean(axis=1 - axis)
        wave = np.exp(-1j * np.pi / 2 * np.arange(len(line)))
        window = np.hanning(len(line))
        kept = 2 * abs((line * window * wave).sum()) / window.sum()
        assert kept > 0.95 * 10


def test_columns_of_the_average_lie_where_those_of_the_first_frame_do(recorded):
    micrograph, _ = recorded
    average = align(micrograph, params=AlignParams(average="median")).average
    one = locate(Micrograph(data=micrograph.frame(0), pixel_size=(0.2, 0.2)), model="classical")
    many = locate(average, model="classical")
    assert len(many) >= len(one) - 3


def test_scans_in_several_directions_have_their_angles_right(tmp_path):
    rng, side = np.random.default_rng(4), 160
    places, heights = lattice(rng, side, second=21.0, angle=np.radians(86))
    drift = (np.arange(side)[:, None] - side / 2) * np.array([0.02, -0.015])
    paths = []
    for rotation in (0, 90):
        scan = turned_scan(rng, places, heights, side, rotation, drift)
        paths.append(tmp_path / f"scan_{rotation}.tif")
        write_image(Micrograph(data=scan, pixel_size=(0.2, 0.2)), paths[-1])
    out = tmp_path / "straight.tif"
    result = CliRunner().invoke(app, ["align", *map(str, paths), "--rotations", "0,90", "-o", str(out), "-q"])
    assert result.exit_code == 0, result.output
    numbers = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
    found = np.array(numbers["row_shifts_px"])
    wrong = found - drift
    wrong -= wrong.mean(axis=1, keepdims=True)
    assert np.sqrt(np.mean(wrong**2)) < 0.3
    assert read(out)[0].pixel_size == pytest.approx((0.2, 0.2))


def test_command_line_writes_average_numbers_and_frames(recorded, tmp_path):
    micrograph, shifts = recorded
    path, out, frames = tmp_path / "series.tif", tmp_path / "average.tif", tmp_path / "frames.tif"
    write_image(micrograph, path)
    call = ["align", str(path), "--mode", "rows", "--frames", str(frames), "-o", str(out), "-q"]
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 0, result.output
    numbers = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
    assert {"shifts_px", "shifts_std_px", "row_shifts_px", "mode", "verdict", "dropped_frames"} <= set(numbers)
    assert np.abs(np.array(numbers["shifts_px"]) - shifts).max() < 0.3
    assert np.array(numbers["row_shifts_px"]).shape == (12, 128, 2)
    assert read(frames)[0].shape == (12, *read(out)[0].shape)
    again = CliRunner().invoke(app, call)
    assert again.exit_code == 1
    assert "--force" in again.output


def test_what_cannot_be_aligned_is_refused(recorded):
    micrograph, _ = recorded
    with pytest.raises(AtomsegError, match="a single frame"):
        align(Micrograph(data=micrograph.frame(0)))
    with pytest.raises(AtomsegError, match="one direction"):
        align([Micrograph(data=micrograph.frame(k)) for k in (0, 1)], rotations=(0, 180))
    with pytest.raises(AtomsegError, match="one rotation for each"):
        align([Micrograph(data=micrograph.frame(0))], rotations=(0, 90))
    with pytest.raises(AtomsegError, match="no effect"):
        align([Micrograph(data=micrograph.frame(k)) for k in (0, 1)], rotations=(0, 90), params=AlignParams(mode="rows"))
    with pytest.raises(AtomsegError, match="one shape"):
        align([Micrograph(data=micrograph.frame(0)), Micrograph(data=micrograph.frame(0)[:50])])
