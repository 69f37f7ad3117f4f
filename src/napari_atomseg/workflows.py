"""The table of contents: what can be done with a micrograph, for scripts, the command line and the window alike.

Long jobs block when called and yield their progress as ``job.steps(...)``; closing that generator stops them.
Importing this module loads no reader, network, simulator or window library.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_atomseg.core.columns import Columns, join_frames
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, job
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.core.params import to_dict
from napari_atomseg.localise.find import ClassicalParams, find_columns, polarity_sign
from napari_atomseg.localise.gaussian import RefineParams, refine_columns
from napari_atomseg.localise.scale import centre_crop, estimate_scale
from napari_atomseg.localise.snap import snap_positions

if TYPE_CHECKING:
    from napari_atomseg.analysis.diffractogram import Diffractogram, Spots
    from napari_atomseg.analysis.lattice import Lattice, LatticeParams
    from napari_atomseg.analysis.scan_rows import ScanRows, ScanRowsParams
    from napari_atomseg.readers.columns_table import ColumnMapping
    from napari_atomseg.synthesis.render import Batch

MODELS = ("classical",)
"""Names of what :func:`locate` can use, best first."""

LABELS = ("circular_mask", "small_mask", "gaussian", "noise_free", "background_free", "deblurred")
"""Labels of synthetic images; ``upsampled_`` before a name asks for twice as many pixels."""

SAMPLE_SIDE = 512
"""Part of the image that tells the column width where no column does yet, in pixels."""

__all__ = [
    "MODELS",
    "ClassicalParams",
    "Micrograph",
    "RefineParams",
    "accept_suggested",
    "calibrate_by_lattice",
    "estimate_lattice",
    "image_of",
    "locate",
    "read",
    "read_columns",
    "refine",
    "residual",
    "show_frequencies",
    "snap",
    "straighten_rows",
    "suggest_missing",
    "synthesis_presets",
    "synthesise",
    "synthesise_into",
    "transfer",
    "true_columns",
]


def read(path: str | Path, dataset: int | None = None) -> list[Micrograph]:
    """Every image, or stack of images, in a file; see :func:`napari_atomseg.readers.registry.read`."""
    from napari_atomseg.readers.registry import read as read_file

    return read_file(path, dataset)


def read_columns(
    path: str | Path, mapping: ColumnMapping | None = None, pixel_size: tuple[float, float] | None = None
) -> Columns:
    """Columns from a table; see :func:`napari_atomseg.readers.columns_table.read_columns`."""
    from napari_atomseg.readers.columns_table import read_columns as read_table

    return read_table(path, mapping, pixel_size)


@job
def locate(
    micrograph: Micrograph,
    *,
    model: str | None = None,
    params: ClassicalParams | None = None,
    refined: bool = True,
    refinement: RefineParams | None = None,
    region: np.ndarray | None = None,
    frames: int | None = None,
) -> Generator[Progress, None, Columns]:
    """Atomic columns of a micrograph, in every frame or in one.

    Parameters
    ----------
    micrograph : Micrograph
        Numpy or lazy.
    model : str, optional
        ``classical`` (no network); by default the best one for the image.
    params : ClassicalParams, optional
        How columns are found.
    refined : bool
        Fit each column by a Gaussian afterwards, which gives uncertainties.
    refinement : RefineParams, optional
        How they are fitted.
    region : ndarray of bool, shape (Y, X), optional
        Search only where it is True.
    frames : int, optional
        Index of the only frame to search; by default all.

    Returns
    -------
    Columns

    Raises
    ------
    AtomsegError
        If the model or the frame does not exist.
    """
    chosen = model or MODELS[0]
    if chosen not in MODELS:
        raise AtomsegError(f'there is no model "{chosen}"; models at hand: {", ".join(MODELS)}')
    params = params or ClassicalParams()
    parts = []
    for index in frames_of(micrograph, frames):
        plane = micrograph.data[index] if len(micrograph.shape) == 3 else micrograph.data
        found = yield from _labelled(find_columns(plane, params, region), index, micrograph)
        if refined and len(found):
            found = yield from _labelled(refine_columns(np.asarray(plane, np.float32), found, refinement), index, micrograph)
        parts.append(replace(found, frame=np.full(len(found), index)))
    details = {"model": chosen, "parameters": to_dict(params)}
    if refined:
        details["refinement"] = to_dict(refinement or RefineParams())
    return bound(join_frames(parts), micrograph, details)


@job
def refine(micrograph: Micrograph, columns: Columns, *, params: RefineParams | None = None) -> Generator[Progress, None, Columns]:
    """Fit given columns again on the image, each on its own frame.

    Parameters
    ----------
    micrograph : Micrograph
    columns : Columns
        Positions in pixels of this micrograph.
    params : RefineParams, optional

    Returns
    -------
    Columns
        Same order and number; see :func:`napari_atomseg.localise.gaussian.refine_columns`.

    Raises
    ------
    AtomsegError
        If a column stands in a frame that does not exist.
    """
    result = columns
    for index in np.unique(columns.frame):
        frames_of(micrograph, int(index))
        rows = np.flatnonzero(columns.frame == index)
        plane = micrograph.frame(int(index))
        fitted = yield from _labelled(refine_columns(plane, columns.select(rows), params), int(index), micrograph)
        if "scan_shift_y_px" in fitted.features:
            # What is measured anew is as it was scanned.
            fitted = fitted.with_features(scan_shift_y_px=np.nan, scan_shift_x_px=np.nan)
        result = replaced(result, rows, fitted)
    details = {**columns.provenance, "refinement": to_dict(params or RefineParams())}
    return bound(result, micrograph, details)


@job
def residual(micrograph: Micrograph, columns: Columns, frame: int = 0) -> Generator[Progress, None, np.ndarray]:
    """What the fitted columns do not explain: image minus model of one frame, float32 (Y, X); invalid pixels stay invalid.

    Raises
    ------
    AtomsegError
        If the frame does not exist, or none of its columns has been fitted.
    """
    from napari_atomseg.localise.model_image import ellipses, model_image

    frames_of(micrograph, frame)
    fitted = columns.of_frame(frame)
    fitted = fitted.select(~fitted.features["fit"].isin(("none", "failed")).to_numpy())
    if len(ellipses(fitted).height) == 0:
        raise AtomsegError("no column of this frame has been fitted yet; refine the columns first")
    yield Progress(0, 2, "reading the image")
    plane = micrograph.frame(frame)
    yield Progress(1, 2, "drawing the fitted columns")
    return np.asarray(plane - model_image(fitted, plane.shape), np.float32)


def snap(micrograph: Micrograph, columns: Columns, rows: np.ndarray) -> Columns:
    """Move the given rows to the column nearest to each, at most two column widths away; their origin becomes ``snapped``."""
    result = columns
    for index in np.unique(columns.frame[rows]):
        mine = rows[columns.frame[rows] == index]
        # A lazy image is read only around the points.
        plane = micrograph.data[index] if len(micrograph.shape) == 3 else micrograph.data
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


@job
def calibrate_by_lattice(plane: Any, spacing: float) -> Generator[Progress, None, tuple[float, float]]:
    """Pixel size (y, x) in Angstrom from an image (Y, X) and the spacing in Angstrom of its strongest planes.

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
    """The visible lattice of the columns of one image; see :func:`napari_atomseg.analysis.lattice.fit_lattice`."""
    from napari_atomseg.analysis.lattice import fit_lattice

    yield Progress(0, 0, "fitting the lattice")
    return fit_lattice(columns, params)


