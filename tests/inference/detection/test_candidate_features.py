import numpy as np
import pytest
from spots import draw, square_lattice

from napari_atomseg.inference.detection.candidate_features import FAR, evidence
from napari_atomseg.inference.detection.candidates import NetworkCandidates, find_candidates
from napari_atomseg.networks.candidate_classifier import FEATURES

NATIVE = 0.2
"""Angstrom per pixel."""
SHAPE = (100, 96)
SPACING_PX = 18.0


def candidates(positions, confidence=1.0):
    positions = np.asarray(positions, float).reshape(-1, 2)
    sure = np.broadcast_to(np.asarray(confidence, float), len(positions)).copy()
    return NetworkCandidates(positions=positions, confidence=sure, spread=np.full(len(positions), 0.3), drawn=sure > 0)


def maps_of(true, level=0.2):
    columns = draw(true, 1.0, SHAPE, height=1.0, level=0.0)
    clean = draw(true, 2.2, SHAPE, height=1.0, level=0.0)
    return {"columns": columns, "mask": np.minimum(1.5 * columns, 1.0), "denoise": clean + level, "background": clean}


def named(told):
    return dict(zip(FEATURES, told.T, strict=True))


@pytest.fixture
def scene(rng):
    """Columns, their maps, and the noisy image."""
    true = square_lattice(SHAPE, SPACING_PX, margin=4)
    maps = maps_of(true)
    return true, maps, maps["denoise"] + rng.normal(0, 0.2, SHAPE)


def test_every_number_is_finite_and_in_its_place(scene):
    _, maps, image = scene
    found = find_candidates(maps["columns"], image, 0.2, NATIVE)
    told = evidence(found, maps, image, NATIVE)
    assert told.shape == (len(found), len(FEATURES))
    assert told.dtype == np.float32
    assert np.isfinite(told).all()
    assert named(told)["confidence"] == pytest.approx(found.confidence, abs=1e-6)
    np.testing.assert_array_equal(named(told)["drawn"] > 0, found.drawn)


def test_the_same_again_and_in_any_order(scene, rng):
    _, maps, image = scene
    found = find_candidates(maps["columns"], image, 0.2, NATIVE)
    told = evidence(found, maps, image, NATIVE)
    np.testing.assert_array_equal(evidence(found, maps, image, NATIVE), told)
    order = rng.permutation(len(found))
    turned = NetworkCandidates(
        positions=found.positions[order], confidence=found.confidence[order], spread=found.spread[order], drawn=found.drawn[order]
    )
    for name, seen in named(evidence(turned, maps, image, NATIVE)).items():
        assert seen == pytest.approx(named(told)[name][order], abs=2e-3), name


def test_neighbours_are_counted_and_measured_in_angstrom(scene):
    true, maps, image = scene
    told = named(evidence(candidates(true), maps, image, NATIVE))
    middle = np.argmin(np.hypot(*(true - np.array(SHAPE) / 2).T))
    spacing = SPACING_PX * NATIVE
    assert [told[f"columns_in_{radius}"][middle] for radius in (3, 5, 8)] == [0, 4, 12]
    # A square's diagonal is 5.1 Angstrom.
    for name in ("first", "second", "third"):
        assert told[name][middle] == pytest.approx(spacing, rel=1e-3)
    assert told["height_share"][middle] == pytest.approx(1.0, abs=0.1)
    assert told["density"][0] == pytest.approx(len(true) / (image.size * NATIVE**2) * 10, rel=1e-5)
    assert told["noise"][0] == pytest.approx(0.2, rel=0.05)


def test_no_sure_column_is_nearer_than_the_farthest_that_is_looked_at(scene):
    true, maps, image = scene
    told = named(evidence(candidates(true, 0.4), maps, image, NATIVE))
    assert np.all(told["first"] == FAR)


def test_columns_stand_out_of_the_noise_and_places_between_do_not(scene):
    true, maps, image = scene
    between = true + SPACING_PX / 2 * np.array([0.8, 0.6])
    between = between[np.all((between > 5) & (between < np.array(SHAPE) - 6), axis=1)]
    confidence = np.repeat([1.0, 0.0], [len(true), len(between)])
    told = named(evidence(candidates(np.concatenate([true, between]), confidence), maps, image, NATIVE))
    for name in ("significance_0.45", "against_texture_0.45", "against_dark_0.45", "rank_0.45", "prominence", "blob_0.45"):
        assert told[name][: len(true)].min() > told[name][len(true) :].max(), name
    assert np.median(told["significance_0.45"][: len(true)]) > 5


def test_a_vacancy_is_told_that_its_like_are_occupied(scene):
    true, _, _ = scene
    middle = np.argmin(np.hypot(*(true - np.array(SHAPE) / 2).T))
    maps = maps_of(np.delete(true, middle, axis=0))
    told = named(evidence(candidates(true, np.arange(len(true)) != middle), maps, maps["denoise"], NATIVE))
    assert told["confidence"][middle] == 0
    assert told["seen_like"][middle] > 0.6
    assert told["above_like"][middle] < -0.5


@pytest.mark.parametrize("level", [0.0, 0.3])
@pytest.mark.parametrize("places", [[[40.0, 50.0]], [[0.0, 0.0]], [[30, 30], [30, 30.5], [99, 95]]])
def test_where_there_is_nothing_to_tell_all_is_finite(places, level):
    flat = np.full(SHAPE, level, np.float32)
    nothing = {name: np.zeros(SHAPE, np.float32) for name in ("columns", "mask", "denoise", "background")}
    for confidence in (0.0, 1.0):
        assert np.isfinite(evidence(candidates(places, confidence), nothing, flat, NATIVE)).all()


def test_a_single_candidate_on_noise_has_finite_evidence(rng):
    image = rng.normal(0, 1, SHAPE)
    assert np.isfinite(evidence(candidates([[40, 50]]), maps_of([[40.0, 50.0]]), image, NATIVE)).all()
