import numpy as np
import pytest
import torch
from spots import draw, square_lattice
from torch import nn

from napari_atomseg.networks.candidate_classifier import FEATURES
from napari_atomseg.networks.card import ModelCard
from napari_atomseg.networks.zoo import Model
from napari_atomseg.synthesis.recipe import read_recipe
from napari_atomseg.training.classifier import samples
from napari_atomseg.training.classifier.samples import BORDER, MATCH, _is_column, _samples_of, draw_samples

SHAPE = (96, 100)


class Bright(nn.Module):
    """Takes a pixel for a column as far as it is bright."""

    def forward(self, image):
        belief = torch.logit(image.clamp(1e-4, 0.99) ** 5)
        return torch.cat([belief, belief, image, image, image], dim=1)


class Blind(nn.Module):
    """Sees no column anywhere."""

    def forward(self, image):
        nothing = torch.full_like(image, -20.0)
        return torch.cat([nothing, nothing, image, image, image], dim=1)


NATIVE = ModelCard(name="by hand").native_sampling
BRIGHT, BLIND = (Model(ModelCard(name="by hand"), network.eval()) for network in (Bright(), Blind()))
NONE = np.zeros((0, 2))


def judged(model, true, doubtful=NONE, shown=None, rng=None):
    """The cases of one image of Gaussians, the true ones unless others are shown."""
    image = draw(true if shown is None else shown, 2.2, SHAPE, height=0.9, level=0.05)
    image = image if rng is None else image + rng.normal(0, 0.02, SHAPE)
    return next(iter(_samples_of(model, torch.from_numpy(image.astype(np.float32))[None, None], true, doubtful)))


@pytest.fixture
def true():
    return square_lattice(SHAPE, 17, margin=2 + BORDER / NATIVE)


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(samples, "SIDES", ((64, 6),))
    return read_recipe("columns_stem")


@pytest.mark.parametrize("model", [BRIGHT, BLIND])
def test_every_column_that_is_offered_is_right_once(true, model):
    found = judged(model, true)
    assert found.features.shape == (len(found.is_column), len(FEATURES))
    assert found.is_column.sum() == len(true)
    assert found.missed == 0
    assert np.all((found.confidence[found.is_column] > 0) == (model is BRIGHT))


def test_what_is_offered_without_a_column_is_wrong(true):
    found = judged(BRIGHT, true[::2], shown=true)
    assert found.is_column.sum() == len(true[::2])
    assert (~found.is_column & (found.confidence > 0.1)).sum() == len(true) - len(true[::2])


def test_columns_that_nothing_shows_are_counted_as_missed(true):
    found = judged(BRIGHT, true, shown=true[::2])
    assert found.is_column.sum() == len(true[::2])
    assert found.missed == len(true) - len(true[::2])


def test_of_what_one_may_see_or_not_nothing_is_asked(true, rng):
    doubtful = true[::3]
    kept = np.delete(true, np.arange(0, len(true), 3), axis=0)
    asked = judged(BRIGHT, kept, doubtful=doubtful, shown=true, rng=rng)
    plain = judged(BRIGHT, kept, shown=true, rng=np.random.default_rng(20))
    assert asked.is_column.sum() == plain.is_column.sum() == len(kept)
    assert (~asked.is_column & (asked.confidence > 0.1)).sum() == 0
    assert (~plain.is_column & (plain.confidence > 0.1)).sum() == len(doubtful)


def test_at_the_border_nothing_is_asked(true):
    edge = np.array([[2.0, 50.0], [50.0, 3.0], [94.0, 50.0]])
    found = judged(BRIGHT, np.concatenate([true, edge]))
    assert found.is_column.sum() == len(true)
    assert found.missed == 0


def test_a_column_found_on_the_other_side_of_the_limit_is_no_missed_one():
    place = np.array([[50.0, 40.0]])
    outside = np.array([[BORDER / NATIVE - 0.6, 60.0]])
    shown = np.array([[BORDER / NATIVE + 0.6, 60.0]])
    found = judged(BRIGHT, np.concatenate([place, outside]), shown=np.concatenate([place, shown]))
    assert found.is_column.sum() == 2
    assert found.missed == 0


def test_what_the_map_shows_goes_before_a_nearer_blob():
    found = samples.NetworkCandidates(
        positions=np.array([[10.0, 10.5], [10.0, 12.0], [40.0, 40.0], [40.0, 41.0], [70.0, 70.0]]),
        confidence=np.zeros(5),
        spread=np.zeros(5),
        drawn=np.array([False, True, False, False, True]),
    )
    columns = np.array([[10.0, 10.0], [40.0, 40.2], [70.0, 70.0 + 1.1 * MATCH / NATIVE]])
    np.testing.assert_array_equal(_is_column(found, columns, MATCH / NATIVE), [False, True, True, False, False])
    assert not _is_column(found, NONE, MATCH / NATIVE).any()


def test_a_batch_is_always_the_same_and_each_another(few):
    first, again, other = (list(draw_samples([few], BRIGHT, 4, number)) for number in (2, 2, 3))
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.features, two.features)
        np.testing.assert_array_equal(one.is_column, two.is_column)
        assert one.missed == two.missed
    assert not {case.features.tobytes() for case in first} & {case.features.tobytes() for case in other}


def test_what_is_drawn_is_finite_and_holds_both_kinds(few):
    drawn = [case for number in range(3) for case in draw_samples([few], BRIGHT, 5, number)]
    right = np.concatenate([case.is_column for case in drawn])
    assert all(np.isfinite(case.features).all() for case in drawn)
    assert 0.02 < right.mean() < 0.98


def test_images_of_nothing_have_no_columns(few, monkeypatch):
    monkeypatch.setattr(samples, "EMPTY", 1.0)
    drawn = [case for number in range(3) for case in draw_samples([few], BRIGHT, 5, number)]
    assert sum(len(case.is_column) for case in drawn) > 50
    assert not any(case.is_column.any() or case.missed for case in drawn)
