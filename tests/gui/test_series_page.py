"""The page "Series": a stack becomes an average that is compared and worked on; the drift is plotted, and films are written."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import add_image
from napari.layers import Image
from PIL import Image as Picture
from qtpy.QtCore import QPoint, Qt

from napari_atomseg.core.jobs import Progress, job
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.gui.docks.kymograph import KymographDock
from napari_atomseg.gui.docks.series_quality import SeriesQualityDock
from napari_atomseg.gui.docks.site_timeline import SiteTimelineDock
from napari_atomseg.gui.layers.conversion import image_layer_data, pixel_size_of
from napari_atomseg.gui.layers.sites import sites_layer
from napari_atomseg.gui.pages.columns.page import ColumnsPage
from napari_atomseg.gui.pages.series import page as page_module
from napari_atomseg.gui.pages.series import sites as sites_module
from napari_atomseg.imaging.column_image import render_columns
from napari_atomseg.readers.registry import read
from napari_atomseg.workflows import AlignParams, align, sequence
from napari_atomseg.writers.image import write_image

sys.path += [str(Path(__file__).parents[1] / folder) for folder in ("registration", "cli")]
from commands import call
from series_scenes import SIGMA, lattice, series, turned_scan

FRAMES, SIDE = 6, 112


def scene(seed=11):
    """Frames of a drifting crystal with a defect, and its shifts."""
    frames, shifts, _ = series(np.random.default_rng(seed), "defect", FRAMES, side=SIDE, peak=60.0)
    return frames, shifts


def add_stack(viewer, frames, frame_time_s=0.5):
    film = Micrograph(data=frames, pixel_size=(0.2, 0.2), name="film", frame_time_s=frame_time_s)
    data, options, _ = image_layer_data(film)
    return viewer.add_image(data, **options)


@pytest.fixture
def shifts():
    return scene()[1]


@pytest.fixture
def page(panel):
    panel.pages.turn_to_title("Series")
    return panel.pages["Series"]


@pytest.fixture
def aligned(page, viewer, panel, idle):
    """The stack, after its frames were aligned."""
    image = add_stack(viewer, scene()[0])
    page.run()
    idle(panel)
    return image


def named(viewer, ending):
    return next((layer for layer in viewer.layers if layer.name.endswith(ending)), None)


def test_without_a_series_the_page_says_what_to_do(page, viewer, panel):
    assert not page.empty.isHidden()
    assert "drop a series" in page.empty.text()
    add_image(viewer)
    assert "single image" in page.empty.text()
    assert not panel.run_button.isEnabled()
    assert "two or more frames" in panel.run_button.toolTip()


def test_frames_become_an_image_beside_the_frame_in_view(aligned, page, viewer, panel, shifts):
    average, frames = named(viewer, "film | average"), named(viewer, "film | aligned")
    assert average.data.shape == (SIDE, SIDE)
    assert pixel_size_of(average) == pytest.approx((0.2, 0.2))
    assert frames.data.shape == (FRAMES, SIDE, SIDE)
    assert hasattr(frames.data, "dask")
    assert [str(unit) for unit in frames.units] == ["second", "nanometer", "nanometer"]
    assert page.compare.mode == "beside"
    assert panel.image is aligned
    assert "6 of 6 frames" in panel.status.text()
    assert "one frame / √6" in panel.status.text()
    # What moved lies still in the aligned frames.
    inside = (slice(44, -44), slice(44, -44))
    first, last = (np.asarray(frames.data[k])[inside] for k in (0, FRAMES - 1))
    known = np.isfinite(first) & np.isfinite(last)
    assert np.corrcoef(first[known], last[known])[0, 1] > 0.6


def test_running_again_replaces_our_own_result(aligned, page, viewer, panel, idle):
    page.form.set_value(AlignParams(crop=True, average="weighted"))
    page.run()
    idle(panel)
    averages = [layer for layer in viewer.layers if layer.name.endswith("| average")]
    assert len(averages) == 1
    average = averages[0]
    assert min(average.data.shape) < SIDE
    assert np.isfinite(average.data).all()
    # A part of the field lies where it belongs, and is compared there.
    corner = np.array(average.translate) / average.scale
    assert (corner >= 0).all()
    assert corner.max() > 0.5
    page.compare.show_as("split")
    assert named(viewer, "mixed").data.shape[-2:] == (SIDE, SIDE)
    page.compare.show_as("off")


def test_an_average_in_which_columns_were_found_stays(aligned, page, viewer, panel, idle):
    page.find_columns()
    idle(panel)
    average = named(viewer, "| average")
    assert panel.image is average
    assert isinstance(panel.page, ColumnsPage)
    session = panel.documents.session
    assert session.image is average
    assert len(session.columns) > 20
    panel.choose_image(aligned)
    panel.pages.turn_to_title("Series")
    page.run()
    idle(panel)
    assert average in viewer.layers
    assert sum("| average" in layer.name and isinstance(layer, Image) for layer in viewer.layers) == 2


def test_the_average_can_be_chosen_in_the_layer_list(aligned, viewer, panel):
    viewer.layers.selection.active = named(viewer, "| average")
    assert panel.image is named(viewer, "| average")
    viewer.layers.selection.active = aligned
    assert panel.image is aligned


def test_average_and_numbers_are_saved(aligned, page, tmp_path):
    written = page.save(str(tmp_path / "mean.tif"))
    assert [path.name for path in written] == ["mean.tif", "mean.json"]
    (saved,) = read(written[0])
    assert saved.shape == (SIDE, SIDE)
    assert saved.pixel_size == pytest.approx((0.2, 0.2))
    numbers = json.loads(written[1].read_text())
    assert len(numbers["shifts_px"]) == FRAMES


def test_average_and_numbers_are_those_of_the_command(aligned, page, tmp_path):
    film, mine, other = (tmp_path / name for name in ("film.tif", "window.tif", "command.tif"))
    write_image(Micrograph(data=scene()[0], pixel_size=(0.2, 0.2), name="film", frame_time_s=0.5), film)
    page.save(str(mine))
    assert call("align", film, "-o", other) == 0
    assert np.array_equal(read(mine)[0].frame(0), read(other)[0].frame(0))
    assert json.loads(mine.with_suffix(".json").read_text()) == json.loads(other.with_suffix(".json").read_text())


def test_frames_that_are_left_out_and_doubts_are_said(page, viewer, panel, idle):
    frames, _ = scene()
    frames[3] = 0
    add_stack(viewer, frames, None)
    page.run()
    idle(panel)
    assert "5 of 6 frames" in panel.status.text()
    assert "3 (from 0)" in panel.status.text()
    assert np.isnan(np.asarray(named(viewer, "| aligned").data[3])).all()


def test_drift_is_plotted_and_a_click_goes_to_the_frame(aligned, page, viewer, shifts, tmp_path, qtbot):
    page.show_drift()
    dock = page._host.dock(SeriesQualityDock)
    table = dock.plot.plot.table
    np.testing.assert_allclose(table[["shift_y_px", "shift_x_px"]], shifts, atol=0.3)
    np.testing.assert_allclose(table["time_s"], 0.5 * np.arange(FRAMES))
    np.testing.assert_allclose(table["shift_y_angstrom"], 0.2 * table["shift_y_px"])
    dock.plot.resize(600, 200)
    size = (dock.plot.width(), dock.plot.height())
    at = [x for x in range(size[0]) if dock.plot.plot.frame_at(x, size) == 4]
    qtbot.mouseClick(dock.plot, Qt.MouseButton.LeftButton, pos=QPoint(at[len(at) // 4], 50))
    assert viewer.dims.current_step[0] == 4
    assert dock.plot.plot.marked == 4
    assert "Frame 4" in dock.reading.text()
    viewer.dims.set_current_step(0, 1)
    assert dock.plot.plot.marked == 1
    for suffix in (".svg", ".png", ".pdf"):
        picture, numbers = dock.save(str(tmp_path / f"drift{suffix}"))
        assert picture.stat().st_size > 1000
    assert numbers.read_text().startswith("frame,time_s,shift_y_px")


def test_a_film_is_written_whole(aligned, page, panel, idle, tmp_path):
    for frames in ("as recorded", "aligned"):
        page.film.frames.setCurrentText(frames)
        page.film.save(str(tmp_path / f"{frames}.gif"))
        idle(panel)
        with Picture.open(tmp_path / f"{frames}.gif") as film:
            assert film.n_frames == FRAMES
            assert film.info["duration"] == 100
            assert min(film.size) >= 384
    assert sorted(path.name for path in tmp_path.glob("*.*")) == ["aligned.gif", "as recorded.gif"]
    assert "6 frames" in panel.status.text()


def test_a_film_of_another_kind_is_refused_in_words(aligned, page, panel, idle, tmp_path):
    page.film.save(str(tmp_path / "film.avi"))
    idle(panel)
    assert ".gif or .mp4" in panel.status.text()
    assert not list(tmp_path.glob("*film*"))


def test_cancel_leaves_nothing(page, viewer, panel, idle):
    add_stack(viewer, np.concatenate([scene()[0]] * 4))
    page.run()
    panel.cancel()
    idle(panel)
    assert named(viewer, "| average") is None
    assert "ancelled" in panel.status.text()


def test_scans_in_two_directions_are_combined(page, viewer, panel, idle):
    rng, side = np.random.default_rng(5), 96
    places, heights = lattice(rng, side)
    drift = np.linspace(0, 4, side)[:, None] * np.array([0.6, -0.8])
    layers = [add_image(viewer, turned_scan(rng, places, heights, side, angle, drift), f"scan {angle}") for angle in (0, 90)]
    viewer.layers.selection = set(layers)
    assert "0°: scan 0" in page.scans.which.text()
    assert "90°: scan 90" in page.scans.which.text()
    page.scans.angles.setText("0, 45, 90")
    assert not page.scans.button.isEnabled()
    page.scans.angles.setText("0, 90")
    page.scans.button.click()
    idle(panel)
    assert named(viewer, "scan 0 | average").data.shape == (side, side)
    assert "2 scans" in panel.status.text()


# -- sites over time -----------------------------------------------------------------------------------------------------


def film_of_a_site(number=16, side=96, gone=(6, 11)):
    """Frames of a crystal without drift of which one column is away for a while; its place, (y, x)."""
    rng = np.random.default_rng(4)
    places, heights = lattice(rng, side)
    one = np.argmin(np.where(heights == 1, np.hypot(*(places - [40, 70]).T), np.inf))
    frames = []
    for k in range(number):
        there = heights.copy()
        there[one] = 0 if gone[0] <= k < gone[1] else there[one]
        near = np.all((places > -15) & (places < side + 15), axis=1)
        clean = 60 * (0.1 + render_columns(places[near], there[near] * 2 * np.pi * SIGMA**2, SIGMA, (side, side)))
        frames.append(rng.poisson(clean))
    return np.array(frames, np.float32), places[one]


@pytest.fixture(scope="module")
def headless():
    """What the frames are aligned to, and what happens at their sites; worked out once for all tests."""
    film = Micrograph(data=film_of_a_site()[0], pixel_size=(0.2, 0.2), name="film", frame_time_s=0.5)
    return align(film), sequence(film)


@pytest.fixture
def followed(page, viewer, panel, idle, headless, monkeypatch):
    """The stack with its sites, the sites, and where the column goes and comes."""
    for module, name, found in ((page_module, "align", headless[0]), (sites_module, "sequence", headless[1])):
        monkeypatch.setattr(module, name, done_at_once(found))
    frames, place = film_of_a_site()
    image = add_stack(viewer, frames)
    assert not page.sites.button.isEnabled()
    page.run()
    idle(panel)
    page.sites.run()
    idle(panel)
    return image, sites_layer(viewer, image), place


def done_at_once(found):
    """A job whose result is known already; remembers what it was asked."""

    @job
    def answer(*asked, **options):
        yield Progress(0, 1, "known")
        answer.asked = asked, options
        return found

    return answer


def test_sites_are_rings_coloured_by_what_happens_there(followed, page, viewer, panel, idle):
    image, layer, place = followed
    assert layer.name == "film | sites"
    assert page.compare.mode == "off"
    assert named(viewer, "| average").visible
    assert [str(unit) for unit in layer.units] == ["nanometer", "nanometer"]
    distance = np.hypot(*(np.asarray(layer.data) - place).T)
    row = int(np.argmin(distance))
    assert distance[row] < 0.5
    assert layer.features["occupancy"][row] == pytest.approx(11 / 16, abs=0.05)
    assert (np.delete(layer.features["occupancy"].to_numpy(), row) > 0.8).mean() > 0.9
    page.sites.colour.setCurrentText("disappearances")
    page.sites.colour.activated.emit(2)
    colours = np.asarray(layer.border_color)
    assert np.abs(colours - colours[row]).sum(axis=1).argmin() == row
    assert np.abs(np.delete(colours, row, 0) - colours[row]).sum(axis=1).min() > 0.3
    assert "sites in 16 frames" in panel.status.text()
    # Those that a hand has changed stay; others are replaced.
    page.sites.run()
    idle(panel)
    assert layer not in viewer.layers
    edited = sites_layer(viewer, image)
    edited.selected_data = {0}
    edited.remove_selected()
    page.sites.run()
    idle(panel)
    assert edited in viewer.layers
    assert sites_layer(viewer, image) is not edited


def test_the_time_line_follows_the_selected_site(followed, page, viewer, panel, tmp_path, qtbot):
    _, layer, place = followed
    row = int(np.argmin(np.hypot(*(np.asarray(layer.data) - place).T)))
    page.sites.show_timeline()
    dock = panel.dock(SiteTimelineDock)
    assert dock.plot.plot is None
    layer.selected_data = {row}
    presence = dock.plot.plot.table["presence"].to_numpy()
    assert (presence[6:11] < 0.5).all()
    assert (np.delete(presence, np.arange(6, 11)) > 0.5).all()
    assert "occupancy 0.69" in dock.reading.text()
    dock.plot.resize(600, 200)
    at = [x for x in range(600) if dock.plot.plot.frame_at(x, (600, 200)) == 8]
    qtbot.mouseClick(dock.plot, Qt.MouseButton.LeftButton, pos=QPoint(at[len(at) // 2], 50))
    assert viewer.dims.current_step[0] == 8
    picture, numbers = dock.save(str(tmp_path / "site.svg"))
    assert picture.stat().st_size > 1000
    assert numbers.read_text().startswith("site,frame,presence,time_s")


def test_a_kymograph_shows_the_line_between_two_sites(followed, page, viewer, panel, idle, tmp_path):
    _, layer, place = followed
    distance = np.hypot(*(np.asarray(layer.data) - place).T)
    vacant, beside = np.argsort(distance)[:2]
    layer.selected_data = {int(vacant)}
    page.sites.show_kymograph()
    assert "two sites" in panel.status.text()
    layer.selected_data = {int(vacant), int(beside)}
    page.sites.show_kymograph()
    idle(panel)
    dock = panel.dock(KymographDock)
    values, plot = dock.plot.plot.values, dock.plot.plot
    assert len(values) == 16
    # The line begins half a distance before the first site and ends as far behind the second one.
    first, second = (round(share * (values.shape[1] - 1)) for share in (0.25, 0.75))
    chosen = first if min(vacant, beside) == vacant else second
    there = np.nanmean(values[:, chosen - 1 : chosen + 2], axis=1)
    assert there[6:11].mean() < 0.6 * np.delete(there, np.arange(6, 11)).mean()
    assert (plot.unit, plot.frame_time_s) == ("Å", 0.5)
    assert [plot.frame_at(x, (600, 200)) for x in (60, 590)] == [0, 15]
    picture, numbers = dock.save(str(tmp_path / "line.png"))
    assert picture.stat().st_size > 1000
    assert numbers.read_text().startswith("frame,time_s,0 Å")


def test_columns_corrected_by_hand_are_the_sites(followed, page, viewer, panel, idle):
    image, _, _ = followed
    page.find_columns()
    idle(panel)
    session = panel.documents.session
    session.layer.selected_data = {0, 1, 2}
    session.layer.remove_selected()
    number = len(session.columns)
    panel.choose_image(image)
    panel.pages.turn_to_title("Series")
    assert page.sites.own.isEnabled()
    page.sites.own.setChecked(True)
    page.sites.run()
    idle(panel)
    (asked,), options = sites_module.sequence.asked
    assert asked.shape[0] == 16
    np.testing.assert_allclose(options["sites"].positions, session.columns.positions)
    assert set(options["sites"].frame) == {0}
    assert len(session.columns) == number


def test_tables_of_a_sequence_are_saved(followed, page, tmp_path):
    names = {path.name for path in page.sites.save(str(tmp_path / "film.csv"))}
    assert names == {"film.csv", "film.json", "film_sites.csv", "film_events.csv", "film_drift.csv"}
    assert (tmp_path / "film_sites.csv").read_text().startswith("site,y_px,x_px,occupancy")


def test_sites_and_events_are_those_of_the_command(page, viewer, panel, idle, tmp_path):
    frames, _ = film_of_a_site(8, gone=(3, 6))
    write_image(Micrograph(data=frames, pixel_size=(0.2, 0.2), name="film", frame_time_s=0.5), tmp_path / "film.tif")
    add_stack(viewer, frames)
    for part in (page, page.sites):
        part.run()
        idle(panel)
    page.sites.save(str(tmp_path / "film.csv"))
    assert call("sequence", tmp_path / "film.tif", "-o", tmp_path / "command") == 0
    for mine, other in (("film", "columns"), ("film_sites", "sites"), ("film_events", "events"), ("film_drift", "drift")):
        assert (tmp_path / f"{mine}.csv").read_bytes() == (tmp_path / "command" / f"{other}.csv").read_bytes(), other
