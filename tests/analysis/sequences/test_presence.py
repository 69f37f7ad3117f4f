"""Courses of sites, events and hops, from drawn evidence whose truth is known."""

import numpy as np
import pytest

from napari_atomseg.analysis.hidden_markov import forward_backward, two_states
from napari_atomseg.analysis.sequences.events import HOP, coincidences, events_table, rates_of, sites_table
from napari_atomseg.analysis.sequences.presence import detections, follow, site_evidence


def chains(rng, sites, frames, appear, vanish):
    state = rng.random(sites) < appear / (appear + vanish)
    found = [state]
    for _ in range(frames - 1):
        state = np.where(state, rng.random(sites) >= vanish, rng.random(sites) < appear)
        found.append(state)
    return np.array(found).T


def evidence(rng, present, separation):
    """Logarithms of the likelihood ratio of a normal number of unit width about 0 or `separation`."""
    seen = rng.normal(size=present.shape) + separation * present
    return separation * seen - separation**2 / 2


def test_expected_numbers_of_events_are_right_where_raw_flips_are_not():
    rng = np.random.default_rng(3)
    present = chains(rng, 60, 120, 0.03, 0.05)
    ratio = evidence(rng, present, 3.0)
    found = follow(ratio)
    true = np.sum(present[:, 1:] != present[:, :-1])
    assert found.appearing.sum() + found.disappearing.sum() == pytest.approx(true, rel=0.1)
    assert np.sum(np.diff(ratio > 0, axis=1)) > 2 * true
    assert np.sqrt(np.mean((found.probability.mean(axis=1) - present.mean(axis=1)) ** 2)) < 0.02
    rates = rates_of(found, 0.5)
    assert rates["appearances"]["per_frame"] == pytest.approx(0.03, abs=3 * rates["appearances"]["per_frame_std"])
    assert rates["disappearances"]["per_second"] == pytest.approx(0.1, abs=3 * rates["disappearances"]["per_second_std"])


def test_transitions_of_each_sequence_are_those_of_all_where_they_are_the_same():
    rng = np.random.default_rng(5)
    emission = rng.normal(size=(4, 9, 2))
    together = forward_backward(emission, two_states(0.1, 0.2), np.array([0.3, 0.7]))
    each = forward_backward(emission, two_states(np.full(4, 0.1), np.full(4, 0.2)), np.array([0.3, 0.7]))
    np.testing.assert_allclose(each.probabilities, together.probabilities)
    np.testing.assert_allclose(each.pairs.sum(axis=0), together.pairs)
    np.testing.assert_allclose(together.pairs.sum(), 4 * 8)


def test_missed_and_false_detections_are_told_from_events():
    rng = np.random.default_rng(7)
    present = chains(rng, 60, 100, 0.02, 0.02)
    seen = np.where(present, rng.random(present.shape) > 0.1, rng.random(present.shape) < 0.03)
    found = follow(detections(seen, np.ones(seen.shape, bool)))
    true = np.sum(present[:, 1:] != present[:, :-1])
    assert found.appearing.sum() + found.disappearing.sum() == pytest.approx(true, rel=0.15)
    assert np.sum(np.diff(seen, axis=1)) > 4 * true


def test_nothing_seen_says_nothing():
    assert site_evidence(np.zeros((2, 30))) == pytest.approx([0, 0])
    assert site_evidence(np.full((1, 30), -5.0))[0] < 0


@pytest.fixture
def hopper():
    """Two near sites whose only column goes from one to the other, and a far one that is always there."""
    present = np.ones((3, 20), bool)
    present[0, 8:], present[1, :8] = False, False
    return follow(np.where(present, 12.0, -12.0)), np.array([[0.0, 0], [0, 10], [0, 200]])


def test_a_hop_is_one_event(hopper):
    course, places = hopper
    frames = np.arange(20)
    hops = coincidences(course, places, frames, 13.0)
    events = events_table(course, hops, frames)
    assert events[["frame", "site", "kind", "from_site"]].to_numpy().tolist() == [[8, 1, HOP, 0]]
    sites = sites_table(places, np.zeros((3, 2)), course, np.ones((3, 20), bool), events)
    assert sites["hops"].tolist() == [0, 1, 0]
    assert sites["occupancy"].to_numpy() == pytest.approx([0.4, 0.6, 1.0], abs=1e-3)
    assert sites["disappearances"].to_numpy() == pytest.approx([1, 0, 0], abs=0.01)
    far = coincidences(course, places, frames, 5.0)
    assert set(events_table(course, far, frames)["kind"]) == {"appearance", "disappearance"}


def test_coincidences_of_many_independent_events_are_no_hops():
    rng = np.random.default_rng(11)
    present = chains(rng, 100, 200, 0.2, 0.2)
    course = follow(np.where(present, 12.0, -12.0))
    places = np.stack(np.meshgrid(np.arange(10), np.arange(10)), -1).reshape(-1, 2) * 10.0
    hops = coincidences(course, places, np.arange(200), 10.5)
    assert len(hops.pairs) > 500
    assert hops.probability < 0.2
    assert not (events_table(course, hops, np.arange(200))["kind"] == HOP).any()
