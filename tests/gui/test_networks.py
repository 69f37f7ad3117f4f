"""The pages "Networks" and "Train", and networks as finders: run, threshold, compare, models, training."""

import re
import time

import numpy as np
import pytest
from conftest import HANGING, PIXEL_SIZE, add_image, lattice, nearest, open_panel, truth
from napari.layers import Labels
from networks_at_hand import Bright, save_tiny, see_brightness
from qtpy.QtCore import QPoint
from qtpy.QtWidgets import QApplication

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.jobs import Progress
from napari_atomseg.gui.layers.conversion import source_of
from napari_atomseg.gui.layers.maps import note_of
from napari_atomseg.networks.card import NAME, WEIGHTS
from napari_atomseg.training.fit import TrainingProgress


@pytest.fixture
def models(private_settings):
    """The user's folder with one tiny model."""
    save_tiny(private_settings / "models")
    return private_settings / "models"


@pytest.fixture
def seeing(models, monkeypatch):
    """The tiny model, which for once sees something."""
    see_brightness(monkeypatch)


@pytest.fixture
def networks(panel):
    panel.pages.turn_to_title("Networks")
    return panel.pages["Networks"]


@pytest.fixture
def by_network(viewer, panel, page, idle):
    """Columns that a network found; called with an image."""

    def find(data=None, name="lattice", **more):
        add_image(viewer, data, name, **more)
        page.finder.model.choose("tiny")
        page.find()
        idle(panel)
        assert page.session is not None, panel.status.text()
        return page.session

    return find


# -- without a network -------------------------------------------------------------------------------------------------


def test_without_a_network_the_page_says_what_to_do(viewer, panel, networks, page):
    add_image(viewer)
    assert "No network is installed" in networks.empty.text()
    assert networks.empty.isVisibleTo(networks)
    assert not networks.controls.isVisibleTo(networks)
    assert not panel.run_button.isEnabled()
    assert "No network" in panel.run_button.toolTip()
    finders = [page.finder.model.itemText(row) for row in range(page.finder.model.count())]
    assert finders == ["auto (best for the image)", "classical (no network)"]
    networks.empty.linkActivated.emit("train")
    assert panel.run_button.text() == "Train"


def test_a_model_that_is_installed_meanwhile_comes_with_refresh(viewer, panel, networks, private_settings):
    add_image(viewer)
    save_tiny(private_settings / "models", sampling_range=(0.01, 0.3), scores={"validation f1": 0.91})
    networks.models.refresh_button.click()
    assert networks.controls.isVisibleTo(networks)
    assert panel.run_button.isEnabled()
    assert panel.run_button.text() == "Make maps"
    for word in ("Random weights", "20 pm/px", "1 pm/px to 30 pm/px", "validation f1 0.91"):
        assert word in networks.model.toolTip()


# -- maps --------------------------------------------------------------------------------------------------------------


def test_maps_lie_on_their_image_and_say_what_they_are(models, viewer, panel, networks, idle):
    image = add_image(viewer, name="particle")
    image.translate = (3.0, 4.0)
    for task in ("mask", "background"):
        networks.map_ticks.ticks[task].setChecked(True)
    panel.run_button.click()
    idle(panel)
    for title in ("column map", "mask map", "denoised", "without background"):
        layer = viewer.layers[f"particle | {title}"]
        assert layer.data.shape == image.data.shape
        assert layer.data.dtype == np.float32
        np.testing.assert_allclose(layer.scale, image.scale)
        np.testing.assert_allclose(layer.translate, image.translate)
        assert layer.units == image.units
        assert layer.axis_labels == image.axis_labels
        assert source_of(layer) is image
        assert "a belief, not a measurement" in note_of(layer)
    assert viewer.layers.units is not None
    assert panel.image is image
    assert "not a measurement" in panel.status.text()
    assert tuple(viewer.layers["particle | mask map"].contrast_limits) == (0.0, 1.0)
    # Beside the image in the grid; outside of a comparison no map lies visible above it.
    assert networks.compare.mode == "beside"
    networks.compare.show_as("off")
    assert seen(viewer) == {"particle", "particle | mask"}
    mask = viewer.layers["particle | mask"]
    assert isinstance(mask, Labels)
    np.testing.assert_allclose(mask.scale, image.scale)
    chance = viewer.layers["particle | mask map"].data
    for threshold in (0.5, float(np.median(chance))):
        networks.mask.threshold.setValue(threshold)
        networks.mask.draw()
        np.testing.assert_array_equal(mask.data > 0, chance > networks.mask.threshold.value())
    panel.run_button.click()
    idle(panel)
    assert len(viewer.layers) == 6


