"""Sequences to look at: time lines and kymographs."""

from __future__ import annotations

from collections.abc import Generator
from collections.abc import Sequence as Pair

import numpy as np
import pandas as pd

from napari_atomseg.analysis.sequences import views
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, job
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.workflows.sequences import Sequence


def time_line(found: Sequence, site: int) -> pd.DataFrame:
    """Whether a column stands at a site, frame by frame: ``frame, presence`` and, where known, ``time_s``.

    Parameters
    ----------
    found : Sequence
    site : int
        Its number in the table of sites.

    Raises
    ------
    AtomsegError
        If there is no such site.
    """
    if not 0 <= site < len(found.sites):
        raise AtomsegError(f"there is no site {site}; the table has sites 0 to {len(found.sites) - 1}")
    return views.time_line(found.presence, site, found.numbers["frame_time_s"])


@job
def kymograph(
    micrograph: Micrograph, found: Sequence, begin: Pair[float], end: Pair[float], *, width: float = 1.0
) -> Generator[Progress, None, np.ndarray]:
    """Intensity along a line that goes with the drift: one row a frame, shape (T, N), NaN where nothing is known.

    Parameters
    ----------
    micrograph : Micrograph
        The stack.
    found : Sequence
        Of this stack.
    begin, end : pair of float, px, (y, x)
        Of the line in frame 0.
    width : float, px
        What is averaged across it.
    """
    if micrograph.frames != len(found.drift):
        raise AtomsegError(
            f"{micrograph.name} has {micrograph.frames} frames, the sequence {len(found.drift)}; give the stack that was followed"
        )
    shifts = found.drift[["y_px", "x_px"]].to_numpy()
    return (yield from views.kymograph(micrograph.frame, shifts, begin, end, width))
