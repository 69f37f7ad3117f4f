"""Which form predicts images that it has not seen, from a quadratic of one pixel upwards: each image is left out once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_atomseg.core.jobs import Progress, Steps
from napari_atomseg.imaging.correction.fitting import check_pairs, inside, structure_optics, sums_of_images
from napari_atomseg.imaging.correction.normal_equations import NormalEquations
from napari_atomseg.imaging.correction.params import CorrectionParams
from napari_atomseg.readers.image_pairs import ImagePair

AS_GOOD = 1.03
"""A simpler form is taken if its score is at most so many times the best one."""
FEW = 10
"""Components of the simplest form that looks at the surroundings of a pixel."""


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Scores of forms on images that they did not see.

    Attributes
    ----------
    one_minus_r2 : float
        Share of the variance that is not predicted.
    plain : float
        The same of the convolution images, each as bright as suits all others.
    noise : float or None
        Share of the variance that is thermal motion in the multislice images; None if the pairs do not tell it.
    """

    one_minus_r2: float
    plain: float
    noise: float | None


def candidates(pairs: Sequence[ImagePair], params: CorrectionParams) -> list[CorrectionParams]:
    """Forms that fit the pairs, the simplest first.

    Parameters
    ----------
    pairs : sequence of ImagePair
    params : CorrectionParams
        Whose form is replaced.
    """
    one_pixel = replace(params, form="paper", side=1)
    structures = (replace(params, form="structure", depths=1), replace(params, form="structure", depths=3))
    forms = [
        replace(one_pixel, degree=1, log=False),
        replace(one_pixel, log=False),
        one_pixel,
        *(structures if structure_optics(pairs) is not None else ()),
        replace(params, form="robust", components=min(FEW, params.components)),
        replace(params, form="robust"),
        replace(params, form="better"),
    ]
    smallest = min(min(pair.convolution.shape) for pair in pairs)
    return [form for form in forms if smallest > form.window]


def choose_form(
    pairs: Sequence[ImagePair], params: CorrectionParams
) -> Steps[tuple[CorrectionParams, LeftOut, CorrectionParams | None]]:
    """Job that finds the simplest form that is about as good as the best one, its score, and the best one without the atoms.

    Parameters
    ----------
    pairs : sequence of ImagePair
        Two at least.
    params : CorrectionParams
        Whose form is replaced.
    """
    forms = candidates(pairs, params)
    scores = []
    for row, form in enumerate(forms):
        yield Progress(row, len(forms), "choosing the form")
        scores.append((yield from leave_one_out(pairs, form)))

    def simplest(rows: Sequence[int]) -> int:
        best = min(scores[row].one_minus_r2 for row in rows)
        return next(row for row in rows if scores[row].one_minus_r2 <= AS_GOOD * best)

    chosen = simplest(range(len(forms)))
    if forms[chosen].form != "structure":
        return forms[chosen], scores[chosen], None
    return forms[chosen], scores[chosen], forms[simplest([row for row, one in enumerate(forms) if one.form != "structure"])]


def leave_one_out(pairs: Sequence[ImagePair], params: CorrectionParams) -> Steps[LeftOut]:
    """Job that predicts each image by a fit to all others.

    Parameters
    ----------
    pairs : sequence of ImagePair
        Two at least.
    params : CorrectionParams

    Notes
    -----
    The terms are those of all images, and only their coefficients are fitted anew, from sums over the images that are made once.
    """
    check_pairs(pairs, params)
    each = yield from sums_of_images(pairs, params)
    squares = sum(one.squared_errors(_fitted(each, row)) for row, one in enumerate(each))
    whole = NormalEquations().take(each)
    return LeftOut(one_minus_r2=squares / whole.scatter, plain=_plain(pairs, params), noise=_noise(pairs, params))


def _fitted(each: Sequence[NormalEquations], left_out: int) -> np.ndarray:
    others = [one for row, one in enumerate(each) if row != left_out]
    return NormalEquations(each[0].ridge).take(others).solve().coef_


def _plain(pairs: Sequence[ImagePair], params: CorrectionParams) -> float:
    masks = [inside(pair.convolution.shape, params.margin) for pair in pairs]
    both = [(pair.convolution[mask], pair.multislice[mask]) for pair, mask in zip(pairs, masks, strict=True)]
    products = np.array([(fast @ slow, fast @ fast) for fast, slow in both])
    gains = [others[0] / others[1] for others in products.sum(axis=0) - products]
    squares = sum(float(((gain * fast - slow) ** 2).sum()) for gain, (fast, slow) in zip(gains, both, strict=True))
    whole = np.concatenate([slow for _, slow in both])
    return squares / float(((whole - whole.mean()) ** 2).sum())


def _noise(pairs: Sequence[ImagePair], params: CorrectionParams) -> float | None:
    if any(pair.error is None for pair in pairs):
        return None
    masks = [inside(pair.convolution.shape, params.margin) for pair in pairs]
    slow = np.concatenate([pair.multislice[mask] for pair, mask in zip(pairs, masks, strict=True)])
    squares = sum(float((pair.error[mask] ** 2).sum()) for pair, mask in zip(pairs, masks, strict=True) if pair.error is not None)
    return squares / float(((slow - slow.mean()) ** 2).sum())