def test_a_region_and_one_frame_of_a_stack(models, viewer, panel, networks, idle):
    image = add_image(viewer, np.stack([lattice(96, seed=seed) for seed in range(3)]), "movie")
    viewer.dims.set_current_step(0, 2)
    viewer.add_shapes([[[10, 20], [10, 70], [60, 70], [60, 20]]], name="good", scale=image.scale[-2:], units=image.units[-2:])
    viewer.layers.selection.active = image
    networks.region.setCurrentIndex(networks.region.findText("inside good"))
    panel.run_button.click()
    idle(panel)
    layer = viewer.layers["movie | denoised"]
    assert layer.data.shape == (1, 96, 96)
    assert layer.translate[0] == pytest.approx(2 * image.scale[0])
    known = np.isfinite(layer.data[0])
    assert known[12:58, 22:68].all()
    assert not known[70:].any()
    networks.every_frame.setChecked(True)
    networks.region.setCurrentIndex(0)
    panel.run_button.click()
    idle(panel)
    assert viewer.layers["movie | denoised"].data.shape == (3, 96, 96)
    assert viewer.layers.units is not None


def test_the_pixel_size_that_is_told_and_one_that_will_not_do(models, viewer, panel, networks, idle, page):
    add_image(viewer)
    assert "for the network: 20 pm/px" in networks.pixel_size_box.says.text()
    networks.pixel_size_box.form._editors["pixel_size"].widget.setValue(1.5)
    for told in (networks.pixel_size_box, page.finder.pixel_size_box):
        assert "check the pixel size" in told.says.text() or not page.finder.by_network
    panel.run_button.click()
    idle(panel)
    assert "knows images of 2 pm/px to 30 pm/px" in panel.status.text()
    assert len(viewer.layers) == 1
    networks.pixel_size_box.form._editors["pixel_size"].widget.setValue(0.25)
    assert "set by hand" in networks.pixel_size_box.says.text()
    panel.run_button.click()
    idle(panel)
    assert "25 pm/px" in note_of(viewer.layers["lattice | denoised"])


def test_an_image_without_a_pixel_size_gets_an_estimate(models, viewer, panel, networks, idle):
    add_image(viewer, pixel_size=None)
    assert "estimated" in networks.pixel_size_box.says.text()
    panel.run_button.click()
    idle(panel)
    assert "estimated from columns" in note_of(viewer.layers["lattice | denoised"])
    assert "estimated" in panel.status.text()


@pytest.mark.parametrize("known", [True, False])
def test_a_finder_that_had_to_estimate_the_pixel_size_says_which(seeing, by_network, panel, known):
    by_network(**({} if known else {"pixel_size": None}))
    assert ("an estimate" in panel.status.text()) is not known


def test_maps_can_be_cancelled_and_a_second_try_works(seeing, viewer, panel, networks, idle, qtbot, monkeypatch):
    add_image(viewer)
    at_work = Bright.forward

    def slow(self, image):
        time.sleep(0.3)
        return at_work(self, image)

    monkeypatch.setattr(Bright, "forward", slow)
    panel.run_button.click()
    assert panel.busy
    panel.cancel_button.click()
    qtbot.waitUntil(lambda: not panel.busy, timeout=HANGING)
    assert len(viewer.layers) == 1
    panel.run_button.click()
    idle(panel)
    assert "lattice | column map" in viewer.layers


# -- columns -----------------------------------------------------------------------------------------------------------


