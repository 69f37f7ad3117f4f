"""Whatever image and positions are given, the refinement ends with a verdict on every column, and without a warning."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from spots import draw

from napari_atomseg.core.columns import FITS, Columns
from napari_atomseg.core.jobs import run
from napari_atomseg.localise.refinement.params import RefineParams
from napari_atomseg.localise.refinement.refine import refine_columns

MEASURED = ("intensity", "background", "sigma_px")
EXTENTS = ("y_std_px", "x_std_px")

params = st.builds(
    RefineParams,
    width=st.sampled_from(["shared", "each"]),
    shape=st.sampled_from(["round", "elliptic"]),
    tails=st.booleans(),
    background=st.sampled_from(["local", "tilted", "shared"]),
    likelihood=st.sampled_from(["poisson", "least-squares"]),
    gain=st.sampled_from([None, None, None, 1.0, 1e-12, 1e12]),
    offset=st.sampled_from([None, None, None, 0.0, -1e12, 1e12]),
    window=st.sampled_from([1.0, 3.0]),
    rounds=st.sampled_from([1, 6]),
)
shapes = st.one_of(
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.sampled_from([(1, 40), (40, 1), (24, 24), (40, 48)]),
)
KINDS = ("noise", "columns", "dark columns", "counts", "constant", "zero", "ramp", "single pixel")
FAULTS = ("none", "nan", "infinite", "hot", "dead row", "huge", "beyond single", "all nan", "mostly nan")
TYPES = (np.float32, np.float64, np.uint8, np.uint16, np.int32, np.int64, np.float16, bool)
SCALES = (1.0, 1e-30, 1e30, 1e300, -1e3, 1e-300)
PLACES = ("inside", "duplicates", "outside", "far", "nan", "lattice", "one")


def drawn(rng, kind, shape):
    places = rng.uniform(0, shape, (4, 2))
    if "columns" in kind:
        return draw(places, 2.0, shape, height=-80.0 if "dark" in kind else 80.0, level=100.0) + rng.normal(size=shape)
    if kind == "counts":
        return rng.poisson(draw(places, 2.0, shape, height=3.0, level=0.1)).astype(float)
    image = {
        "noise": rng.normal(size=shape),
        "constant": np.full(shape, 7.0),
        "ramp": np.arange(np.prod(shape)).reshape(shape) * 1.0,
    }
    found = image.get(kind, np.zeros(shape))
    if kind == "single pixel":
        found[shape[0] // 2, shape[1] // 2] = 1.0
    return found


def spoilt(rng, image, fault):
    """The image with a fault of the detector, or of the file."""
    image = image.copy()
    some = rng.uniform(size=image.shape) < 0.1
    if fault == "hot":
        image[rng.integers(image.shape[0]), rng.integers(image.shape[1])] = 1e6
    elif fault == "dead row":
        image[rng.integers(image.shape[0])] = 0
    elif fault == "infinite":
        image[some] = rng.choice([np.inf, -np.inf], some.sum())
    elif fault == "mostly nan":
        image[~some] = np.nan
    elif fault != "none":
        image[some if fault != "all nan" else slice(None)] = {"huge": 1e30, "beyond single": -1e300}.get(fault, np.nan)
    return image


def placed(rng, place, shape):
    extent = np.array(shape)
    inside = rng.uniform(-0.5, extent - 0.5, (rng.integers(0, 9), 2))
    if place == "duplicates":
        return np.repeat(inside[:3], 3, axis=0)
    if place == "outside":
        return np.concatenate([inside, inside + 3 * extent, inside - 40])
    if place == "far":
        return np.concatenate([inside, [[1e6, -1e9], [1e300, 3.0], [-1e18, 1e18]]])
    if place == "nan":
        return np.concatenate([inside, [[np.nan, 3.0], [np.inf, -np.inf]]])
    if place == "lattice":
        return np.stack(np.mgrid[: extent[0] : 5, : extent[1] : 5], -1).reshape(-1, 2)[:60] * 1.0
    return inside if place == "inside" else inside[:1]


def verdict_is_sound(columns, found):
    """Names are valid; what is stated is finite and possible; what failed is as it was."""
    table, before = found.features, columns.features
    assert len(found) == len(columns)
    assert set(table["fit"]) <= set(FITS) - {"none"}
    failed = (table["fit"] == "failed").to_numpy()
    assert np.array_equal(found.positions[failed], columns.positions[failed], equal_nan=True)
    for name in MEASURED:
        assert np.array_equal(table[name][failed], before[name][failed], equal_nan=True)
    good = table[~failed]
    assert np.isfinite(found.positions[~failed]).all()
    assert np.isfinite(good[[*MEASURED, *EXTENTS, "yx_correlation"]].to_numpy(dtype=float)).all() if len(good) else True
    assert (good[[*EXTENTS, "sigma_px"]].to_numpy(dtype=float) > 0).all()
    assert (good["yx_correlation"].abs() <= 1.001).all() if len(good) else True
    assert table.loc[failed, list(EXTENTS)].isna().all(axis=None)
    if "sigma_minor_px" in table and len(good) and good["sigma_minor_px"].notna().any():
        assert (good["sigma_minor_px"] <= good["sigma_px"] * (1 + 1e-9)).all()


def refined_soundly(image, columns, params):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = run(refine_columns(image, columns, params))
    if len(columns):
        verdict_is_sound(columns, found)


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(
    seed=st.integers(0, 2**31),
    params=params,
    shape=shapes,
    kind=st.sampled_from(KINDS),
    fault=st.sampled_from(FAULTS),
    scale=st.sampled_from(SCALES),
    place=st.sampled_from(PLACES),
    sigma=st.sampled_from([2.0, 2.0, 0.4, 5.0]),
)
def test_any_image_and_any_positions_end_in_a_sound_verdict(seed, params, shape, kind, fault, scale, place, sigma):
    rng = np.random.default_rng(seed)
    with np.errstate(over="ignore"):
        image = spoilt(rng, drawn(rng, kind, shape) * scale, fault)
    columns = Columns(positions=placed(rng, place, shape))
    refined_soundly(image, columns if sigma is None else columns.with_features(sigma_px=sigma), params)


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(seed=st.integers(0, 2**31), params=params, kind=st.sampled_from(KINDS), dtype=st.sampled_from(TYPES))
def test_any_type_of_numbers_will_do(seed, params, kind, dtype):
    rng = np.random.default_rng(seed)
    image = np.clip(drawn(rng, kind, (40, 48)), 0, 1 if dtype is bool else 120).astype(dtype)
    refined_soundly(image, Columns(positions=placed(rng, "inside", image.shape)).with_features(sigma_px=2.0), params)


@pytest.mark.parametrize("width", ["shared", "each"])
@pytest.mark.parametrize("shape", ["round", "elliptic"])
@pytest.mark.parametrize("background", ["local", "tilted", "shared"])
@pytest.mark.parametrize("likelihood", ["poisson", "least-squares"])
@pytest.mark.parametrize("tails", [False, True])
def test_every_combination_finds_clear_columns_beside_a_fault(rng, width, shape, background, likelihood, tails):
    true = np.array([[16.0, 17.0], [16.4, 32.2], [31.0, 17.5], [31.2, 31.6]])
    image = draw(true, 2.0, (48, 50)) + rng.normal(0, 0.5, (48, 50))
    image[18, 19], image[2, 2], image[40, 40] = np.nan, 1e6, np.inf
    columns = Columns(positions=np.round(np.concatenate([true, true[:1], [[900.0, -3.0]]]))).with_features(sigma_px=2.2)
    chosen = RefineParams(width=width, shape=shape, background=background, likelihood=likelihood, tails=tails)
    refined_soundly(image, columns, chosen)
    found = run(refine_columns(image, columns.select(np.arange(4)), chosen))
    assert (found.features["fit"] == "ok").all()
    assert np.abs(found.positions - true).max() < 0.05
