"""What was done to columns is recorded with them, and done again on other images."""

import json

import numpy as np
import pytest
from spots import draw, square_lattice

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import run
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.core.region import region_from
from napari_atomseg.sessions.document import Document, beside_other_frames
from napari_atomseg.sessions.replay import not_repeated, read_steps, replay
from napari_atomseg.sessions.threshold import at_least, with_candidates
from napari_atomseg.workflows import (
    ClassicalParams,
    RefineParams,
    locate,
    locate_restored,
    read_columns,
    refine,
    straighten_rows,
    transfer,
)
from napari_atomseg.workflows.steps import (
    DRAWN,
    EditByHand,
    Find,
    KeepConfident,
    Measure,
    Refine,
    StraightenRows,
    plain_step,
    recorded,
    step_from,
    steps_of,
)

SHAPE = (130, 130)
EVERY_STEP = (
    Find(model="classical", classical=ClassicalParams(contrast=0.3), fit=RefineParams(tails=True), frame=2, region="5,5,90,80"),
    KeepConfident(least_confidence=0.1 + 0.2, frame=2),
    Refine(fit=RefineParams(width="each")),
    StraightenRows(),
    Measure(what="rings"),
    EditByHand(added=2, moved=1),
)


def image(seed, frames=0):
    rng = np.random.default_rng(seed)
    true = square_lattice(SHAPE, 16, margin=10) + rng.normal(0, 0.4, 2)
    draws = [(draw(true, 2.2, SHAPE) + rng.normal(0, 2, SHAPE)).astype(np.float32) for _ in range(max(frames, 1))]
    return Micrograph(data=np.stack(draws) if frames else draws[0], pixel_size=(0.1, 0.1), name=f"image {seed}")


def by_hand(micrograph):
    """The steps of a session, one after the other."""
    found = locate(micrograph, model="classical", params=ClassicalParams(contrast=0.4), refined=False)
    return refine(micrograph, found, params=RefineParams(width="each"))


@pytest.mark.parametrize("step", EVERY_STEP, ids=lambda step: step.kind)
def test_a_step_is_read_again_from_json(step):
    assert step_from(json.loads(json.dumps(plain_step(step)))) == step


def test_steps_go_with_the_columns_through_undo(rng):
    document = Document(by_hand(image(1)))
    document.remove([0, 1])
    document.add([[50.0, 50.0]])
    assert [step.kind for step in steps_of(document.columns.provenance)] == ["find", "refine", "edit by hand"]
    assert steps_of(document.columns.provenance)[-1] == EditByHand(added=1, deleted=2)
    document.undo()
    document.undo()
    assert [step.kind for step in steps_of(document.columns.provenance)] == ["find", "refine"]


def test_what_was_saved_repeats_on_another_image_as_by_hand(tmp_path):
    document = Document(by_hand(image(1)))
    document.remove([3])
    document.save(tmp_path / "saved.csv")
    steps = read_steps(tmp_path / "saved.json")
    assert not_repeated(steps) == "1 columns deleted by hand"
    again, expected = replay(image(2), steps).columns, by_hand(image(2))
    np.testing.assert_allclose(again.positions, expected.positions, atol=1e-6)
    assert steps_of(again.provenance) == steps_of(expected.provenance)


def test_steps_come_back_with_the_table(tmp_path):
    columns = by_hand(image(1))
    Document(columns).save(tmp_path / "saved.csv")
    assert steps_of(read_columns(tmp_path / "saved.csv").provenance) == steps_of(columns.provenance)


def test_frames_searched_one_by_one_are_searched_so_again():
    def searched(stack):
        first = locate(stack, model="classical", refined=False, frames=0)
        second = locate(stack, model="classical", params=ClassicalParams(contrast=0.3), refined=False, frames=1)
        return beside_other_frames(first, second, 1)

    columns, other = searched(image(1, frames=2)), image(2, frames=2)
    again, expected = replay(other, steps_of(columns.provenance)).columns, searched(other)
    np.testing.assert_allclose(again.positions, expected.positions, atol=1e-6)
    np.testing.assert_array_equal(again.frame, expected.frame)


def test_rows_are_straightened_again():
    columns, _ = straighten_rows(by_hand(image(1)))
    again = replay(image(2), steps_of(columns.provenance)).columns
    expected, _ = straighten_rows(by_hand(image(2)))
    np.testing.assert_allclose(again.positions, expected.positions, atol=1e-6)


