"""The two ways from the variables of a pixel to the terms of the regression, as scikit-learn transformers."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import Pipeline

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.imaging.correction.normal_equations import NormalEquations
from napari_atomseg.imaging.correction.params import CorrectionParams
from napari_atomseg.imaging.correction.structure_layers import number_of_layers
from napari_atomseg.imaging.correction.symmetry import Group, all_orientations, principal_filters
from napari_atomseg.imaging.correction.terms import evaluate, monomials, symmetric_terms

RIDGES = {"paper": 1e-12, "robust": 1e-5, "better": 1e-5, "structure": 1e-4}
"""Penalty of each form on its standardised terms; the paper has none, and the smallest keeps the sums solvable."""
_NO_WIDTH = 1e-9


class Whitening(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Variables of mean zero and width one; uncorrelated too where the polynomial is complete, which that does not change.

    The pixels of a smooth image are nearly collinear. A complete polynomial is the same in any linear combination of its
    variables, so that the fit may take uncorrelated ones, in which the sums of its products can be solved.

    Parameters
    ----------
    uncorrelated : bool
        Combine variables; else each is scaled by itself.

    Attributes
    ----------
    centring_ : ndarray, shape (V,)
    scaling_ : ndarray, shape (V, V)
    """

    def __init__(self, uncorrelated: bool = True) -> None:
        self.uncorrelated = uncorrelated

    def fit(self, X: np.ndarray, y: object = None) -> Whitening:
        """Mean and widths of variables, shape (N, V)."""
        self.centring_ = X.mean(axis=0)
        centred = X - self.centring_
        if self.uncorrelated:
            # The widths span seven decades and their squares fourteen: only the singular values still have the smallest.
            _, lengths, directions = np.linalg.svd(centred, full_matrices=False)
            widths = lengths / np.sqrt(len(X))
        else:
            widths, directions = centred.std(axis=0), np.eye(X.shape[1])
        inverse = np.divide(1, widths, out=np.zeros_like(widths), where=widths > _NO_WIDTH * widths.max(initial=0))
        self.scaling_ = directions * inverse[:, None]
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Scaled variables, shape (N, V)."""
        return np.asarray((X - self.centring_) @ self.scaling_.T)


class PolynomialTerms(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """The terms of Combs et al. (2019), Eq. 7-8.

    Parameters
    ----------
    degree : int
    interactions : bool
    """

    def __init__(self, degree: int = 2, interactions: bool = True) -> None:
        self.degree = degree
        self.interactions = interactions

    def fit(self, X: np.ndarray, y: object = None) -> PolynomialTerms:
        """Which terms there are, from variables of shape (N, V)."""
        self.monomials_ = monomials(X.shape[1], self.degree, self.interactions)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Terms, shape (N, T), the constant first."""
        return evaluate(X, self.monomials_)


class SymmetricTerms(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Terms up to degree two that are the same for every orientation of the image.

    Parameters
    ----------
    side : int
        Of the patch, whose pixels are the first variables; the others are the same for every orientation by themselves.
    components : int
        At most so many principal components.
    layers : int
        So many of the last variables have terms of first degree only.

    Attributes
    ----------
    centring_ : ndarray, shape (V,)
    scaling_ : ndarray, shape (R, V)
        From variables to responses.
    groups_ : tuple of Group
        Which responses are multiplied with each other.
    """

    def __init__(self, side: int = 15, components: int = 36, layers: int = 0) -> None:
        self.side = side
        self.components = components
        self.layers = layers

    def fit(self, X: np.ndarray, y: object = None) -> SymmetricTerms:
        """Principal components of patches, from variables of shape (N, V)."""
        pixels = self.side**2
        centring = X.mean(axis=0)
        centring[:pixels] = centring[all_orientations(self.side)].mean(axis=0)
        centred = X[:, :pixels] - centring[:pixels]
        filters, groups = principal_filters(centred.T @ centred / len(X), self.side, self.components)
        if not groups:
            raise AtomsegError("the convolution images have no contrast that could be fitted; simulate them again")
        others = X.shape[1] - pixels
        self.scaling_ = np.zeros((len(filters) + others, X.shape[1]))
        self.scaling_[: len(filters), :pixels] = filters
        widths = X[:, pixels:].std(axis=0)
        inverse = np.divide(1, widths, out=np.zeros_like(widths), where=widths > 0)
        self.scaling_[len(filters) :, pixels:] = np.diag(inverse)
        self.centring_ = centring
        added = range(len(filters), len(filters) + others)
        first = Group(rows=(*groups[0].rows, *added[: others - self.layers]), linear=True)
        last = (Group(rows=tuple(added[others - self.layers :]), linear=True, products=False),) if self.layers else ()
        self.groups_ = (first, *groups[1:], *last)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Terms, shape (N, T), the constant first."""
        return symmetric_terms((X - self.centring_) @ self.scaling_.T, self.groups_)


def pipeline_of(params: CorrectionParams) -> Pipeline:
    """The unfitted steps of a form: from variables, shape (N, V), to multislice intensities."""
    regression = NormalEquations(RIDGES[params.form] if params.ridge is None else params.ridge)
    if params.form != "paper":
        layers = number_of_layers(params.depths) if params.form == "structure" else 0
        return Pipeline([("terms", SymmetricTerms(params.window, params.components, layers)), ("regression", regression)])
    whole = params.interactions or params.degree == 1
    terms = PolynomialTerms(params.degree, params.interactions)
    return Pipeline([("inputs", Whitening(uncorrelated=whole)), ("terms", terms), ("regression", regression)])
