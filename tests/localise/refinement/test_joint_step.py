"""One step of all columns together against the dense least squares of the whole image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.jobs import run
from napari_atomseg.localise.detection.noise_level import NoiseLevel
from napari_atomseg.localise.refinement import joint_step
from napari_atomseg.localise.refinement.joint_step import coupled_step
from napari_atomseg.localise.refinement.params import RefineParams
from napari_atomseg.localise.refinement.problem import prepare
from napari_atomseg.localise.refinement.shape import HEIGHT, LEVEL, SIGMA, SLANT, STRETCH, TAIL, X, Y, blank_model, derivatives
from napari_atomseg.localise.refinement.uncertainty import cramer_rao_bound
from napari_atomseg.localise.refinement.windows import pairs_within

SHAPE = (56, 62)
WIDTH = 2.0
JOINT = (Y, X, HEIGHT)
WIDE = {"window": 6.0, "likelihood": "least-squares"}
"""Windows that hold all of a column, so that nothing but the whole image is told."""


@pytest.fixture
def model(rng):
    """Rows of columns 3 sigma apart, in vacuum."""
    found = blank_model(12)
    y, x = np.mgrid[:3, :4]
    found[:, Y], found[:, X] = 22 + 6 * y.ravel(), 22 + 6 * x.ravel()
    found[:, [Y, X]] += rng.uniform(-0.5, 0.5, (12, 2))
    found[:, SIGMA], found[:, HEIGHT], found[:, LEVEL] = WIDTH, rng.uniform(50, 100, 12), 10.0
    return found


@pytest.fixture
def exact(monkeypatch):
    """Solve the equations as far as numbers allow, not only as far as a step needs."""
    monkeypatch.setattr(joint_step, "TOLERANCE", 1e-9)
    monkeypatch.setattr(joint_step, "RIDGE", 1e-12)


def drawn(model):
    """The model without background in the whole image, in double precision, and its derivatives, (N, 7, pixels)."""
    y, x = (axis.ravel() * 1.0 for axis in np.mgrid[: SHAPE[0], : SHAPE[1]])
    shape, slopes = derivatives(y - model[:, Y, None], x - model[:, X, None], model, (*JOINT, SIGMA, STRETCH, SLANT, TAIL))
    return (model[:, HEIGHT, None] * shape).sum(axis=0).reshape(SHAPE), slopes


def problem_of(image, model, variance=1e4, **params):
    """Intensities in their own unit; so noisy for the fit that no residual is a spike."""
    columns = Columns(positions=model[:, [Y, X]]).with_features(sigma_px=WIDTH)
    problem = prepare(image, columns, RefineParams(**{**WIDE, **params}))
    noise = NoiseLevel(gain=0.0, read_variance=variance, pedestal=0.0)
    return replace(problem, image=np.asarray(image, np.float32), zero=0.0, unit=1.0, noise=noise)


def stepped(problem, model, shared=(), active=None, damping=0.0):
    active = np.arange(len(model)) if active is None else active
    canvas = np.zeros(SHAPE)
    problem.add(canvas, model)
    pairs = pairs_within(model, 1e3)
    return run(
        coupled_step(
            problem, canvas, model, active, pairs, JOINT, shared, np.full(len(active), damping), np.ones(len(model), bool)
        )
    )


def dense(image, model, shared, active=None, damping=0.0):
    """Steps of the columns (N, 3) and of what they share, by linear least squares over all pixels at once."""
    active = np.arange(len(model)) if active is None else active
    canvas, slopes = drawn(model)
    names = (*JOINT, SIGMA, STRETCH, SLANT, TAIL)
    design = [slopes[row, place] for row in active for place in range(3)]
    design += [np.ones(canvas.size) if name == LEVEL else slopes[:, names.index(name)].sum(axis=0) for name in shared]
    design = np.stack(design, axis=1)
    # Marquardt's damping as further measurements: of a step of nothing.
    own = 3 * len(active)
    further = np.zeros((own, design.shape[1]))
    further[:, :own] = np.diag(np.sqrt(damping) * np.linalg.norm(design[:, :own], axis=0))
    data = np.concatenate([(image - canvas).ravel() - model[0, LEVEL], np.zeros(own)])
    found = np.linalg.lstsq(np.concatenate([design, further]), data)[0]
    return found[:own].reshape(-1, 3), found[own:]


@pytest.mark.parametrize("damping", [0.0, 0.5])
@pytest.mark.parametrize("shared", [(LEVEL,), (SIGMA, LEVEL), (SIGMA, STRETCH, SLANT, LEVEL)])
def test_a_step_is_the_least_squares_solution_of_the_whole_image(rng, model, exact, shared, damping):
    image = drawn(model)[0] + 10 + rng.normal(0, 3, SHAPE)
    model[:, HEIGHT] *= 0.97
    step = stepped(problem_of(image, model, background="shared"), model, shared, damping=damping)
    own, common = dense(image, model, shared, damping=damping)
    assert np.allclose(step.own, own, atol=2e-3 * np.abs(own).max(axis=0))
    assert np.allclose(step.shared, common, rtol=2e-3, atol=1e-5)


def test_a_step_as_it_is_taken_is_nearly_so(rng, model):
    image = drawn(model)[0] + 10 + rng.normal(0, 3, SHAPE)
    step = stepped(problem_of(image, model, background="shared"), model, (SIGMA, LEVEL))
    own, common = dense(image, model, (SIGMA, LEVEL))
    assert np.allclose(step.own, own, atol=0.02 * np.abs(own).max(axis=0))
    assert np.allclose(step.shared, common, rtol=0.02, atol=1e-4)


def test_columns_that_are_at_rest_are_held(rng, model, exact):
    image = drawn(model)[0] + 10 + rng.normal(0, 3, SHAPE)
    active = np.array([1, 2, 5, 6, 11])
    step = stepped(problem_of(image, model, background="shared"), model, active=active)
    own, _ = dense(image, model, (), active)
    assert step.own.shape == own.shape
    assert len(step.shared) == 0
    assert np.allclose(step.own, own, atol=2e-3 * np.abs(own).max(axis=0))


@pytest.mark.parametrize("background", ["local", "tilted", "shared"])
@pytest.mark.parametrize("window", [3.0, 6.0])
def test_a_linear_problem_is_solved_in_one_step(rng, model, exact, background, window):
    """Whatever the windows, they agree on what has made the image, be it of the columns or of all."""
    change = rng.normal(0, [0.2, 0.2, 5.0], (len(model), 3))
    canvas, slopes = drawn(model)
    image = canvas + np.einsum("nf,nfp->p", change, slopes[:, :3]).reshape(SHAPE)
    image = image + 0.1 * slopes[:, 3].sum(axis=0).reshape(SHAPE)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    image += 12 + (0.3 * (y - 28) - 0.2 * (x - 31) if background == "tilted" else 0)
    problem = problem_of(image, model, background=background, window=window)
    step = stepped(problem, model, (SIGMA, LEVEL) if background == "shared" else (SIGMA,))
    assert np.allclose(step.own, change, atol=[2e-3, 2e-3, 0.05])
    assert step.shared[0] == pytest.approx(0.1, abs=1e-3)
    if background == "shared":
        assert step.shared[1] == pytest.approx(2.0, abs=0.02)


@pytest.mark.parametrize("likelihood", ["poisson", "least-squares"])
@pytest.mark.parametrize(
    ("shared", "true"),
    [
        ((SIGMA,), (2.3,)),
        ((SIGMA, LEVEL), (2.3, 14.0)),
        ((SIGMA, TAIL), (2.2, 0.3)),
        ((SIGMA, STRETCH, SLANT), (2.2, 0.2, -0.15)),
        ((SIGMA, STRETCH, SLANT, TAIL), (2.1, 0.1, 0.15, 0.25)),
    ],
)
def test_what_all_share_is_recovered_with_all_columns(rng, model, shared, true, likelihood):
    """Steps of all together, from a poor start, end at what was drawn."""
    truth = model.copy()
    truth[:, list(shared)] = true
    background = "shared" if LEVEL in shared else "local"
    problem = problem_of(drawn(truth)[0] + truth[:, LEVEL].mean(), model, background=background, likelihood=likelihood)
    model[:, [Y, X]] += rng.uniform(-0.4, 0.4, (12, 2))
    model[:, HEIGHT] *= 0.8
    for _ in range(12):
        step = stepped(problem, model, shared)
        model[:, list(JOINT)] += step.own
        model[:, list(shared)] += step.shared
        model[:, TAIL] = np.clip(model[:, TAIL], 0, 0.9)
    # Tails are drawn out to 12 sigma, not for ever.
    loose = 12 if TAIL in shared else 1
    assert np.abs(model[:, [Y, X]] - truth[:, [Y, X]]).max() < 1e-3 * loose
    assert np.allclose(model[:, HEIGHT], truth[:, HEIGHT], rtol=0.02 if TAIL in shared else 2e-3)
    for name, value in zip(shared, true, strict=True):
        assert np.allclose(model[:, name], value, rtol=2e-3 * loose, atol=1e-3 * loose)


def test_damping_shortens_the_steps_of_the_damped_alone(rng, model):
    image = drawn(model)[0] + 10 + rng.normal(0, 3, SHAPE)
    apart = model[[0, 11]]
    problem = problem_of(image - drawn(model[1:11])[0], apart)
    canvas = np.zeros(SHAPE)
    problem.add(canvas, apart)
    lengths = [
        run(
            coupled_step(
                problem, canvas, apart, np.arange(2), np.zeros((0, 2), int), JOINT, (), np.array([0.0, damping]), np.ones(2, bool)
            )
        ).own
        for damping in (0.0, 1.0, 1e6)
    ]
    for held in lengths[1:]:
        assert np.allclose(held[0], lengths[0][0], rtol=1e-5)
    assert np.allclose(np.linalg.norm(lengths[1][1]), np.linalg.norm(lengths[0][1]) / 2, rtol=0.05)
    assert np.linalg.norm(lengths[2][1]) < 1e-5 * np.linalg.norm(lengths[0][1])


def test_at_the_truth_nothing_moves(model):
    problem = problem_of(drawn(model)[0] + 10, model, background="shared")
    step = stepped(problem, model, (SIGMA, LEVEL))
    assert np.abs(step.own).max() < 1e-2
    assert np.abs(step.own[:, :2]).max() < 1e-4
    assert np.abs(step.shared).max() < 1e-2


def test_the_level_under_each_column_is_told_before_the_step(rng, model):
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    plane = 10 + 0.3 * (y - 28) - 0.2 * (x - 31)
    problem = problem_of(drawn(model)[0] + plane, model, background="tilted")
    centre = np.round(model[:, [Y, X]]).astype(int)
    assert np.allclose(stepped(problem, model).levels, plane[centre[:, 0], centre[:, 1]], atol=1e-2)


def test_the_error_is_about_the_standard_deviation_of_a_position():
    lone = blank_model(1)
    lone[0, [Y, X, SIGMA, HEIGHT]] = 28.3, 31.2, WIDTH, 80.0
    error = stepped(problem_of(drawn(lone)[0], lone, variance=9.0), lone).error
    assert error == pytest.approx([cramer_rao_bound(WIDTH, 80.0, 0.0, pixel_variance=9.0) / WIDTH], rel=0.01)


def test_two_columns_at_one_place_make_a_finite_step(rng, model):
    model[1] = model[0]
    step = stepped(problem_of(drawn(model)[0] + 10, model), model, (SIGMA,), damping=1e-2)
    assert np.isfinite(step.own).all()
    assert np.isfinite(step.shared).all()


def test_an_image_that_tells_nothing_makes_no_step(model):
    problem = problem_of(np.full(SHAPE, np.nan), model)
    problem = replace(problem, image=np.zeros(SHAPE, np.float32))
    step = stepped(problem, model, (SIGMA,))
    assert not step.own.any()
    assert not step.shared.any()
