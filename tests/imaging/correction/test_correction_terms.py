import numpy as np
import pytest
from drawn_pairs import draw_pair
from sklearn.preprocessing import PolynomialFeatures

from napari_atomseg.imaging.correction.symmetry import Group
from napari_atomseg.imaging.correction.terms import (
    evaluate,
    monomials,
    number_of_symmetric_terms,
    number_of_terms,
    quadratic_forms,
    symmetric_terms,
)
from napari_atomseg.imaging.correction.variables import PixelVariables, Variables


@pytest.mark.parametrize(
    ("side", "degree", "log", "interactions", "count"),
    [
        (1, 1, False, True, 2),
        (1, 1, False, False, 2),
        (1, 1, True, False, 3),
        (5, 2, False, False, 51),
        (5, 2, True, False, 53),
        (3, 2, False, True, 55),
        (7, 1, False, False, 50),
        (5, 2, True, True, 378),
        (5, 3, True, True, 3654),
    ],
)
def test_numbers_of_terms_are_those_of_the_paper(side, degree, log, interactions, count):
    assert number_of_terms(side=side, degree=degree, log=log, interactions=interactions) == count
    assert len(monomials(side**2 + log, degree, interactions)) == count


def test_terms_are_those_of_scikit_learn(rng):
    values = rng.normal(size=(30, 4))
    ours = evaluate(values, monomials(4, 3, True))
    theirs = PolynomialFeatures(3).fit_transform(values)
    np.testing.assert_allclose(np.sort(ours, axis=1), np.sort(theirs, axis=1), rtol=1e-12)


def test_without_products_there_are_powers_only(rng):
    values = rng.normal(size=(5, 2))
    x, y = values.T
    np.testing.assert_allclose(evaluate(values, monomials(2, 3, False)), np.stack([x**0, x, y, x**2, y**2, x**3, y**3], axis=1))


def test_quadratic_forms_give_what_the_terms_give(rng):
    groups = (Group(rows=(0, 1), linear=True), Group(rows=(2,)), Group(rows=(3, 4), partners=(5, 6)))
    values = rng.normal(size=(20, 7))
    coefficients = rng.normal(size=number_of_symmetric_terms(groups))
    linear, matrices = quadratic_forms(coefficients, groups)
    expected = coefficients[0] + values[:, :2] @ linear
    for group, matrix in zip(groups, matrices, strict=True):
        for rows in filter(None, (group.rows, group.partners)):
            some = values[:, list(rows)]
            expected += np.einsum("nr,rs,ns->n", some, matrix, some)
    np.testing.assert_allclose(symmetric_terms(values, groups) @ coefficients, expected, rtol=1e-12)


def test_window_is_read_row_by_row_around_its_centre():
    image = np.arange(20.0).reshape(4, 5)
    pixels = PixelVariables(image, Variables(side=3, log=True, surroundings=(1.0,), scale=1.0))
    rows = pixels.rows(1, 3)
    np.testing.assert_array_equal(rows[:9, 1], image[0:3, 0:3].ravel())
    np.testing.assert_allclose(rows[9, 1], np.log(6 + 1e-3))
    np.testing.assert_allclose(pixels.at(np.arange(5, 15)), rows, rtol=1e-12)
    # Beyond the edge the image goes on as in a mirror.
    assert pixels.at(np.array([0]))[0, 0] == image[1, 1]


def test_all_blocks_of_rows_make_up_the_image():
    pixels = PixelVariables(draw_pair(0).convolution, Variables(side=3, log=False, surroundings=(), scale=1.0))
    covered = [row for first, last in pixels.blocks_of_rows() for row in range(first, last)]
    assert covered == list(range(70))
