"""Imposed strain, displacement, polarisation and lattice constants come back, and the stated errors are those that are made."""

import numpy as np
import pandas as pd
import pytest

from napari_atomseg.analysis.lattice.column_cell import column_cell
from napari_atomseg.analysis.lattice.reference import reference_of
from napari_atomseg.analysis.lattice_measurement import measure_lattices
from napari_atomseg.analysis.measurement import Setting
from napari_atomseg.analysis.params import MeasureParams
from napari_atomseg.core.columns import DISPLACEMENT, POLAR, STRAIN, Columns, std_of
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import run
from napari_atomseg.specimens.library import crystal

A, PX = 3.9, 0.1
EVERYTHING = ("sublattices", "displacement", "strain", "polarisation", "cells")
STRAINS = {"none": lambda p, side: 0 * p}
STRAINS["sine"] = lambda p, side: np.stack([0 * p[:, 0], 0.01 * side / (2 * np.pi) * np.sin(2 * np.pi * p[:, 1] / side)], axis=1)
STRAINS["shear"] = lambda p, side: np.stack([0.01 * p[:, 1], 0 * p[:, 1]], axis=1)


class Perovskite:
    """A perovskite of n x n cells with polar displacements that turn round at a wall; places in Angstrom, unturned."""

    def __init__(self, n=12, polar=0.15, field="none", angle=0.1):
        cells = np.stack(np.mgrid[:n, :n], -1).reshape(-1, 2)
        self.kind = np.repeat([0, 1], len(cells))
        ideal = np.concatenate([cells * A, (cells + 0.5) * A]) - n * A / 2
        self.side = n * A
        along = np.where(ideal[:, 1] < 0, polar, -polar) * (self.kind == 1)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        self.ideal = ideal
        moved = ideal + STRAINS[field](ideal, self.side)
        self.polar = np.stack([0 * along, along], axis=1) @ turn.T
        self.places = moved @ turn.T + self.polar + self.side / 2 + 8
        self.turn = turn

    def columns(self, noise=0.0, seed=0, std=None):
        rng = np.random.default_rng(seed)
        std = noise if std is None else std
        features = pd.DataFrame({"intensity": np.where(self.kind == 0, 1, 0.5) * (1 + 0.02 * rng.normal(size=len(self.kind)))})
        if std:
            features = features.assign(y_std_px=std / PX, x_std_px=std / PX)
        seen = self.places + rng.normal(0, noise, self.places.shape) if noise else self.places
        return Columns(positions=seen / PX, features=features, pixel_size=(PX, PX))

    def measured(self, what=EVERYTHING, params=None, cell=None, **seen):
        shape = (int((self.side + 16) / PX),) * 2
        setting = Setting(
            shape=shape, size=(PX, PX), asked=what, params=params or MeasureParams(), cells=() if cell is None else (cell,)
        )
        return run(measure_lattices(self.columns(**seen), setting))


def share(pulls):
    """Of the errors made, how many are smaller than one standard deviation."""
    pulls = np.concatenate([np.ravel(one) for one in pulls])
    return np.mean(np.abs(pulls[np.isfinite(pulls)]) < 1)


def test_columns_are_told_apart_and_every_feature_is_there():
    crystal_ = Perovskite()
    found = crystal_.measured(noise=0.02)
    features = found.columns.features
    assert np.array_equal(features["sublattice"], crystal_.kind)
    assert set(features["grain"]) == {0}
    assert set(features.columns) >= {"site_u", "site_v", *DISPLACEMENT, *POLAR, *STRAIN, *map(std_of, STRAIN)}
    assert found.tables["sites"]["present"].all()
    assert len(found.tables["cells"]) == 11**2
    assert "2 sublattices, 0 sites empty" in found.summary


