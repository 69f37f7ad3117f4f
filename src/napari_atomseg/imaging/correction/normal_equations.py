"""Least squares through normal equations that are summed block by block, so that memory does not grow with the pixels."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

from napari_atomseg.core.errors import AtomsegError

_SMALLEST_EIGENVALUE = 1e-14
"""Of the correlation matrix, relative to its largest: below, a direction holds nothing but rounding."""


class NormalEquations(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Linear regression with a ridge on the standardised terms; the first term is the constant, which is not penalised.

    Parameters
    ----------
    ridge : float
        Penalty relative to the variance of a term.

    Attributes
    ----------
    coef_ : ndarray, shape (T,)
        Coefficients of all terms, the constant's first.
    normal_matrix_ : ndarray, shape (T, T)
        Sum of the products of all terms.
    residual_variance_ : float
        Mean squared error of the fit.
    """

    def __init__(self, ridge: float = 0.0) -> None:
        self.ridge = ridge

    def fit(self, X: np.ndarray, y: np.ndarray) -> NormalEquations:
        """Fit to all terms at once."""
        for name in ("normal_matrix_", "_vector", "_squares", "coef_"):
            self.__dict__.pop(name, None)
        return self.partial_fit(X, y).solve()

    def partial_fit(self, X: np.ndarray, y: np.ndarray) -> NormalEquations:
        """Take in a block of terms and of values; :meth:`solve` follows the last one.

        Parameters
        ----------
        X : ndarray, shape (N, T)
            Terms.
        y : ndarray, shape (N,)
            Values that their sum is to have.
        """
        if not hasattr(self, "normal_matrix_"):
            self.normal_matrix_ = np.zeros((X.shape[1], X.shape[1]))
            self._vector = np.zeros(X.shape[1])
            self._squares = 0.0
        self.normal_matrix_ += X.T @ X
        self._vector += X.T @ y
        self._squares += float(y @ y)
        return self

    def solve(self) -> NormalEquations:
        """Coefficients from the sums so far."""
        count = self.normal_matrix_[0, 0] if hasattr(self, "normal_matrix_") else 0
        if count < 2:
            raise AtomsegError("there are too few pixels to fit; give larger images or more of them")
        means, mean = self.normal_matrix_[0, 1:] / count, self._vector[0] / count
        covariance = self.normal_matrix_[1:, 1:] / count - np.outer(means, means)
        widths = np.sqrt(np.maximum(np.diag(covariance), 0))
        # A term that is constant has no coefficient of its own.
        inverse = np.divide(1, widths, out=np.zeros_like(widths), where=widths > 1e-12 * (np.abs(means) + widths))
        values, vectors = np.linalg.eigh(covariance * np.outer(inverse, inverse))
        kept = values > _SMALLEST_EIGENVALUE * values.max(initial=0)
        target = vectors[:, kept].T @ (inverse * (self._vector[1:] / count - means * mean))
        slopes = inverse * (vectors[:, kept] @ (target / (values[kept] + self.ridge)))
        self.coef_ = np.concatenate([[mean - means @ slopes], slopes])
        self.residual_variance_ = self.squared_errors(self.coef_) / float(count)
        return self

    def take(self, parts: Sequence[NormalEquations]) -> NormalEquations:
        """Take over the sums of others of the same terms, in place of its own."""
        whole = functools.reduce(NormalEquations.plus, parts)
        self.normal_matrix_, self._vector, self._squares = whole.normal_matrix_, whole._vector, whole._squares
        return self

    def plus(self, other: NormalEquations) -> NormalEquations:
        """The sums of both, not yet solved.

        Parameters
        ----------
        other : NormalEquations
            Of the same terms.
        """
        found = NormalEquations(self.ridge)
        found.normal_matrix_ = self.normal_matrix_ + other.normal_matrix_
        found._vector = self._vector + other._vector
        found._squares = self._squares + other._squares
        return found

    def squared_errors(self, coefficients: np.ndarray) -> float:
        """Sum of the squared errors of given coefficients on all that was taken in."""
        explained = 2 * coefficients @ self._vector - coefficients @ self.normal_matrix_ @ coefficients
        return max(float(self._squares - explained), 0.0)

    @property
    def scatter(self) -> float:
        """Sum of the squared distances of the values from their mean."""
        return float(self._squares - self._vector[0] ** 2 / self.normal_matrix_[0, 0])

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Values, shape (N,), of terms of shape (N, T)."""
        return np.asarray(X @ self.coef_)
