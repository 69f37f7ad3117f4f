"""Synthetic images from the menu: calibrated, with true columns and labels, the same for the same seed."""

import numpy as np
import pytest


@pytest.fixture
def dialog(panel):
    panel.menu.synthetic()
    return panel.menu._synthetic


def test_an_image_with_its_truth_comes_at_a_click(dialog, panel, viewer, idle):
    dialog.recipe.setCurrentText("temimagenet")
    dialog.side.setValue(96)
    dialog.seed.setValue(3)
    dialog.columns.setChecked(True)
    dialog.labels.setChecked(True)
    dialog.draw_button.click()
    idle(panel)
    image = viewer.layers["temimagenet 3"]
    assert image.data.shape == (96, 96)
    assert [str(unit) for unit in image.units] == ["nanometer", "nanometer"]
    assert len(panel.documents.session.columns) > 3
    assert not viewer.layers["temimagenet 3 | gaussian"].visible
    assert "pm/px" in panel.status.text()
    first = np.array(image.data)
    dialog.draw_button.click()
    idle(panel)
    assert np.array_equal(viewer.layers["temimagenet 3 [1]"].data, first)


def test_next_draws_another_one(dialog, panel, viewer, idle):
    dialog.side.setValue(64)
    dialog.draw_button.click()
    idle(panel)
    dialog.next_button.click()
    idle(panel)
    names = [layer.name for layer in viewer.layers]
    assert len(names) == 2
    assert dialog.seed.value() == 1
    assert not np.array_equal(viewer.layers[0].data, viewer.layers[1].data)


def test_a_focal_series_comes_as_a_stack(dialog, panel, viewer, idle):
    dialog.recipe.setCurrentText("nanoparticle_focal_series")
    dialog.side.setValue(64)
    dialog.columns.setChecked(True)
    dialog.draw_button.click()
    idle(panel)
    assert viewer.layers["nanoparticle_focal_series 0"].data.shape == (3, 64, 64)
    assert "e/Å²" in panel.status.text()