def test_stated_errors_are_those_that_are_made():
    crystal_ = Perovskite(n=9)
    truth = crystal_.measured(what=("displacement",)).columns.features[list(DISPLACEMENT)].to_numpy()
    pulls = {name: [] for name in ("strain", "rotation", "polar", "displacement", "a", "angle", "cell a", "cell angle", "ratio")}
    for seed in range(30):
        found = crystal_.measured(noise=0.02, seed=seed)
        table, cells, lattice = found.columns.features, found.tables["cells"], found.numbers["lattices"][0]
        errors = {name: table[name].to_numpy() / table[std_of(name)].to_numpy() for name in STRAIN}
        pulls["strain"].append([errors[name] for name in STRAIN[:3]])
        pulls["rotation"].append(errors[STRAIN[3]])
        polar = (table[list(POLAR)].to_numpy() - crystal_.polar) / table[[std_of(name) for name in POLAR]].to_numpy()
        pulls["polar"].append(polar[crystal_.kind == 1])
        moved = table[list(DISPLACEMENT)].to_numpy() - truth
        pulls["displacement"].append(moved / table[[std_of(name) for name in DISPLACEMENT]].to_numpy())
        pulls["a"].append([(lattice[f"{side}_angstrom"] - A) / lattice[f"{side}_angstrom_std"] for side in "ab"])
        pulls["angle"].append([(lattice["angle_deg"] - 90) / lattice["angle_deg_std"]])
        pulls["cell a"].append((cells["a_angstrom"] - A) / cells["a_angstrom_std"])
        pulls["cell angle"].append((cells["angle_deg"] - 90) / cells["angle_deg_std"])
        pulls["ratio"].append((cells["ratio"] - 1) / cells["ratio_std"])
    for name in ("strain", "rotation", "polar", "displacement", "cell a", "cell angle", "ratio"):
        assert share(pulls[name]) == pytest.approx(0.68, abs=0.05), name
    # Sixty and thirty numbers: their share itself scatters by 6 and 9 %.
    assert 0.5 < share(pulls["a"]) < 0.86
    assert 0.45 < share(pulls["angle"]) < 0.95


@pytest.mark.parametrize("field", ["none", "sine"])
def test_at_borders_strain_is_hardly_noisier_than_inside_and_its_errors_are_right(field):
    crystal_ = Perovskite(n=16, field=field, angle=0.0)
    border = np.abs(crystal_.ideal).max(axis=1) > crystal_.side / 2 - 2 * A
    truth = 0.01 * np.cos(2 * np.pi * crystal_.ideal[:, 1] / crystal_.side) if field == "sine" else 0.0
    errors, pulls = [], []
    for seed in range(6):
        table = crystal_.measured(what=("strain",), noise=0.025, seed=seed).columns.features
        error = table["strain_xx"].to_numpy() - truth
        errors.append(error - error.mean())
        pulls.append(errors[-1] / table["strain_xx_std"].to_numpy())
    rms = [np.sqrt(np.mean(np.square([one[where] for one in errors]))) for where in (border, ~border)]
    assert rms[0] < 1.6 * rms[1]
    assert np.sqrt(np.mean(np.square(errors))) < 1.75e-3
    assert share([one[border] for one in pulls]) == pytest.approx(0.68, abs=0.08)


def test_windows_wider_than_the_grain_are_no_error():
    table = Perovskite(n=9).measured(what=("strain",), params=MeasureParams(window=20), noise=0.02).columns.features
    assert np.isfinite(table["strain_xx"]).all()


@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_errors_that_are_not_known_or_too_small_are_found_in_the_scatter(noise):
    crystal_ = Perovskite()
    if noise == 0:
        found = crystal_.measured(noise=0.02, std=1e-9)
        assert found.numbers["lattices"][0]["scatter_over_fit_errors"] > 1e3
    else:
        bare = crystal_.columns(noise=noise)
        bare = bare.with_features(y_std_px=np.nan, x_std_px=np.nan)
        setting = Setting(shape=(700, 700), size=(PX, PX), asked=("strain",))
        found = run(measure_lattices(bare, setting))
        assert found.numbers["lattices"][0]["scatter_over_fit_errors"] is None
    table = found.columns.features
    assert share([table[name] / table[std_of(name)] for name in STRAIN]) == pytest.approx(0.68, abs=0.08)


