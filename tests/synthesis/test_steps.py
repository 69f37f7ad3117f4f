"""Lists of effects: alternatives of which one happens, each as often as it is said."""

from __future__ import annotations

import numpy as np
import pytest

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.synthesis.steps import draw_steps, flattened

PLANE, BUMP = {"plane": {"height": {"uniform": [0, 1]}}}, {"gaussian_background": {"height": 0.5}}


def drawn(entry, seeds=2000):
    steps = flattened([entry, {"pedestal": {"height": 0.1}}], "x")
    return [[name for name, _, _ in draw_steps(steps, np.random.default_rng(seed), "x")] for seed in range(seeds)]


def test_exactly_one_alternative_happens_as_often_as_its_weight_says():
    found = drawn({"one_of": [PLANE, BUMP], "weights": [3, 1]})
    assert all(len(names) == 2 for names in found)
    assert np.mean([names[0] == "plane" for names in found]) == pytest.approx(0.75, abs=0.04)
    alike = drawn({"one_of": [PLANE, BUMP]})
    assert np.mean([names[0] == "plane" for names in alike]) == pytest.approx(0.5, abs=0.04)


def test_alternatives_may_all_stay_away():
    found = drawn({"one_of": [PLANE, BUMP], "probability": 0.4})
    assert np.mean([len(names) == 1 for names in found]) == pytest.approx(0.6, abs=0.04)
    assert not any({"plane", "gaussian_background"} <= set(names) for names in found)


def test_how_often_one_happens_leaves_the_others_alone():
    last = [
        [
            draw_steps(
                flattened([{"one_of": [PLANE, BUMP], "weights": weights}, {"blur": {"sigma": {"uniform": [0, 1]}}}], "x"),
                rng,
                "x",
            )
            for rng in map(np.random.default_rng, range(20))
        ]
        for weights in ([1, 0], [0, 1])
    ]
    assert [steps[-1] for steps in last[0]] == [steps[-1] for steps in last[1]]
    assert [steps[0][0] for steps in last[0]] != [steps[0][0] for steps in last[1]]


@pytest.mark.parametrize(
    "entry",
    [
        {"one_of": []},
        {"one_of": "plane"},
        {"one_of": [PLANE, BUMP], "weights": [1]},
        {"one_of": [PLANE, BUMP], "weights": [-1, 2]},
        {"one_of": [PLANE, BUMP], "weights": [0, 0]},
        {"one_of": [PLANE], "probability": 1.2},
        {"one_of": [{"plane": {"probability": 0.5}}]},
        {"one_of": [{"one_of": [PLANE, BUMP]}]},
        "plane",
    ],
)
def test_alternatives_that_make_no_sense_are_refused(entry):
    with pytest.raises(AtomsegError, match="scene"):
        flattened([entry], "scene")
