"""Calibration, lattices and what they tell of columns."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_atomseg.analysis.params import ScanRowsParams
from napari_atomseg.core.columns import SCAN_SHIFT, Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, job
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.workflows.column_edits import replaced, snap
from napari_atomseg.workflows.steps import EditByHand, StraightenRows, recorded

if TYPE_CHECKING:
    from napari_atomseg.analysis.diffractogram import Diffractogram, Spots
    from napari_atomseg.analysis.lattice.lattice import Lattice
    from napari_atomseg.analysis.lattice.params import LatticeParams
    from napari_atomseg.analysis.scan_rows import ScanRows


@job
def calibrate_by_lattice(plane: Any, spacing: float) -> Generator[Progress, None, tuple[float, float]]:
    """Pixel size (y, x) in Angstrom from an image (Y, X) and the spacing in Angstrom of its strongest planes.

    Parameters
    ----------
    plane : array, shape (Y, X)
        Numpy or lazy dask.
    spacing : float, Angstrom
        Of the planes whose spots are the strongest.

    Returns
    -------
    pixel_size : tuple of float, Angstrom, (y, x)

    Raises
    ------
    AtomsegError
        If no lattice stands out.
    """
    from napari_atomseg.analysis.calibrate import pixel_size_from_lattice

    yield Progress(0, 0, "measuring the lattice")
    return pixel_size_from_lattice(plane, spacing)


@job
def show_frequencies(plane: Any) -> Generator[Progress, None, tuple[Diffractogram, Spots]]:
    """Diffractogram of an image (Y, X) and its lattice spots."""
    from napari_atomseg.analysis.diffractogram import diffractogram, find_spots

    yield Progress(0, 0, "transforming")
    spectrum = diffractogram(plane)
    return spectrum, find_spots(spectrum)


@job
def estimate_lattice(columns: Columns, *, params: LatticeParams | None = None) -> Generator[Progress, None, Lattice]:
    """The visible lattice of the columns of one image; see :func:`napari_atomseg.analysis.lattice.lattice.fit_lattice`.

    Parameters
    ----------
    columns : Columns
        Of one image or frame.
    params : LatticeParams, optional

    Returns
    -------
    lattice : Lattice
        Basis in px, motif, and the cell and site of each column.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_atomseg.core.columns import Columns
    >>> from napari_atomseg.workflows import estimate_lattice
    >>> grid = 12.0 * np.stack(np.mgrid[1:9, 1:9], axis=-1).reshape(-1, 2)
    >>> lattice = estimate_lattice(Columns(positions=grid, image_shape=(120, 120)))
    >>> np.hypot(*lattice.basis.T).round(3).tolist()
    [12.0, 12.0]
    """
    from napari_atomseg.analysis.lattice.lattice import fit_lattice

    yield Progress(0, 0, "fitting the lattice")
    return fit_lattice(columns, params)


@job
def suggest_missing(
    micrograph: Micrograph, columns: Columns, lattice: Lattice | None = None, *, params: LatticeParams | None = None
) -> Generator[Progress, None, Columns]:
    """Sites of the lattice that hold no column; for a person to judge, nothing is added to `columns`.

    The columns are of one frame of the micrograph, which tells vacancies from columns that were overlooked. The lattice is
    estimated if it is not given; see :func:`napari_atomseg.analysis.lattice.missing_sites.missing_sites`.

    Parameters
    ----------
    micrograph : Micrograph
    columns : Columns
        Of one frame.
    lattice : Lattice, optional
        Of these columns; estimated if it is not given.
    params : LatticeParams, optional
        For the estimate.

    Returns
    -------
    sites : Columns
        Where columns seem to be missing, with `confidence`, `around`, `response` and `sublattice`.
    """
    from napari_atomseg.analysis.lattice.lattice import fit_lattice
    from napari_atomseg.analysis.lattice.missing_sites import missing_sites

    yield Progress(0, 0, "fitting the lattice")
    lattice = lattice or fit_lattice(columns, params)
    yield Progress(0, 0, "looking for empty sites")
    index = int(columns.frame[0])
    micrograph.frame_indices(index)
    return missing_sites(lattice, columns, micrograph.shape, micrograph.frame(index))


@job
def accept_suggested(
    micrograph: Micrograph, columns: Columns, suggested: Columns, *, reach: float, snapped: bool = True
) -> Generator[Progress, None, Columns]:
    """The columns, then the suggested ones as if a hand had set them: measured values unknown, origin ``snapped`` or ``manual``.

    Parameters
    ----------
    micrograph : Micrograph
    columns, suggested : Columns
    reach : float, px
        A suggestion that would snap farther than this, or to within it of another column, stays where the lattice has it:
        what it met is a neighbour, and the site is empty.
    snapped : bool
        Look for the column under each suggestion.
    """
    added = Columns(positions=suggested.positions, frame=suggested.frame)
    result = recorded(columns.joined(added), EditByHand(added=len(added)))
    if not snapped:
        return result
    for done, row in enumerate(range(len(columns), len(result))):
        yield Progress(done, len(added), "snapping")
        moved = snap(micrograph, result, np.array([row]))
        place = moved.positions[row]
        others = np.delete(moved.positions, row, axis=0)[np.delete(moved.frame, row) == moved.frame[row]]
        free = not len(others) or float(np.hypot(*(others - place).T).min()) > reach
        if free and 0 < float(np.hypot(*(place - result.positions[row]))) <= reach:
            result = moved
    return result


@job
def straighten_rows(
    columns: Columns, *, params: ScanRowsParams | None = None
) -> Generator[Progress, None, tuple[Columns, list[ScanRows]]]:
    """Columns freed of what displaced whole scan rows, and how much that was, frame by frame.

    A belief, told from all columns of a row and their lattice; `scan_shift_y_px` and `scan_shift_x_px` in the table give
    the measured positions back. See :mod:`napari_atomseg.analysis.scan_rows`.

    Parameters
    ----------
    columns : Columns
        Of one image or of every frame of a stack.
    params : ScanRowsParams, optional

    Raises
    ------
    AtomsegError
        If the columns show no lattice, or have been straightened already.
    """
    from napari_atomseg.analysis.scan_rows import straighten_rows as straighten

    if SCAN_SHIFT[0] in columns.features and columns.features[SCAN_SHIFT[0]].notna().any():
        raise AtomsegError("the columns have been straightened already; refine them again first")
    result = columns
    found: list[ScanRows] = []
    for index in np.unique(columns.frame):
        yield Progress(len(found), len(np.unique(columns.frame)), "straightening scan rows")
        rows = np.flatnonzero(columns.frame == index)
        freed, shifts = straighten(columns.select(rows), params)
        result = replaced(result, rows, freed)
        found.append(shifts)
    return recorded(result, StraightenRows(rows=params or ScanRowsParams())), found
