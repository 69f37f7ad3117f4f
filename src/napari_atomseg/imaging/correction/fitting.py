"""A correction from pairs of images, in memory that does not grow with their number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, Steps
from napari_atomseg.imaging.correction.correction import Correction
from napari_atomseg.imaging.correction.domain import FittedOn
from napari_atomseg.imaging.correction.estimators import pipeline_of
from napari_atomseg.imaging.correction.normal_equations import NormalEquations
from napari_atomseg.imaging.correction.params import SURROUNDINGS, CorrectionParams
from napari_atomseg.imaging.correction.registration import Offset, find_offset, register
from napari_atomseg.imaging.correction.structure_layers import StructureOptics, structure_layers
from napari_atomseg.imaging.correction.symmetry import Group
from napari_atomseg.imaging.correction.variables import Beside, PixelVariables, Variables, blocks_of
from napari_atomseg.readers.image_pairs import ImagePair, common_pixel_size

_SAMPLE = 30_000
"""So many pixels tell widths and principal components."""
NOTHING = 1e-6
"""Intensity in parts of the highest below which there is no atom near: between columns there is more."""


def variables_of(params: CorrectionParams, scale: float, structure: StructureOptics | None = None) -> Variables:
    """What the polynomial of a form is told of each pixel.

    Parameters
    ----------
    params : CorrectionParams
    scale : float
        Intensities are divided by this first.
    structure : StructureOptics, optional
        For the form structure.
    """
    if params.form == "paper":
        return Variables(side=params.side, log=params.log, surroundings=(), scale=scale)
    return Variables(
        side=params.window,
        log=True,
        surroundings=SURROUNDINGS if params.form == "better" else (),
        scale=scale,
        structure=replace(structure, depths=params.depths) if params.form == "structure" and structure is not None else None,
    )


def structure_optics(pairs: Sequence[ImagePair]) -> StructureOptics | None:
    """What the layers of the structures depend on; None if not all pairs tell it and hold their atoms."""
    told = [pair.told.get("optics", {}) for pair in pairs]
    needed = ("energy", "semiangle", "inner_angle", "outer_angle", "psf_sigma")
    if any(pair.positions is None or pair.pixel_size is None for pair in pairs):
        return None
    if any(name not in one or one[name] != told[0][name] for one in told for name in needed):
        return None
    energy, semiangle, inner, outer, sigma = (float(told[0][name]) for name in needed)
    return StructureOptics(energy=energy, semiangle=semiangle, inner_angle=inner, outer_angle=outer, sigma=sigma)


def inputs_of(pair: ImagePair, variables: Variables, offset: Offset = (0.0, 0.0)) -> PixelVariables:
    """The variables of the pixels of a pair, moved by an offset.

    Parameters
    ----------
    pair : ImagePair
    variables : Variables
    offset : tuple of float, px, (y, x)
    """
    return PixelVariables(register(pair.convolution, offset), variables, beside(pair, variables, offset))


def beside(pair: ImagePair, variables: Variables, offset: Offset = (0.0, 0.0)) -> Beside:
    """What is known beside the convolution image of a pair.

    Parameters
    ----------
    pair : ImagePair
    variables : Variables
    offset : tuple of float, px, (y, x)
    """
    layers = None
    if variables.structure is not None:
        layers = np.stack([register(layer, offset) for layer in _layers(pair, variables.structure)])
    wide = None if pair.wide is None else register(pair.wide, offset)
    return Beside(wide=wide, layers=layers, border=pair.border)


@lru_cache(maxsize=64)
def _layers(pair: ImagePair, structure: StructureOptics) -> np.ndarray:
    if pair.positions is None or pair.numbers is None or pair.pixel_size is None:
        raise AtomsegError(f"{pair.name}: the form structure needs pairs with their atoms; make them here (make-pairs)")
    shape = pair.convolution.shape
    return structure_layers(pair.positions, pair.numbers, structure, pair.pixel_size, (shape[0], shape[1]))


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
    window = params.window
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
        The form auto is robust here; :mod:`.selection` chooses one.
    masks : sequence of ndarray of bool, shape (Y, X), optional
        Pixels of each pair that may be fitted; images without any are not looked at.
    """
    if params.form == "auto":
        params = replace(params, form="robust")
    allowed = [inside(pair.convolution.shape, params.margin) for pair in pairs]
    if masks is not None:
        allowed = [one & mask for one, mask in zip(allowed, masks, strict=True)]
    used = [(pair, mask, index) for index, (pair, mask) in enumerate(zip(pairs, allowed, strict=True)) if mask.any()]
    if not used:
        raise AtomsegError("no pixels are left to fit; leave out fewer, or give more pairs")
    offset: Offset = (0.0, 0.0) if params.form == "paper" else find_offset([pair for pair, _, _ in used])
    yield Progress(0, len(used), "fitting")
    chosen = [pair for pair, _, _ in used]
    variables = variables_of(params, max(float(pair.convolution.max()) for pair in chosen), _structure(chosen, params))
    places = [_drawn(mask, params, index) for _, mask, index in used]

    def parts() -> Iterator[tuple[PixelVariables, np.ndarray, np.ndarray]]:
        for pair, some in zip(chosen, places, strict=True):
            yield inputs_of(pair, variables, offset), pair.multislice, some

    pipeline = pipeline_of(params)
    each = yield from fit_parts(pipeline, parts, params.seed, len(used))
    pipeline[-1].take(each).solve()
    return _correction(pipeline, params, variables, offset, chosen)