def test_columns_by_a_network_are_a_document_like_any_other(seeing, by_network, viewer, panel, page, idle):
    session = by_network()
    assert nearest(session.layer.data, truth()).max() < 1.5
    assert session.layer.name == "lattice | columns"
    assert set(session.columns.features["origin"]) == {"model"}
    assert session.columns.provenance["model"] == "tiny"
    seen = session.columns.features[["network_y_px", "network_x_px"]].to_numpy()
    page.refine_button.click()
    idle(panel)
    assert nearest(session.layer.data, truth()).max() < 0.3
    np.testing.assert_array_equal(session.columns.features[["network_y_px", "network_x_px"]].to_numpy(), seen)
    session.layer.remove([0])
    edited = session.layer
    page.find()
    idle(panel)
    assert page.session.layer is not edited
    assert "kept" in panel.status.text()


def with_confidences(session, page):
    """The candidates, every one of a confidence of its own."""
    everything = page.finder.candidates.everything
    sure = np.linspace(0.06, 0.98, len(everything))
    everything = everything.with_features(confidence=sure)
    session.apply(everything)
    page.finder.keep(session, everything)
    return everything


def test_the_threshold_moves_the_points_and_leaves_a_hand_its_work(seeing, by_network, page):
    session = by_network()
    everything = with_confidences(session, page)
    half = (everything.features["confidence"] >= 0.51).sum()
    page.finder.least.setValue(0.51)
    assert len(session.columns) == half
    assert session.columns.provenance["parameters"]["least_confidence"] == 0.51
    gone = session.columns.positions[0]
    session.layer.remove([0])
    page.snaps.setChecked(False)
    session.layer.add(np.array([[1.0, 1.0]]))
    for value in (0.95, 0.2, 0.06):
        page.finder.least.setValue(value)
    assert len(session.columns) == len(everything)  # one deleted, one added
    assert nearest(session.columns.positions, gone[None])[0] > 2
    assert (session.columns.features["origin"] == "manual").sum() == 1
    session.undo()
    assert len(session.columns) == half
    assert page.finder.least.value() == pytest.approx(0.51)
    assert page.finder.least._label.text() == "0.51"
    session.undo()
    session.undo()
    assert nearest(session.columns.positions, gone[None])[0] == 0


def test_what_was_refined_comes_back_refined(seeing, by_network, panel, page, idle):
    session = by_network()
    everything = with_confidences(session, page)
    page.refine_button.click()
    idle(panel)
    fitted = session.columns
    page.finder.least.setValue(0.9)
    assert len(session.columns) < len(everything) / 5
    session.changed.emit()
    page.finder.least.setValue(0.05)
    order = np.lexsort(session.columns.positions.T)
    np.testing.assert_array_equal(session.columns.positions[order], fitted.positions[np.lexsort(fitted.positions.T)])


def test_the_threshold_of_a_large_image_asks_no_network(seeing, by_network, page, panel, monkeypatch):
    session = by_network(lattice(512), "large", pixel_size=(0.2, 0.2))
    assert len(session.columns) > 1000
    with_confidences(session, page)
    monkeypatch.setattr(Bright, "forward", lambda *_: pytest.fail("the network was asked again"))
    shown = []
    for value in np.linspace(0.9, 0.1, 9):
        page.finder.least.setValue(float(value))
        QApplication.processEvents()
        assert not panel.busy
        shown.append(len(session.layer.data))
    assert shown == sorted(shown)
    assert shown[0] < shown[-1] / 4


def test_nothing_sure_enough_is_said_and_can_be_lowered(seeing, viewer, panel, page, idle):
    add_image(viewer)
    page.finder.model.choose("tiny")
    page.finder.least.setValue(0.99)
    page.find()
    idle(panel)
    if len(page.session.columns) == 0:
        assert "Lower the threshold" in panel.status.text()
    page.finder.least.setValue(0.1)
    assert len(page.session.columns) == len(truth())
    assert 5 < page.session.layer.size[0] < 12


def test_the_classical_finder_stays_as_it_was(models, viewer, panel, page, idle):
    add_image(viewer)
    page.finder.model.choose("classical")
    assert not page.finder.by_network
    assert not page.finder.least.isVisibleTo(page)
    page.find()
    idle(panel)
    assert set(page.session.columns.features["origin"]) == {"classical"}
    assert page.finder.candidates is None


