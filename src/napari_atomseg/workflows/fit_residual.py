"""What the fitted columns of an image do not explain."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, job
from napari_atomseg.core.micrograph import Micrograph


@job
def residual(micrograph: Micrograph, columns: Columns, frame: int = 0) -> Generator[Progress, None, np.ndarray]:
    """What the fitted columns do not explain: image minus model of one frame, float32 (Y, X); invalid pixels stay invalid.

    Parameters
    ----------
    micrograph : Micrograph
    columns : Columns
        In pixels of the micrograph, fitted.
    frame : int
        Index of the frame.

    Returns
    -------
    residual : ndarray, float32, shape (Y, X), as the image
        Positive where the image is brighter than the model.

    Raises
    ------
    AtomsegError
        If the frame does not exist, or none of its columns has been fitted.
    """
    from napari_atomseg.localise.refinement.model_image import ellipses, model_image

    micrograph.frame_indices(frame)
    fitted = columns.of_frame(frame)
    fitted = fitted.select(~fitted.features["fit"].isin(("none", "failed")).to_numpy())
    if len(ellipses(fitted).height) == 0:
        raise AtomsegError("no column of this frame has been fitted yet; refine the columns first")
    yield Progress(0, 2, "reading the image")
    plane = micrograph.frame(frame)
    yield Progress(1, 2, "drawing the fitted columns")
    return np.asarray(plane - model_image(fitted, plane.shape), np.float32)
