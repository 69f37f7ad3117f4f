"""Networks of local structures as finders: how their maps are read can be changed while one looks."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from napari_atomseg.gui.layers.conversion import image_layer_data, to_micrograph
from napari_atomseg.networks.zoo import shipped_folder

PLUGIN, NAME, SHIPPED = "napari-atomseg", "hrtem-graphene", shipped_folder()


@pytest.fixture
def atoms(viewer, private_settings, panel, page, idle):
    """Atoms that the network which ships has found in a part of a sample."""
    shutil.copytree(SHIPPED / NAME, private_settings / "models" / NAME)
    panel.networks.refresh()
    (image,) = viewer.open_sample(PLUGIN, "graphene-bright")
    image.data = image.data[:200, :200]
    panel.choose_image(image)
    page.finder.model.choose(NAME)
    page.find()
    idle(panel)
    return page.session


def read_with(page, qtbot, panel, idle, name, value):
    with qtbot.waitSignal(page.finder.reading_changed):
        page.finder.reading._editors[name].set_value(value)
        page.finder.reading.value_changed.emit()
    idle(panel)


def test_atoms_follow_how_the_maps_are_read_until_a_hand_touches_them(atoms, viewer, panel, page, idle, qtbot):
    assert page.finder.reading.isVisibleTo(page.finder)
    before = len(atoms.columns)
    assert before > 150
    # Nothing is so sure that the background's map falls below this.
    read_with(page, qtbot, panel, idle, "epsilon", 0.01)
    fewer = len(page.session.columns)
    assert fewer < before / 2
    read_with(page, qtbot, panel, idle, "epsilon", 0.995)
    assert len(page.session.columns) == before
    page.finder.least.setValue(0.46)
    assert "t = 0.5" in panel.status.text()
    page.session.layer.selected_data = {0}
    page.session.layer.remove_selected()
    assert page.session.edited
    left = len(page.session.columns)
    read_with(page, qtbot, panel, idle, "epsilon", 0.01)
    assert len(page.session.columns) == left


def test_other_finders_have_nothing_to_read(page):
    page.finder.model.choose("classical")
    assert not page.finder.reading.isVisibleTo(page.finder)


def test_rings_are_polygons_coloured_by_their_atoms(atoms, viewer, panel, idle):
    panel.pages.turn_to_title("Measure")
    page = panel.pages["Measure"]
    for name, tick in page.ticks.items():
        tick.setChecked(name == "rings")
    page.run()
    idle(panel)
    (layer,) = [one for one in viewer.layers if one.name.endswith("| rings")]
    sizes = layer.features["size"].to_numpy()
    assert (sizes == 6).mean() > 0.7
    corners = [len(polygon) for polygon in layer.data]
    assert corners == sizes.tolist()
    colours = {tuple(np.round(colour, 3)) for colour, size in zip(layer.face_color, sizes, strict=True) if size == 6}
    assert len(colours) == 1
    page.run()
    idle(panel)
    assert sum(one.name.endswith("| rings") for one in viewer.layers) == 1


def test_every_step_of_the_recognition_can_be_looked_at(atoms, viewer, panel, idle):
    panel.pages.turn_to_title("Networks")
    page = panel.pages["Networks"]
    page.model.choose(NAME)
    assert tuple(page.map_ticks.ticks) == ("normalised", "structure", "background", "segments")
    assert page.map_ticks.chosen == tuple(page.map_ticks.ticks)
    page.run()
    idle(panel)
    shown = {layer.name.partition(" | ")[2]: layer for layer in viewer.layers}
    background, segments = shown["probability of background"].data, shown["segments"].data
    np.testing.assert_allclose(background + shown["probability of structure"].data, 1, atol=1e-3)
    assert abs(shown["locally normalised"].data.mean()) < 0.2
    # Every atom lies in a segment of its own, and segments end where the background is as good as sure.
    places = np.round(atoms.columns.positions).astype(int)
    inside = ((places >= 0) & (places < segments.shape)).all(axis=1)
    numbers = segments[tuple(places[inside].T)]
    assert (numbers > 0).mean() > 0.98
    assert len(np.unique(numbers)) > 0.98 * len(numbers)
    assert background[segments > 0].max() < 1
    page.run()
    idle(panel)
    assert sum(layer.name.endswith("| segments") for layer in viewer.layers) == 1


def test_the_maps_on_offer_are_those_of_the_network(atoms, panel):
    panel.pages.turn_to_title("Networks")
    page = panel.pages["Networks"]
    page.model.choose(NAME)
    page.map_ticks.ticks["segments"].setChecked(False)
    others = [name for name, card in panel.networks.cards.items() if card.task == "columns"]
    if others:
        page.model.choose(others[0])
        assert tuple(page.map_ticks.ticks) == ("columns", "mask", "denoise", "background", "deblur")
        page.model.choose(NAME)
    assert page.map_ticks.chosen == ("normalised", "structure", "background")


def test_an_image_that_the_network_does_not_know_is_warned_about(atoms, viewer, panel, page, idle):
    image = panel.image
    of_stem = replace(to_micrograph(image), modality="haadf", name="stem")
    data, options, _ = image_layer_data(of_stem)
    panel.choose_image(viewer.add_image(data, **options))
    page.find()
    idle(panel)
    assert "this is a haadf image" in panel.status.text().lower()
