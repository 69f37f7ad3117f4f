"""Cook's distance: how far each pixel pulls the whole fit, to find images that do not belong to the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_atomseg.imaging.correction.correction import Correction
from napari_atomseg.imaging.correction.fitting import inputs_of, inside
from napari_atomseg.imaging.correction.normal_equations import NormalEquations
from napari_atomseg.imaging.correction.terms import evaluate, monomials, symmetric_terms
from napari_atomseg.imaging.correction.variables import blocks_of
from napari_atomseg.readers.image_pairs import ImagePair


def cooks_distance(correction: Correction, pairs: Sequence[ImagePair]) -> list[np.ndarray]:
    r"""Cook's distance of each pixel of each pair, as a member of one regression on all of their pixels.

    Parameters
    ----------
    correction : Correction
        Tells the terms; its coefficients are fitted anew to all pixels of the pairs, without a ridge.
    pairs : sequence of ImagePair

    Returns
    -------
    list of ndarray, shape (Y, X)
        NaN at the edges that are not fitted.

    Notes
    -----
    With the residual :math:`e_i`, the leverage :math:`h_i = t_i^T (T^T T)^+ t_i` of the terms :math:`t_i`, their number
    :math:`p` and the variance :math:`s^2` of the residuals

    .. math:: D_i = \frac{e_i^2}{p s^2} \frac{h_i}{(1 - h_i)^2}

    References
    ----------
    Cook, Technometrics 19 (1977) 15, Eq. 5, doi:10.1080/00401706.1977.10489493
    """
    regression = NormalEquations()
    parts = [_Terms(correction, pair) for pair in pairs]
    for part in parts:
        for block in blocks_of(part.places):
            regression.partial_fit(part.at(block), part.actual[block])
    regression.solve()
    inverse, rank = _inverse(regression.normal_matrix_)
    variance = regression.residual_variance_ * float(regression.normal_matrix_[0, 0])
    variance /= max(float(regression.normal_matrix_[0, 0]) - rank, 1.0)
    return [_distances(part, regression, inverse, rank * max(variance, np.finfo(float).tiny)) for part in parts]


class _Terms:
    """The terms of the pixels of one pair."""

    def __init__(self, correction: Correction, pair: ImagePair) -> None:
        self._correction = correction
        self._pixels = inputs_of(pair, correction.variables, correction.offset)
        self.places = np.flatnonzero(inside(pair.convolution.shape, correction.params.margin))
        self.actual = pair.multislice.ravel()
        self.shape = pair.convolution.shape

    def at(self, places: np.ndarray) -> np.ndarray:
        """Terms, shape (N, T)."""
        told = self._correction
        responses = (told.scaling @ (self._pixels.at(places) - told.centring[:, None])).T
        if told.params.form != "paper":
            return symmetric_terms(responses, told.groups)
        return evaluate(responses, monomials(len(told.scaling), told.params.degree, told.params.interactions))


def _inverse(matrix: np.ndarray) -> tuple[np.ndarray, int]:
    """Inverse of the normal matrix within the directions that the pixels tell apart, and their number."""
    widths = np.sqrt(np.diag(matrix))
    scale = np.divide(1, widths, out=np.zeros_like(widths), where=widths > 0)
    values, vectors = np.linalg.eigh(matrix * np.outer(scale, scale))
    kept = values > 1e-13 * values.max()
    root = vectors[:, kept] / np.sqrt(values[kept])
    return (root @ root.T) * np.outer(scale, scale), int(kept.sum())


def _distances(part: _Terms, regression: NormalEquations, inverse: np.ndarray, unit: float) -> np.ndarray:
    distances = np.full(part.shape, np.nan)
    for block in blocks_of(part.places):
        terms = part.at(block)
        leverage = np.minimum(np.einsum("nt,nt->n", terms @ inverse, terms), 1 - 1e-12)
        residual = part.actual[block] - regression.predict(terms)
        distances.ravel()[block] = residual**2 / unit * leverage / (1 - leverage) ** 2
    return distances
