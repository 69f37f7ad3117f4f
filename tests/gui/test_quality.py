"""The strip "Fit quality" on the page "Columns"."""

import numpy as np
import pytest
from conftest import PIXEL_SIZE, SIDE, add_image, lattice, truth
from qtpy.QtCore import QPointF, Qt
from qtpy.QtWidgets import QApplication

from napari_atomseg.core.columns import Columns
from napari_atomseg.gui.docks.table import ColumnsTable
from napari_atomseg.gui.documents.results import show_columns
from napari_atomseg.gui.layers.conversion import DIFFERENCE
from napari_atomseg.gui.pages.columns.quality import position_sigmas, worst


@pytest.fixture
def strip(page):
    return page.quality


@pytest.fixture
def refined(page, panel, found, idle):
    page.refine()
    idle(panel)
    return found


def click(qtbot, button):
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    QApplication.processEvents()


def click_bar(qtbot, histogram, number):
    """Click a bar of the histogram in its middle."""
    place = histogram.bar(number).center()
    qtbot.mouseClick(histogram, Qt.MouseButton.LeftButton, pos=QPointF(place).toPoint())
    QApplication.processEvents()


def columns_with(fits, sigma, pixel_size=None):
    rng = np.random.default_rng(0)
    made = Columns(positions=rng.uniform(5, SIDE - 5, (len(fits), 2)), pixel_size=pixel_size)
    return made.with_features(fit=fits, y_std_px=sigma, x_std_px=sigma, intensity=100.0, sigma_px=2.0, background=1.0)


# -- when it is there --------------------------------------------------------------------------------------------------


def test_nothing_is_shown_before_a_refinement(strip, viewer, found):
    assert strip.isHidden()
    strip.select_worst()
    strip.select_fit("ok")
    assert found.layer.selected_data == set()


def test_nothing_to_show_without_columns(strip, viewer):
    add_image(viewer)
    assert strip.isHidden()
    strip.draw_residual()
    strip.select_worst()
    assert len(viewer.layers) == 1


def test_a_refinement_shows_numbers_and_counts(strip, refined):
    assert not strip.isHidden()
    sigma, unit = position_sigmas(refined.columns)
    assert unit == "pm"
    expected = np.sqrt((refined.columns.features["y_std_px"] ** 2 + refined.columns.features["x_std_px"] ** 2) / 2)
    np.testing.assert_allclose(sigma, 100 * PIXEL_SIZE * expected)
    assert strip.numbers.text() == (f"median {np.nanmedian(sigma):.3g} · 95 % < {np.nanpercentile(sigma, 95):.3g} pm")
    fits = refined.columns.features["fit"]
    for fit in ("ok", "border", "overlap", "failed"):
        assert strip.chips[fit].text() == f"{fit} {(fits == fit).sum():,}"
        assert strip.chips[fit].isEnabled() == (fits == fit).any()
        assert strip.chips[fit].toolTip()
    assert strip.histogram.counted.counts.sum() == np.isfinite(sigma).sum()


def test_undo_takes_the_strip_away_and_redo_brings_it_back(strip, refined):
    refined.undo()
    assert strip.isHidden()
    refined.redo()
    assert not strip.isHidden()


def test_an_edit_is_counted_at_once(strip, refined):
    count = strip.histogram.counted.counts.sum()
    refined.layer.remove([10])
    assert strip.histogram.counted.counts.sum() == count - 1
    moved = np.array(refined.layer.data)
    moved[3] += 2
    refined.layer.data = moved
    assert strip.histogram.counted.counts.sum() == count - 2
    assert not strip.chips["none"].isHidden()
    assert strip.chips["none"].text() == "not fitted 1"
    refined.undo()
    refined.undo()
    assert strip.histogram.counted.counts.sum() == count


def test_uncertainties_are_in_pixels_without_a_pixel_size_and_follow_the_calibration(strip, viewer, page, panel, idle):
    add_image(viewer, pixel_size=None)
    page.find()
    idle(panel)
    page.refine()
    idle(panel)
    assert strip.numbers.text().endswith(" px")
    panel.image_bar.set_pixel_size((0.1, 0.1), "typed")
    assert strip.numbers.text().endswith(" pm")


def test_only_failed_fits_say_so(strip, viewer, page):
    image = add_image(viewer)
    session, _ = show_columns(viewer, image, columns_with(["failed"] * 3, np.nan))
    page._host.documents.watch(session)
    assert not strip.isHidden()
    assert strip.numbers.isHidden()
    assert strip.histogram.counted.marks is None
    assert "No fit gave an uncertainty" in strip.histogram.empty
    strip.histogram.grab()


