"""The doors that scripts, the command line and the window share."""

import numpy as np
import pytest
from spots import draw, offsets, square_lattice

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.workflows import (
    RefineParams,
    accept_suggested,
    estimate_lattice,
    locate,
    read,
    refine,
    residual,
    snap,
    suggest_missing,
    transfer,
)

SHAPE = (120, 140)
TRUE = square_lattice(SHAPE, 16, margin=10)


@pytest.fixture
def micrograph(rng):
    data = (draw(TRUE, 2.2, SHAPE) + rng.normal(0, 2, SHAPE)).astype(np.float32)
    return Micrograph(data=data, pixel_size=(0.1, 0.1), pixel_size_source="typed", name="lattice")


def test_locate_finds_refines_and_says_how(micrograph):
    columns = locate(micrograph)
    assert np.abs(offsets(columns.positions, TRUE)).max() < 0.3
    assert columns.pixel_size == (0.1, 0.1)
    assert columns.image_shape == SHAPE
    assert columns.provenance["model"] == "classical"
    assert columns.provenance["parameters"]["polarity"] == "auto"
    assert columns.provenance["pixel_size_source"] == "typed"
    assert columns.features["x_std_px"].notna().any()


def test_without_refinement_there_are_no_error_bars(micrograph):
    columns = locate(micrograph, refined=False)
    assert columns.features["x_std_px"].isna().all()
    assert "refinement" not in columns.provenance


def test_every_frame_of_a_stack_is_searched_or_one(micrograph):
    stack = Micrograph(data=np.stack([micrograph.data, 0 * micrograph.data, micrograph.data]))
    columns = locate(stack)
    assert set(columns.frame) == {0, 2}
    assert set(locate(stack, frames=2).frame) == {2}
    assert any("frame 3" in step.message for step in locate.steps(stack))
    with pytest.raises(AtomsegError, match="frames 0 to 2"):
        locate(stack, frames=3)


def test_unknown_models_are_refused(micrograph):
    with pytest.raises(AtomsegError, match="models at hand: auto, classical"):
        locate(micrograph, model="oracle")


def test_refine_keeps_order_and_number(micrograph):
    given = Columns(positions=np.round(TRUE)).with_features(sigma_px=2.2)
    fitted = refine(micrograph, given, params=RefineParams(width="shared"))
    assert np.abs(fitted.positions - TRUE).max() < 0.3
    assert fitted.provenance["refinement"]["width"] == "shared"


def test_each_column_of_a_stack_is_refined_on_its_own_frame(micrograph):
    moved = np.roll(micrograph.data, 1, axis=1)
    stack = Micrograph(data=np.stack([micrograph.data, moved]))
    inner = TRUE[(TRUE[:, 1] < 120)]
    given = Columns(positions=np.tile(np.round(inner), (2, 1)), frame=np.repeat([1, 0], len(inner))).with_features(sigma_px=2.2)
    fitted = refine(stack, given).positions
    assert np.median(fitted[: len(inner), 1] - fitted[len(inner) :, 1]) == pytest.approx(1, abs=0.02)


def test_columns_of_a_frame_that_does_not_exist_are_refused(micrograph):
    with pytest.raises(AtomsegError, match="frame 4"):
        refine(micrograph, Columns(positions=[[5, 5]], frame=[4]))


def test_what_fitted_columns_leave_is_noise(micrograph):
    columns = locate(micrograph)
    left = residual(micrograph, columns)
    assert left.dtype == np.float32
    assert left.shape == micrograph.shape
    inner = left[12:-12, 12:-12]
    assert abs(inner.mean()) < 0.05 * micrograph.data.std()
    assert inner.std() < 0.5 * micrograph.data.std()


def test_nothing_is_left_of_columns_that_were_not_fitted(micrograph):
    with pytest.raises(AtomsegError, match="refine the columns first"):
        residual(micrograph, locate(micrograph, refined=False))
    with pytest.raises(AtomsegError, match="not frame 3"):
        residual(micrograph, locate(micrograph), frame=3)


def test_snap_moves_only_the_given_rows(micrograph):
    given = Columns(positions=TRUE[:3] + 1.0)
    snapped = snap(micrograph, given, np.array([1]))
    assert np.abs(snapped.positions[1] - TRUE[1]).max() < 0.3
    assert np.array_equal(snapped.positions[[0, 2]], given.positions[[0, 2]])
    assert snapped.features["origin"].tolist() == ["manual", "snapped", "manual"]


def test_columns_are_carried_over_by_their_place_in_the_field(micrograph):
    double = Micrograph(data=np.kron(micrograph.data, np.ones((2, 2))), name="twice")
    carried = transfer(locate(micrograph), double)
    assert np.abs(offsets(carried.positions, 2 * TRUE + 0.5)).max() < 0.6
    assert carried.features["intensity"].isna().all()
    with pytest.raises(AtomsegError, match="which image"):
        transfer(Columns(positions=[[1, 1]]), double)


def test_read_gives_micrographs(tmp_path, micrograph):
    np.save(tmp_path / "a.npy", micrograph.data)
    (image,) = read(tmp_path / "a.npy")
    assert image.shape == SHAPE


def test_closing_a_job_stops_it(micrograph):
    steps = locate.steps(micrograph)
    next(steps)
    steps.close()
    with pytest.raises(StopIteration):
        next(steps)


def test_a_missing_column_is_suggested_and_taken_up_on_request(micrograph):
    columns = locate(micrograph, refined=False)
    missing = int(np.argmin(np.hypot(*(columns.positions - (60, 70)).T)))
    place = columns.positions[missing]
    columns = columns.remove(np.array([missing]))
    lattice = estimate_lattice(columns)
    np.testing.assert_allclose(np.abs(np.linalg.det(lattice.basis)), 256, rtol=0.01)
    suggested = suggest_missing(micrograph, columns)
    # Others may be suggested near the border, where columns are hard to find.
    suggested = suggested.select(np.hypot(*(suggested.positions - place).T) < 1)
    assert len(suggested) == 1
    assert suggested.features["response"][0] == pytest.approx(1, abs=0.2)
    taken = accept_suggested(micrograph, columns, suggested, reach=4)
    assert np.hypot(*(taken.positions[-1] - place)) < 0.5
    assert taken.features["origin"].iloc[-1] == "snapped"
    kept = accept_suggested(micrograph, columns, suggested, reach=4, snapped=False)
    np.testing.assert_array_equal(kept.positions[-1], suggested.positions[0])
    assert kept.features["origin"].iloc[-1] == "manual"


def test_a_suggestion_does_not_snap_to_a_neighbour(micrograph):
    columns = locate(micrograph, refined=False)
    beside = Columns(positions=columns.positions[:1] + np.array([0, 4.0]))
    taken = accept_suggested(micrograph, columns, beside, reach=4.5)
    np.testing.assert_array_equal(taken.positions[-1], beside.positions[0])