def test_the_finder_is_chosen_for_the_image_and_said(models, viewer, panel, page, idle):
    add_image(viewer)
    assert page.finder.model.chosen == "auto"
    page.find()
    idle(panel)
    assert page.session.columns.provenance["model"] == "classical"
    assert "Found by the classical finder (chosen: " in panel.status.text()


# -- comparison --------------------------------------------------------------------------------------------------------


@pytest.fixture
def compared(models, viewer, panel, networks, idle):
    add_image(viewer)
    panel.run_button.click()
    idle(panel)
    networks.compare.show_as("off")
    networks.compare.choose("denoise")
    return networks.compare


def seen(viewer):
    return {layer.name for layer in viewer.layers if layer.visible}


def test_side_by_side_and_back(compared, viewer):
    before = seen(viewer)
    compared.buttons["beside"].click()
    grid = viewer.canvas.grid
    assert grid.enabled
    assert grid.actual_shape(viewer.layers) == (1, 2)
    assert seen(viewer) == {"lattice", "lattice | denoised"}
    assert grid.position(viewer.layers.index("lattice"), viewer.layers) == (0, 0)
    compared.buttons["off"].click()
    assert not grid.enabled
    assert seen(viewer) == before


def test_blink_shows_them_in_turns(compared, viewer, qtbot):
    before = seen(viewer)
    compared.timer.setInterval(20)
    compared.buttons["blink"].click()
    layer = viewer.layers["lattice | denoised"]
    assert layer.visible
    qtbot.waitUntil(lambda: not layer.visible, timeout=HANGING)
    qtbot.waitUntil(lambda: layer.visible, timeout=HANGING)
    viewer.layers.remove(layer)
    assert not compared.timer.isActive()
    assert compared.mode == "off"
    assert seen(viewer) == before - {"lattice | denoised"}


def test_blinking_ends_with_the_panel(compared, viewer, panel, qtbot):
    compared.timer.setInterval(20)
    compared.buttons["blink"].click()
    viewer.window.remove_dock_widget(panel)
    qtbot.waitUntil(lambda: not compared.timer.isActive(), timeout=HANGING)
    add_image(viewer, lattice(seed=4), "second")


def test_another_image_ends_the_comparison(compared, viewer):
    compared.buttons["beside"].click()
    add_image(viewer, lattice(seed=4), "second")
    assert compared.mode == "off"
    assert not viewer.canvas.grid.enabled


# -- models ------------------------------------------------------------------------------------------------------------


def test_the_list_shows_each_model_and_its_card(models, panel, networks):
    (models / "broken").mkdir()
    (models / "broken" / NAME).write_text("{unclosed")
    weights = save_tiny(models, "damaged") / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1] + b"\xff")
    networks.models.refresh_button.click()
    rows = [networks.models.list.topLevelItem(row) for row in range(networks.models.list.topLevelItemCount())]
    assert {row.text(0): row.text(2) for row in rows} == {"tiny": "ok", "broken": "not usable", "damaged": "does not fit"}
    networks.models.choose("tiny")
    for word in ("Random weights", "20 pm/px", "ADF-STEM", "width 4"):
        assert word in networks.models.card.text()
    networks.models.choose("broken")
    assert "YAML" in networks.models.card.text()
    assert networks.model.findData("broken") < 0


def test_import_of_a_good_and_of_a_broken_model(panel, networks, idle, tmp_path, private_settings):
    good = save_tiny(tmp_path / "elsewhere", "good")
    networks.models.ask_and_add(str(good))
    idle(panel)
    assert "good was imported" in panel.status.text()
    assert networks.model.chosen == "good"
    bad = save_tiny(tmp_path / "elsewhere", "bad")
    (bad / WEIGHTS).write_bytes(b"nonsense")
    networks.models.ask_and_add(str(bad))
    idle(panel)
    assert "checksum" in panel.status.text()
    assert "\n" not in panel.status.text()
    assert not (private_settings / "models" / "bad").exists()
    assert networks.model.findData("bad") < 0