def test_before_any_refinement_it_says_not_refined_yet(strip, viewer, page):
    image = add_image(viewer)
    session, _ = show_columns(viewer, image, columns_with(["none", "border", "none"], np.nan))
    page._host.documents.watch(session)
    assert "Not refined yet" in strip.histogram.empty
    assert "failed" not in strip.histogram.empty


# -- selecting ---------------------------------------------------------------------------------------------------------


def test_a_chip_selects_its_columns_and_centres_the_first(strip, refined, viewer, page, qtbot):
    page.show_table()
    verdicts = np.full(len(refined.columns), "ok", dtype=object)
    verdicts[[12, 40, 41]] = "border"
    refined.apply(refined.columns.with_features(fit=verdicts))
    click(qtbot, strip.chips["border"])
    rows = np.flatnonzero(refined.columns.features["fit"] == "border")
    assert list(rows) == [12, 40, 41]
    assert set(refined.layer.selected_data) == set(rows)
    np.testing.assert_allclose(viewer.scene.camera.center[-2:], refined.layer.data_to_world(refined.layer.data[rows[0]]))
    table = page._host.dock(ColumnsTable)
    assert {table._proxy.mapToSource(index).row() for index in table.view.selectionModel().selectedRows()} == set(rows)
    assert f"{len(rows):,} columns" in page._host.status.text()
    assert viewer.layers.selection.active is refined.layer


def test_the_worst_are_the_failed_and_then_the_least_sure(strip, viewer, page, qtbot):
    sigma = np.linspace(0.01, 0.5, 60)
    sigma[[7, 30]] = np.nan
    fits = np.full(60, "ok", dtype=object)
    fits[7], fits[30] = "failed", "none"
    made = columns_with(fits, sigma)
    np.testing.assert_array_equal(worst(made, 4), [7, 59, 58, 57])
    session, _ = show_columns(viewer, add_image(viewer), made)
    page._host.documents.watch(session)
    click(qtbot, strip.worst_button)
    assert set(session.layer.selected_data) == {7, *range(41, 60)}
    np.testing.assert_allclose(viewer.scene.camera.center[-2:], session.layer.data_to_world(session.layer.data[7]))


def test_fewer_columns_than_asked_for():
    made = columns_with(["ok", "none"], [0.1, np.nan])
    np.testing.assert_array_equal(worst(made, 20), [0])
    assert len(worst(Columns(positions=np.zeros((0, 2))), 20)) == 0


def test_a_bar_selects_the_columns_in_it(strip, refined, qtbot):
    histogram = strip.histogram
    number = int(np.argmax(histogram.counted.counts))
    click_bar(qtbot, histogram, number)
    sigma, _ = position_sigmas(refined.columns)
    chosen = sorted(refined.layer.selected_data)
    assert len(chosen) == histogram.counted.counts[number]
    assert (sigma[chosen] >= histogram.counted.edges[number]).all()
    assert number == len(histogram.counted.counts) - 1 or (sigma[chosen] < histogram.counted.edges[number + 1]).all()


def test_the_last_bar_holds_everything_beyond(strip, viewer, page, qtbot):
    sigma = np.concatenate([np.linspace(0.01, 0.02, 199), [5.0]])
    session, _ = show_columns(viewer, add_image(viewer), columns_with(["ok"] * 200, sigma))
    page._host.documents.watch(session)
    assert strip.histogram.counted.edges[-1] < 0.5  # pm, where the outlier is at 100
    click_bar(qtbot, strip.histogram, len(strip.histogram.counted.counts) - 1)
    assert 199 in session.layer.selected_data
    assert "and more" in page._host.status.text()


def test_seventeen_thousand_columns_are_all_counted(strip, viewer, page):
    rng = np.random.default_rng(0)
    image = add_image(viewer)
    session, _ = show_columns(viewer, image, columns_with(["ok"] * 17_000, rng.uniform(0.01, 0.1, 17_000)))
    page._host.documents.watch(None)
    strip.watch(session)
    strip.histogram.grab()
    assert strip.histogram.counted.counts.sum() == 17_000


# -- the residual ------------------------------------------------------------------------------------------------------


def residuals(viewer):
    return [layer for layer in viewer.layers if "residual" in layer.name]


