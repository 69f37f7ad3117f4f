"""What the help of the commands says to people."""

import pytest
from typer.testing import CliRunner

from napari_atomseg.cli.app import app
from napari_atomseg.training.classifier.params import ClassifierTrainParams
from napari_atomseg.workflows import SimulationParams


def help_of(*command):
    result = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "400"})
    assert result.exit_code == 0
    return result.output


def test_the_classifier_is_trained_under_a_name_of_the_field():
    assert "train-classifier" in help_of()
    assert "judge" not in help_of().lower()


def test_the_old_name_of_the_classifier_still_works():
    assert help_of("judge").replace(" judge ", " train-classifier ") == help_of("train-classifier")


@pytest.mark.parametrize("name", ["images", "updates", "seed"])
def test_the_help_of_the_classifier_shows_its_true_defaults(name):
    line = next(line for line in help_of("train-classifier").splitlines() if f"--{name} " in line)
    default = getattr(ClassifierTrainParams(), name)
    assert f"default: ({default})" in line or f"default: {default}" in line


@pytest.mark.parametrize("word", [" told", "judge", "alike", "strayed", "drawn by chance"])
def test_the_help_of_the_classifier_uses_no_word_of_ours(word):
    assert word not in help_of("train-classifier").lower()


@pytest.mark.parametrize(
    ("option", "field"),
    [
        ("energy", "stem.energy"),
        ("semiangle", "stem.semiangle"),
        ("inner", "detector.inner_angle"),
        ("outer", "detector.outer_angle"),
        ("source-size", "stem.source_size"),
        ("thickness", "cut.thickness"),
        ("configurations", "multislice.configurations"),
        ("psf-sigma", "convolution.sigma"),
        ("exponent", "convolution.exponent"),
    ],
)
def test_the_help_of_simulate_shows_its_true_defaults(option, field):
    group, name = field.split(".")
    value = getattr(getattr(SimulationParams(), group), name)
    said = " ".join(help_of("simulate").split())
    text = said[said.index(f"--{option} ") :]
    assert text[text.index("[default: (") + 11 :].split(")")[0].removesuffix("A") == f"{value:g}"


def test_the_help_of_simulate_names_the_beam_energy_in_full():
    assert "Beam energy in eV. [default: (200000)]" in " ".join(help_of("simulate").split())
