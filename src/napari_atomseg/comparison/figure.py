"""A comparison in one picture: experiment, simulation, residual with zero in grey, both in turns, and a profile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

FIELDS = 8
"""Of the checkerboard, along the longer side."""


def checkerboard(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Both images in turns on the fields of a checkerboard, shape (Y, X); where the second is unknown the first stands.

    Parameters
    ----------
    first, second : ndarray, shape (Y, X)
        On one grid; NaN where the second is unknown.
    """
    side = max(1, -(-max(first.shape) // FIELDS))
    rows, columns = (np.arange(length) // side for length in first.shape)
    odd = (rows[:, None] + columns[None]) % 2 == 1
    return np.where(odd & np.isfinite(second), second, first)


def comparison_figure(
    simulated: np.ndarray,
    experimental: np.ndarray,
    residual: np.ndarray,
    pixel_size: tuple[float, float],
    profile: pd.DataFrame,
    title: str,
) -> Any:
    """The picture as a matplotlib figure.

    Parameters
    ----------
    simulated, experimental, residual : ndarray, shape (Y, X)
    pixel_size : tuple of float, Å, (y, x)
    profile : DataFrame
        With `distance_angstrom`, `experimental` and `simulated`.
    title : str
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from napari_atomseg.writers.overlay import contrast

    figure = Figure(figsize=(15, 6.4), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, 4, height_ratios=(2, 1))
    ends = contrast(experimental)
    own = float(np.nanpercentile(np.abs(residual), 99.8)) or 1.0
    panels = (
        ("experiment", experimental, ends),
        ("simulation", simulated, ends),
        ("experiment - simulation", residual, (-own, own)),
        ("in turns", checkerboard(experimental, simulated), ends),
    )
    for column, panel in enumerate(panels):
        _picture(figure, figure.add_subplot(grid[0, column]), panel, pixel_size)
    _lines(figure.add_subplot(grid[1, :]), profile)
    figure.suptitle(title, fontsize=10)
    return figure


def _picture(figure: Any, axes: Any, panel: tuple[str, np.ndarray, Sequence[float]], pixel_size: tuple[float, float]) -> None:
    title, image, (low, high) = panel
    height, width = (length * size for length, size in zip(image.shape, pixel_size, strict=True))
    # What is unknown is no shade of grey.
    axes.set_facecolor("#8ab4d8")
    shown = axes.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation="nearest", extent=(0, width, height, 0))
    axes.set_title(title, fontsize=9)
    axes.tick_params(labelsize=7)
    axes.set_xlabel("Å", fontsize=8)
    figure.colorbar(shown, ax=axes, shrink=0.8).ax.tick_params(labelsize=7)


def _lines(axes: Any, profile: pd.DataFrame) -> None:
    axes.plot(profile["distance_angstrom"], profile["experimental"], color="black", linewidth=1, label="experiment")
    axes.plot(profile["distance_angstrom"], profile["simulated"], color="tab:orange", linewidth=1, label="simulation")
    axes.set(xlabel="Å, along the middle row", ylabel="intensity")
    axes.margins(x=0)
    axes.legend(fontsize=8, loc="upper right")
