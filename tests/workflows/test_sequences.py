"""Columns that come and go, followed through a small movie whose truth is known."""

import importlib.util
from dataclasses import replace

import numpy as np
import pytest
from movies import small_movie
from scipy.spatial import cKDTree
from typer.testing import CliRunner

from napari_atomseg.cli.app import app
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.workflows import SequenceParams, kymograph, sequence, time_line


@pytest.fixture(scope="module")
def movie():
    frames, sites, present, drift = small_movie()
    return Micrograph(data=frames, pixel_size=(0.25, 0.25), name="film", frame_time_s=0.5), sites, present, drift


@pytest.fixture(scope="module")
def found(movie):
    return sequence(movie[0], model="classical")


def matched(found, sites):
    """Site of the table for each true site; all are found, and no others."""
    distance, which = cKDTree(found.sites[["y_px", "x_px"]].to_numpy()).query(sites)
    assert distance.max() < 0.6
    assert len(found.sites) == len(sites)
    return which


def test_sites_occupancy_and_events_are_those_of_the_truth(movie, found):
    _, sites, present, drift = movie
    which = matched(found, sites)
    assert found.sites["occupancy"].to_numpy()[which] == pytest.approx(present.mean(axis=1), abs=0.03)
    at = {int(site): k for k, site in enumerate(which)}
    events = {(int(row.frame), at[int(row.site)], row.kind) for row in found.events.itertuples()}
    assert events == {(8, 0, "disappearance"), (12, 0, "appearance"), (12, 3, "appearance"), (16, 12, "disappearance")}
    assert (found.events["from_site"] == -1).all()
    assert found.events["time_s"].tolist() == (found.events["frame"] * 0.5).tolist()
    assert np.abs(found.drift[["y_px", "x_px"]].to_numpy() - drift).max() < 0.3
    assert list(found.sites)[:8] == [
        "site", "y_px", "x_px", "occupancy", "occupancy_std", "appearances", "disappearances", "hops"
    ]  # fmt: skip
    assert list(found.events)[:4] == ["frame", "site", "kind", "from_site"]
    assert list(found.drift)[:3] == ["frame", "y_px", "x_px"]


def test_columns_of_each_frame_stand_where_the_drift_took_them(movie, found):
    _, sites, present, drift = movie
    columns = found.columns
    assert len(columns) == present.sum()
    last = columns.of_frame(23)
    distance, _ = cKDTree(last.positions).query((sites + drift[23])[present[:, 23]])
    assert distance.max() < 0.6
    assert set(columns.features["site"]) == set(range(16))


def test_a_finder_in_each_frame_sees_the_same(movie):
    image, sites, present, _ = movie
    part = replace(image, data=image.data[6:18])
    found = sequence(part, model="classical", params=SequenceParams(positions="frames"))
    which = matched(found, sites + movie[3][6])
    assert found.numbers["positions"] == "frames"
    assert found.sites["occupancy"].to_numpy()[which] == pytest.approx(present[:, 6:18].mean(axis=1), abs=0.12)


def test_sites_corrected_by_hand_are_carried_on(movie):
    image, sites, present, drift = movie
    given = Columns(positions=sites[[0, 5, 12]] + drift[4], frame=np.full(3, 4))
    found = sequence(replace(image, data=image.data[:14]), sites=given)
    assert len(found.sites) == 3
    assert found.sites["occupancy"].to_numpy()[[0, 2]] == pytest.approx(present[[0, 12], :14].mean(axis=1), abs=0.1)
    with pytest.raises(AtomsegError, match="have no effect"):
        sequence(image, sites=given, params=SequenceParams(positions="frames"))


def test_time_line_and_kymograph_show_a_column_go(movie, found):
    image, sites, present, _ = movie
    site = int(matched(found, sites)[0])
    line = time_line(found, site)
    assert ((line["presence"] > 0.5).to_numpy() == present[0]).all()
    assert line["time_s"].iloc[-1] == 11.5
    with pytest.raises(AtomsegError, match="no site 99"):
        time_line(found, 99)
    picture = kymograph(image, found, sites[0] - (0, 5), sites[0] + (0, 5), width=5)
    assert picture.shape == (24, 11)
    assert picture[present[0], 5].mean() > 2 * picture[~present[0], 5].mean()


def test_frames_that_show_nothing_are_left_out_with_a_word(movie):
    image, sites, *_ = movie
    data = image.data.copy()
    data[5] = np.nan
    found = sequence(Micrograph(data=data, pixel_size=image.pixel_size), model="classical")
    matched(found, sites)
    assert np.isnan(found.drift["y_px"][5])
    assert np.isnan(found.presence[:, 5]).all()
    assert any("something else: frame 5" in text for text in found.numbers["verdicts"])
    assert any("time between frames is unknown" in text for text in found.numbers["verdicts"])


def test_frames_of_which_nothing_can_be_told_are_refused_or_named(movie):
    image = movie[0]
    with pytest.raises(AtomsegError, match="single frame"):
        sequence(Micrograph(data=image.data[0], name="one"))
    with pytest.raises(AtomsegError, match="fewer than two frames show anything"):
        sequence(Micrograph(data=np.zeros((4, 40, 40), np.float32)))
    same = sequence(Micrograph(data=np.repeat(image.data[:1], 5, axis=0)), model="classical")
    assert any("one and the same image" in text for text in same.numbers["verdicts"])
    assert len(same.events) == 0


def tables_of(folder):
    return {name: (folder / f"{name}.csv").read_bytes() for name in ("columns", "sites", "events", "drift")}


@pytest.fixture(scope="module")
def stack(movie, tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "film.npy"
    np.save(path, movie[0].data[:10])
    return path


def written(stack, folder, *more):
    result = CliRunner().invoke(
        app, ["sequence", str(stack), "-o", str(folder), "--model", "classical", "-q", "--pixel-size", "0.25A", *more]
    )
    assert result.exit_code == 0, result.output
    return tables_of(folder)


def test_the_command_writes_the_same_tables_with_one_process_and_two(stack, tmp_path):
    alone = written(stack, tmp_path / "alone")
    assert (tmp_path / "alone" / "sequence.json").exists()
    assert alone == written(stack, tmp_path / "two", "--jobs", "2")
    again = CliRunner().invoke(app, ["sequence", str(stack), "-o", str(tmp_path / "alone"), "--model", "classical"])
    assert again.exit_code == 1
    assert "would be overwritten" in again.output


@pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="dask.distributed is not installed")
def test_a_cluster_writes_the_same_tables(stack, tmp_path):
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster:
        there = written(stack, tmp_path / "cluster", "--cluster", cluster.scheduler_address)
    assert there == written(stack, tmp_path / "alone")


def test_a_cluster_and_processes_together_are_refused(stack, tmp_path):
    words = ["sequence", str(stack), "-o", str(tmp_path), "--jobs", "2", "--cluster", "tcp://localhost:1"]
    assert CliRunner().invoke(app, words).exit_code == 2