# -- training ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def few_scenes(monkeypatch):
    """Small images, few of them, from a recipe that needs no crystal."""
    from napari_atomseg import workflows
    from napari_atomseg.synthesis.recipe import read_recipe
    from napari_atomseg.training import lessons
    from napari_atomseg.workflows import training

    asked = []
    monkeypatch.setattr(lessons, "BATCHES", 1)
    monkeypatch.setattr(lessons, "BATCH", 2)
    monkeypatch.setattr(training, "BATCH", 1)
    monkeypatch.setattr(training, "PATCH", 48)
    monkeypatch.setattr(workflows, "recipe_for_crystal", lambda *given: asked.append(given) or read_recipe("columns_stem"))
    return asked


def test_a_new_model_stands_beside_the_one_before_and_the_user_chooses(models, few_scenes, viewer, panel, idle, tmp_path):
    cif = tmp_path / "crystal.cif"
    cif.write_text("data_")
    train = panel.pages["Train"]
    panel.pages.turn_to_title("Train")
    assert not panel.run_button.isEnabled()
    train.file.setText(str(cif))
    assert panel.run_button.isEnabled()
    assert train.start_from.chosen == "tiny"
    train.zone.setText("[1, 0, 1]")
    train.minutes.setValue(0.05)
    train.name.setText("my crystal")
    panel.run_button.click()
    turns = 0
    while panel.busy:
        QApplication.processEvents()
        turns += 1
        time.sleep(0.002)
    idle(panel)
    assert few_scenes == [(cif, (1, 0, 1), None)]
    assert turns > 20  # the window has been answering meanwhile
    assert len(train.losses.values) > 0
    assert "my-crystal is ready" in panel.status.text()
    assert panel.pages["Columns"].finder.model.chosen != "my-crystal"
    asked = panel.offer.sentence.text()
    assert re.fullmatch(r"my-crystal: F1 [\d.]+, \d+ pm; tiny on the same images: F1 [\d.]+, \d+ pm\. Use the new model\?", asked)
    assert panel.offer.refuse.text() == "Keep tiny"
    add_image(viewer)  # another image does not take the question away
    assert not panel.offer.isHidden()
    panel.offer.accept.click()
    assert panel.offer.isHidden()
    for box in (panel.pages["Networks"].model, panel.pages["Columns"].finder.model):
        assert box.chosen == "my-crystal"
    assert panel.pages["Networks"].models.chosen == "my-crystal"
    assert (models / "my-crystal" / WEIGHTS).is_file()


def test_training_from_columns_in_a_box_can_be_cancelled(models, few_scenes, viewer, panel, page, found, idle, qtbot):
    image = found.image
    viewer.add_shapes([[[0, 0], [0, 80], [80, 80], [80, 0]]], name="good", scale=image.scale, units=image.units)
    viewer.layers.selection.active = found.layer
    train = panel.pages["Train"]
    panel.pages.turn_to_title("Train")
    train.crystal.setCurrentIndex(1)
    train.region.setCurrentIndex(train.region.findText("inside good"))
    panel.run_button.click()
    qtbot.waitUntil(lambda: bool(few_scenes), timeout=HANGING)
    given = few_scenes[0][2]
    assert isinstance(given, Columns)
    assert 20 < len(given) < len(found.columns)
    assert given.positions.max() < 81
    assert given.pixel_size == pytest.approx((PIXEL_SIZE, PIXEL_SIZE))
    panel.cancel_button.click()
    qtbot.waitUntil(lambda: not panel.busy, timeout=HANGING)
    assert "cancelled" in panel.status.text()
    assert train.left.text() == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda train: train.file.setText("/no/such.cif"), "There is no file"),
        (lambda train: (train.file.setText(__file__), train.zone.setText("0 0 0")), "zone axis is [0 0 0]"),
        (lambda train: (train.file.setText(__file__), train.zone.setText("along c")), "no zone axis"),
        (lambda train: train.crystal.setCurrentIndex(1), "Find columns"),
    ],
)
def test_what_cannot_be_learnt_is_said(models, panel, change, words):
    panel.pages.turn_to_title("Train")
    change(panel.pages["Train"])
    panel.page.run()
    assert words in panel.status.text()
    assert not panel.busy


