"""The page "Compare": a simulated image on a recorded one, the ways to look at them, profile, lens, files."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import HANGING, add_image
from napari.layers import Points
from qtpy.QtWidgets import QApplication

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress
from napari_atomseg.gui.docks.profile import ProfileDock
from napari_atomseg.gui.documents.results import show_columns
from napari_atomseg.gui.layers.conversion import image_layer_data, source_of
from napari_atomseg.gui.layers.fitting_view import fit_view
from napari_atomseg.gui.layers.structures import show_simulated, structure_layer_data
from napari_atomseg.gui.pages.compare import folder, lens_fit
from napari_atomseg.gui.pages.compare import page as comparing
from napari_atomseg.specimens.cut_params import CutParams
from napari_atomseg.specimens.library import crystal
from napari_atomseg.workflows import ConvolutionParams, FittedSimulation, SimulationParams, simulate

MOVED = (2, 3)
PIXEL = 0.25
# With vacancies there is one place where it fits, and not one for every cell of the crystal.
PARAMS = SimulationParams(cut=CutParams(thickness=8, width_y=22, width_x=24, vacancies=0.2, seed=5), pixel_size=PIXEL)


@pytest.fixture(scope="module")
def scene():
    """A simulated image, and as experiment a part of it that begins elsewhere, in other intensities, with noise."""
    found = simulate(crystal("SrTiO3"), PARAMS)
    part = found.data[MOVED[0] : MOVED[0] + 72, MOVED[1] : MOVED[1] + 76]
    noise = np.random.default_rng(3).normal(0, 4, part.shape)
    return found, (200 * part / part.max() + 30 + noise).astype(np.float32)


@pytest.fixture
def compare_page(panel):
    panel.pages.turn_to_title("Compare")
    return panel.pages["Compare"]


@pytest.fixture
def image(viewer, scene):
    """The recorded image."""
    return add_image(viewer, scene[1], "experiment", (PIXEL, PIXEL))


@pytest.fixture
def made(viewer, compare_page, image, scene):
    """The simulated image, in the viewer."""
    return add_simulated(viewer, scene[0])


@pytest.fixture
def compared(compare_page, panel, image, made, idle):
    """The page after a comparison."""
    panel.run_button.click()
    idle(panel)
    assert compare_page.found is not None, panel.status.text()
    return compare_page


def add_simulated(viewer, found, name="sto"):
    """A simulated image as the page "Simulate" shows it; its structure has been removed, or that page would come to the front."""
    data, options, _ = structure_layer_data(crystal("SrTiO3"), name, PARAMS)
    return show_simulated(viewer, Points(data, **options), "convolution", found)


def names(viewer):
    return [layer.name for layer in viewer.layers]


def seen(viewer):
    return {layer.name for layer in viewer.layers if layer.visible}


# -- what there is to compare ------------------------------------------------------------------------------------------


def test_without_an_image_the_page_says_what_to_do(viewer, panel, compare_page):
    assert "Drop the recorded image" in compare_page.empty.text()
    assert not compare_page.controls.isVisibleTo(compare_page)
    assert not panel.run_button.isEnabled()
    assert panel.run_button.toolTip() == "Open the recorded image first."


def test_without_a_simulated_image_a_link_leads_to_the_page_that_makes_one(panel, compare_page, image):
    assert "No simulated image" in compare_page.empty.text()
    assert "Simulate" in panel.run_button.toolTip()
    compare_page.empty.linkActivated.emit("simulate")
    assert panel.page is panel.pages["Simulate"]


def test_without_a_recorded_image_the_page_asks_for_it(viewer, panel, compare_page, scene):
    add_simulated(viewer, scene[0])
    assert "Only a simulated image" in compare_page.empty.text()
    assert not panel.run_button.isEnabled()


def test_other_images_are_offered_but_not_chosen(viewer, panel, compare_page, image):
    other = add_image(viewer, name="reference")
    panel.image_bar.choose(image)
    assert compare_page.pair.chosen is None
    assert "choose another one" in panel.run_button.toolTip()
    compare_page.pair.simulated.setCurrentIndex(0)
    assert compare_page.pair.chosen is other
    assert panel.run_button.isEnabled()
    other.units, other.scale = ("pixel", "pixel"), (1, 1)
    assert "reference has no pixel size" in compare_page.why_not()
    panel.image_bar.set_pixel_size(None, "")
    assert "The image has no pixel size" in compare_page.why_not()


# -- the comparison ----------------------------------------------------------------------------------------------------


def test_layers_and_numbers(viewer, panel, compared, image, made):
    simulated, difference = viewer.layers["experiment | simulated"], viewer.layers["experiment | difference"]
    assert viewer.layers.index(simulated) == viewer.layers.index(image) + 1
    assert viewer.layers.index(difference) == viewer.layers.index(image) + 2
    for layer in (simulated, difference):
        assert layer.data.shape == image.data.shape
        np.testing.assert_allclose(layer.scale, image.scale)
        assert layer.units == image.units
        assert source_of(layer) is image
    assert viewer.layers.units is not None
    assert panel.image is image
    low, high = difference.contrast_limits
    assert low == -high
    np.testing.assert_allclose(simulated.contrast_limits, image.contrast_limits)
    image.contrast_limits = (40, 180)
    assert tuple(simulated.contrast_limits) == (40, 180)
    assert np.nanstd(difference.data) == pytest.approx(4, rel=0.1)  # the noise, and nothing else
    found = compared.found
    assert found.one_minus_r2 < 0.05
    assert compared.result.numbers["one_minus_r2"].text() == f"{found.one_minus_r2:.4g}"
    for label in compared.result.numbers.values():
        assert label.text()
        assert label.toolTip()
    assert seen(viewer) == {"experiment | difference"}
    assert not compared.result.notes.isVisibleTo(compared)
    assert compared.views.mode == "difference"
    assert "sto | convolution against experiment: 1 − R²" in panel.status.text()


def test_what_is_compared_fills_the_view_unless_a_detail_is_looked_at(viewer, panel, compare_page, image, made, idle):
    camera = viewer.scene.camera
    fit_view(viewer, image)
    whole = camera.zoom
    camera.zoom = whole / 3
    panel.run_button.click()
    idle(panel)
    assert camera.zoom == pytest.approx(whole)
    camera.zoom = 4 * whole
    panel.run_button.click()
    idle(panel)
    assert camera.zoom == pytest.approx(4 * whole)


def test_another_run_replaces_the_result_unless_it_is_locked(viewer, panel, compared, idle):
    count = len(viewer.layers)
    first = viewer.layers["experiment | difference"]
    panel.run_button.click()
    idle(panel)
    assert len(viewer.layers) == count
    assert first not in viewer.layers
    kept = viewer.layers["experiment | difference"]
    kept.locked = True
    panel.run_button.click()
    idle(panel)
    assert kept in viewer.layers
    assert len(viewer.layers) == count + 1
    assert compared.views.mode == "difference"


def test_one_frame_of_a_stack(viewer, panel, compare_page, scene, idle):
    stack = add_image(viewer, np.stack([scene[1], scene[1][::-1], scene[1]]), "movie", (PIXEL, PIXEL))
    add_simulated(viewer, scene[0])
    viewer.dims.set_current_step(0, 2)
    panel.run_button.click()
    idle(panel)
    layer = viewer.layers["movie | difference"]
    assert layer.data.shape == (1, *scene[1].shape)
    assert layer.translate[0] == pytest.approx(2 * stack.scale[0])
    compare_page.views.buttons["checkerboard"].click()
    assert viewer.layers["movie | mixed"].data.shape == (1, *scene[1].shape)
    assert viewer.layers.units is not None


def test_another_image_has_a_page_of_its_own(viewer, panel, compared, image):
    add_image(viewer, name="second")
    assert compared.views.mode == "off"
    assert compared.found is None
    assert not compared.save_button.isEnabled()
    assert compared.save_button.toolTip() == "Compare first."
    panel.image_bar.choose(image)
    assert compared.found is not None
    assert compared.views.isVisibleTo(compared)
    viewer.layers.remove("experiment | simulated")
    assert not compared.views.isVisibleTo(compared)


def test_a_comparison_can_be_cancelled(viewer, panel, compare_page, image, made, monkeypatch, qtbot):
    def endless(*_, **__):
        while True:
            yield Progress(0, 1, "registering")

    monkeypatch.setattr(comparing.compare, "steps", endless)
    before = names(viewer)
    panel.run_button.click()
    assert panel.busy
    assert "cancel it first" in compare_page.lens.button.toolTip()
    panel.cancel_button.click()
    qtbot.waitUntil(lambda: not panel.busy, timeout=HANGING)
    assert names(viewer) == before
    assert "cancelled" in panel.status.text()


def test_what_is_not_covered_is_said(viewer, panel, compare_page, image, scene, idle):
    found = scene[0]
    add_simulated(viewer, replace(found, data=found.data[:50]))
    panel.run_button.click()
    idle(panel)
    assert "% of the image" in compare_page.result.notes.text()
    assert np.isnan(viewer.layers["experiment | difference"].data).any()


def test_an_error_is_one_sentence(viewer, panel, compare_page, image, made, monkeypatch, idle):
    def failing(*_, **__):
        yield Progress(0, 1, "registering")
        raise AtomsegError("the images do not overlap; choose others")

    monkeypatch.setattr(comparing.compare, "steps", failing)
    panel.run_button.click()
    idle(panel)
    assert "the images do not overlap" in panel.status.text()
    assert compare_page.found is None


# -- columns -----------------------------------------------------------------------------------------------------------


def test_columns_are_compared_in_a_layer_of_their_own(viewer, panel, compare_page, image, made, idle):
    places = np.array([[y, x] for y in (20.0, 36.0) for x in (20.0, 36.0)])
    session, _ = show_columns(viewer, image, Columns(positions=places, pixel_size=(PIXEL, PIXEL), image_shape=image.data.shape))
    before = np.array(session.layer.data)
    assert compare_page.pair.columns.currentText() == session.layer.name
    panel.run_button.click()
    idle(panel)
    layer = viewer.layers["experiment | columns compared"]
    assert list(layer.features) == ["intensity_difference", "dy_pm", "dx_pm"]
    assert len(layer.data) == 4
    assert seen(viewer) == {"experiment | difference", layer.name}
    compare_page.views.buttons["split"].click()
    assert seen(viewer) == {"experiment | mixed"}
    np.testing.assert_array_equal(session.layer.data, before)
    colours = layer.face_color.copy()
    compare_page.colour.setCurrentIndex(1)
    assert not np.array_equal(layer.face_color, colours)
    assert " pm" in compare_page.colour.toolTip()
    layer.data = layer.data + 1  # by hand
    panel.run_button.click()
    idle(panel)
    assert layer in viewer.layers
    assert "experiment | columns compared [1]" in viewer.layers
    compare_page.pair.columns.setCurrentIndex(0)
    panel.run_button.click()
    idle(panel)
    assert layer in viewer.layers
    assert "experiment | columns compared [1]" not in viewer.layers


# -- ways to look ------------------------------------------------------------------------------------------------------


def test_every_way_to_look_and_back(viewer, compared):
    views = compared.views
    views.buttons["off"].click()
    before, layers = seen(viewer), names(viewer)
    assert before == {"experiment", "sto | convolution"}
    expected = {
        "beside": {"experiment", "experiment | simulated"},
        "blink": {"experiment", "experiment | simulated"},
        "checkerboard": {"experiment | mixed"},
        "split": {"experiment | mixed"},
        "difference": {"experiment | difference"},
    }
    for mode, shown in expected.items():
        views.buttons[mode].click()
        assert views.mode == mode
        assert seen(viewer) == shown
        assert viewer.canvas.grid.enabled == (mode == "beside")
        assert views.slider.isVisibleTo(views) == (mode == "split")
        assert viewer.layers.selection.active not in (None, *[one for one in viewer.layers if "mixed" in one.name])
    views.buttons["off"].click()
    data, options, _ = structure_layer_data(crystal("SrTiO3"), "sto", PARAMS)
    assert views.rivals(Points(data, **options), "blink")  # it does not lie where its image was found
    assert seen(viewer) == before
    assert names(viewer) == layers


def test_from_squares_to_the_split_no_layer_comes_or_goes(viewer, compared):
    compared.views.buttons["checkerboard"].click()
    changes = []
    for event in (viewer.layers.events.inserted, viewer.layers.events.removed):
        event.connect(changes.append)
    compared.views.buttons["split"].click()
    compared.views.buttons["difference"].click()
    assert not changes
    compared.views.buttons["off"].click()
    assert [change.type for change in changes] == ["removed"]


def test_the_slider_moves_the_line(viewer, compared, image):
    compared.views.buttons["split"].click()
    layer = viewer.layers["experiment | mixed"]
    simulated = viewer.layers["experiment | simulated"].data
    for share in (0.5, 0.25, 1.0):
        compared.views.slider.setValue(round(1000 * share))
        at = round(share * image.data.shape[1])
        np.testing.assert_array_equal(layer.data[:, :at], image.data[:, :at])
        part = np.isfinite(simulated[:, at:])
        np.testing.assert_array_equal(layer.data[:, at:][part], simulated[:, at:][part])
    viewer.layers.remove(layer)
    assert compared.views.mode == "off"
    assert seen(viewer) >= {"experiment"}


def test_the_space_bar_turns_the_images(viewer, compared):
    views = compared.views
    assert not views.space.isEnabled()
    views.buttons["blink"].click()
    assert views.space.isEnabled()
    layer = viewer.layers["experiment | simulated"]
    for visible in (False, True, False):
        views.space.activated.emit()
        assert layer.visible is visible
        assert not views.timer.isActive()
    views.buttons["difference"].click()
    assert not views.space.isEnabled()


def test_a_removed_result_ends_the_view(viewer, compared):
    viewer.layers.remove("experiment | difference")
    assert compared.views.mode == "off"
    compared.views.buttons["difference"].click()
    assert compared.views.mode == "off"
    compared.views.buttons["beside"].click()
    viewer.layers.remove("experiment")
    assert not viewer.canvas.grid.enabled


# -- profile -----------------------------------------------------------------------------------------------------------


def test_the_profile_follows_the_line_and_is_saved(viewer, compared, qtbot, tmp_path):
    compared.profile_button.click()
    qtbot.waitUntil(lambda: compared._host.dock(ProfileDock) is not None, timeout=HANGING)
    dock, line = compared._host.dock(ProfileDock), viewer.layers["experiment | profile"]
    qtbot.waitUntil(lambda: dock.table is not None, timeout=HANGING)
    compared.views.buttons["split"].click()
    assert line.mode == "select"
    first = dock.table
    assert first["distance_angstrom"].iloc[-1] == pytest.approx(0.5 * 75 * PIXEL)
    line.data = [[[10, 10], [10, 40]]]
    qtbot.waitUntil(lambda: dock.table is not first, timeout=HANGING)
    assert dock.table["distance_angstrom"].iloc[-1] == pytest.approx(30 * PIXEL)
    dock.width_box.setValue(5)
    assert "difference" in dock.reading.text()
    second = dock.table
    line._data_view.shift(0, np.array([5, 0]))  # what napari does while a shape is dragged
    line.refresh()
    qtbot.waitUntil(lambda: dock.table is not second, timeout=HANGING)
    for suffix in (".png", ".svg"):
        files = dock.save(str(tmp_path / f"line{suffix}"))
        assert all(file.stat().st_size > 500 for file in files)
    assert list(pd.read_csv(tmp_path / "line.csv")) == ["distance_angstrom", "experimental", "simulated"]
    assert dock.save(str(tmp_path / "nowhere" / "line.png")) == []
    assert "could not be saved" in dock.reading.text().lower()
    line.data = []
    qtbot.waitUntil(lambda: dock.table is None, timeout=HANGING)
    assert not dock.save_button.isEnabled()
    compared.profile_button.click()
    qtbot.waitUntil(lambda: dock.table is not None, timeout=HANGING)
    assert sum("profile" in name for name in names(viewer)) == 1


# -- lens --------------------------------------------------------------------------------------------------------------


def test_fitted_values_go_to_the_page_that_simulates(viewer, panel, compared, monkeypatch, idle):
    asked = {}
    comparison = compared.found

    def fit(structure, experimental, params, *, vary):
        asked.update(count=len(structure), vary=vary)
        yield Progress(0, 1, "fitting")
        found = replace(
            params,
            stem=replace(params.stem, defocus=31.0, source_size=0.9),
            convolution=ConvolutionParams(psf="probe"),
        )
        return FittedSimulation(
            params=found,
            one_minus_r2=0.02,
            uncertainty={"defocus": float("inf"), "source_size": 0.03},
            steps=(),
            comparison=comparison,
            notes=("the sign is not determined",),
        )

    monkeypatch.setattr(lens_fit.fit_simulation, "steps", fit)
    lens = compared.lens
    assert not lens.use_button.isEnabled()
    lens.button.click()
    idle(panel)
    assert asked == {"count": 5, "vary": ("defocus", "source_size")}
    assert "source size: 0.90 ± 0.03 Å" in lens.reading.text()
    assert "does not depend" in lens.reading.text()
    assert "The sign is not determined." in lens.reading.text()
    lens.use_button.click()
    page = panel.pages["Simulate"]
    assert page.stem.value().defocus == 31.0
    assert page.convolution.value().psf == "probe"
    assert panel.page is page


def test_a_fit_that_explains_little_says_so(viewer, panel, compared, monkeypatch, idle):
    """57.3 ± 0.14 Å at 1 - R2 = 0.35 promised what the fit could not hold."""
    comparison = compared.found

    def fit(structure, experimental, params, *, vary):
        yield Progress(0, 1, "fitting")
        return FittedSimulation(
            params=replace(params, stem=replace(params.stem, defocus=57.3)),
            one_minus_r2=0.35,
            uncertainty={"defocus": 0.14, "source_size": 0.03},
            steps=(),
            comparison=comparison,
        )

    monkeypatch.setattr(lens_fit.fit_simulation, "steps", fit)
    compared.lens.button.click()
    idle(panel)
    assert "about 57.3 Å" in compared.lens.reading.text()
    assert "±" not in compared.lens.reading.text() + panel.status.text()
    assert "explains little" in panel.status.text()


def test_the_lens_needs_a_structure_and_something_to_vary(viewer, panel, compare_page, image, made, scene):
    for tick in compare_page.lens.ticks.values():
        tick.setChecked(False)
    assert "Tick at least one" in compare_page.lens.button.toolTip()
    compare_page.lens.ticks["defocus"].setChecked(True)
    assert compare_page.lens.button.isEnabled()
    data, options, _ = image_layer_data(replace(scene[0], metadata={}, name="foreign"))
    viewer.add_image(data, **options)
    panel.image_bar.choose(image)
    compare_page.pair.simulated.setCurrentIndex(compare_page.pair.simulated.findText("foreign"))
    assert "know their structure" in compare_page.lens.button.toolTip()


# -- files -------------------------------------------------------------------------------------------------------------


def test_saving_asks_before_it_overwrites(panel, compared, tmp_path, monkeypatch):
    compared.save(str(tmp_path / "out"))
    assert "Saved" in panel.status.text()
    assert (tmp_path / "out" / "comparison.json").exists()
    answers = []
    monkeypatch.setattr(folder, "may_overwrite", lambda _, taken: bool(answers.append(taken)))
    panel.say("")
    compared.save(str(tmp_path / "out"))
    assert len(answers) == 1
    assert panel.status.text() == ""
    (tmp_path / "file").write_text("")
    compared.save(str(tmp_path / "file" / "below"))
    assert "file" in panel.status.text()
    QApplication.processEvents()
