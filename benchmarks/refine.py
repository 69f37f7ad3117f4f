"""How fast and how exactly columns are refined, beside Atomap and a loop of curve fits on the same image, as a table.

``python benchmarks/refine.py`` needs nothing but the plugin. With Atomap in the same environment (``pip install atomap``;
it is no dependency of the project) its own two-dimensional Gaussian fit runs beside ours. Every line has a fresh
process, so that its peak of memory is its own (libraries and image included).
"""

from __future__ import annotations

import multiprocessing
import platform
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

import numpy as np
from scipy.optimize import curve_fit

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.imaging.column_image import render_columns
from napari_atomseg.workflows import RefineParams, refine

SIGMA_PX = 2.7
BACKGROUND, STRONG, WEAK = 40.0, 200.0, 100.0
"""Counts per pixel: background, and the heights of the two kinds of columns above it."""
DISPLACEMENT_PX = 0.3
"""The true columns stand so far from a perfect lattice along each axis (standard deviation)."""
START_ERROR_PX = 0.7
"""So far along each axis do the starting positions stand from the true ones (standard deviation)."""
ATOMAP_COLUMNS, CURVE_FIT_COLUMNS = 200, 500
"""The slow ways fit so many columns; their rates hold for all, since they take one column after the other."""
PERCENT_TO_NN = 0.4
"""Atomap's default window: this share of the distance to the nearest neighbour."""


@dataclass(frozen=True, kw_only=True)
class Crystal:
    """A square lattice of columns, strong and weak in turn.

    Attributes
    ----------
    side : int
        Of the image, px.
    spacing : float
        Of neighbours, px.
    """

    side: int
    spacing: float


CRYSTALS = (Crystal(side=1212, spacing=12.0), Crystal(side=2048, spacing=15.65))
"""10,000 columns close together, and 17,000 on 2048 x 2048 px."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """A counted image, its true columns (N, 2) and the positions to start from (N, 2), both in px as (y, x)."""

    image: np.ndarray
    truth: np.ndarray
    start: np.ndarray
    spacing: float

    def inner(self, count: int | None = None) -> np.ndarray:
        """Rows of columns at least 1.5 spacings from the border; of many, a random choice."""
        edge = np.array(self.image.shape) - 1 - 1.5 * self.spacing
        rows = np.flatnonzero(np.all((self.truth > 1.5 * self.spacing) & (self.truth < edge), axis=1))
        if count is None or count >= len(rows):
            return rows
        return np.sort(np.random.default_rng(1).choice(rows, count, replace=False))


@dataclass(frozen=True, kw_only=True)
class Line:
    """What one way of refining gave; rms is the distance in the plane."""

    way: str
    columns: int
    seconds: float
    rms_px: float
    failed: int
    peak_mb: float

    @property
    def milliseconds(self) -> float:
        """Time for one column."""
        return 1e3 * self.seconds / self.columns


def draw(crystal: Crystal) -> Scene:
    """The same image at every call."""
    rng = np.random.default_rng(0)
    along = np.arange(crystal.spacing, crystal.side - 0.5 * crystal.spacing, crystal.spacing)
    number = np.arange(len(along))
    strong = (number[:, None] + number) % 2 == 0
    image = np.full((crystal.side, crystal.side), BACKGROUND)
    rows = []
    for y, kinds in zip(along, strong, strict=True):
        row = np.column_stack([np.full_like(along, y), along]) + rng.normal(0, DISPLACEMENT_PX, (len(along), 2))
        first, last = max(0, int(y - 8 * SIGMA_PX)), min(crystal.side, int(y + 8 * SIGMA_PX))
        height = np.where(kinds, STRONG, WEAK)
        band = render_columns(row - (first, 0), 2 * np.pi * SIGMA_PX**2 * height, SIGMA_PX, (last - first, crystal.side))
        image[first:last] += band
        rows.append(row)
    truth = np.concatenate(rows)
    start = truth + rng.normal(0, START_ERROR_PX, truth.shape)
    return Scene(image=rng.poisson(image).astype(np.float32), truth=truth, start=start, spacing=crystal.spacing)


def ours(crystal: Crystal, params: RefineParams) -> Line:
    """All columns of the image by this plugin."""
    scene = draw(crystal)
    micrograph = Micrograph(data=scene.image, pixel_size=(0.1, 0.1))
    columns = Columns(positions=scene.start)
    begun = time.perf_counter()
    refined: Columns = refine(micrograph, columns, params=params)
    seconds = time.perf_counter() - begun
    failed = (refined.features["fit"] == "failed").to_numpy()
    rows = scene.inner()
    return Line(
        way=f"napari-atomseg, {params.likelihood}, width {params.width}",
        columns=len(columns),
        seconds=seconds,
        rms_px=rms(refined.positions[rows] - scene.truth[rows]),
        failed=int(failed.sum()),
        peak_mb=peak_memory(),
    )


def atomap(crystal: Crystal) -> Line:
    """One pass of Atomap's Gaussian fit over some of the columns; the others stand as its neighbours."""
    from atomap.api import Sublattice

    scene = draw(crystal)
    rows = scene.inner(ATOMAP_COLUMNS)
    sublattice = Sublattice(scene.start[:, ::-1].tolist(), scene.image)
    sublattice.find_nearest_neighbors()
    chosen = set(rows.tolist())
    for row, atom in enumerate(sublattice.atom_list):
        atom.refine_position = row in chosen
    begun = time.perf_counter()
    sublattice.refine_atom_positions_using_2d_gaussian(percent_to_nn=PERCENT_TO_NN, show_progressbar=False)
    seconds = time.perf_counter() - begun
    fitted = np.array([(sublattice.atom_list[row].pixel_y, sublattice.atom_list[row].pixel_x) for row in rows])
    failed = sum(sublattice.atom_list[row].amplitude_gaussian == 0 for row in rows)
    return Line(
        way=f"Atomap {version('atomap')}, one pass",
        columns=len(rows),
        seconds=seconds,
        rms_px=rms(fitted - scene.truth[rows]),
        failed=failed,
        peak_mb=peak_memory(),
    )


