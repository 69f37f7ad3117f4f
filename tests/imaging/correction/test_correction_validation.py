import numpy as np
import pytest
from drawn_pairs import draw_pairs

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, run
from napari_atomseg.imaging.correction.figures import parity_points, write_figures
from napari_atomseg.imaging.correction.fitting import fit
from napari_atomseg.imaging.correction.influence import cooks_distance
from napari_atomseg.imaging.correction.params import CorrectionParams
from napari_atomseg.imaging.correction.scores import Scores
from napari_atomseg.imaging.correction.terms import evaluate, monomials
from napari_atomseg.imaging.correction.validation import BLOCK, cross_validate, folds_of
from napari_atomseg.imaging.correction.variables import PixelVariables
from napari_atomseg.readers.image_pairs import ImagePair, read_pairs
from napari_atomseg.workflows import fit_correction

SHAPES = [(40, 30), (21, 35), (30, 30), (25, 28), (30, 20)]
QUICK = {"form": "paper", "side": 3}


def test_scores_in_parts_are_scores_of_the_whole(rng):
    actual = rng.normal(5, 1, 300)
    predicted = actual + rng.normal(0, 0.3, 300)
    scores = Scores()
    for first in range(0, 300, 77):
        scores.add(predicted[first : first + 77], actual[first : first + 77])
    expected = ((predicted - actual) ** 2).sum() / ((actual - actual.mean()) ** 2).sum()
    np.testing.assert_allclose(scores.one_minus_r2, expected, rtol=1e-12)
    np.testing.assert_allclose(scores.frms, np.sqrt(np.mean((predicted - actual) ** 2)) / actual.std(), rtol=1e-12)


def test_the_mean_alone_scores_one(rng):
    actual = rng.normal(size=50)
    scores = Scores()
    scores.add(np.full(50, actual.mean()), actual)
    assert scores.frms == pytest.approx(1)
    assert np.isnan(Scores().one_minus_r2)


def test_images_are_left_out_whole_and_evenly():
    labels = folds_of(SHAPES, CorrectionParams(), 0)
    assert [label.shape for label in labels] == SHAPES
    folds = [np.unique(label) for label in labels]
    assert all(len(fold) == 1 for fold in folds)
    assert sorted(np.bincount(np.concatenate(folds))) == [2, 3]


def test_blocks_are_left_out_whole():
    for label in folds_of(SHAPES, CorrectionParams(split="block", folds=3), 0):
        assert len(np.unique(label)) == 3
        for y in range(0, label.shape[0], BLOCK):
            for x in range(0, label.shape[1], BLOCK):
                assert len(np.unique(label[y : y + BLOCK, x : x + BLOCK])) == 1


def test_pixels_are_left_out_evenly():
    for label in folds_of(SHAPES, CorrectionParams(split="pixel", folds=4), 0):
        assert np.ptp(np.bincount(label.ravel())) <= 1


def test_folds_follow_from_seed_and_repeat():
    first = folds_of(SHAPES, CorrectionParams(split="pixel"), 0)
    again = folds_of(SHAPES, CorrectionParams(split="pixel"), 0)
    np.testing.assert_array_equal(first[0], again[0])
    assert (first[0] != folds_of(SHAPES, CorrectionParams(split="pixel"), 1)[0]).any()
    assert (first[0] != folds_of(SHAPES, CorrectionParams(split="pixel", seed=1), 0)[0]).any()


@pytest.mark.parametrize("share", [0.01, 0.6, 0.99])
def test_a_share_of_the_images_is_left_out(share):
    labels = folds_of(SHAPES, CorrectionParams(left_out=share), 0)
    assert sum(label[0, 0] == 0 for label in labels) == min(max(round(5 * share), 1), 4)


@pytest.mark.parametrize("split", ["image", "block", "pixel"])
def test_every_pixel_but_the_edge_is_predicted_once(split):
    pairs = draw_pairs(3)
    validation = run(cross_validate(pairs, CorrectionParams(split=split, repeats=1, **QUICK)))
    for pair, image in zip(pairs, validation.predicted, strict=True):
        assert np.isfinite(image[1:-1, 1:-1]).all()
        assert np.isnan(image).sum() == image.size - image[1:-1, 1:-1].size
        assert np.nanmean((image - pair.multislice) ** 2) < 0.01 * pair.multislice.var()
    assert 0 < validation.scores.one_minus_r2 < 0.01
    assert validation.scores.split == split


def test_leave_out_share_scores_what_was_left_out():
    validation = run(cross_validate(draw_pairs(4), CorrectionParams(left_out=0.5, repeats=1, **QUICK)))
    assert sum(np.isfinite(image).any() for image in validation.predicted) == 2
    assert validation.scores.left_out == 0.5


