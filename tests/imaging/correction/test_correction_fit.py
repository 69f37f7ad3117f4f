from dataclasses import replace

import numpy as np
import pytest
from drawn_pairs import draw_pair, draw_pairs
from sklearn.base import clone
from sklearn.linear_model import LinearRegression

from napari_atomseg.core.errors import AtomsegError, AtomsegWarning
from napari_atomseg.core.jobs import run
from napari_atomseg.imaging.correction.domain import FittedOn, out_of_range
from napari_atomseg.imaging.correction.estimators import pipeline_of
from napari_atomseg.imaging.correction.fitting import fit
from napari_atomseg.imaging.correction.normal_equations import NormalEquations
from napari_atomseg.imaging.correction.params import CorrectionParams
from napari_atomseg.imaging.correction.terms import evaluate, monomials, symmetric_terms
from napari_atomseg.imaging.correction.variables import PixelVariables

FORMS = ("robust", "paper", "better")
SMALL = {"patch": 9, "components": 18}
TURNS = [lambda one, k=k, flip=flip: np.rot90(one[::-1] if flip else one, k) for k in range(4) for flip in (False, True)]


def params_of(form, **others):
    return CorrectionParams(form=form, **({} if form == "paper" else SMALL), **others)


@pytest.fixture(scope="module")
def pairs():
    return draw_pairs(3, pixel_size=0.1)


@pytest.fixture(scope="module")
def fitted(pairs):
    return {form: run(fit(pairs, params_of(form))) for form in FORMS}


def naive(correction, image):
    """Corrected image through the whole design matrix."""
    values = PixelVariables(image, correction.variables).rows(0, image.shape[0])
    responses = (values - correction.centring[:, None]).T @ correction.scaling.T
    if correction.params.form == "paper":
        terms = monomials(responses.shape[1], correction.params.degree, correction.params.interactions)
        design = evaluate(responses, terms)
    else:
        design = symmetric_terms(responses, correction.groups)
    return (design @ correction.coefficients).reshape(image.shape)


@pytest.mark.parametrize("form", FORMS)
def test_an_unseen_image_is_corrected(fitted, form):
    pair = draw_pair(9)
    predicted = fitted[form].predict(pair.convolution)[2:-2, 2:-2]
    actual = pair.multislice[2:-2, 2:-2]
    assert np.mean((predicted - actual) ** 2) < 2e-3 * actual.var()


@pytest.mark.parametrize("form", FORMS)
def test_quadratic_form_agrees_with_the_design_matrix(fitted, form):
    image = draw_pair(9).convolution
    expected = naive(fitted[form], image)[2:-2, 2:-2]
    assert np.abs(fitted[form].predict(image)[2:-2, 2:-2] - expected).max() < 1e-10 * np.abs(expected).max()


@pytest.mark.parametrize("form", ["robust", "better"])
@pytest.mark.parametrize("turn", TURNS)
def test_a_turned_image_is_corrected_as_the_image(fitted, form, turn):
    image = draw_pair(9).convolution
    plain = fitted[form].predict(image)
    assert np.abs(fitted[form].predict(turn(image)) - turn(plain)).max() < 1e-9 * plain.std()


@pytest.mark.parametrize("form", ["robust", "better"])
def test_noise_and_single_precision_hardly_show(fitted, form, rng):
    image = draw_pair(9).convolution
    plain = fitted[form].predict(image)
    noisy = fitted[form].predict(image + rng.normal(0, 1e-4 * image.max(), image.shape))
    single = fitted[form].predict(image.astype(np.float32))
    assert (noisy - plain).std() < 0.01 * plain.std()
    assert (single - plain).std() < 0.001 * plain.std()


def test_the_papers_form_says_that_it_wants_double_precision(fitted):
    with pytest.warns(AtomsegWarning, match="double precision"):
        fitted["paper"].apply(draw_pair(0).convolution.astype(np.float32))


@pytest.mark.parametrize("form", FORMS)
def test_the_edge_is_no_worse_than_an_estimate(fitted, form):
    pair = draw_pair(9, shape=(50, 44))
    whole = fitted[form].predict(pair.convolution)
    assert np.mean((whole - pair.multislice) ** 2) < 0.03 * pair.multislice.var()


