"""Every option of ``simulate`` changes the image of every method, or is refused by name."""

import numpy as np
import pytest
import typer.main
from drawn_pairs import draw_pairs

from napari_atomseg.cli.app import app, main
from napari_atomseg.cli.param_options import Typed, completed, help_of, param_options, whole_command
from napari_atomseg.cli.simulation_options import DEVICE
from napari_atomseg.core.params import fields_of
from napari_atomseg.parameters import MultisliceParams
from napari_atomseg.specimens.library import crystal
from napari_atomseg.workflows import (
    METHODS,
    CorrectionParams,
    NetworkParams,
    RefineParams,
    fit_correction,
    read,
    write_correction,
)

SMALL = {"--thickness": "4A", "--field": "4A", "--pixel-size": "0.3A"}
OWN = {
    # A narrow beam and a small ring need few probes on a coarse grid.
    **{method: {"--configurations": "1", "--semiangle": "12", "--outer": "90"} for method in ("prism", "multislice")},
    "hrtem": {"--configurations": "1"},
    "corrected": {"--field": "9A"},  # wider than the surroundings that a correction looks at
}
OPTIONS = {
    "--energy": "80000",
    "--semiangle": "18",
    "--inner": "60",
    "--outer": "110",
    "--detector": "bright_field",
    "--pixel-size": "0.25A",
    "--source-size": "1.1A",
    "--defocus": "90A",
    "--cs": "15um",
    "--zone-axis": "1,1,0",
    "--thickness": "12A",
    "--repeat": "2,1,1",
    "--field": "11A",
    "--rotation": "20",
    "--tilt": "40,30",
    "--vacancies": "0.3",
    "--thermal": "0.2A",
    "--configurations": "2",
    "--psf": "probe",
    "--psf-sigma": "0.5A",
    "--exponent": "1.2",
    "--astigmatism": "200A",
    "--c5": "20mm",
    "--coma": "3000A",
    "--focal-spread": "90A",
    "--mtf": "rational",
    "--dose": "1000",
}


def command_of(name):
    """A command with all of its options."""
    return whole_command(typer.main.get_command(app).commands[name])


NOT_PHYSICAL = {
    "structures", "out", "simulation_method", "correction", "extrapolate", "like", "force", "quiet", "debug", "help",
    "stem_astigmatism_angle", "tem_coma_angle",  # of aberrations that are zero
    "cut_seed",  # of chance, where there is any
    "multislice_device",  # where it is calculated; asked for below
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("options")
    crystal("SrTiO3").write(folder / "sto.cif")
    pairs = draw_pairs(2)
    write_correction(fit_correction(pairs, CorrectionParams(repeats=1)), folder / "correction.json")
    return folder


def image_by(folder, name, method, options):
    """Exit status and image of a call."""
    words = [word for option in {**SMALL, **OWN.get(method, {}), **options}.items() for word in option]
    words += ["--correction", str(folder / "correction.json"), "--extrapolate"] if method == "corrected" else []
    with pytest.raises(SystemExit) as end:
        main(["simulate", str(folder / "sto.cif"), "-o", str(folder / name), "--method", method, "--force", *words])
    return end.value.code, np.asarray(read(folder / name)[0].data) if end.value.code == 0 else None


@pytest.fixture(scope="module")
def plain(folder):
    return {method: image_by(folder, f"plain_{method}.tif", method, {})[1] for method in METHODS}


def test_no_option_is_forgotten_here():
    known = {option.opts[-1] for option in command_of("simulate").params if option.name not in NOT_PHYSICAL and not option.hidden}
    assert known == set(OPTIONS)


OF_TEM = {"--c5", "--coma", "--focal-spread", "--mtf", "--dose"}
REFUSED = {
    "convolution": {"--configurations", "--detector", *OF_TEM},
    "corrected": {
        *("--configurations", "--detector", "--defocus", "--cs", "--astigmatism", "--source-size", "--thermal"),
        *OF_TEM,
    },
    "prism": {"--psf", "--psf-sigma", "--exponent", *OF_TEM},
    "multislice": {"--psf", "--psf-sigma", "--exponent", *OF_TEM},
    "hrtem": {"--psf", "--psf-sigma", "--exponent", "--semiangle", "--inner", "--outer", "--detector", "--source-size"},
}


# Prism and multislice are given the same parameters of the specimen.
AS_MULTISLICE = {"--zone-axis", "--thickness", "--repeat", "--rotation", "--tilt", "--vacancies", "--thermal", "--configurations"}


@pytest.mark.parametrize(
    ("method", "option"),
    [(method, option) for method in METHODS for option in OPTIONS if method != "prism" or option not in AS_MULTISLICE],
)
def test_an_option_changes_the_image_or_is_refused_by_name(folder, plain, method, option, capsys):
    status, image = image_by(folder, "changed.tif", method, {option: OPTIONS[option]})
    said = " ".join(capsys.readouterr().err.split())
    if option not in REFUSED[method]:
        assert status == 0, said
        assert image.shape != plain[method].shape or not np.allclose(image, plain[method], rtol=1e-4, atol=0)
    else:
        assert status == 2
        assert option in said
        assert f"--method {method}" in said
        assert "it belongs to" in said


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("convolution", {"--psf": "gaussian", "--defocus": "90A"}),
        ("convolution", {"--psf": "gaussian", "--thermal": "0.2A"}),
        ("convolution", {"--psf": "probe", "--psf-sigma": "0.5A"}),
        ("convolution", {"--defocus": "90A", "--psf-sigma": "0.5A"}),
        ("convolution", {"--device": "cpu"}),
        ("hrtem", {"--device": "cpu"}),
        ("multislice", {"--configurations": "0", "--thermal": "0.2A"}),
        ("multislice", {"--detector": "bright_field", "--inner": "20"}),
    ],
)
def test_options_that_exclude_each_other_are_refused(folder, method, options, capsys):
    assert image_by(folder, "refused.tif", method, options)[0] == 2
    assert "it belongs to" in " ".join(capsys.readouterr().err.split())
    assert not (folder / "refused.tif").exists()


