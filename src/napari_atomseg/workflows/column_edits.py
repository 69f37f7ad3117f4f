"""Columns moved to where the image shows one, and carried over to another image of the same field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.localise.detection.find import polarity_sign
from napari_atomseg.localise.detection.scale import SAMPLE_SIDE, centre_crop, estimate_scale
from napari_atomseg.localise.snap import snap_positions
from napari_atomseg.workflows.provenance import attach_to_image
from napari_atomseg.workflows.steps import STEPS


def snap(micrograph: Micrograph, columns: Columns, rows: np.ndarray) -> Columns:
    """Move the given rows to the column nearest to each, at most two column widths away; their origin becomes ``snapped``.

    Parameters
    ----------
    micrograph : Micrograph
        Numpy or lazy; read around the columns only.
    columns : Columns
    rows : ndarray of int
        Indices of the columns that are moved.

    Returns
    -------
    columns : Columns
        All of them, in the same order.
    """
    result = columns
    for index in np.unique(columns.frame[rows]):
        mine = rows[columns.frame[rows] == index]
        # A lazy image is read only around the points.
        plane = micrograph.lazy_frame(index)
        width, height = known_width(columns), columns.features["intensity"].median()
        if not np.isfinite(width):
            scale = estimate_scale(np.asarray(centre_crop(plane, SAMPLE_SIDE), np.float32))
            width = scale.sigma_px if scale else 3.0
        known = np.isfinite(height) and height != 0
        sign = float(np.sign(height)) if known else polarity_sign("auto", centre_crop(plane, SAMPLE_SIDE), width)
        moved = snap_positions(plane, columns.positions[mine], width, sign)
        origin = result.features["origin"].to_numpy(copy=True)
        origin[mine] = "snapped"
        positions = result.positions.copy()
        positions[mine] = moved
        result = replace(result.with_features(origin=origin), positions=positions)
    return result


def transfer(columns: Columns, micrograph: Micrograph) -> Columns:
    """Columns found in one detector's image, for another image of the same field (ADF to ABF).

    Positions are carried over by their place in the field of view, so that the two may differ in pixel number. What
    was measured in the first image is forgotten; refine to measure it in the second.

    Parameters
    ----------
    columns : Columns
        Of the first image, whose shape they know.
    micrograph : Micrograph
        The second image, of the same field of view.

    Returns
    -------
    columns : Columns
        In pixels of the second image, with `origin` ``imported``.

    Raises
    ------
    AtomsegError
        If the first image's shape is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_atomseg.core.columns import Columns
    >>> from napari_atomseg.core.micrograph import Micrograph
    >>> from napari_atomseg.workflows import transfer
    >>> columns = Columns(positions=[[9.5, 19.5]], image_shape=(100, 100))
    >>> transfer(columns, Micrograph(data=np.zeros((200, 200)))).positions.tolist()
    [[19.5, 39.5]]
    """
    if columns.image_shape is None:
        raise AtomsegError("the columns do not say which image they belong to; find or import them with their image first")
    ratio = np.array(micrograph.shape[-2:]) / np.array(columns.image_shape[-2:])
    kept = [name for name in columns.features if name not in ("intensity", "background", "y_std_px", "x_std_px", "fit")]
    width = columns.features["sigma_px"] * float(ratio.mean())
    return attach_to_image(
        replace(
            columns,
            # Pixel centres, not corners, lie on whole numbers.
            positions=(columns.positions + 0.5) * ratio - 0.5,
            features=columns.features[kept].assign(sigma_px=width, origin="imported"),
        ),
        micrograph,
        {**_without_steps(columns.provenance), "transferred_from": columns.image_name},
    )


def _without_steps(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """What was done to columns of one image was not done to those of another."""
    return {name: value for name, value in provenance.items() if name != STEPS}


def known_width(columns: Columns) -> float:
    """Median sigma of the columns in px; NaN if none is known."""
    return float(columns.features["sigma_px"].median())


def replaced(columns: Columns, rows: np.ndarray, part: Columns) -> Columns:
    """`columns` with the given rows taken from `part`.

    Parameters
    ----------
    columns : Columns
    rows : ndarray of int
        Indices of the rows that are replaced.
    part : Columns
        As many columns as there are rows.
    """
    positions = columns.positions.copy()
    positions[rows] = part.positions
    features = columns.features.copy()
    for name in part.features:
        # What only the part knows is unknown elsewhere.
        values = features[name].to_numpy(copy=True) if name in features else np.full(len(columns), np.nan)
        values[rows] = part.features[name].to_numpy()
        features[name] = values
    return replace(columns, positions=positions, features=features)