def test_edges_are_kept_or_cut(fitted):
    image = draw_pair(0).convolution
    for form, side in (("paper", 5), ("robust", 9)):
        whole = fitted[form].apply(image)
        cut = fitted[form].apply(image, keep_shape=False)
        assert whole.shape == image.shape
        assert cut.shape == (image.shape[0] - side + 1, image.shape[1] - side + 1)
        inner = whole[side // 2 : -(side // 2), side // 2 : -(side // 2)]
        np.testing.assert_allclose(cut, inner, rtol=0, atol=1e-9 * np.abs(whole).max())


@pytest.mark.parametrize(
    "options",
    [
        {"side": 1, "degree": 1, "log": False},
        {"side": 3, "degree": 3},
        {"side": 3, "degree": 2, "interactions": False},
        {"side": 5, "degree": 1},
    ],
)
def test_other_polynomials_of_the_paper(pairs, options):
    correction = run(fit(pairs, params_of("paper", **options)))
    assert correction.coefficients.shape == (correction.number_of_terms,)
    image = draw_pair(9).convolution
    cut = (slice(2, -2), slice(2, -2))
    predicted, actual = correction.predict(image)[cut], draw_pair(9).multislice[cut]
    np.testing.assert_allclose(predicted, naive(correction, image)[cut], atol=1e-10)
    assert np.mean((predicted - actual) ** 2) < 0.1 * actual.var()


def test_fit_finds_a_polynomial_that_is_there(pairs):
    truth = [replace(pair, multislice=0.2 + pair.convolution - 0.3 * pair.convolution**2) for pair in pairs]
    correction = run(fit(truth, params_of("paper", side=3, log=False)))
    image = draw_pair(9).convolution
    np.testing.assert_allclose(correction.predict(image)[1:-1, 1:-1], (0.2 + image - 0.3 * image**2)[1:-1, 1:-1], atol=1e-7)


def test_offset_is_taken_out_of_the_fit(fitted):
    moved = run(fit(draw_pairs(3, offset=(0.6, -0.3)), params_of("robust")))
    np.testing.assert_allclose(moved.offset, (0.6, -0.3), atol=0.03)
    image = draw_pair(9).convolution
    plain = fitted["robust"].predict(image)
    assert (moved.predict(image) - plain)[9:-9, 9:-9].std() < 0.02 * plain.std()


def test_steps_can_be_inspected_and_cloned():
    for form in FORMS:
        pipeline = clone(pipeline_of(params_of(form)))
        assert isinstance(pipeline[-1], NormalEquations)
        assert "regression__ridge" in pipeline.get_params()


def test_pipeline_fits_arrays_like_any_other_of_scikit_learn(pairs):
    correction = run(fit(pairs, params_of("paper", side=3)))
    pixels = PixelVariables(pairs[0].convolution, correction.variables).rows(1, 69).T
    pipeline = pipeline_of(params_of("paper", side=3)).fit(pixels, pairs[0].multislice[1:69].ravel())
    assert pipeline.score(pixels, pairs[0].multislice[1:69].ravel()) > 0.99


def test_normal_equations_in_blocks_are_least_squares(rng):
    terms = np.hstack([np.ones((300, 1)), rng.normal(size=(300, 6)) * [1, 10, 0.1, 1, 1, 1]])
    values = terms @ rng.normal(size=7) + rng.normal(size=300)
    blocked = NormalEquations()
    for first in range(0, 300, 70):
        blocked.partial_fit(terms[first : first + 70], values[first : first + 70])
    expected = LinearRegression().fit(terms[:, 1:], values)
    np.testing.assert_allclose(blocked.solve().coef_, [expected.intercept_, *expected.coef_], rtol=1e-8)
    np.testing.assert_allclose(blocked.residual_variance_, np.mean((expected.predict(terms[:, 1:]) - values) ** 2), rtol=1e-8)
    # A second fit forgets the first.
    np.testing.assert_allclose(blocked.fit(terms, values).coef_, [expected.intercept_, *expected.coef_], rtol=1e-8)


def test_constant_and_doubled_terms_do_no_harm(rng):
    one = rng.normal(size=(100, 1))
    terms = np.hstack([np.ones((100, 1)), one, one, np.full((100, 1), 3.0)])
    fitted = NormalEquations().fit(terms, 2 + 4 * one[:, 0])
    np.testing.assert_allclose(fitted.predict(terms), 2 + 4 * one[:, 0], atol=1e-9)


def test_regression_without_pixels_is_refused():
    with pytest.raises(AtomsegError, match="too few pixels"):
        NormalEquations().solve()


@pytest.mark.parametrize("side", [4, 0, 17])
def test_even_and_impossible_sides_are_refused(side):
    with pytest.raises(AtomsegError, match="side must"):
        CorrectionParams(form="paper", side=side)


def test_what_belongs_to_the_paper_is_refused_elsewhere():
    with pytest.raises(AtomsegError, match="belong to the form paper"):
        CorrectionParams(form="robust", degree=3)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_share_that_leaves_nothing_is_refused(share):
    with pytest.raises(AtomsegError, match="left_out"):
        CorrectionParams(left_out=share)


def test_image_that_does_not_fit_is_refused(fitted):
    correction = fitted["robust"]
    image = draw_pair(0).convolution
    with pytest.raises(AtomsegError, match=r"resample the image at 0\.1 Å"):
        correction.apply(image, pixel_size=0.2)
    with pytest.raises(AtomsegError, match="smaller than the window"):
        correction.apply(image[:8])
    with pytest.raises(AtomsegError, match="one image"):
        correction.apply(image[None])
    with pytest.raises(AtomsegError, match="not finite"):
        correction.apply(np.where(image > 1, np.nan, image))
    correction.apply(image, pixel_size=0.1)


def test_intensities_beyond_the_fit_are_told(fitted):
    image = draw_pair(0).convolution
    with pytest.raises(AtomsegError, match="leave the range"):
        fitted["robust"].apply(2 * image)
    with pytest.warns(AtomsegWarning, match="leave the range"):
        fitted["robust"].apply(2 * image, extrapolate=True)
    assert out_of_range(fitted["robust"].fitted_on, image) == []


def test_faint_intensities_are_compared_as_a_ratio():
    told = FittedOn(intensity_range=(0.01, 0.67))
    dim = np.array([[0.00011, 0.055]])
    assert "0.00011 to 0.055" in out_of_range(told, dim)[0]
    assert out_of_range(told, np.array([[0.0098, 0.055]])) == []
    # Of pairs with vacuum the floor under the logarithm is the least that there is.
    assert out_of_range(FittedOn(intensity_range=(0.0, 0.67)), dim) == []


def test_what_pairs_do_not_tell_is_named():
    told = FittedOn(intensity_range=(0, 1), pixel_size=0.1, elements=("Pt",), optics={"energy": 200e3})
    said = " ".join(told.untold)
    assert "--semiangle" in said
    assert "--thickness" in said
    assert "--energy" not in said


def test_images_on_another_scale_are_told():
    assert FittedOn(intensity_range=(0, 1), scale=0.8).off_scale == ()
    assert "14 times as bright" in FittedOn(intensity_range=(0, 1), scale=14).off_scale[0]


def test_shares_of_elements_are_compared():
    told = FittedOn(intensity_range=(0, 1), elements=("Mo", "Pt"), composition={"Mo": (0.05, 0.5), "Pt": (0.5, 0.95)})
    assert out_of_range(told, composition={"Mo": 0.3, "Pt": 0.7}) == []
    assert "90 % of the atoms are Mo" in out_of_range(told, composition={"Mo": 0.9, "Pt": 0.1})[0]


def test_what_the_fit_did_not_show_is_told(fitted):
    correction = fitted["robust"]
    told = replace(
        correction.fitted_on, elements=("Pt", "Mo"), thickness=(10.0, 30.0), optics={"energy": 200e3, "detector": "haadf"}
    )
    assert out_of_range(told, composition=["Pt"], thickness=20.0, optics={"energy": 200e3, "Cs": 1.0}) == []
    said = out_of_range(told, composition=["Pt", "Au"], thickness=50.0, optics={"energy": 80e3, "detector": "bf"})
    assert [word in sentence for word, sentence in zip(("Au", "50 Å", "80000", "bf"), said, strict=True)] == [True] * 4


def test_coefficients_that_do_not_belong_are_refused(fitted):
    with pytest.raises(AtomsegError, match="coefficients"):
        replace(fitted["paper"], coefficients=np.ones(5))
    with pytest.raises(AtomsegError, match="centring and scaling"):
        replace(fitted["paper"], centring=np.ones(5))
