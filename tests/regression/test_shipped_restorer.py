"""The network that restores and comes with the plugin, on scenes that no training draws."""

from dataclasses import replace

import numpy as np
import pytest

from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.synthesis.recipe import draw_record, read_recipe
from napari_atomseg.synthesis.render import render
from napari_atomseg.workflows import RestorationParams, model_cards, restore

KINDS = ("hrstem", "lrstem", "hrtem", "lrtem", "hrsem", "lrsem")
SEED = 2**43


def restored(image, kind):
    return restore(Micrograph(data=image, name="scene"), model="restore", params=RestorationParams(modality=kind))


def decibels(found, true):
    return 20 * np.log10(np.ptp(true)) - 10 * np.log10(np.mean((found - true) ** 2))


def test_its_card_says_what_it_is():
    card = model_cards()["restore"]
    assert card.modality == ", ".join(KINDS)
    assert (card.task, card.network["periodic"]) == ("restoration", True)


def test_images_of_all_kinds_come_nearer_to_their_scenes():
    gains = {}
    for kind in KINDS:
        recipe = read_recipe(kind)
        made = [render([draw_record(recipe, SEED + seed, 128)], ("noise_free",)) for seed in range(4)]
        pairs = [(one.image[0, 0].numpy(), one.labels["noise_free"][0, 0].numpy()) for one in made]
        gains[kind] = [decibels(np.asarray(restored(noisy, kind).data), true) - decibels(noisy, true) for noisy, true in pairs]
    assert all(np.mean(gain) > 1 for gain in gains.values()), gains
    assert np.mean(list(gains.values())) > 6, gains


@pytest.mark.parametrize("kind", ["unknown", "hrstem", "hrtem"])
def test_an_empty_field_stays_empty(rng, kind):
    noise = rng.poisson(10, (256, 256)).astype(np.float32)
    found = restored(noise, kind)
    assert np.std(found.data) < 0.1 * np.std(noise)
    assert np.mean(found.data) == pytest.approx(10, rel=0.02)
    assert not any("invented" in note for note in found.notes)


def test_displaced_rows_are_put_back_where_a_lattice_shows_them():
    made = render([draw_record(displaced_crystal(), seed, 192) for seed in (3,)], ("noise_free",))
    image = Micrograph(
        data=made.image[0, 0].numpy(), pixel_size=(made.records[0].pixel_size,) * 2, modality="adf", name="displaced rows"
    )
    true = made.labels["noise_free"][0, 0].numpy()
    straight, scanned = (
        restore(image, model="restore", params=RestorationParams(straighten=straighten)) for straighten in (True, False)
    )
    assert "rows put back by" in straight.notes[0]
    assert "rows" not in scanned.notes[0]
    assert decibels(np.asarray(straight.data), true) > decibels(np.asarray(scanned.data), true) + 0.5


def test_scans_of_atoms_are_looked_at_again_with_their_rows_put_back():
    made = render([draw_record(displaced_crystal(), 5, 192)], ("noise_free",))
    image = Micrograph(data=made.image[0, 0].numpy(), name="displaced rows")
    true = made.labels["noise_free"][0, 0].numpy()
    for kind, gain in (("hrsem", 0.2), ("hrtem", None)):
        straight, scanned = (
            restore(image, model="restore", params=RestorationParams(modality=kind, straighten=straighten))
            for straighten in (True, False)
        )
        assert ("rows put back by 0.0 px along y" in straight.notes[0]) == (gain is not None)
        assert "rows" not in scanned.notes[0]
        better = decibels(np.asarray(straight.data), true) - decibels(np.asarray(scanned.data), true)
        assert better > gain if gain is not None else better == pytest.approx(0, abs=1e-6)


def displaced_crystal():
    """A recipe of Pt crystals whose rows are displaced and that have little other noise."""
    recipe, whole = read_recipe("columns_stem"), {"material": ["Pt", [1, 1, 0]], "edge": None}
    return replace(
        recipe,
        specimens=tuple(one | whole for one in recipe.specimens if one["kind"] == "crystal"),
        noise=(
            {"scan_jitter": {"sigma_x": 0.3, "sigma_y": 0.1, "phi_x": 0.6, "phi_y": 0.6}, "probability": 1.0},
            {"counting": {}, "probability": 1.0},
        ),
        peak=100,
    )
