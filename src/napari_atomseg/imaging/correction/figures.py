"""Pictures of a cross-validation: predicted against actual intensities, and where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from napari_atomseg.imaging.correction.validation import Validation
from napari_atomseg.readers.image_pairs import ImagePair
from napari_atomseg.writers.atomic import replacing

_MOST_POINTS = 20_000


def parity_points(validation: Validation, pairs: Sequence[ImagePair], seed: int = 0) -> np.ndarray:
    """Actual and predicted intensity of left-out pixels, shape (N, 2), at most 20,000 drawn at random.

    Parameters
    ----------
    validation : Validation
    pairs : sequence of ImagePair
    seed : int
        Of the drawing.
    """
    actual = np.concatenate([pair.multislice.ravel() for pair in pairs])
    predicted = np.concatenate([image.ravel() for image in validation.predicted])
    places = np.flatnonzero(np.isfinite(predicted))
    if len(places) > _MOST_POINTS:
        places = np.random.default_rng([seed, 3]).choice(places, _MOST_POINTS, replace=False)
    return np.stack([actual[places], predicted[places]], axis=1)


def write_figures(validation: Validation, pairs: Sequence[ImagePair], folder: Path) -> list[Path]:
    """``parity.png``, and for each image ``NAME_difference.png``; gives their paths.

    Parameters
    ----------
    validation : Validation
    pairs : sequence of ImagePair
        Those of the validation, in its order.
    folder : Path
        Made if it is not there.
    """
    paths = [folder / "parity.png"]
    _save(_parity(parity_points(validation, pairs), validation), paths[0])
    for pair, predicted in zip(pairs, validation.predicted, strict=True):
        if np.isfinite(predicted).any():
            paths.append(folder / f"{Path(pair.name).stem}_difference.png")
            _save(_difference(pair, predicted), paths[-1])
    return paths


def _parity(points: np.ndarray, validation: Validation) -> Figure:
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.plot(points[:, 0], points[:, 1], ",", color="tab:blue", rasterized=True)
    ends = [float(points.min()), float(points.max())] if len(points) else [0.0, 1.0]
    axes.plot(ends, ends, color="black", linewidth=0.8)
    axes.set(xlabel="multislice intensity", ylabel="predicted intensity", aspect="equal")
    axes.set_title(f"1 - R$^2$ = {validation.scores.one_minus_r2:.4f}, FRMS = {validation.scores.frms:.3f}")
    return figure


def _difference(pair: ImagePair, predicted: np.ndarray) -> Figure:
    """Both images and their difference on the scale of the images, and the difference on its own."""
    figure = Figure(figsize=(14, 3.6), layout="constrained")
    span = float(pair.multislice.max() - pair.multislice.min())
    difference = predicted - pair.multislice
    own = float(np.nanmax(np.abs(difference)))
    ends = (float(pair.multislice.min()), float(pair.multislice.max()))
    panels = (
        ("multislice", pair.multislice, "gray", ends),
        ("predicted", predicted, "gray", ends),
        ("difference, scale of the images", difference, "RdBu_r", (-span, span)),
        ("difference, its own scale", difference, "RdBu_r", (-own, own)),
    )
    all_axes: Sequence[Axes] = figure.subplots(1, len(panels))
    for axes, (title, image, colours, (low, high)) in zip(all_axes, panels, strict=True):
        shown = axes.imshow(image, cmap=colours, vmin=low, vmax=high, interpolation="nearest")
        axes.set_title(title, fontsize=9)
        axes.set_axis_off()
        figure.colorbar(shown, ax=axes, shrink=0.8)
    figure.suptitle(pair.name, fontsize=10)
    return figure


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    with replacing(path) as unfinished:
        figure.savefig(unfinished, dpi=120)