def test_progress_rises_and_closing_stops():
    steps = cross_validate(draw_pairs(2), CorrectionParams(repeats=1, **QUICK))
    told = []
    try:
        while True:
            told.append(next(steps))
    except StopIteration:
        pass
    shares = [one.done / one.total for one in told]
    assert shares == sorted(shares)
    assert all(isinstance(one, Progress) and 0 <= share < 1 for one, share in zip(told, shares, strict=True))
    steps = fit_correction.steps(draw_pairs(2), CorrectionParams(**QUICK))
    next(steps)
    steps.close()


@pytest.mark.parametrize(
    ("count", "options", "said"),
    [
        (0, {}, "no pairs"),
        (2, {"folds": 3}, "2 pairs for 3 folds"),
        (1, {"left_out": 0.5}, "single pair"),
        (2, {"patch": 31, "shape": (31, 50)}, "too small for a window of 31 px"),
    ],
)
def test_pairs_that_cannot_be_divided_are_refused(count, options, said):
    shape = options.pop("shape", (40, 40))
    params = CorrectionParams(**(options if "patch" in options else QUICK | options))
    with pytest.raises(AtomsegError, match=said):
        run(cross_validate(draw_pairs(count, shape=shape), params))


def test_a_dark_image_is_refused():
    dark = ImagePair(name="dark", convolution=np.zeros((30, 30)), multislice=np.ones((30, 30)))
    with pytest.raises(AtomsegError, match=r"dark: .*no intensity"):
        run(cross_validate([dark, dark], CorrectionParams()))


def test_figures_are_written(tmp_path):
    pairs = draw_pairs(2)
    validation = run(cross_validate(pairs, CorrectionParams(repeats=1, **QUICK)))
    paths = write_figures(validation, pairs, tmp_path / "new")
    assert [path.name for path in paths] == ["parity.png", "drawn_0_difference.png", "drawn_1_difference.png"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(path.name for path in paths)
    points = parity_points(validation, pairs)
    assert np.corrcoef(points.T)[0, 1] > 0.99


def test_cooks_distance_is_that_of_leaving_a_pixel_out():
    pair = draw_pairs(1, shape=(16, 14))[0]
    correction = run(fit([pair], CorrectionParams(form="paper", side=1, log=False)))
    distances = cooks_distance(correction, [pair])[0]
    values = PixelVariables(pair.convolution, correction.variables).rows(0, 16).T
    design = evaluate((values - correction.centring) @ correction.scaling.T, monomials(1, 2, True))
    actual = pair.multislice.ravel()
    full = design @ np.linalg.lstsq(design, actual, rcond=None)[0]
    variance = ((full - actual) ** 2).sum() / (len(actual) - 3)
    for place in (0, 57, 130):
        kept = np.arange(len(actual)) != place
        without = design @ np.linalg.lstsq(design[kept], actual[kept], rcond=None)[0]
        expected = ((full - without) ** 2).sum() / (3 * variance)
        assert distances.ravel()[place] == pytest.approx(expected, rel=1e-6)


def test_a_strange_image_stands_out_by_cooks_distance():
    pairs = draw_pairs(3)
    strange = ImagePair(name="strange", convolution=pairs[1].convolution, multislice=pairs[1].multislice[::-1])
    correction = run(fit(pairs, CorrectionParams(patch=5, components=6)))
    means = [np.nanmean(one) for one in cooks_distance(correction, [pairs[0], strange, pairs[2]])]
    assert np.argmax(means) == 1


@pytest.mark.slow
def test_scores_on_the_published_pairs(shared_data):
    pairs = read_pairs(shared_data("combs"))
    scores = {form: run(cross_validate(pairs, CorrectionParams(form=form))).scores for form in ("paper", "robust", "better")}
    assert scores["paper"].one_minus_r2 <= 0.0135
    assert scores["paper"].frms <= 0.117
    assert scores["robust"].one_minus_r2 <= 0.0165
    assert scores["better"].one_minus_r2 <= 0.8 * scores["paper"].one_minus_r2


@pytest.mark.slow
@pytest.mark.parametrize("form", ["robust", "better"])
def test_published_pairs_give_a_correction_that_bears_noise(shared_data, rng, form):
    pairs = read_pairs(shared_data("combs"))[:9]
    correction = run(fit(pairs, CorrectionParams(form=form)))
    image = pairs[0].convolution
    plain = correction.predict(image)
    assert (correction.predict(image + rng.normal(0, 1e-4 * image.max(), image.shape)) - plain).std() < 0.01 * plain.std()
    assert np.abs(correction.predict(np.rot90(image)) - np.rot90(plain)).max() < 1e-9 * plain.std()