def test_closing_the_viewer_while_a_network_is_at_work(seeing, make_napari_viewer, monkeypatch):
    viewer = make_napari_viewer()
    panel = open_panel(viewer)
    add_image(viewer)
    at_work = Bright.forward

    def slow(self, image):
        time.sleep(0.3)
        return at_work(self, image)

    monkeypatch.setattr(Bright, "forward", slow)
    panel.pages.turn_to_title("Networks")
    panel.run_button.click()
    QApplication.processEvents()
    assert panel.busy


# -- how it fits -------------------------------------------------------------------------------------------------------


def test_it_fits_a_small_screen_and_long_names(make_napari_viewer, private_settings, qtbot):
    save_tiny(private_settings / "models", "a-network-with-a-very-long-name-" * 3, about="A long description of it. " * 12)
    viewer = make_napari_viewer(show=True)
    panel = open_panel(viewer)
    before = panel.minimumSizeHint().width()
    add_image(viewer, name="x" * 200)
    window = viewer.window._qt_window
    for index in range(3):
        panel.pages.setCurrentIndex(index)
        panel.pages["Networks"].models_fold.expand(animate=False)
        window.resize(1024, 600)
        QApplication.processEvents()
        assert window.height() <= 600
        assert panel.minimumSizeHint().width() <= before + 5
        for widget in (panel.run_button, panel.cancel_button, panel.status):
            bottom = widget.mapTo(window, QPoint(widget.width(), widget.height()))
            assert bottom.y() <= window.height()
            assert bottom.x() <= window.width()


def test_the_curve_keeps_what_is_a_number(panel):
    page = panel.pages["Train"]
    bare = page.curve.grab().toImage()
    for step, value in enumerate((float("nan"), 3.0, 2.0, 1.0)):
        page._show_losses(page.losses.with_value(step, value))
    assert page.losses.values == (3.0, 2.0, 1.0)
    assert page.curve.plot is page.losses
    assert page.curve.grab().toImage() != bare


def test_progress_without_a_loss_is_heard(panel):
    page = panel.pages["Train"]
    lesson = type("Lesson", (), {"minutes": 4.0})()
    page._started = time.monotonic()
    page._hear(Progress(3, 10, "at work"), lesson)
    assert page.left.text().startswith("About")
    page._hear(TrainingProgress(3, 10, "at work", 2.0, {"f1": 0.9, "rms_pm": 12.0}), lesson)
    assert "About 4 min left" in page.left.text()
    assert "F1 0.90, 12 pm" in page.left.text()
    assert page.losses.values == (2.0,)


def test_the_card_of_every_shipped_model_can_be_shown():
    from pathlib import Path

    from napari_atomseg.gui.widgets.network_settings import card_summary, card_text
    from napari_atomseg.networks.card import read_card

    folders = [path.parent for path in (Path(__file__).parents[2] / "models").glob("*/card.yaml")]
    assert folders
    for folder in folders:
        card = read_card(folder)
        assert card.about in card_summary(card)
        assert any(score in card_summary(card) for score in ("F1", "recall", "gain"))
        assert card.licence in card_text(card)


def test_a_confidence_that_was_dragged_and_undone_is_not_what_the_next_start_has(seeing, by_network, page, make_napari_viewer):
    usual = page.finder.least.value()
    by_network()
    page.finder.least.setValue(0.93)
    page.undo_button.click()
    assert page.finder.least.value() == pytest.approx(usual)
    assert open_panel(make_napari_viewer()).pages["Columns"].finder.least.value() == pytest.approx(usual)


def test_the_threshold_of_a_stack_keeps_the_frames_found_one_by_one(seeing, by_network, viewer, page, panel, idle):
    session = by_network(np.stack([lattice(96), lattice(96, seed=2)]), "stack")
    viewer.dims.set_current_step(0, 1 - viewer.dims.current_step[0])
    page.find()
    idle(panel)
    assert page.session is session
    both = np.bincount(session.columns.frame, minlength=2)
    assert both.min() > 0
    page.finder.least.setValue(0.98)
    page.finder.least.setValue(0.05)
    assert (np.bincount(session.columns.frame, minlength=2) >= both).all()