def curve_fits(crystal: Crystal) -> Line:
    """A Gaussian on a flat background in a round window, by scipy's `curve_fit`, one column after the other."""
    scene = draw(crystal)
    rows = scene.inner(CURVE_FIT_COLUMNS)
    radius = 0.5 * scene.spacing
    fitted = scene.start[rows].copy()
    failed = 0
    begun = time.perf_counter()
    for number, (y, x) in enumerate(scene.start[rows]):
        top, left = round(y - radius), round(x - radius)
        side = int(2 * radius) + 1
        grid = np.mgrid[top : top + side, left : left + side].reshape(2, -1)
        grid = grid[:, np.hypot(grid[0] - y, grid[1] - x) <= radius]
        values = scene.image[grid[0], grid[1]]
        guess = (y, x, float(np.ptp(values)), SIGMA_PX, float(values.min()))
        try:
            fitted[number] = curve_fit(gaussian, grid, values, guess)[0][:2]
        except RuntimeError:
            failed += 1
    seconds = time.perf_counter() - begun
    return Line(
        way="loop of scipy curve_fit",
        columns=len(rows),
        seconds=seconds,
        rms_px=rms(fitted - scene.truth[rows]),
        failed=failed,
        peak_mb=peak_memory(),
    )


def gaussian(grid: np.ndarray, y: float, x: float, height: float, sigma: float, level: float) -> np.ndarray:
    """A round Gaussian on a flat background at pixels (2, P)."""
    return np.asarray(level + height * np.exp(-((grid[0] - y) ** 2 + (grid[1] - x) ** 2) / (2 * sigma**2)))


def rms(errors: np.ndarray) -> float:
    """Root of the mean squared distance of errors (N, 2)."""
    return float(np.sqrt(np.mean(np.sum(errors**2, axis=1))))


def smallest_rms() -> float:
    """Cramer-Rao bound of :func:`rms` for columns of both kinds that stand alone on a known background, px."""
    along = np.arange(-20, 21)
    profile = np.exp(-np.add.outer(along**2, along**2) / (2 * SIGMA_PX**2))
    variances = []
    for height in (STRONG, WEAK):
        slope = height * profile * along[:, None] / SIGMA_PX**2
        variances.append(2 / np.sum(slope**2 / (BACKGROUND + height * profile)))
    return float(np.sqrt(np.mean(variances)))


def peak_memory() -> float:
    """Largest resident memory of this process until now, MB; NaN where the system does not tell."""
    try:
        import resource
    except ImportError:
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


def has_atomap() -> bool:
    """True if Atomap is installed here."""
    try:
        version("atomap")
    except PackageNotFoundError:
        return False
    return True


def ways(crystal: Crystal) -> Iterator[Callable[[], Line]]:
    """Everything that is measured on one image."""
    likelihoods: tuple[Literal["poisson", "least-squares"], ...] = ("poisson", "least-squares")
    widths: tuple[Literal["shared", "each"], ...] = ("shared", "each")
    for likelihood in likelihoods:
        for width in widths:
            yield partial(ours, crystal, RefineParams(likelihood=likelihood, width=width))
    yield partial(curve_fits, crystal)
    if has_atomap():
        yield partial(atomap, crystal)


def measured(jobs: Iterator[Callable[[], Line]]) -> list[Line]:
    """Results of the jobs, one after the other, each in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context, max_tasks_per_child=1) as pool:
        return [pool.submit(run).result() for run in jobs]


def table(lines: list[Line]) -> Iterator[str]:
    """Markdown rows."""
    reference = next((line.milliseconds for line in lines if line.way.startswith("Atomap")), float("nan"))
    yield "| way | columns | time, s | columns/s | ms/column | rms error, px | failed | peak, MB | times as fast as Atomap |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for line in lines:
        ratio = f"{reference / line.milliseconds:,.1f}" if np.isfinite(reference) else "–"
        yield (
            f"| {line.way} | {line.columns:,} | {line.seconds:.2f} | {line.columns / line.seconds:,.0f} "
            f"| {line.milliseconds:.3f} | {line.rms_px:.4f} | {line.failed} | {line.peak_mb:,.0f} | {ratio} |"
        )


def main() -> None:
    """Print a table for each image."""
    machine = f"{platform.machine()}, {multiprocessing.cpu_count()} cores"
    print(f"{machine}, Python {platform.python_version()}, numpy {np.__version__}\n")
    for crystal in CRYSTALS:
        count = len(draw(crystal).truth)
        print(f"{count:,} columns of sigma {SIGMA_PX} px, {crystal.spacing:g} px apart, on {crystal.side} x {crystal.side} px:\n")
        print("\n".join(table(measured(ways(crystal)))) + "\n", flush=True)
    print(f"Counting noise allows {smallest_rms():.4f} px for columns that stand alone (Cramer and Rao).")
    if has_atomap():
        print(f"Atomap was timed on {ATOMAP_COLUMNS} columns, curve_fit on {CURVE_FIT_COLUMNS}: they take one after the other.")
    else:
        print("Atomap is not installed here, so its line is left out; `pip install atomap` to see it.")


if __name__ == "__main__":
    main()
