"""A correction from pairs of images, in memory that does not grow with their number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from sklearn.pipeline import Pipeline

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, Steps
from napari_atomseg.imaging.correction.correction import Correction, FittedOn
from napari_atomseg.imaging.correction.estimators import pipeline_of
from napari_atomseg.imaging.correction.params import SURROUNDINGS, CorrectionParams
from napari_atomseg.imaging.correction.registration import Offset, find_offset, register
from napari_atomseg.imaging.correction.symmetry import Group
from napari_atomseg.imaging.correction.variables import PixelVariables, Variables, blocks_of
from napari_atomseg.readers.image_pairs import ImagePair, common_pixel_size

_SAMPLE = 30_000
"""So many pixels tell widths and principal components."""


def variables_of(params: CorrectionParams, scale: float) -> Variables:
    """What the polynomial of a form is told of each pixel.

    Parameters
    ----------
    params : CorrectionParams
    scale : float
        Intensities are divided by this first.
    """
    if params.form == "paper":
        return Variables(side=params.side, log=params.log, surroundings=(), scale=scale)
    return Variables(side=params.patch, log=True, surroundings=SURROUNDINGS if params.form == "better" else (), scale=scale)


def check_pairs(pairs: Sequence[ImagePair], params: CorrectionParams) -> None:
    """Raise a clear error if the pairs cannot be fitted with a form.

    Parameters
    ----------
    pairs : sequence of ImagePair
    params : CorrectionParams
    """
    if not pairs:
        raise AtomsegError("there are no pairs; give at least one image for each fold")
    common_pixel_size(pairs)
    window = params.side if params.form == "paper" else params.patch
    for pair in pairs:
        if min(pair.convolution.shape) <= max(window, 2 * params.margin):
            raise AtomsegError(
                f"{pair.name}: an image of {pair.convolution.shape[0]} x {pair.convolution.shape[1]} px is too small for "
                f"a window of {window} px; take larger images or a smaller window"
            )
        if not pair.convolution.max() > 0:
            raise AtomsegError(f"{pair.name}: the convolution image has no intensity above zero; simulate it again")
    if params.split == "image" and params.left_out is None and len(pairs) < params.folds:
        raise AtomsegError(
            f"there are {len(pairs)} pairs for {params.folds} folds of images; add pairs, ask for fewer folds, or split by blocks"
        )
    if params.split == "image" and len(pairs) < 2:
        raise AtomsegError("a single pair cannot be divided by images; add pairs, or split by blocks")


def inside(shape: tuple[int, int], margin: int) -> np.ndarray:
    """Which pixels are fitted and scored, shape (Y, X), bool.

    Parameters
    ----------
    shape : tuple of int
        (Y, X).
    margin : int, px
        Of the edge that is left out.
    """
    mask = np.zeros(shape, dtype=bool)
    mask[margin : shape[0] - margin, margin : shape[1] - margin] = True
    return mask


def fit(pairs: Sequence[ImagePair], params: CorrectionParams, masks: Sequence[np.ndarray] | None = None) -> Steps[Correction]:
    """Job that fits one form; yields after each image.

    Parameters
    ----------
    pairs : sequence of ImagePair
    params : CorrectionParams
    masks : sequence of ndarray of bool, shape (Y, X), optional
        Pixels of each pair that may be fitted; images without any are not looked at.
    """
    allowed = [inside(pair.convolution.shape, params.margin) for pair in pairs]
    if masks is not None:
        allowed = [one & mask for one, mask in zip(allowed, masks, strict=True)]
    used = [(pair, mask, index) for index, (pair, mask) in enumerate(zip(pairs, allowed, strict=True)) if mask.any()]
    if not used:
        raise AtomsegError("no pixels are left to fit; leave out fewer, or give more pairs")
    offset: Offset = (0.0, 0.0) if params.form == "paper" else find_offset([pair for pair, _, _ in used])
    yield Progress(0, len(used), "fitting")
    variables = variables_of(params, max(float(pair.convolution.max()) for pair, _, _ in used))
    places = [_drawn(mask, params, index) for _, mask, index in used]

    def parts() -> Iterator[tuple[PixelVariables, np.ndarray, np.ndarray]]:
        for (pair, _, _), some in zip(used, places, strict=True):
            yield PixelVariables(register(pair.convolution, offset), variables), pair.multislice, some

    pipeline = pipeline_of(params)
    yield from _fit_pipeline(pipeline, parts, params.seed, len(used))
    return _correction(pipeline, params, variables, offset, [pair for pair, _, _ in used])


def _drawn(mask: np.ndarray, params: CorrectionParams, index: int) -> np.ndarray:
    places = np.flatnonzero(mask)
    if not params.pixels or len(places) <= params.pixels:
        return places
    chance = np.random.default_rng([params.seed, 1, index])
    return np.sort(chance.choice(places, params.pixels, replace=False))


def _fit_pipeline(
    pipeline: Pipeline, parts: Callable[[], Iterator[tuple[PixelVariables, np.ndarray, np.ndarray]]], seed: int, images: int
) -> Steps[None]:
    """Fit the transformers to a sample, then the regression to everything, block by block."""
    chance = np.random.default_rng([seed, 2])
    sample = []
    for pixels, _, places in parts():
        count = min(len(places), -(-_SAMPLE // images))
        sample.append(pixels.at(np.sort(chance.choice(places, count, replace=False))))
    terms, regression = pipeline[:-1], pipeline[-1]
    terms.fit(np.concatenate(sample, axis=1).T)
    for done, (pixels, actual, places) in enumerate(parts()):
        for block in blocks_of(places):
            regression.partial_fit(terms.transform(pixels.at(block).T), actual.ravel()[block])
        yield Progress(done + 1, images, "fitting")
    regression.solve()


def _correction(
    pipeline: Pipeline, params: CorrectionParams, variables: Variables, offset: Offset, pairs: Sequence[ImagePair]
) -> Correction:
    first = pipeline[0]
    groups = (Group(rows=tuple(range(variables.count)), linear=True),) if params.form == "paper" else first.groups_
    lowest = min(float(pair.convolution.min()) for pair in pairs)
    return Correction(
        params=params,
        variables=variables,
        centring=first.centring_,
        scaling=first.scaling_,
        groups=groups,
        coefficients=pipeline[-1].coef_,
        offset=offset,
        fitted_on=FittedOn(pixel_size=common_pixel_size(pairs), intensity_range=(lowest, variables.scale), images=len(pairs)),
    )
