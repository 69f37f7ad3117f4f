"""Cross-sections, counts, outliers and existence through the door of the library and that of the command line."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from napari_atomseg.analysis.intensities.source import OF_BEAM, OF_COUNTS
from napari_atomseg.cli.app import main
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError, MissingCalibrationError
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.workflows import IntensityParams, measure
from napari_atomseg.writers.columns_csv import write_columns
from napari_atomseg.writers.image import write_image

PX, SIGMA, SPACING, HEIGHT = 0.2, 2.5, 11.0, 0.2


def grid(side):
    return 10 + SPACING * np.stack(np.mgrid[:side, :side], axis=-1).reshape(-1, 2)


def drawn(places, heights, side, background=0.3):
    y, x = np.mgrid[: int(20 + SPACING * (side - 1)), : int(20 + SPACING * (side - 1))]
    total = np.full(y.shape, background)
    for (py, px), height in zip(places, heights, strict=True):
        total += height * np.exp(-((y - py) ** 2 + (x - px) ** 2) / (2 * SIGMA**2))
    return total


def pictured(atoms, side=14, dose=4000, seed=0, **more):
    clean = drawn(grid(side), HEIGHT * atoms, side)
    return Micrograph(
        data=(np.random.default_rng(seed).poisson(dose * clean) / dose).astype(np.float32),
        pixel_size=(PX, PX),
        pixel_size_source="typed",
        name="wedge",
        **more,
    )


def table(places):
    return Columns(positions=places, pixel_size=(PX, PX)).with_features(
        sigma_px=SIGMA, fit="ok", y_std_px=0.05, x_std_px=0.05, intensity=1.0
    )


@pytest.fixture
def atoms():
    return np.random.default_rng(4).integers(1, 8, 14 * 14)


def test_columns_get_cross_sections_and_counts(atoms):
    found = measure(pictured(atoms), table(grid(14)), what=("counts",))
    features = found.columns.features
    assert np.mean(features["atom_count"] == atoms) > 0.98
    assert features["atom_count_probability"].mean() > 0.98
    assert found.numbers["cross_sections"]["unit"] == OF_COUNTS
    assert found.numbers["counts"]["components"] == 7
    step = HEIGHT * 2 * np.pi * SIGMA**2 * PX**2
    assert found.numbers["counts"]["step"] == pytest.approx(step, rel=0.02)
    assert len(found.numbers["counts"]["criteria"]["icl"]) == 24
    assert "196 columns" in found.summary


def test_simulated_images_are_on_the_scale_of_the_beam(atoms):
    image = pictured(atoms, metadata={"simulation": {"params": {}}})
    assert measure(image, table(grid(14)), what=("cross-section",)).numbers["cross_sections"]["unit"] == OF_BEAM


def test_frames_are_counted_together():
    rng = np.random.default_rng(5)
    atoms = rng.integers(1, 7, 100)
    frames = [pictured(atoms, side=10, dose=300, seed=seed).data for seed in range(4)]
    stack = Micrograph(data=np.stack(frames), pixel_size=(PX, PX), name="series")
    one = table(grid(10))
    columns = Columns(
        positions=np.tile(one.positions, (4, 1)),
        frame=np.repeat(np.arange(4), 100),
        features=pd.concat([one.features] * 4, ignore_index=True),
        pixel_size=(PX, PX),
    )
    found = measure(stack, columns, what=("counts",), intensities=IntensityParams(background="shared"))
    count = found.columns.features["atom_count"].to_numpy().reshape(4, 100)
    assert np.mean(count == atoms) > 0.97
    assert "change_from_frame_to_frame" in found.numbers["frames"][0]["counts"]


def test_empty_sites_are_told_from_faint_columns():
    rng = np.random.default_rng(6)
    beliefs, truths = [], []
    for trial in range(8):
        # The rim is whole: beyond it no site is known, and a column that no site stands for would be taken for background.
        rim = (grid(14) < 12).any(axis=1) | (grid(14) > 150).any(axis=1)
        full = rim | (rng.random(14 * 14) < 0.7)
        image = pictured(np.where(full, 1.0, 0.0), dose=5, seed=trial)
        # A finder overlooks some columns, and takes some noise for columns.
        seen = rim | np.where(full, rng.random(196) < 0.85, rng.random(196) < 0.1)
        found = measure(image, table(grid(14)[seen]), what=("existence",), intensities=IntensityParams(background="shared"))
        sites = found.tables["sites"]
        row = np.rint((sites[["y_px", "x_px"]].to_numpy() - 10) / SPACING).astype(int) @ [14, 1]
        beliefs.append(sites["existence_probability"].to_numpy())
        truths.append(full[row])
        assert found.columns.features["existence_probability"].notna().all()
    belief, truth = np.concatenate(beliefs), np.concatenate(truths)
    assert ((belief > 0.05) & (belief < 0.95)).mean() > 0.1
    assert belief.mean() == pytest.approx(truth.mean(), abs=0.03)
    assert np.mean((belief - truth) ** 2) == pytest.approx(np.mean(belief * (1 - belief)), abs=0.02)
    for low, high in ((0, 0.1), (0.1, 0.5), (0.5, 0.9), (0.9, 1.01)):
        mine = (belief >= low) & (belief < high)
        error = np.sqrt(0.25 / mine.sum())
        assert truth[mine].mean() == pytest.approx(belief[mine].mean(), abs=0.05 + error)


def test_an_odd_column_is_called():
    atoms = np.full(196, 4.0)
    atoms[[30, 100]] = 2.5
    found = measure(pictured(atoms), table(grid(14)), what=("outliers",))
    assert np.flatnonzero(found.columns.features["outlier_q"] < 0.05).tolist() == [30, 100]
    assert found.numbers["outliers"]["dark"] == 2


def test_a_detector_puts_counts_on_the_scale_of_the_beam(atoms, tmp_path):
    y, x = np.mgrid[:64, :64]
    ring = np.where(np.abs(np.hypot(y - 32, x - 32) - 18) < 10, 2100.0, 100.0).astype(np.float32)
    np.save(tmp_path / "detector.npy", ring)
    image = pictured(atoms)
    scaled = Micrograph(data=100 + 2000 * image.data, pixel_size=(PX, PX), name="counts")
    params = IntensityParams(detector=str(tmp_path / "detector.npy"))
    found = measure(scaled, table(grid(14)), what=("cross-section",), intensities=params)
    plain = measure(image, table(grid(14)), what=("cross-section",))
    assert found.numbers["cross_sections"]["unit"] == OF_BEAM
    assert found.columns.features["cross_section"].to_numpy() == pytest.approx(
        plain.columns.features["cross_section"].to_numpy(), rel=1e-3
    )


def test_what_cannot_be_measured_is_told(atoms, tmp_path):
    image, columns = pictured(atoms), table(grid(14))
    (tmp_path / "library.txt").write_text("0.02\n0.05\n")
    with pytest.raises(AtomsegError, match="image of the detector"):
        measure(image, columns, what=("counts",), intensities=IntensityParams(library=str(tmp_path / "library.txt")))
    with pytest.raises(MissingCalibrationError, match="pixel size"):
        measure(Micrograph(data=image.data), Columns(positions=grid(14)), what=("counts",))
    for params, match in (
        (IntensityParams(steps="free"), "it is for counts"),
        (IntensityParams(false_share=0.1), "it is for outliers"),
        (IntensityParams(element="Pt"), "without the distance of atoms"),
    ):
        with pytest.raises(AtomsegError, match=match):
            measure(image, columns, what=("cross-section",), intensities=params)
    with pytest.raises(AtomsegError, match="has no effect on rings"):
        measure(image, columns, what=("rings",), intensities=IntensityParams(background="local"))
    with pytest.raises(AtomsegError, match="radius has no effect"):
        IntensityParams(radius=2.0)


def test_the_command_line_writes_counts_sites_and_a_model(atoms, tmp_path):
    write_image(pictured(atoms), tmp_path / "image.tif")
    write_columns(table(grid(14)), tmp_path / "columns.csv")
    out = tmp_path / "measured.csv"
    asked = ["--what", "cross-section,counts,outliers,existence", "--atom-distance", "2.77A", "--element", "Pt", "--quiet"]
    command = ["measure", str(tmp_path / "columns.csv"), str(tmp_path / "image.tif"), "-o", str(out), *asked]
    with pytest.raises(SystemExit) as left:
        main(command)
    assert not left.value.code
    written = pd.read_csv(out)
    assert {"cross_section", "cross_section_std", "atom_count", "outlier_q", "existence_probability"} <= set(written)
    assert (pd.read_csv(tmp_path / "measured_sites.csv")["existence_probability"] > 0.99).all()
    model = (tmp_path / "measured_atoms.xyz").read_text().splitlines()
    assert int(model[0]) == written["atom_count"].sum() == len(model) - 2
    said = json.loads((tmp_path / "measured.json").read_text(encoding="utf-8"))
    assert said["measured"]["counts"]["criterion"] == "icl"


def test_columns_that_failed_twice_or_lie_outside_do_no_harm(atoms):
    places = grid(14)
    places[3], places[5] = (-50, -50), places[4]
    fit = np.where(np.arange(196) % 9 == 0, "failed", "ok")
    columns = table(places).with_features(fit=fit)
    found = measure(pictured(atoms), columns, what=("counts",)).columns.features
    known = (fit == "ok") & ~np.isin(np.arange(196), (3, 5))
    assert found["atom_count"].notna().to_numpy().tolist() == known.tolist()
    assert np.mean(found["atom_count"][known] == atoms[known]) > 0.98


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_empty_images_and_tables_are_refused(level):
    image = Micrograph(data=np.full((160, 160), level, np.float32), pixel_size=(PX, PX))
    with pytest.raises(AtomsegError, match="the image is empty"):
        measure(image, table(grid(14)), what=("cross-section",))
    with pytest.raises(AtomsegError, match="no columns to measure"):
        measure(image, table(np.zeros((0, 2))), what=("cross-section",))
