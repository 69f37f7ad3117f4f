"""Cross-validation by images, blocks or pixels, as in Combs et al. (2019): scores over all pixels that were left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from napari_atomseg.core.jobs import Progress, Steps, mapped
from napari_atomseg.imaging.correction.correction import Correction, CrossValidated
from napari_atomseg.imaging.correction.fitting import beside, check_pairs, fit, inside
from napari_atomseg.imaging.correction.params import CorrectionParams
from napari_atomseg.imaging.correction.registration import register
from napari_atomseg.imaging.correction.scores import Scores
from napari_atomseg.readers.image_pairs import ImagePair

BLOCK = 7
"""px: side of the blocks of pixels that are left out together."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Validation:
    """Outcome of a cross-validation.

    Attributes
    ----------
    scores : CrossValidated
    predicted : list of ndarray, shape (Y, X)
        Each image of the first repeat as predicted without its own pixels; NaN where it was not left out, and at the edge.
    """

    scores: CrossValidated
    predicted: list[np.ndarray]


def folds_of(shapes: Sequence[tuple[int, int]], params: CorrectionParams, repeat: int) -> list[np.ndarray]:
    """Number of the fold of each pixel of each image, arrays of int, shape (Y, X).

    Parameters
    ----------
    shapes : sequence of tuple of int
        (Y, X) of the images.
    params : CorrectionParams
        The division follows from ``seed`` and `repeat` alone. With ``left_out``, 0 is left out and 1 is fitted.
    repeat : int
        Counted from 0.

    Notes
    -----
    Images, blocks of one image, or pixels of one image are put in random order and dealt out one by one, so that
    the folds are as equal as they can be.
    """
    chance = np.random.default_rng([params.seed, 0, repeat])
    if params.split == "image":
        dealt = _deal(len(shapes), params, chance)
        return [np.full(shape, fold) for shape, fold in zip(shapes, dealt, strict=True)]
    side = BLOCK if params.split == "block" else 1
    labels = []
    for shape in shapes:
        coarse = (-(-shape[0] // side), -(-shape[1] // side))
        dealt = _deal(coarse[0] * coarse[1], params, chance).reshape(coarse)
        labels.append(dealt.repeat(side, axis=0).repeat(side, axis=1)[: shape[0], : shape[1]])
    return labels


def cross_validate(pairs: Sequence[ImagePair], params: CorrectionParams) -> Steps[Validation]:
    """Job that fits and predicts every fold of every repeat.

    Parameters
    ----------
    pairs : sequence of ImagePair
    params : CorrectionParams

    Returns
    -------
    validation : Validation
        Scores over all repeats, and the predicted images of the first.
    """
    check_pairs(pairs, params)
    shapes = [pair.convolution.shape for pair in pairs]
    tested = range(1 if params.left_out is not None else params.folds)
    predicted = [np.full(shape, np.nan) for shape in shapes]
    scores = Scores()
    total = params.repeats * len(tested)
    for repeat in range(params.repeats):
        labels = folds_of(shapes, params, repeat)
        for fold in tested:
            place = repeat * len(tested) + fold
            steps = fit(pairs, params, [label != fold for label in labels])
            correction = yield from mapped(steps, partial(_of_all_folds, place=place, total=total))
            for pair, label, image in zip(pairs, labels, predicted, strict=True):
                mask = inside(label.shape, params.margin) & (label == fold)
                if mask.any():
                    values = predict_pair(correction, pair)[mask]
                    scores.add(values, pair.multislice[mask])
                    if repeat == 0:
                        image[mask] = values
                yield Progress(place * 100 + 90, total * 100, "cross-validating")
    told = CrossValidated(
        one_minus_r2=scores.one_minus_r2,
        frms=scores.frms,
        split=params.split,
        folds=params.folds,
        repeats=params.repeats,
        left_out=params.left_out,
        seed=params.seed,
    )
    return Validation(scores=told, predicted=predicted)


def predict_pair(correction: Correction, pair: ImagePair) -> np.ndarray:
    """Multislice image of a pair as predicted from its convolution image, moved as the pairs of the fit were.

    Parameters
    ----------
    correction : Correction
    pair : ImagePair
    """
    return correction.predict(
        register(pair.convolution, correction.offset), beside(pair, correction.variables, correction.offset)
    )


def _of_all_folds(progress: Progress, place: int, total: int) -> Progress:
    """Progress of the fit of one fold as that of all folds; what is left of the fold is to predict it."""
    share = 90 * progress.done // max(progress.total, 1)
    return Progress(place * 100 + share, total * 100, "cross-validating")


def _deal(count: int, params: CorrectionParams, chance: np.random.Generator) -> np.ndarray:
    order = chance.permutation(count)
    dealt = np.empty(count, dtype=int)
    if params.left_out is None:
        dealt[order] = np.arange(count) % params.folds
    else:
        # At least one is left out and at least one stays, whatever the share.
        out = min(max(round(params.left_out * count), 1), count - 1)
        dealt[order] = np.arange(count) >= out
    return dealt
