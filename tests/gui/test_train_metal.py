"""The page "Train" for TEM images: particles of another metal, whose atoms are counted, and recipes."""

import pytest
from networks_at_hand import save_tiny
from qtpy.QtWidgets import QApplication, QDoubleSpinBox

from napari_atomseg.gui.pages.train.lesson import compared, score_in_words
from napari_atomseg.networks import zoo
from napari_atomseg.networks.architectures import build_network
from napari_atomseg.networks.architectures.fusionnet import FusionNetParams
from napari_atomseg.networks.card import BEAM, WEIGHTS, ModelCard
from napari_atomseg.networks.outputs import count_outputs
from napari_atomseg.workflows import FccMetal

SHAPE = {"images": 3, "width": 4, "levels": 1, "stem": 2}
METAL, RECIPE = 2, 3


@pytest.fixture
def counting(private_settings):
    """The user's folder with a network for columns, and one that counts atoms."""
    folder = private_settings / "models"
    save_tiny(folder)
    params, outputs = FusionNetParams(**SHAPE), count_outputs(14)
    card = ModelCard(
        name="counting",
        task="structures",
        architecture="fusionnet",
        network=SHAPE,
        outputs=outputs,
        sampling_range=(0.01, 0.25),
        column_width=0.5,
        normalisation=BEAM,
        modality="HRTEM",
        recipe="hrtem-particles",
        foci=(-130, 0, 130),
    )
    zoo.save_model(card, build_network(params, outputs).state_dict(), folder)
    return folder


@pytest.fixture
def few_particles(monkeypatch, tmp_path):
    """Two particles of coarse waves, which are looked at once."""
    from napari_atomseg.training import lessons, particle_examples, particle_waves, trained_card

    monkeypatch.setattr(particle_waves, "PIXELS", (200,))
    monkeypatch.setattr(particle_waves, "waves_folder", lambda: tmp_path / "waves")
    monkeypatch.setattr(particle_examples, "FIRST", 2)
    monkeypatch.setattr(lessons, "BATCHES", 1)
    for module in (lessons, trained_card):
        monkeypatch.setattr(module, "BATCH", 2)
    monkeypatch.setattr(trained_card, "CALIBRATED", 1)


@pytest.fixture
def train(counting, panel):
    panel.pages.turn_to_title("Train")
    return panel.pages["Train"]


def test_only_networks_that_learnt_the_same_maps_are_offered(train):
    assert train.start_from.offered == ["tiny"]
    assert train.start_from.chosen == "tiny"
    train.crystal.setCurrentIndex(METAL)
    assert train.start_from.offered == ["counting"]
    assert train.start_from.chosen == "counting"
    train.crystal.setCurrentIndex(RECIPE)
    assert train.start_from.offered == []
    train.recipe.setText("columns_stem")
    assert train.start_from.chosen == "tiny"
    train.recipe.setText("hrtem-particles")
    assert train.start_from.chosen == "counting"


def test_each_kind_keeps_its_time(train):
    assert train.minutes.value() == 4
    train.minutes.setValue(7)
    train.crystal.setCurrentIndex(METAL)
    assert train.minutes.value() == 30
    train.crystal.setCurrentIndex(0)
    assert train.minutes.value() == 7


def test_a_metal_brings_its_lattice_constant(train):
    train.crystal.setCurrentIndex(METAL)
    side = train.metal.lattice_constant.findChild(QDoubleSpinBox)
    train.metal.metal.setCurrentText("Pt")
    assert side.text() == "3.92 Å"
    assert train.metal.value() == FccMetal(element="Pt")
    side.setValue(3.9)
    assert train.lesson().metal == FccMetal(element="Pt", lattice_constant=3.9)
    train.metal.metal.setCurrentText("28")
    assert side.text() == "3.52 Å"
    assert train.why_not() == ""


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        (METAL, "Co", "give the lattice constant"),
        (METAL, "gold dust", "names no element"),
        (RECIPE, "", "Choose a recipe"),
        (RECIPE, "/no/such.yaml", "there is no recipe"),
        (RECIPE, "hrtem", "choose one like these"),
    ],
)
def test_what_cannot_be_learnt_from_is_said_before_it_begins(train, panel, kind, text, words):
    train.crystal.setCurrentIndex(kind)
    (train.metal.metal.setCurrentText if kind == METAL else train.recipe.setText)(text)
    assert words in train.why_not()
    assert not panel.run_button.isEnabled()
    assert words in panel.run_button.toolTip()


def test_another_metal_is_learnt_and_its_network_is_a_finder(train, panel, few_particles, counting, idle):
    train.crystal.setCurrentIndex(METAL)
    train.metal.metal.setCurrentText("Ag")
    train.minutes.setValue(0.05)
    panel.run_button.click()
    heard = set()
    while panel.busy:
        QApplication.processEvents()
        heard.add(train.left.text())
    idle(panel)
    assert "hrtem-particles-Ag is ready" in panel.status.text(), panel.status.text()
    assert "% counted exactly; counting on the same images: recall" in panel.offer.sentence.text()
    panel.offer.accept.click()
    assert panel.pages["Columns"].finder.model.chosen == "hrtem-particles-Ag"
    card = zoo.read_card(counting / "hrtem-particles-Ag")
    assert card.training["started_from"] == "counting"
    assert {"series", "single"} <= set(card.calibration)
    assert "before training exact" in card.scores
    assert (counting / "hrtem-particles-Ag" / WEIGHTS).is_file()
    assert any("About" in one for one in heard)


def test_cancelled_while_particles_are_computed(train, panel, few_particles, counting, qtbot):
    train.crystal.setCurrentIndex(METAL)
    panel.run_button.click()
    QApplication.processEvents()
    panel.cancel_button.click()
    qtbot.waitUntil(lambda: not panel.busy, timeout=600_000)
    assert "cancelled" in panel.status.text()
    assert not (counting / "hrtem-particles-Ag").exists()


def test_scores_in_words():
    assert score_in_words({"f1": 0.913, "recall": 0.9, "precision": 0.93, "rms_pm": 8.4}) == "F1 0.91, 8 pm"
    counted = {"recall": 0.99, "precision": 0.98, "exact": 0.806, "rms_pm": 13.6}
    assert score_in_words(counted) == "recall 0.99, precision 0.98, 81 % counted exactly"
    assert score_in_words({"psnr": 30.0, "psnr gain": 2.345}) == "+2.35 dB"
    assert score_in_words({}) == ""
    card = ModelCard(name="new", scores={"validation recall": 0.9, "validation precision": 0.8, "validation exact": 0.5})
    assert compared(card, "old") == "new: recall 0.90, precision 0.80, 50 % counted exactly. Use the new model?"
