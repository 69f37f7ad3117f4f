import itertools

import numpy as np
import pytest

from napari_atomseg.analysis.hidden_markov import forward_backward, hopping, learn_hopping, most_likely_path, two_states

TRANSITION = np.array([[0.9, 0.1], [0.3, 0.7]])
INITIAL = np.array([0.6, 0.4])


def every_path(log_emission):
    """Paths of two states and their probabilities, one by one."""
    times = len(log_emission)
    found = {}
    for path in itertools.product((0, 1), repeat=times):
        weight = INITIAL[path[0]] * np.exp(log_emission[0, path[0]])
        for time in range(1, times):
            weight *= TRANSITION[path[time - 1], path[time]] * np.exp(log_emission[time, path[time]])
        found[path] = weight
    return found


def test_recursions_agree_with_all_paths():
    emission = np.random.default_rng(0).normal(0, 1, (3, 4, 2))
    found = forward_backward(emission, TRANSITION, INITIAL)
    likelihood = 0.0
    for row, one in enumerate(emission):
        paths = every_path(one)
        total = sum(paths.values())
        likelihood += np.log(total)
        for time in range(4):
            there = sum(weight for path, weight in paths.items() if path[time] == 1) / total
            assert found.probabilities[row, time, 1] == pytest.approx(there)
        for time in range(3):
            moved = sum(weight for path, weight in paths.items() if path[time] != path[time + 1]) / total
            assert found.changes[row, time] == pytest.approx(moved)
        assert tuple(most_likely_path(emission, TRANSITION, INITIAL)[row]) == max(paths, key=paths.get)
    assert found.log_likelihood == pytest.approx(likelihood)
    assert found.pairs.sum() == pytest.approx(9)


def test_what_was_not_seen_is_filled_from_both_sides():
    emission = np.zeros((1, 3, 2))
    emission[0, 0, 0] = emission[0, 2, 0] = 20
    assert forward_backward(emission, two_states(0.05, 0.05), INITIAL).probabilities[0, 1, 0] > 0.99


def test_rates_of_change_are_learnt():
    rng = np.random.default_rng(1)
    states = np.zeros((400, 20), int)
    states[:, 0] = rng.integers(0, 6, 400)
    truth = hopping(6, 0.08, 0.3)
    for time in range(1, 20):
        states[:, time] = [rng.choice(6, p=truth[one]) for one in states[:, time - 1]]
    values = states + rng.normal(0, 0.3, states.shape)
    emission = -0.5 * ((values[..., None] - np.arange(6)) / 0.3) ** 2
    _, change, reach = learn_hopping(emission, np.full(6, 1 / 6))
    assert change == pytest.approx(0.08, abs=0.01)
    assert reach == pytest.approx(0.3, abs=0.1)
    assert truth.sum(axis=1) == pytest.approx(1)