@pytest.mark.parametrize("field", ["sine", "shear"])
def test_strain_without_noise_comes_back_and_polar_columns_do_not_disturb_it(field):
    crystal_ = Perovskite(n=24, field=field, angle=0.0)
    table = crystal_.measured(what=("strain", "polarisation")).columns.features
    inner = np.abs(crystal_.ideal).max(axis=1) < crystal_.side / 2 - 10
    if field == "sine":
        truth = 0.01 * np.cos(2 * np.pi * crystal_.ideal[:, 1] / crystal_.side)
        # Against the mean lattice: what is fitted to all of it is no strain.
        seen = table["strain_xx"].to_numpy()
        assert np.abs((seen - truth - np.mean(seen - truth))[inner]).max() < 5e-4
        assert np.abs(table["strain_yy"][inner]).max() < 5e-5
    else:
        # A uniform shear and turn belong to the mean lattice.
        assert np.nanmax(np.abs(table[list(STRAIN)].to_numpy())) < 1e-6
    polar = table[list(POLAR)].to_numpy() - crystal_.polar
    assert np.nanmax(np.abs(polar[crystal_.kind == 1])) < 2e-3


def test_a_structure_gives_absolute_strain_and_signs_are_those_of_the_screen():
    cell = column_cell(crystal("SrTiO3"), (0, 0, 1))
    crystal_ = Perovskite(n=10, polar=0.0, angle=0.0)
    # 1 % along x and a turn that grows with x; x to the right, y down: clockwise is positive.
    x = crystal_.ideal[:, 1]
    growing = 1e-4
    crystal_.places = crystal_.ideal + np.stack([growing * x**2 / 2, 0.01 * x], axis=1) + crystal_.side / 2 + 8
    found = crystal_.measured(what=("strain",), cell=cell)
    table = found.columns.features
    reference = 3.905
    inner = np.abs(crystal_.ideal).max(axis=1) < 10
    assert table["strain_xx"][inner].to_numpy() == pytest.approx(A * 1.01 / reference - 1, abs=1e-4)
    assert table["strain_yy"][inner].to_numpy() == pytest.approx(A / reference - 1, abs=1e-4)
    slope = np.polyfit(x[inner], table["rotation_rad"][inner], 1)[0]
    assert slope == pytest.approx(growing / 2, rel=0.02)
    assert np.polyfit(x[inner], table["strain_xy"][inner], 1)[0] == pytest.approx(growing / 2, rel=0.02)
    of_lattice = found.numbers["lattices"][0]["reference"]
    assert of_lattice["mean_strain_xx"] == pytest.approx(A * 1.01 / reference - 1, abs=1e-3)


def test_a_structure_is_recognised_in_multiples_of_its_cell_and_another_one_refused():
    cell = column_cell(crystal("SrTiO3"), (0, 0, 1))
    seen = np.array([[-1, 1], [1, 1]]) @ cell.basis * 1.01
    found = reference_of(seen, cell)
    assert found.multiple == pytest.approx(2)
    assert found.basis * 1.01 == pytest.approx(seen, abs=1e-6)
    # Where light columns are not seen the cell may be a part of the structure's.
    assert reference_of(cell.basis / 2, cell).multiple == pytest.approx(0.25)
    with pytest.raises(AtomsegError, match="check pixel size"):
        reference_of(cell.basis * 1.15, cell)


