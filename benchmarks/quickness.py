"""How long what a user waits for takes, each beside a plain way to the same end or a familiar unit, in one run, as a table.

``python benchmarks/quickness.py`` needs nothing but the plugin; the argument ``window`` adds what happens in the window, where
there is a display (or ``xvfb-run``). Times depend on the machine; the last column, a ratio of two times of the same run, hardly.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from ase import Atoms
from scipy.spatial import cKDTree

from napari_atomseg.analysis.diffractogram import lattice_spacing
from napari_atomseg.analysis.lattice.lattice import fit_lattice
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.jobs import run
from napari_atomseg.imaging.detectors import DetectorParams
from napari_atomseg.imaging.linear_adf import batch_columns, render_gaussians, render_probes
from napari_atomseg.imaging.multislice.cost import cost
from napari_atomseg.imaging.multislice.params import MultisliceParams
from napari_atomseg.imaging.multislice.scan_image import multislice_image
from napari_atomseg.localise.refinement.model_image import model_image
from napari_atomseg.optics.probe import ProbeParams
from napari_atomseg.synthesis.samples import SAMPLES, draw_sample

SIDE, BATCH, COLUMNS = 256, 32, 150


def quickest(work: Callable[[], object], repeats: int = 3) -> float:
    """Seconds of the fastest of several runs: what other work on the machine adds is left out."""
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return min(times)


def row(what: str, seconds: float, beside: str, other: float) -> None:
    """Print one line of the table."""
    print(f"| {what} | {1e3 * seconds:.1f} | {beside} | {1e3 * other:.1f} | {seconds / other:.3g} |", flush=True)


def lattice_columns(side: int) -> Columns:
    """Columns 15.6 px apart with the features that a fit would have given them."""
    along = np.arange(8, side - 8, 15.6)
    places = np.stack(np.meshgrid(along, along, indexing="ij"), -1).reshape(-1, 2)
    features = {"intensity": 100.0, "sigma_px": 2.7, "sigma_minor_px": 2.5, "theta_rad": 0.3, "background": 30.0, "fit": "ok"}
    return Columns(positions=places).with_features(**features)


def one_by_one(columns: Columns, side: int) -> np.ndarray:
    """The image of round columns with a loop over them."""
    image = np.zeros((side, side))
    for y, x in columns.positions:
        top, left = max(0, round(y) - 12), max(0, round(x) - 12)
        rows, across = np.arange(top, min(side, top + 25)), np.arange(left, min(side, left + 25))
        bump = np.exp(-((rows[:, None] - y) ** 2 + (across - x) ** 2) / (2 * 2.6**2))
        image[rows[0] : rows[-1] + 1, across[0] : across[-1] + 1] += 100 * bump
    return image


def draw() -> None:
    """Images of columns, beside loops over them."""
    generator = torch.Generator().manual_seed(0)
    columns = batch_columns(torch.rand(BATCH, COLUMNS, 2, generator=generator) * SIDE, torch.ones(BATCH, COLUMNS), [0.7] * BATCH)
    few = Columns(positions=columns.positions.numpy())
    naive = quickest(lambda: one_by_one(few, SIDE))
    what = f"{BATCH} images of {COLUMNS} columns"
    row(f"{what}, Gaussians", quickest(lambda: render_gaussians(columns, (SIDE, SIDE))), "loop over columns", naive)
    probes = [ProbeParams(defocus=n) for n in range(BATCH)]
    row(f"{what}, aberrated probes", quickest(lambda: render_probes(columns, probes, (SIDE, SIDE), 0.08)), "the same loop", naive)
    many = lattice_columns(2048)
    row(
        f"model of {len(many.positions):,} columns",
        quickest(lambda: model_image(many, (2048, 2048))),
        "loop over columns",
        quickest(lambda: one_by_one(many, 2048), 1),
    )


def analyse() -> None:
    """Lattices and spectra, beside the one step that nobody can do without."""
    many = lattice_columns(2048)
    neighbours = quickest(lambda: cKDTree(many.positions).query(many.positions, 9))
    row(f"lattice of {len(many.positions):,} columns", quickest(lambda: fit_lattice(many)), "search for neighbours", neighbours)
    noise = np.random.default_rng(6).normal(size=(1024, 1024)) + np.cos(0.6 * np.arange(1024))
    transform = quickest(lambda: np.fft.fft2(noise))
    row("spacing of 1024 x 1024 px", quickest(lambda: lattice_spacing(noise)), "numpy's transform", transform)
    for name in SAMPLES:
        row(f"sample {name}", quickest(lambda name=name: draw_sample(name)), "the same transform", transform)


def start() -> None:
    """What the command line and a script wait for, beside Python itself."""

    def python(code: str) -> float:
        return quickest(lambda: subprocess.run([sys.executable, "-c", code], check=True, capture_output=True))

    bare = python("pass")
    row("import napari_atomseg", python("import napari_atomseg"), "Python alone", bare)
    row("import napari_atomseg.workflows", python("import napari_atomseg.workflows"), "Python alone", bare)
    code = "from napari_atomseg.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass"
    row("napari-atomseg --help", python(code), "Python alone", bare)


def foretell() -> None:
    """The cost of multislice as it is told before, beside what it takes."""
    probe, ring = ProbeParams(energy=200e3, semiangle=21), DetectorParams(inner_angle=50, outer_angle=150)
    specimen = Atoms("Au", positions=[(0, 0, 0.5)], cell=(2.5, 2.5, 2), pbc=False).repeat((3, 2, 2))
    run(multislice_image(specimen, probe, ring, MultisliceParams(configurations=0, scan_step=3.0), 0.5))
    for change in ({"tile": 3.0}, {"scheme": "prism", "interpolation": 3}):
        asked = MultisliceParams(configurations=0, scan_step=1.0, **change)  # type: ignore[arg-type]  # two of its fields
        spent = run(multislice_image(specimen, probe, ring, asked, 0.5)).seconds
        row(f"foretold time of {asked.scheme}", cost(specimen, probe, ring, asked, 0.5).seconds, "time that it took", spent)


def window() -> None:
    """The table of ten thousand columns in the window, beside opening the panel."""
    import napari
    from qtpy.QtWidgets import QApplication

    from napari_atomseg.gui.documents.results import show_columns
    from napari_atomseg.gui.shell.panel import AtomSegPanel

    viewer = napari.Viewer(show=False)
    begun = time.perf_counter()
    panel = AtomSegPanel(viewer)
    viewer.window.add_dock_widget(panel)
    QApplication.processEvents()
    opened = time.perf_counter() - begun
    row("opening the panel", opened, "itself", opened)
    image = viewer.add_image(np.zeros((1600, 1600), dtype=np.float32), name="black")
    page = panel.pages["Columns"]
    page.show_table()
    session, _ = show_columns(viewer, image, lattice_columns(1600))
    count = len(session.columns.positions)

    def look_anew() -> None:
        page._host.documents.watch(None)
        page._host.documents.watch(session)
        QApplication.processEvents()

    def select_all() -> None:
        session.layer.selected_data = set()
        session.layer.selected_data = set(range(count))
        QApplication.processEvents()

    row(f"table of {count:,} columns", quickest(look_anew), "opening the panel", opened)
    row(f"selection of {count:,} columns", quickest(select_all), "opening the panel", opened)
    viewer.close()


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    print("| what | ms | beside | ms | ratio |\n|---|---|---|---|---|")
    for part in (draw, analyse, start, foretell):
        part()
    if "window" in sys.argv[1:]:
        window()


if __name__ == "__main__":
    main()
