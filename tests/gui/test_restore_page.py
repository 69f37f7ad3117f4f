"""The page "Restore": what a network takes off is seen, and columns are found in the rest and fitted on the recorded image."""

import numpy as np
import pytest
import torch
from conftest import add_image, nearest, truth
from napari.layers import Points
from torch import nn

from napari_atomseg.gui.layers.maps import note_of
from napari_atomseg.networks import zoo
from napari_atomseg.networks.architectures.unet import Unet, UnetParams
from napari_atomseg.networks.card import RESTORATION, WHOLE, ModelCard
from napari_atomseg.networks.outputs import RESTORED

KINDS = "hrstem, lrstem, hrtem, lrtem, hrsem, lrsem"


class Smooth(nn.Module):
    """Takes for the specimen what is left of an image after a running mean; the more so if it is told a kind."""

    multiple, reach = 1, 1

    def forward(self, images):
        told = 1 + 0.01 * images[:, 1:].sum(dim=1, keepdim=True)
        return told * nn.functional.avg_pool2d(nn.functional.pad(images[:, :1], (1, 1, 1, 1), mode="replicate"), 3, stride=1)


@pytest.fixture
def restorer(private_settings, monkeypatch):
    """A model that restores by a running mean."""
    from napari_atomseg.inference import cached_model
    from napari_atomseg.workflows import model_cards

    shape = {"width": 4, "depth": 2, "stem": 2, "row_context": 0, "conditions": 6}
    card = ModelCard(
        name="smooth",
        task=RESTORATION,
        network=shape,
        outputs=(RESTORED,),
        normalisation=WHOLE,
        modality=KINDS,
        about="For tests.",
    )
    torch.manual_seed(0)
    zoo.save_model(card, Unet(UnetParams(**shape), (RESTORED,)).state_dict(), private_settings / "models")
    monkeypatch.setattr(cached_model, "cached_model", lambda name, device: zoo.Model(model_cards()[name], Smooth().eval()))


@pytest.fixture
def restoring(restorer, panel):
    panel.pages.turn_to_title("Restore")
    return panel.pages["Restore"]


def named(viewer, ending):
    return next((layer for layer in viewer.layers if layer.name.endswith(ending)), None)


def test_without_a_network_the_page_says_what_to_do(viewer, panel, private_settings, monkeypatch):
    monkeypatch.setattr(zoo, "list_models", dict)
    page = panel.pages["Restore"]
    panel.networks.cards = {}
    panel.networks.models_changed.emit()
    panel.pages.turn_to_title("Restore")
    add_image(viewer)
    assert not page.empty.isHidden()
    assert page.controls.isHidden()
    assert "No network" in page.why_not()


def test_an_image_is_restored_beside_itself_and_what_was_taken_off_is_kept(restoring, viewer, panel, idle):
    image = add_image(viewer)
    before = np.array(image.data)
    restoring.run()
    idle(panel)
    restored, difference = named(viewer, "| restored"), named(viewer, "| minus restored")
    np.testing.assert_array_equal(image.data, before)
    np.testing.assert_allclose(np.asarray(restored.data) + np.asarray(difference.data), before, rtol=1e-4)
    assert not difference.visible
    assert restoring.compare.mode == "beside"
    assert "a belief, not a measurement" in panel.status.text()
    assert "belief" in note_of(restored)
    assert named(viewer, "spread of restoration") is None
    restoring.run()
    idle(panel)
    assert sum(layer.name.endswith("| restored") for layer in viewer.layers) == 1


def test_columns_are_found_in_the_restored_image_and_fitted_on_the_recorded_one(restoring, viewer, panel, page, idle):
    image = add_image(viewer)
    assert not restoring.find.isEnabled()
    restoring.run()
    idle(panel)
    restoring.find.click()
    idle(panel)
    session = page.session
    assert session.image is image
    assert panel.pages.currentWidget() is not None
    assert nearest(truth(), session.columns.positions).max() < 0.5
    assert session.columns.features["y_std_px"].notna().mean() > 0.9
    assert "smooth" in session.columns.provenance["found_in"]
    assert "fitted on the recorded one" in panel.status.text()
    assert isinstance(session.layer, Points)


def test_the_spread_is_shown_where_it_is_asked_for(restoring, viewer, panel, idle):
    add_image(viewer)
    restoring.form.set_value(type(restoring.params)(modality="hrstem"))
    restoring.spread.setChecked(True)
    restoring.run()
    idle(panel)
    spread = named(viewer, "spread of restoration")
    assert float(np.asarray(spread.data).mean()) > 0
    assert "lower bound" in note_of(spread)


def test_one_frame_of_a_stack_is_shown_in_its_frame(restoring, viewer, panel, idle):
    frame = add_image(viewer).data
    viewer.layers.clear()
    image = add_image(viewer, np.stack([frame, 2 * frame, 3 * frame]), "film")
    viewer.dims.set_current_step(0, 1)
    restoring.run()
    idle(panel)
    restored = named(viewer, "film | restored")
    assert restored.data.shape == (1, *frame.shape)
    assert restored.translate[0] == image.translate[0] + image.scale[0]
    restoring.every_frame.setChecked(True)
    restoring.run()
    idle(panel)
    assert named(viewer, "film | restored").data.shape == image.data.shape


def test_recorded_and_restored_are_seen_on_both_sides_of_a_line(restoring, viewer, panel, idle):
    image = add_image(viewer)
    restoring.run()
    idle(panel)
    restored = named(viewer, "restored")
    restoring.compare.show_as("split")
    assert restoring.compare.slider.isVisibleTo(restoring.compare)
    restoring.compare.slider.setValue(250)
    mixed, line = named(viewer, "mixed"), round(0.25 * image.data.shape[1])
    assert [layer for layer in viewer.layers if isinstance(layer, type(image)) and layer.visible] == [mixed]
    np.testing.assert_allclose(mixed.data[:, :line], image.data[:, :line])
    np.testing.assert_allclose(mixed.data[:, line:], restored.data[:, line:], rtol=1e-4)
    # What has another contrast is shown with its own.
    restoring.compare.choose("difference")
    restoring.compare.show_as("split")
    low, high = named(viewer, "minus restored").contrast_limits
    dark, bright = image.contrast_limits
    shown = (mixed.data[:, line:] - dark) / (bright - dark)
    np.testing.assert_allclose(shown, (named(viewer, "minus restored").data[:, line:] - low) / (high - low), atol=1e-3)
    restoring.compare.show_as("off")
    assert named(viewer, "mixed") is None
    assert image.visible