@pytest.mark.parametrize("option", [{"--pixel-size": "0.2A"}, {"--field": "5A"}])
def test_size_and_field_are_those_of_the_image_alike(folder, option, capsys):
    image_by(folder, "alike.tif", "convolution", {})
    words = [word for pair in option.items() for word in pair]
    with pytest.raises(SystemExit) as end:
        main(["simulate", str(folder / "sto.cif"), "-o", str(folder / "b.tif"), "--like", str(folder / "alike.tif"), *words])
    assert end.value.code == 2
    assert "beside --like" in " ".join(capsys.readouterr().err.split())


def test_the_lens_of_a_corrected_image_is_shown_by_its_probe(folder):
    images = [image_by(folder, "a.tif", "corrected", {"--psf": "probe", **more})[1] for more in ({}, {"--defocus": "90A"})]
    assert not np.allclose(*images, rtol=1e-3)


def test_a_convolution_says_that_its_probe_takes_the_place_of_the_gaussian(folder, capsys):
    assert image_by(folder, "a.tif", "convolution", {"--source-size": "1A"})[0] == 0
    assert "--source-size belongs to the probe" in capsys.readouterr().err


def test_underfocus_and_aberration_reach_the_lens_of_a_tem(folder):
    """The exit wave is one and the same; two signs of the defocus make two images."""
    one, other = (image_by(folder, "a.tif", "hrtem", {"--configurations": "0", "--defocus": text})[1] for text in ("80A", "-80A"))
    usual = image_by(folder, "a.tif", "hrtem", {"--configurations": "0"})[1]
    assert np.array_equal(one, usual)  # the default of the lens
    assert not np.allclose(one, other, rtol=1e-2)


@pytest.mark.parametrize(
    ("command", "former", "now"),
    [
        ("locate", "--alone", "--no-nonlocal"),
        ("map", "--alone", "--no-nonlocal"),
        ("simulate", "--width", "--field"),
        ("train", "--zone", "--zone-axis"),
        ("train", "--width", "--channels"),
    ],
)
def test_former_names_still_work_and_are_not_shown(command, former, now):
    options = {name: option for option in command_of(command).params for name in option.opts}
    assert options[former].hidden
    assert not options[now].hidden
    assert options[former].help == options[now].help or options[former].help


def test_a_graphics_card_has_one_name_in_all_commands():
    """As in the options of networks, though the engine of multislice calls it otherwise."""
    chosen = []

    def command(*, typed: Typed) -> None:
        chosen.append(typed.params("multislice", MultisliceParams).device)

    completed(param_options({"multislice": "MultisliceParams"}, DEVICE)(command))(multislice_device="cuda")
    assert chosen == ["gpu"]


def test_one_name_means_one_thing_in_all_commands():
    for name in ("--width", "--zone-axis", "--device"):
        metavars = {
            (option.metavar or "").replace("|mps", "")
            for command in typer.main.get_command(app).commands
            for option in command_of(command).params
            if name in option.opts and not option.hidden
        }
        assert len(metavars) == 1, (name, metavars)


@pytest.mark.parametrize("cls", [RefineParams, NetworkParams, CorrectionParams])
def test_defaults_and_choices_in_the_help_are_those_of_the_class(cls):
    command = {RefineParams: "refine", NetworkParams: "map", CorrectionParams: "fit-correction"}[cls]
    shown = {option.opts[-1]: option for option in command_of(command).params}
    for field in fields_of(cls):
        option = shown.get("--" + field.name.replace("_", "-"))
        if option is None or field.kind is bool or field.name == "pixel_size":
            continue
        assert option.help == help_of(field)
        if field.choices:
            assert option.metavar == "|".join(field.choices)
        if field.default is not None:
            assert option.show_default == (f"{field.default:g}" if field.kind is not str else field.default)
