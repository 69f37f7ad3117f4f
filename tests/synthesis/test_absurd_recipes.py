"""Absurd values anywhere in a recipe are refused in one sentence or give a finite image."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import fields_of
from napari_atomseg.noise.compose import EFFECTS
from napari_atomseg.optics.ctf import CtfParams
from napari_atomseg.optics.detector import MtfParams
from napari_atomseg.optics.probe import ProbeParams
from napari_atomseg.specimens.graphene import GrapheneParams
from napari_atomseg.specimens.nanoparticles import ParticleParams
from napari_atomseg.specimens.solid_params import SolidParams
from napari_atomseg.synthesis.recipe import draw_record, recipe_from
from napari_atomseg.synthesis.record import Record
from napari_atomseg.synthesis.render import render
from napari_atomseg.synthesis.scene import SCENE
from napari_atomseg.synthesis.specimen_params import CrystalParams, PointsParams, RandomCrystalFieldParams

NUMBERS = (-1, float("nan"), 1e30, "many")
ABSURD = (*NUMBERS, None, [1, 2])
PLATINUM = {"kind": "crystal", "name": "Pt", "thickness": 20.0}
STEM = {
    "name": "stem",
    "image": {"size": 16, "pixel_size": 0.2},
    "specimens": [PLATINUM],
    "imaging": {"exponent": 1.7, "probe": {"semiangle": 25.0}},
    "peak": 50,
}
TEM = {
    "name": "tem",
    "image": {"size": 16, "pixel_size": 0.2},
    "specimens": [{"kind": "points", "least_distance": 3.0}],
    "imaging": {"lens": {"energy": 8e4}, "mtf": {"model": "rational"}, "foci": [0], "image_spread": 0.1},
    "dose": 100.0,
}
KINDS = {
    "crystal": (CrystalParams, {"name": "Pt"}),
    "cell": (CrystalParams, {"basis": [[0.0, 4.0], [4.0, 0.0]], "sites": [[0, 0]], "intensities": [1]}),
    "random_crystal": (RandomCrystalFieldParams, {"space_group": 10, "species": 1}),
    "sheet": (GrapheneParams, {}),
    "particle": (ParticleParams, {"radius": 4.0}),
    "points": (PointsParams, {"least_distance": 3.0}),
    "solid": (SolidParams, {"thickness": 10.0, "longest": 6.0}),
}
EXTRA = {
    "crystal": ("name", "file", "zone", "material"),
    "cell": ("basis", "sites", "intensities"),
    "particle": ("off_centre",),
}
STAGES = {"scene": {name: cls for name, (cls, _) in SCENE.items()}, "noise": {name: one.params for name, one in EFFECTS.items()}}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Several make images this small no faster, and wait for each other where the cores are taken."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def outcome(values: dict) -> str:
    """Nothing where a recipe makes an image, else the sentence with which it is refused."""
    return judged(lambda: draw_record(recipe_from(values, "absurd"), 1), values)


def judged(record, values) -> str:
    try:
        image = render([record()], ("noise_free",)).image
    except AtomsegError as error:
        found = str(error)
    else:
        assert torch.isfinite(image).all(), values
        found = ""
    assert "\n" not in found, values
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_absurd_specimens(kind):
    cls, needed = KINDS[kind]
    for name in ("kind", "weight", *EXTRA.get(kind, ()), *(field.name for field in fields_of(cls))):
        for value in NUMBERS:
            outcome({**STEM, "specimens": [{"kind": kind, **needed, name: value}]})


@pytest.mark.parametrize("base", [STEM, TEM], ids=["stem", "tem"])
def test_absurd_parts(base):
    for name in ("image", "specimens", "imaging", "peak", "dose", "mean", "scene", "noise", "classes", "about", "modality"):
        for value in ABSURD:
            outcome({**base, name: value})
    for part in ("image", "imaging"):
        for name in (
            "size",
            "pixel_size",
            "exponent",
            "probe",
            "profile",
            "profile_share",
            "lens",
            "mtf",
            "foci",
            "image_spread",
        ):
            for value in NUMBERS:
                outcome({**base, part: {**base[part], name: value}})


@pytest.mark.parametrize(
    ("base", "part", "cls"), [(STEM, "probe", ProbeParams), (TEM, "lens", CtfParams), (TEM, "mtf", MtfParams)]
)  # fmt: skip
def test_absurd_optics(base, part, cls):
    for name in [field.name for field in fields_of(cls)]:
        for value in NUMBERS:
            outcome({**base, "imaging": {**base["imaging"], part: {**base["imaging"][part], name: value}}})


@pytest.mark.parametrize(("stage", "name"), [(stage, name) for stage, found in STAGES.items() for name in found])
def test_absurd_effects(stage, name):
    for value in NUMBERS:
        outcome({**STEM, stage: [{name: value}]})
        for field in ("probability", *(field.name for field in fields_of(STAGES[stage][name]))):
            outcome({**STEM, stage: [{name: {field: value}}]})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"image": {"size": 10**6, "pixel_size": 0.2}}, "image.size must be a number from 8 to 16384"),
        ({"image": {"size": 32, "pixel_size": -0.2}}, "image.pixel_size must be"),
        ({"image": {"size": 32}}, "image needs pixel_size"),
        ({"image": {"size": 32, "pixel_size": 0.2, "colour": 1}}, "image knows no colour"),
        ({"imaging": {"exponnent": 2}}, "imaging knows no exponnent"),
        ({"specimens": [{**PLATINUM, "thickness": 0}]}, "thickness must lie in"),
        ({"specimens": [{**PLATINUM, "thickness": "thick"}]}, "thickness must be a finite number, got 'thick'"),
        ({"specimens": [{**PLATINUM, "weight": 0}]}, "weight 0"),
        ({"specimens": [{"kind": "sheet", "holes": 500}]}, "holes must lie in"),
        ({"specimens": [{"kind": "solid", "body": "glass", "density": 1e3}]}, "density must lie in"),
        ({"specimens": [{"kind": "points", "least_distance": 0.1}], "image": {"size": 4096, "pixel_size": 1.0}}, "too many"),
        ({"specimens": [{"kind": "random_crystal", "space_group": 231}]}, "space_group must lie in"),
        ({"specimens": [{"kind": "particle", "radius": 1e6}]}, "radius must lie in"),
        ({"specimens": [{"kind": "crystal", "material": 3}]}, "a material is a name"),
        ({"imaging": {"probe": 5}}, "imaging.probe is a mapping"),
        ({"noise": [{"counting": {"probability": 2}}]}, "the probability of counting"),
        ({"peak": float("nan")}, "peak must be a number"),
    ],
)
def test_sentences_name_what_is_wrong(values, message):
    assert message in outcome({**STEM, **values})


def test_random_crystals_that_cannot_be_made_fall_back_on_platinum():
    # Documented: no cell of 3 A holds atoms 30 A from their images.
    specimen = {"kind": "random_crystal", "space_group": 225, "longest": 4.0, "least_distance": 30.0}
    record = draw_record(recipe_from({**STEM, "specimens": [specimen]}, "x"), 1)
    batch = render([record], ())
    assert len(batch.columns[0].positions) > 10
    platinum = replace(record, specimen={**PLATINUM, "seed": 1})
    density = [len(render([one], ()).columns[0].positions) for one in (record, platinum)]
    assert density[0] == pytest.approx(density[1], rel=0.4)


@pytest.mark.parametrize("base", [STEM, TEM], ids=["stem", "tem"])
def test_absurd_records(base):
    scene = [{"plane": {"height": 0.1}}]
    noise = [{"counting": {}}]
    whole = json.loads(draw_record(recipe_from({**base, "scene": scene, "noise": noise}, "x"), 1).to_json())
    changed = [{name: value} for name in whole for value in ABSURD]
    changed += [
        {part: {**whole[part], name: value}} for part in ("specimen", "imaging") for name in whole[part] for value in ABSURD
    ]
    changed += [{"shape": given} for given in ([1e9, 1e9], [10**6, 10**6], [16], [16, "x"], [16, -1])]
    changed += [
        {"noise": [given]} for given in (["counting", 3, 1], ["counting", {}, "x"], ["counting", {"a": 1}, 1], ["x", {}, 1])
    ]
    for change in changed:
        text = json.dumps({**whole, **change})
        judged(lambda text=text: Record.from_json(text), change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pixel_size": -1}, "the record's pixel_size is a number from 0.001 to 10000, got -1"),
        ({"shape": [16, 10**6]}, "the record's shape"),
        ({"peak": float("nan")}, "the record's peak"),
        ({"seed": 1.5}, "the record's seed is a whole number"),
        ({"imaging": 5}, "the record's imaging is a mapping"),
        ({"specimen": {**PLATINUM, "seed": 1, "thickness": -2}}, "thickness must lie in"),
    ],
)
def test_records_edited_by_hand_are_refused_as_clearly(change, message):
    whole = json.loads(draw_record(recipe_from(STEM, "x"), 1).to_json())
    assert message in judged(lambda: Record.from_json(json.dumps({**whole, **change})), change)
