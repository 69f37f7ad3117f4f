import numpy as np
import pytest
from drawn_pairs import draw_pair, draw_pairs

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.imaging.correction.estimators import SymmetricTerms
from napari_atomseg.imaging.correction.registration import find_offset, register
from napari_atomseg.imaging.correction.symmetry import all_orientations, principal_filters, project


def test_eight_orientations_are_all_different():
    orders = all_orientations(3)
    assert orders.shape == (8, 9)
    assert len({tuple(order) for order in orders}) == 8


def test_filters_span_the_leading_components(rng):
    patches = rng.normal(size=(400, 25)) @ np.diag(np.linspace(1, 0.1, 25))
    patches = np.concatenate([patches[:, order] for order in all_orientations(5)])
    covariance = patches.T @ patches / len(patches)
    filters, groups = principal_filters(covariance, 5, 25)
    assert len(filters) == 25
    rows = sorted(row for group in groups for row in (*group.rows, *group.partners))
    assert rows == list(range(25))
    np.testing.assert_allclose(filters @ covariance @ filters.T, np.eye(25), atol=1e-9)


def test_representations_add_up_to_the_patch(rng):
    patch = rng.normal(size=(7, 7))
    even_odd = project(patch, "E")
    parts = [project(patch, name) for name in ("A1", "A2", "B1", "B2")] + [even_odd, project(patch.T, "E").T]
    np.testing.assert_allclose(sum(parts), patch, atol=1e-14)


def test_terms_are_the_same_for_every_orientation(rng):
    patches = rng.normal(size=(500, 26))
    terms = SymmetricTerms(side=5, components=20).fit(patches)
    expected = terms.transform(patches)
    for order in all_orientations(5):
        turned = patches.copy()
        turned[:, :25] = patches[:, order]
        np.testing.assert_allclose(terms.transform(turned), expected, rtol=1e-9, atol=1e-9)


def test_patches_without_contrast_are_refused():
    with pytest.raises(AtomsegError, match="no contrast"):
        SymmetricTerms(side=3, components=4).fit(np.ones((50, 10)))


@pytest.mark.parametrize("offset", [(0.7, -0.4), (-1.5, 0.9)])
def test_offset_of_the_pairs_is_found(offset):
    found = find_offset(draw_pairs(2, offset=offset))
    np.testing.assert_allclose(found, offset, atol=0.03)


def test_pairs_on_one_grid_are_left_alone():
    pair = draw_pair(3)
    assert find_offset([pair]) == (0.0, 0.0)
    assert register(pair.convolution, (0.0, 0.0)) is pair.convolution


def test_pairs_far_apart_are_refused():
    with pytest.raises(AtomsegError, match="cut both to one grid"):
        find_offset(draw_pairs(2, offset=(7.0, 0.0)))