def test_residual_is_a_calibrated_layer_with_zero_in_the_middle(strip, refined, viewer, panel, idle, qtbot):
    image = panel.image
    click(qtbot, strip.residual_button)
    idle(panel)
    (layer,) = residuals(viewer)
    assert layer.name == "lattice | residual"
    np.testing.assert_allclose(layer.scale, image.scale)
    np.testing.assert_allclose(layer.translate, image.translate)
    assert layer.units == image.units
    assert layer.axis_labels == image.axis_labels
    assert viewer.layers.units is not None
    assert layer.colormap.name == DIFFERENCE.name
    assert layer.contrast_limits[0] == -layer.contrast_limits[1]
    assert layer.data.std() < 6  # the noise is 4, the columns are 150 high
    assert panel.image is image
    assert viewer.layers.selection.active is refined.layer
    assert list(viewer.layers) == [image, layer, refined.layer]
    assert not strip.isHidden()


def test_residual_again_replaces_the_last_unless_it_is_locked(strip, refined, viewer, panel, idle, qtbot):
    for _ in range(2):
        click(qtbot, strip.residual_button)
        idle(panel)
    (first,) = residuals(viewer)
    before = np.array(first.data)
    refined.layer.remove([20])
    click(qtbot, strip.residual_button)
    idle(panel)
    assert residuals(viewer) == [first]
    assert np.abs(first.data - before).max() > 100
    first.locked = True
    click(qtbot, strip.residual_button)
    idle(panel)
    assert len(residuals(viewer)) == 2


def test_residual_follows_the_calibration_of_its_image(strip, refined, viewer, panel, idle, qtbot):
    click(qtbot, strip.residual_button)
    idle(panel)
    panel.image_bar.set_pixel_size((0.5, 0.5), "typed")
    (layer,) = residuals(viewer)
    np.testing.assert_allclose(layer.scale, panel.image.scale)
    assert viewer.layers.units is not None


def test_clicking_the_residual_keeps_the_image_and_its_columns(strip, refined, viewer, panel, page, idle, qtbot):
    image = panel.image
    click(qtbot, strip.residual_button)
    idle(panel)
    viewer.layers.selection.active = residuals(viewer)[0]
    assert panel.image is image
    assert page.session is refined


def test_residual_of_a_frame_is_seen_in_that_frame(strip, viewer, page, panel, idle, qtbot):
    stack = np.stack([lattice(seed=seed) for seed in (1, 2, 3)])
    image = add_image(viewer, stack)
    page.every_frame.setChecked(True)
    page.find()
    idle(panel)
    page.refine()
    idle(panel)
    viewer.dims.set_current_step(0, 2)
    click(qtbot, strip.residual_button)
    idle(panel)
    (layer,) = residuals(viewer)
    assert layer.data.shape == (1, SIDE, SIDE)
    np.testing.assert_allclose(layer.extent.world[0, 0], 2 * image.scale[0])
    assert layer.data.std() < 6
    assert viewer.dims.nsteps[0] == 3


def test_residual_of_a_frame_without_fits_says_so(strip, viewer, page, panel, idle, qtbot):
    stack = np.stack([lattice(seed=seed) for seed in (1, 2)])
    add_image(viewer, stack)
    viewer.dims.set_current_step(0, 0)
    page.find()
    idle(panel)
    page.refine()
    idle(panel)
    viewer.dims.set_current_step(0, 1)
    click(qtbot, strip.residual_button)
    idle(panel)
    assert residuals(viewer) == []
    assert "refine the columns first" in panel.status.text()


def test_image_removed_while_the_residual_is_drawn(strip, refined, viewer, panel, idle, qtbot):
    image = panel.image
    click(qtbot, strip.residual_button)
    viewer.layers.remove(image)
    idle(panel)
    assert residuals(viewer) == []
    assert "removed" in panel.status.text()
    assert not strip.residual_button.isEnabled()
    assert strip.residual_button.toolTip() == "Their image is gone."


def test_theme_change_and_hover_repaint(strip, refined, viewer, qtbot):
    histogram = strip.histogram
    dark = histogram.grab().toImage()
    viewer.theme = "light"
    assert histogram.grab().toImage() != dark
    number = int(np.argmax(histogram.counted.counts))
    qtbot.mouseMove(histogram, histogram.bar(number).center().toPoint())
    assert histogram.counted.describe(number).startswith(f"{histogram.counted.counts[number]} columns of ")
    assert len(truth()) >= histogram.counted.counts[number]