@job
def suggest_missing(
    micrograph: Micrograph, columns: Columns, lattice: Lattice | None = None, *, params: LatticeParams | None = None
) -> Generator[Progress, None, Columns]:
    """Sites of the lattice that hold no column; for a person to judge, nothing is added to `columns`.

    The columns are of one frame of the micrograph, which tells vacancies from columns that were overlooked. The lattice is
    estimated if it is not given; see :func:`napari_atomseg.analysis.missing_sites.missing_sites`.
    """
    from napari_atomseg.analysis.lattice import fit_lattice
    from napari_atomseg.analysis.missing_sites import missing_sites

    yield Progress(0, 0, "fitting the lattice")
    lattice = lattice or fit_lattice(columns, params)
    yield Progress(0, 0, "looking for empty sites")
    index = int(columns.frame[0])
    frames_of(micrograph, index)
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
    result = columns.joined(added)
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

    Raises
    ------
    AtomsegError
        If the columns show no lattice, or have been straightened already.
    """
    from napari_atomseg.analysis.scan_rows import straighten_rows as straighten

    if "scan_shift_y_px" in columns.features and columns.features["scan_shift_y_px"].notna().any():
        raise AtomsegError("the columns have been straightened already; refine them again first")
    result = columns
    found: list[ScanRows] = []
    for index in np.unique(columns.frame):
        yield Progress(len(found), len(np.unique(columns.frame)), "straightening scan rows")
        rows = np.flatnonzero(columns.frame == index)
        freed, shifts = straighten(columns.select(rows), params)
        result = replaced(result, rows, freed)
        found.append(shifts)
    return result, found


def synthesis_presets() -> list[str]:
    """Names of the recipes that come with the plugin."""
    from napari_atomseg.synthesis.recipe import presets

    return presets()


def image_of(batch: Batch, row: int, name: str) -> Micrograph:
    """One image of a batch, or one of its labels; see :func:`napari_atomseg.synthesis.series.image_of`."""
    from napari_atomseg.synthesis.series import image_of as take

    return take(batch, row, name)


def true_columns(batch: Batch, row: int) -> Columns:
    """True columns of one image of a batch; see :func:`napari_atomseg.synthesis.series.true_columns`."""
    from napari_atomseg.synthesis.series import true_columns as take

    return take(batch, row)


@job
def synthesise(
    recipe: str | Path, *, number: int = 1, seed: int = 0, size: int | None = None, labels: tuple[str, ...] = LABELS
) -> Generator[Progress, None, list[Batch]]:
    """Synthetic images with labels and true columns; see :mod:`napari_atomseg.synthesis.render`.

    Parameters
    ----------
    recipe : str or Path
        A preset, a YAML file, or a file of records (.jsonl), which are made again.
    number : int
        How many; all of them for records.
    seed : int
    size : int, optional
        Side in px, instead of the recipe's.
    labels : tuple of str

    Raises
    ------
    AtomsegError
        If the recipe cannot be understood or made.
    """
    from napari_atomseg.synthesis.series import batches, records_from

    records = records_from(recipe, number, seed, size)
    found: list[Batch] = []
    yield Progress(0, len(records), "drawing")
    for batch in batches(records, labels):
        found.append(batch)
        yield Progress(sum(len(one.records) for one in found), len(records), "drawing")
    return found


@job
def synthesise_into(
    recipe: str | Path, folder: Path, *, number: int = 1, seed: int = 0, size: int | None = None, labels: tuple[str, ...] = LABELS
) -> Generator[Progress, None, int]:
    """Like :func:`synthesise`, but written batch by batch into a folder; gives the number of images."""
    from napari_atomseg.synthesis.series import batches, image_of, records_from, true_columns
    from napari_atomseg.writers.atomic import replacing
    from napari_atomseg.writers.columns_csv import write_columns
    from napari_atomseg.writers.micrograph_tiff import write_tiff

    records = records_from(recipe, number, seed, size)
    folder.mkdir(parents=True, exist_ok=True)
    done = 0
    yield Progress(0, len(records), "drawing")
    for batch in batches(records, labels):
        for row in range(len(batch.records)):
            stem = f"{done:06d}"
            write_tiff(image_of(batch, row, "image"), folder / f"{stem}_image.tif")
            for name in labels:
                write_tiff(image_of(batch, row, name), folder / f"{stem}_{name}.tif")
            write_columns(true_columns(batch, row), folder / f"{stem}_columns.csv")
            done += 1
            yield Progress(done, len(records), "drawing")
    # Last: a folder with records is a complete one.
    with replacing(folder / "records.jsonl") as unfinished:
        unfinished.write_text("".join(record.to_json() + "\n" for record in records), encoding="utf-8")
    return done


def transfer(columns: Columns, micrograph: Micrograph) -> Columns:
    """Columns found in one detector's image, for another image of the same field (ADF to ABF).

    Positions are carried over by their place in the field of view, so that the two may differ in pixel number. What
    was measured in the first image is forgotten; refine to measure it in the second.

    Raises
    ------
    AtomsegError
        If the first image's shape is unknown.
    """
    if columns.image_shape is None:
        raise AtomsegError("the columns do not say which image they belong to; find or import them with their image first")
    ratio = np.array(micrograph.shape[-2:]) / np.array(columns.image_shape[-2:])
    kept = [name for name in columns.features if name not in ("intensity", "background", "y_std_px", "x_std_px", "fit")]
    width = columns.features["sigma_px"] * float(ratio.mean())
    return bound(
        replace(
            columns,
            # Pixel centres, not corners, lie on whole numbers.
            positions=(columns.positions + 0.5) * ratio - 0.5,
            features=columns.features[kept].assign(sigma_px=width, origin="imported"),
        ),
        micrograph,
        {**columns.provenance, "transferred_from": columns.image_name},
    )


def frames_of(micrograph: Micrograph, only: int | None) -> list[int]:
    """Frames to work on.

    Raises
    ------
    AtomsegError
        If the asked frame does not exist.
    """
    if only is None:
        return list(range(micrograph.frames))
    if not 0 <= only < micrograph.frames:
        raise AtomsegError(f"{micrograph.name} has frames 0 to {micrograph.frames - 1}, frame {only} was asked for")
    return [only]


def known_width(columns: Columns) -> float:
    """Median sigma of the columns in px; NaN if none is known."""
    return float(columns.features["sigma_px"].median())


def replaced(columns: Columns, rows: np.ndarray, part: Columns) -> Columns:
    """`columns` with the given rows taken from `part`."""
    positions = columns.positions.copy()
    positions[rows] = part.positions
    features = columns.features.copy()
    for name in part.features:
        # What only the part knows is unknown elsewhere.
        values = features[name].to_numpy(copy=True) if name in features else np.full(len(columns), np.nan)
        values[rows] = part.features[name].to_numpy()
        features[name] = values
    return replace(columns, positions=positions, features=features)


def bound(columns: Columns, micrograph: Micrograph, details: dict[str, Any]) -> Columns:
    """Columns that know their image, its calibration and how they were made; versions and time are those of the saving."""
    return replace(
        columns,
        pixel_size=micrograph.pixel_size,
        image_shape=micrograph.shape,
        provenance={
            **{name: value for name, value in details.items() if name not in ("image", "versions", "time")},
            "image": {
                "name": micrograph.name,
                "path": str(micrograph.path) if micrograph.path else None,
                "dataset": micrograph.dataset,
            },
            "pixel_size_source": micrograph.pixel_size_source,
        },
    )


def _labelled(
    steps: Generator[Progress, None, Columns], index: int, micrograph: Micrograph
) -> Generator[Progress, None, Columns]:
    """The same steps; in a stack their messages name the frame."""
    if micrograph.frames == 1:
        return (yield from steps)
    try:
        while True:
            step = next(steps)
            share = step.done / step.total if step.total else 0.0
            yield Progress(int(1000 * (index + share)), 1000 * micrograph.frames, f"frame {index + 1}: {step.message}")
    except StopIteration as end:
        found: Columns = end.value
        return found
    finally:
        steps.close()