def grains(angle, second=1.0, seed=0):
    """Two crystals side by side, the right one turned and of another size."""
    cells = np.stack(np.mgrid[-40:40, -40:40], -1).reshape(-1, 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    left, right = cells * A, cells * A * second @ turn.T
    left = left[(np.abs(left).max(axis=1) < 40) & (left[:, 1] < -1)]
    right = right[(np.abs(right).max(axis=1) < 40) & (right[:, 1] > 1)]
    places = np.concatenate([left, right]) + 45 + np.random.default_rng(seed).normal(0, 0.03, (len(left) + len(right), 2))
    features = pd.DataFrame({"intensity": 1.0, "y_std_px": 0.3, "x_std_px": 0.3}, index=range(len(places)))
    return Columns(positions=places / PX, features=features, pixel_size=(PX, PX)), np.repeat([0, 1], [len(left), len(right)])


@pytest.mark.parametrize(("angle", "second"), [(np.radians(20), 1.0), (0.0, 1.25)])
def test_grains_are_measured_each_by_itself(angle, second):
    columns, side = grains(angle, second)
    found = run(measure_lattices(columns, Setting(shape=(900, 900), size=(PX, PX), asked=EVERYTHING)))
    grain = columns.with_features(grain=found.columns.features["grain"]).features["grain"].to_numpy()
    number = np.bincount(grain[(side == 0) & (grain >= 0)]).argmax()
    far = np.abs(columns.positions[:, 1] * PX - 45) > 5
    assert np.mean(grain[far & (side == 0)] == number) > 0.98
    assert np.mean(grain[far & (side == 1)] == 1 - number) > 0.98
    assert any("several lattices: 2 grains" in said for said in found.numbers["verdicts"])
    assert any("turned by 20.0°" in said for said in found.numbers["verdicts"]) == (second == 1.0)
    sides = {one["grain"]: one for one in found.numbers["lattices"]}
    assert sides[1 - number]["a_angstrom"] == pytest.approx(A * second, abs=0.01)
    # Neighbouring columns share their errors: one image alone scatters by 10 %.
    pulls = []
    for seed in range(4):
        setting = Setting(shape=(900, 900), size=(PX, PX), asked=("strain",))
        table = run(measure_lattices(grains(angle, second, seed)[0], setting)).columns.features[far]
        pulls.append(table["strain_xx"] / table["strain_xx_std"])
    assert np.nanmedian(np.abs(pulls)) == pytest.approx(0.67, abs=0.1)


def test_what_cannot_be_measured_says_what_it_needs():
    setting = Setting(shape=(400, 400), size=(PX, PX), asked=("strain",))

    def refusal(places):
        with pytest.raises(AtomsegError) as error:
            run(measure_lattices(Columns(positions=np.asarray(places, float)), setting))
        return str(error.value)

    row = np.stack([np.full(30, 100.0), np.arange(30) * 12.0], axis=1)
    assert "at least 10 columns" in refusal(row[:4])
    assert "one line" in refusal(row)
    assert "no lattice" in refusal(np.random.default_rng(0).uniform(0, 400, (150, 2)))
    with pytest.raises(AtomsegError, match="no sublattice 7"):
        Perovskite().measured(params=MeasureParams(sublattice=7))
    with pytest.raises(AtomsegError, match="belong together"):
        MeasureParams(structure="some.cif")


def test_a_few_pixels_a_cell_are_a_verdict_and_unknown_positions_are_on_no_lattice():
    crystal_ = Perovskite()
    columns = crystal_.columns(noise=0.02)
    gone = np.concatenate([columns.positions * 0.25, [[np.nan, np.nan]]])
    few = Columns(positions=gone, pixel_size=(4 * PX, 4 * PX))
    found = run(measure_lattices(few, Setting(shape=(200, 200), size=(4 * PX, 4 * PX), asked=EVERYTHING)))
    assert any("fewer than 12 px" in said for said in found.numbers["verdicts"])
    assert found.columns.features["grain"].iloc[-1] == -1
    assert np.isnan(found.columns.features["strain_xx"].iloc[-1])


def test_frames_are_measured_each_by_itself_and_one_without_lattice_is_left_out():
    one = Perovskite().columns(noise=0.02)
    bad = Columns(positions=np.random.default_rng(0).uniform(0, 600, (150, 2)), frame=np.ones(150, int))
    found = run(measure_lattices(one.joined(bad), Setting(shape=(700, 700), size=(PX, PX), asked=("sublattices",))))
    first, second = found.numbers["frames"]
    assert len(first["lattices"]) == 1
    assert not second["lattices"]
    assert "no lattice" in second["verdicts"][0]


def test_a_column_without_an_error_spoils_no_number_of_the_others():
    crystal_ = Perovskite()
    columns = crystal_.columns(noise=0.02)
    std = columns.features["y_std_px"].to_numpy().copy()
    std[[3, 77]] = np.nan
    shape = (int((crystal_.side + 16) / PX),) * 2
    setting = Setting(shape=shape, size=(PX, PX), asked=EVERYTHING)
    found = run(measure_lattices(columns.with_features(y_std_px=std), setting))
    assert np.isnan(found.columns.features["displacement_y_angstrom_std"][3])
    for polar in found.numbers["lattices"][0]["polarisation"]:
        assert polar["error_of_one_angstrom"] == pytest.approx(0.02 * np.sqrt(1.25), rel=0.1)
    assert np.isfinite(found.columns.features["strain_xx_std"]).all()
