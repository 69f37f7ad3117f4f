"""What recipes teach, and which models are a beginning."""

from dataclasses import replace

import pytest

from napari_atomseg.networks.card import COLUMNS, RESTORATION, STRUCTURES, ModelCard
from napari_atomseg.networks.catalogue import model_cards
from napari_atomseg.networks.outputs import COLUMN_OUTPUTS
from napari_atomseg.synthesis.recipe import presets, read_recipe
from napari_atomseg.training.lessons import lesson_of
from napari_atomseg.training.taught import taught_by

TAUGHT = {"columns_stem": COLUMNS, "hrtem-graphene": STRUCTURES, "hrtem-particles": STRUCTURES, "restore": RESTORATION}


@pytest.mark.parametrize("recipe", TAUGHT)
def test_a_lesson_is_what_its_recipe_teaches(recipe):
    taught, lesson = taught_by(read_recipe(recipe)), lesson_of(read_recipe(recipe))
    assert taught.task == lesson.task == TAUGHT[recipe]
    assert taught.outputs == lesson.outputs
    assert taught.images == getattr(lesson.network, "images", 1)
    assert taught.counts == (recipe == "hrtem-particles")


@pytest.mark.parametrize("model", ["adf-columns", "hrtem-graphene", "hrtem-particles", "restore"])
def test_each_model_that_ships_begins_what_it_learnt_itself_and_nothing_else(model):
    card = model_cards()[model]
    for recipe in TAUGHT:
        assert taught_by(read_recipe(recipe)).begins_with(card) == (recipe == card.recipe), recipe
    assert card.recipe in presets()


def test_any_model_for_columns_begins_one_for_columns():
    alone = ModelCard(name="one map", outputs=COLUMN_OUTPUTS[:1])
    assert taught_by(read_recipe("columns_stem")).begins_with(alone)
    assert not taught_by(read_recipe("columns_stem")).begins_with(replace(alone, task=STRUCTURES))