def _structure(pairs: Sequence[ImagePair], params: CorrectionParams) -> StructureOptics | None:
    if params.form != "structure":
        return None
    found = structure_optics(pairs)
    if found is None:
        raise AtomsegError(
            "the form structure needs pairs that hold their atoms and their optics, the same in all; make them here (make-pairs)"
        )
    return found


def sums_of_images(pairs: Sequence[ImagePair], params: CorrectionParams) -> Steps[list[NormalEquations]]:
    """Job that gives the sums of a form for each image by itself, in terms that all have in common.

    Parameters
    ----------
    pairs : sequence of ImagePair
    params : CorrectionParams
    """
    offset: Offset = (0.0, 0.0) if params.form == "paper" else find_offset(pairs)
    variables = variables_of(params, max(float(pair.convolution.max()) for pair in pairs), _structure(pairs, params))
    masks = [inside(pair.convolution.shape, params.margin) for pair in pairs]

    def parts() -> Iterator[tuple[PixelVariables, np.ndarray, np.ndarray]]:
        for index, (pair, mask) in enumerate(zip(pairs, masks, strict=True)):
            yield inputs_of(pair, variables, offset), pair.multislice, _drawn(mask, params, index)

    return (yield from fit_parts(pipeline_of(params), parts, params.seed, len(pairs)))


def _drawn(mask: np.ndarray, params: CorrectionParams, index: int) -> np.ndarray:
    places = np.flatnonzero(mask)
    if not params.pixels or len(places) <= params.pixels:
        return places
    chance = np.random.default_rng([params.seed, 1, index])
    return np.sort(chance.choice(places, params.pixels, replace=False))


def fit_parts(
    pipeline: Pipeline, parts: Callable[[], Iterator[tuple[PixelVariables, np.ndarray, np.ndarray]]], seed: int, images: int
) -> Steps[list[NormalEquations]]:
    """Fit the transformers of a pipeline to a sample, then sum up its regression block by block, image by image.

    Parameters
    ----------
    pipeline : Pipeline
        Its last step is the regression; the steps before it are fitted in place.
    parts : callable
        Gives image after image, from the first one at each call: the variables of its pixels, what the regression is to give
        there (Y, X), and flat indices of the pixels that take part.
    seed : int
        Of the sample.
    images : int
        How many `parts` gives.

    Returns
    -------
    list of NormalEquations
        One per image, so that any choice of images can be solved for.
    """
    chance = np.random.default_rng([seed, 2])
    sample = []
    for pixels, _, places in parts():
        count = min(len(places), -(-_SAMPLE // images))
        sample.append(pixels.at(np.sort(chance.choice(places, count, replace=False))))
    terms = pipeline[:-1]
    terms.fit(np.concatenate(sample, axis=1).T)
    each = []
    for done, (pixels, actual, places) in enumerate(parts()):
        regression = NormalEquations(pipeline[-1].ridge)
        for block in blocks_of(places):
            regression.partial_fit(terms.transform(pixels.at(block).T), actual.ravel()[block])
        each.append(regression)
        yield Progress(done + 1, images, "fitting")
    return each


def _correction(
    pipeline: Pipeline, params: CorrectionParams, variables: Variables, offset: Offset, pairs: Sequence[ImagePair]
) -> Correction:
    first = pipeline[0]
    groups = (Group(rows=tuple(range(variables.count)), linear=True),) if params.form == "paper" else first.groups_
    return Correction(
        params=params,
        variables=variables,
        centring=first.centring_,
        scaling=first.scaling_,
        groups=groups,
        coefficients=pipeline[-1].coef_,
        offset=offset,
        fitted_on=fitted_on(pairs),
    )


def fitted_on(pairs: Sequence[ImagePair]) -> FittedOn:
    """What pairs show, and what they tell of themselves.

    Parameters
    ----------
    pairs : sequence of ImagePair
    """
    told = [pair.told for pair in pairs]
    compositions = [one["composition"] for one in told if one.get("composition")]
    thicknesses = [float(one["thickness"]) for one in told if one.get("thickness") is not None]
    # A particle with its rim in view shows every thickness down to none.
    thinnest = [0.0 if _shows_vacuum(pair) else one for pair, one in zip(pairs, thicknesses, strict=False)]
    convolved, sliced = (sum(float(getattr(pair, role).sum()) for pair in pairs) for role in ("convolution", "multislice"))
    whole = len(compositions) == len(pairs)
    symbols = sorted({symbol for one in compositions for symbol in one}) if whole else []
    shares = {symbol: [float(one.get(symbol, 0.0)) for one in compositions] for symbol in symbols}
    return FittedOn(
        pixel_size=common_pixel_size(pairs),
        intensity_range=(
            min(float(pair.convolution.min()) for pair in pairs),
            max(float(pair.convolution.max()) for pair in pairs),
        ),
        elements=tuple(symbols),
        composition={symbol: (min(one), max(one)) for symbol, one in shares.items()},
        thickness=(min(thinnest), max(thicknesses)) if len(thicknesses) == len(pairs) else None,
        optics=_common([one.get("optics", {}) for one in told]),
        scale=sliced / convolved if convolved > 0 and sliced > 0 else None,
        images=len(pairs),
    )


def _shows_vacuum(pair: ImagePair) -> bool:
    return float(pair.convolution.min()) < NOTHING * float(pair.convolution.max())


def _common(optics: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Settings that all pairs tell, and in which they agree."""
    return {name: value for name, value in optics[0].items() if all(one.get(name) == value for one in optics)}
