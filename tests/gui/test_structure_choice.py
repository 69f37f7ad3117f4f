"""Which structure the page "Simulate" works on, the zone axes offered of it, and how it is turned to an image."""

import pytest
from conftest import add_image

from napari_atomseg.gui.dialogs.particle import ParticleDialog
from napari_atomseg.gui.pages.simulate.structure_choice import ZONES_OF_A_PARTICLE
from napari_atomseg.specimens.clusters import ClusterParams, cluster
from napari_atomseg.specimens.library import crystal


@pytest.fixture
def simulate_page(panel):
    return panel.pages["Simulate"]


@pytest.fixture
def choice(simulate_page):
    return simulate_page.structure


def named(atoms, name):
    atoms.info = {"name": name}
    return atoms


def offered(box):
    return [box.itemText(row) for row in range(box.count())]


def test_the_newest_structure_is_chosen_and_the_last_one_where_it_is_removed(viewer, choice):
    assert choice.layer is None
    first, second = choice.add(crystal("SrTiO3")), choice.add(crystal("Si"))
    assert choice.layer is second
    choice.list.setCurrentIndex(0)
    add_image(viewer)
    assert choice.layer is first
    third = choice.add(crystal("MoS2"))
    assert choice.layer is third
    viewer.layers.remove(third)
    assert choice.layer is second
    viewer.layers.remove(second)
    viewer.layers.remove(first)
    assert choice.layer is None
    assert choice.list.count() == 0


def test_a_renamed_structure_stays_chosen(viewer, choice):
    first = choice.add(crystal("SrTiO3"))
    choice.add(crystal("Si"))
    choice.list.setCurrentIndex(0)
    first.name = "perovskite"
    assert choice.layer is first
    assert choice.list.currentText() == "perovskite"


def test_zone_axes_are_those_of_the_crystal_and_what_is_written_stays(choice):
    choice.add(named(cluster(ClusterParams(diameter=10)), "Pt55"))
    assert offered(choice.zone) == list(ZONES_OF_A_PARTICLE)
    assert choice.zone_axis == "0,0,1"
    choice.zone.setCurrentText("1,1,0")
    turns = []
    choice.turned.connect(lambda: turns.append(choice.zone_axis))
    choice.add(crystal("SrTiO3"))
    assert offered(choice.zone) != list(ZONES_OF_A_PARTICLE)
    assert choice.zone_axis == "1,1,0"
    assert turns == []  # other axes are offered, none was chosen
    choice.zone.setCurrentText("")
    assert choice.zone_axis == "0,0,1"


def test_a_particle_that_is_built_is_chosen(choice):
    choice.build()
    dialog = choice.findChild(ParticleDialog)
    dialog.button.click()
    built = choice.layer
    assert built is not None
    assert choice.list.currentText() == built.name
    dialog.button.click()  # it stays open for the next one
    assert choice.layer is not built
    dialog.close()


def test_a_structure_that_nearly_lies_as_the_image_is_not_turned(panel, simulate_page, choice):
    choice.add(crystal("SrTiO3"))
    asked = []
    simulate_page.turn.form.value_changed.connect(lambda: asked.append(simulate_page.params().cut.rotation_deg))
    simulate_page.turn._turned(-0.4)
    assert "within 0.40°" in panel.status.text()
    simulate_page.turn._turned(12.5)
    assert "turned by 12.50°" in panel.status.text()
    assert asked == [0.0, 12.5]