def candidates():
    places = np.arange(20.0).reshape(-1, 2)
    made = Columns(positions=places, provenance={"steps": [plain_step(Find())]})
    return made.with_features(confidence=np.linspace(0.1, 1, 10), network_y_px=places[:, 0], network_x_px=places[:, 1])


def test_a_threshold_that_is_moved_is_one_step_and_brings_columns_back():
    pool = candidates()
    high = at_least(pool, 0.8)
    low = at_least(with_candidates(high, pool, 0.0), 0.3)
    assert len(high) == 3
    assert len(low) == 8
    assert steps_of(low.provenance) == (Find(), KeepConfident(least_confidence=0.3))


def test_a_threshold_of_one_frame_leaves_the_others_alone():
    pool = candidates()
    two = Columns(positions=pool.positions, frame=np.repeat([0, 1], 5), features=pool.features)
    assert at_least(two, 0.9, frame=0).frame.tolist() == [1] * 5


def test_columns_carried_over_were_not_found_here():
    assert steps_of(transfer(by_hand(image(1)), image(2)).provenance) == ()


def test_columns_of_a_restored_image_say_where_they_were_found():
    recorded_image = image(1)
    restored = Micrograph(data=recorded_image.data, pixel_size=(0.1, 0.1), notes=("restored by the network x",))
    found = locate_restored(recorded_image, restored, model="classical")
    find, fit = steps_of(found.provenance)
    assert find.found_in == "restored by the network x"
    assert isinstance(fit, Refine)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no json", "no JSON"),
        ("[]", "no recorded steps"),
        ('{"steps": []}', "no recorded steps"),
        ('{"steps": [{"step": "dance"}]}', "there is no step 'dance'; steps are find"),
        ('{"steps": [{"step": "find", "modle": "x"}]}', "no parameter modle"),
        ('{"steps": [{"step": "find", "fit": {"width": "wide"}}]}', "must be one of shared, each"),
        ('{"steps": [{"step": "find", "frame": "first"}]}', "finite number"),
        ('{"steps": ["find"]}', "there is no step None"),
        ('{"steps": [{"step": "find", "found_in": "its restoration"}]}', "another image \\(its restoration\\)"),
        ('{"steps": [{"step": "edit by hand", "added": 3}, {"step": "refine"}]}', "cannot be repeated"),
    ],
)
def test_what_cannot_be_repeated_is_refused_in_one_sentence(tmp_path, text, said):
    path = tmp_path / "steps.json"
    path.write_text(text)
    with pytest.raises(AtomsegError, match=said) as raised:
        read_steps(path)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


def test_a_missing_file_and_steps_without_a_search_are_said(tmp_path):
    with pytest.raises(AtomsegError, match="cannot be read"):
        read_steps(tmp_path / "none.json")
    with pytest.raises(AtomsegError, match='first step has to be "find"'):
        replay(image(1), (Refine(),))
    with pytest.raises(AtomsegError, match='first step has to be "find"'):
        replay(image(1), (EditByHand(added=1),))


def test_a_step_of_a_later_version_does_not_keep_others_from_being_recorded():
    columns = Columns(positions=[[1, 2]], provenance={"steps": [{"step": "edit by hand", "painted": 2}]})
    assert len(recorded(columns, EditByHand(added=1)).provenance["steps"]) == 2


def test_a_region_in_numbers_is_searched_again_and_a_drawn_one_is_not():
    micrograph = image(1)
    part = locate(micrograph, model="classical", refined=False, region=region_from("0,0,60,129"))
    (kept,) = steps_of(part.provenance)
    assert kept.region == "0,0,60,129"
    assert not_repeated([kept]) == ""
    assert run(replay.steps(micrograph, [kept])).columns.positions == pytest.approx(part.positions)
    drawn = locate(micrograph, model="classical", refined=False, region=region_from("0,0,60,129").mask(SHAPE))
    (lost,) = steps_of(drawn.provenance)
    assert lost.region == DRAWN
    assert not_repeated([lost]) == "the region that was drawn (whole images are searched)"
    assert len(run(replay.steps(micrograph, [lost])).columns) > len(part)


def test_what_earlier_versions_kept_of_a_region_is_read():
    assert step_from({"step": "find", "region": True}).region == DRAWN
    assert step_from({"step": "find", "region": False}).region == ""
