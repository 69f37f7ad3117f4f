"""Rings and bonds through the door of the library and that of the command line."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from spots import draw

from napari_atomseg.cli.app import main
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError, MissingCalibrationError
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.specimens.defected_graphene import DefectedGrapheneParams, defected_graphene
from napari_atomseg.specimens.library import crystal
from napari_atomseg.workflows import MeasureParams, measure, refine
from napari_atomseg.writers.columns_csv import write_columns
from napari_atomseg.writers.image import write_image

SIZE, SHAPE = 0.15, (240, 260)


@pytest.fixture
def image():
    return Micrograph(data=np.zeros(SHAPE, np.float32), pixel_size=(SIZE, SIZE), pixel_size_source="typed", name="sheet")


@pytest.fixture
def columns():
    field = (SHAPE[0] * SIZE, SHAPE[1] * SIZE)
    atoms = defected_graphene(field, DefectedGrapheneParams(vacancies=1), np.random.default_rng(6)).positions / SIZE
    atoms = atoms[np.all((atoms > 0) & (atoms < SHAPE), axis=1)]
    told = pd.DataFrame({"y_std_px": 0.2, "x_std_px": 0.2}, index=range(len(atoms)))
    return Columns(positions=atoms, features=told, pixel_size=(SIZE, SIZE), image_shape=SHAPE)


def test_rings_and_bonds_have_tables_and_numbers(image, columns):
    found = measure(image, columns)
    rings, bonds = found.tables["rings"], found.tables["bonds"]
    assert found.numbers["missing_atoms"] == 1
    assert sorted(rings["size"].unique()) == [6, 12]
    corners = [int(one) for one in rings.loc[rings["size"] == 12, "atoms"].item().split()]
    assert len(corners) == 12
    place = columns.positions[corners].mean(axis=0)
    assert rings.loc[rings["size"] == 12, ["y_px", "x_px"]].to_numpy()[0] == pytest.approx(place)
    assert bonds["length_angstrom"].mean() == pytest.approx(1.42, abs=0.01)
    assert bonds["length_angstrom_std"].to_numpy() == pytest.approx(np.sqrt(2) * 0.2 * SIZE)
    assert set(found.columns.features["neighbours"]) <= {0, 1, 2, 3}


def test_frames_are_measured_each_by_itself(image, columns):
    stack = columns.joined(Columns(positions=columns.positions, frame=np.ones(len(columns), int)))
    found = measure(image, stack)
    assert [one["missing_atoms"] for one in found.numbers["frames"]] == [1, 1]
    assert found.tables["rings"]["frame"].tolist() == sorted(found.tables["rings"]["frame"])


def test_what_cannot_be_measured_is_told(image, columns):
    with pytest.raises(AtomsegError, match="beauty"):
        measure(image, columns, what=("beauty",))
    bare = Micrograph(data=image.data)
    with pytest.raises(MissingCalibrationError, match="pixel size"):
        measure(bare, Columns(positions=columns.positions))


def test_the_command_line_writes_all_of_it(image, columns, tmp_path, capsys):
    write_image(image, tmp_path / "sheet.tif")
    write_columns(columns, tmp_path / "atoms.csv")
    words = ["measure", tmp_path / "atoms.csv", tmp_path / "sheet.tif", "--what", "rings", "-o", tmp_path / "out.csv"]

    def call(*more):
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in (*words, *more)])
        return end.value.code

    assert call() == 0
    assert "1 atoms missing" in capsys.readouterr().out
    rings = pd.read_csv(tmp_path / "out_rings.csv")
    assert list(rings.columns[:5]) == ["ring", "size", "y_px", "x_px", "atoms"]
    assert (tmp_path / "out_bonds.csv").is_file()
    assert "neighbours" in pd.read_csv(tmp_path / "out.csv")
    assert json.loads((tmp_path / "out.json").read_text())["measured"]["rings_of_6"] > 100
    assert call() == 1
    assert call("--force") == 0
    assert call("--what", "beauty") == 2


@pytest.fixture(scope="module")
def perovskite():
    """Image of 24 x 24 cells at 400 counts a column, its columns, the imposed strain along x, and the shift of sublattice 1."""
    a, px, n, sigma = 3.905, 0.15, 24, 0.4
    cells = a * np.stack(np.mgrid[:n, :n], -1).reshape(-1, 2)
    ideal = np.concatenate([cells, cells + a / 2])
    kind = np.repeat([0, 1], len(cells))
    wave = 2 * np.pi / (n * a)
    polar = np.where(ideal[:, 1] < n * a / 2, 0.15, -0.15) * (kind == 1)
    places = ideal + 8
    places[:, 1] += 0.01 / wave * np.sin(wave * ideal[:, 1]) + polar
    side = int((n * a + 16) / px)
    clean = draw(places / px, sigma / px, (side, side), height=400 * px**2 / (2 * np.pi * sigma**2), level=0.05)
    data = np.random.default_rng(0).poisson(clean).astype(np.float32)
    image = Micrograph(data=data, pixel_size=(px, px), pixel_size_source="typed", name="perovskite")
    columns = refine(image, Columns(positions=places / px, pixel_size=(px, px), image_shape=(side, side)))
    columns = columns.with_features(intensity=np.where(kind == 0, 1.0, 0.6))
    return image, columns, 0.01 * np.cos(wave * ideal[:, 1]), polar, kind


def test_strain_and_polarisation_of_a_drawn_perovskite_come_back_and_a_wall_stays_sharp(perovskite):
    image, columns, strain, polar, kind = perovskite
    table = measure(image, columns, what=("strain", "polarisation")).columns.features
    wrong = table["strain_xx"].to_numpy() - strain
    # The mean of the strain belongs to the mean lattice.
    assert np.nanstd(wrong) < 1.5e-3
    assert np.sqrt(np.nanmean(table["strain_yy"] ** 2)) < 1.5e-3
    second = kind == 1
    off = (table["polar_x_angstrom"].to_numpy() - polar)[second]
    wall = np.abs(columns.positions[second, 1] * 0.15 - 8 - 12 * 3.905) < 4
    assert np.sqrt(np.nanmean(off**2)) < 0.03
    assert np.sqrt(np.nanmean(off[wall] ** 2)) < 0.03


def test_the_command_line_measures_against_a_structure(perovskite, tmp_path, capsys):
    image, columns, *_ = perovskite
    write_image(image, tmp_path / "image.tif")
    write_columns(columns, tmp_path / "columns.csv")
    crystal("SrTiO3").write(tmp_path / "srtio3.cif")
    given = ["--structure", tmp_path / "srtio3.cif", "--zone-axis", "0,0,1"]

    def call(what, *more):
        words = [
            "measure",
            tmp_path / "columns.csv",
            tmp_path / "image.tif",
            "--what",
            what,
            "-o",
            tmp_path / "out.csv",
            "--force",
        ]
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in (*words, *more)])
        return end.value.code

    assert call("strain,cells", *given, "--report", tmp_path / "page.html") == 0
    assert "data:image/png" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert call("strain,cells", *given, "--report", tmp_path / "page.pdf") == 2
    assert set(pd.read_csv(tmp_path / "out.csv")["column_atoms"]) == {"Sr", "Ti O"}
    said = json.loads((tmp_path / "out.json").read_text())
    lattice = said["measured"]["lattices"][0]
    assert "[0 0 1]" in lattice["reference"]["structure"]
    assert lattice["reference"]["mean_strain_yy"] == pytest.approx(0, abs=5e-4)
    assert said["steps"][-1]["measuring"]["zone_axis"] == "0,0,1"
    assert list(pd.read_csv(tmp_path / "out_sites.csv").columns[:4]) == ["grain", "sublattice", "site_u", "site_v"]
    assert len(pd.read_csv(tmp_path / "out_cells.csv")) == 23**2
    assert call("templates", *given) == 1
    assert "no effect" in capsys.readouterr().err
    assert call("strain", "--structure", tmp_path / "srtio3.cif") == 2


def test_a_parameter_without_effect_is_refused(image, columns):
    with pytest.raises(AtomsegError, match="window has no effect on rings"):
        measure(image, columns, what=("rings",), params=MeasureParams(window=4))
