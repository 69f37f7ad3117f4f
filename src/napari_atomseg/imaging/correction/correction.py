"""A fitted correction: what is applied to a convolution image to bring it towards multislice accuracy."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from napari_atomseg.core.errors import AtomsegError, AtomsegWarning
from napari_atomseg.imaging.correction.domain import FittedOn, out_of_range
from napari_atomseg.imaging.correction.params import CorrectionParams
from napari_atomseg.imaging.correction.symmetry import Group
from napari_atomseg.imaging.correction.terms import (
    evaluate,
    monomials,
    number_of_symmetric_terms,
    number_of_terms,
    quadratic_forms,
)
from napari_atomseg.imaging.correction.variables import Beside, PixelVariables, Variables

_PIXEL_SIZE_TOLERANCE = 5e-3


@dataclass(frozen=True, kw_only=True)
class CrossValidated:
    """Scores on pixels that the fit did not see.

    Attributes
    ----------
    one_minus_r2 : float
        Share of the variance that is not predicted.
    frms : float
        Fractional root mean square error of Combs et al. (2019), Eq. 4.
    split : str
        ``image``, ``block`` or ``pixel``.
    folds, repeats : int
    left_out : float or None
        Share left out in each repeat, where there were no folds.
    seed : int
    leave_one_out : float or None
        1 - R² on images each of which is predicted by a fit to all others; how the form was chosen.
    plain : float or None
        1 - R² of the convolution images themselves, each as bright as suits all others.
    noise : float or None
        What of both scores is the thermal motion in the multislice images, which no form can predict.
    """

    one_minus_r2: float
    frms: float
    split: str
    folds: int
    repeats: int
    left_out: float | None = None
    seed: int = 0
    leave_one_out: float | None = None
    plain: float | None = None
    noise: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Correction:
    """A polynomial of the variables of each pixel.

    Attributes
    ----------
    params : CorrectionParams
    variables : Variables
    centring : ndarray, shape (V,)
        Taken from the variables first.
    scaling : ndarray, shape (R, V)
        Then from variables to responses, of which the polynomial is made.
    groups : tuple of Group
        Responses that are multiplied with each other; all in one for the paper's form.
    coefficients : ndarray, shape (T,)
        Multislice intensity per term, the constant first.
    offset : tuple of float, px, (y, x)
        So far did the multislice images of the fit lie from the convolution images; applying does not move images.
    fitted_on : FittedOn
    cross_validation : CrossValidated or None
    image_only : Correction or None
        Of a form that needs the atoms: what is applied where there is an image only.
    """

    params: CorrectionParams
    variables: Variables
    centring: np.ndarray
    scaling: np.ndarray
    groups: tuple[Group, ...]
    coefficients: np.ndarray
    offset: tuple[float, float] = (0.0, 0.0)
    fitted_on: FittedOn
    cross_validation: CrossValidated | None = None
    image_only: Correction | None = None

    def __post_init__(self) -> None:
        if self.centring.shape != (self.variables.count,) or self.scaling.shape != (len(self.scaling), self.variables.count):
            raise AtomsegError(
                f"centring and scaling do not belong to {self.variables.count} variables; fit the correction again"
            )
        needed = self.number_of_terms
        if self.coefficients.shape != (needed,):
            raise AtomsegError(
                f"there are {self.coefficients.size} coefficients where this form has {needed} terms; fit the correction again"
            )
        if not all(np.isfinite(one).all() for one in (self.centring, self.scaling, self.coefficients)):
            raise AtomsegError("some coefficients are not finite; fit the correction again")

    @property
    def number_of_terms(self) -> int:
        """Terms of the polynomial, with the constant."""
        told = self.params
        if told.form != "paper":
            return number_of_symmetric_terms(self.groups)
        return number_of_terms(side=told.side, degree=told.degree, log=told.log, interactions=told.interactions)

    @property
    def margin(self) -> int:
        """Width in px of the edge in which the window reaches beyond the image, (s - 1) / 2."""
        return self.variables.margin

    def apply(
        self,
        image: np.ndarray,
        *,
        pixel_size: float | None = None,
        keep_shape: bool = True,
        extrapolate: bool = False,
        beside: Beside | None = None,
    ) -> np.ndarray:
        """Corrected image.

        Parameters
        ----------
        image : ndarray, shape (Y, X)
            A convolution image of the kind that was fitted.
        pixel_size : float, Å, optional
            If given, it must be that of the fit.
        keep_shape : bool
            Pixels at the edge too: beyond it the image is continued as in a mirror, and the outermost pixels, which no fit
            saw, repeat the next ones (2 px; all of the edge in the paper's form). Else they are cut off, as in the paper.
        extrapolate : bool
            Correct an image whose intensities lie outside those of the fit, too.
        beside : Beside, optional
            What is known beside the image: its surroundings, and the atoms, which the form structure makes use of.

        Returns
        -------
        ndarray, float64, shape (Y, X), or smaller by the margin at each edge

        Raises
        ------
        AtomsegError
            If the image or its pixel size does not fit, or its intensities lie outside those of the fit.

        Warns
        -----
        AtomsegWarning
            If intensities lie outside those of the fit and that was allowed, or the paper's form gets an image of limited
            precision.
        """
        self._check_pixel_size(pixel_size)
        self._check_image(image)
        beyond = out_of_range(self.fitted_on, image)
        if beyond and not extrapolate:
            raise AtomsegError(" and ".join(beyond))
        for sentence in (*beyond, *self._doubts(image)):
            warnings.warn(sentence, AtomsegWarning, stacklevel=2)
        predicted = self.predict(image, beside)
        cut = self.margin
        return predicted if keep_shape or not cut else predicted[cut:-cut, cut:-cut]

    def predict(self, image: np.ndarray, beside: Beside | None = None) -> np.ndarray:
        """Like :meth:`apply` with the edges, unchecked.

        Parameters
        ----------
        image : ndarray, shape (Y, X)
        beside : Beside, optional
        """
        if self.image_only is not None and (beside is None or beside.layers is None):
            return self.image_only.predict(image, beside)
        pixels = PixelVariables(image, self.variables, beside)
        predicted = np.empty(pixels.shape)
        for first, last in pixels.blocks_of_rows():
            predicted[first:last] = self._polynomial(pixels.rows(first, last)).reshape(last - first, -1)
        cut = self.params.margin
        if not cut or (beside is not None and beside.border >= self.variables.margin):
            return predicted
        # The kink of a mirrored image is a derivative that no pixel of the fit had: what is next to it is repeated instead.
        return np.pad(predicted[cut:-cut, cut:-cut], cut, mode="edge")

    def _polynomial(self, values: np.ndarray) -> np.ndarray:
        """Polynomial of variables of shape (V, N), which are overwritten; gives shape (N,)."""
        values -= self.centring[:, None]
        if not self._is_quadratic:
            terms = monomials(len(self.scaling), self.params.degree, self.params.interactions)
            return np.asarray(evaluate((self.scaling @ values).T, terms) @ self.coefficients)
        filters, strengths = self._eigenfilters
        responses = filters @ values
        squares = np.square(responses[1:], out=responses[1:])
        return np.asarray(self.coefficients[0] + responses[0] + strengths @ squares)

    @property
    def _is_quadratic(self) -> bool:
        return self.params.form != "paper" or (self.params.degree == 2 and self.params.interactions)

    @cached_property
    def _eigenfilters(self) -> tuple[np.ndarray, np.ndarray]:
        """The linear part as one filter, then filters whose squares are summed with the strengths that follow.

        A quadratic form is a sum of squares along its own axes, so that all products cost one matrix product.
        """
        linear, matrices = quadratic_forms(self.coefficients, self.groups)
        linear_rows = [row for group in self.groups if group.linear for row in group.rows]
        filters = [(linear @ self.scaling[linear_rows])[None]]
        strengths = []
        for group, matrix in zip(self.groups, matrices, strict=True):
            if not group.products:
                continue
            values, axes = np.linalg.eigh(matrix)
            for rows in filter(None, (group.rows, group.partners)):
                filters.append(axes.T @ self.scaling[list(rows)])
                strengths.append(values)
        return np.concatenate(filters), np.concatenate(strengths)

    def _check_pixel_size(self, pixel_size: float | None) -> None:
        fitted = self.fitted_on.pixel_size
        if pixel_size is None or fitted is None:
            return
        if not abs(pixel_size - fitted) <= _PIXEL_SIZE_TOLERANCE * fitted:
            raise AtomsegError(
                f"the image has {pixel_size:g} Å per px and the correction was fitted at {fitted:g} Å; "
                f"simulate or resample the image at {fitted:g} Å"
            )

    def _check_image(self, image: np.ndarray) -> None:
        if image.ndim != 2 or image.dtype.kind not in "fiu":
            raise AtomsegError(
                f"a correction needs one image (Y, X) of real numbers, got shape {image.shape} of type {image.dtype}"
            )
        if min(image.shape) < self.variables.side:
            raise AtomsegError(
                f"the image of {image.shape[0]} x {image.shape[1]} px is smaller than the window of {self.variables.side} px; "
                "simulate a larger field"
            )
        if not np.isfinite(image).all():
            raise AtomsegError("the image has pixels that are not finite; simulate it again")

    def _doubts(self, image: np.ndarray) -> list[str]:
        doubts = []
        if self.params.form == "paper" and image.dtype != np.float64:
            doubts.append(
                f"the paper's form needs an exact image in double precision and got {image.dtype}; the form robust takes any"
            )
        return doubts
