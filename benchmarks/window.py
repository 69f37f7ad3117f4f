"""How long the window stands still in each operation on many columns, beside napari's bare Points layer in the same run.

``python benchmarks/window.py [COLUMNS ...]`` needs a display, or ``xvfb-run -a -s "-screen 0 1400x900x24 +extension GLX
+render -noreset"``. A timer beats in the event loop; the longest pause between two beats is the stall. Both windows do the
same in processes of their own: where napari has nothing of the kind, an empty dock, a layer with a line or another image that
appears stands for it, and nothing at all for sorting and for the recovery file.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

SPACING, SIGMA, PIXEL_SIZE = 12.0, 2.2, 0.2
BEAT_MS, QUIET_S, LONGEST_S = 2, 0.5, 120.0
ROUNDS, COLOURS = 3, ("intensity", "confidence", "y_std_px")
COUNTS = (30_000, 200_000)
COMPARED = ("beside", "blink", "checkerboard", "split", "difference", "off")


@dataclass
class Beats:
    """A timer in the event loop, and the longest pause between two of its beats."""

    last: float = 0.0
    longest: float = 0.0

    def beat(self) -> None:
        """One more beat."""
        now = time.perf_counter()
        self.longest = max(self.longest, now - self.last)
        self.last = now


@contextmanager
def beating() -> Iterator[Beats]:
    """Watch the event loop."""
    from qtpy.QtCore import Qt, QTimer

    beats, timer = Beats(time.perf_counter()), QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(beats.beat)
    timer.start(BEAT_MS)
    yield beats
    timer.stop()


def spin(seconds: float, busy: Callable[[], bool] = lambda: False) -> None:
    """Let the window work for a while, and until nothing runs in it."""
    from qtpy.QtWidgets import QApplication

    begun = time.perf_counter()
    while (spent := time.perf_counter() - begun) < seconds or (busy() and spent < LONGEST_S):
        QApplication.processEvents()
        time.sleep(0.0005)


def stall(work: Callable[[], object], busy: Callable[[], bool] = lambda: False) -> float:
    """Seconds of the longest pause of the event loop while something is done and followed up."""
    from qtpy.QtCore import QTimer

    spin(0.2)
    with beating() as beats:
        QTimer.singleShot(0, work)
        spin(QUIET_S, busy)
        beats.beat()
    return beats.longest


def places_of(count: int) -> tuple[np.ndarray, int]:
    """Columns on a square lattice, (N, 2) in px, and the side of their image."""
    along = int(np.ceil(np.sqrt(count)))
    grid = np.stack(np.meshgrid(*[np.arange(along) * SPACING + 8] * 2, indexing="ij"), -1).reshape(-1, 2)[:count]
    return grid + 0.3, int(along * SPACING + 16)


def picture(places: np.ndarray, side: int) -> np.ndarray:
    """Gaussians at the places, with noise, (Y, X)."""
    profile = np.exp(-((np.arange(side)[:, None] - np.unique(places[:, 0])) ** 2) / (2 * SIGMA**2)).sum(axis=1)
    noise = np.random.default_rng(1).normal(0, 6, (side, side))
    return (40 + 150 * np.outer(profile, profile) + noise).astype(np.float32)


def columns_at(places: np.ndarray, side: int) -> Any:
    """Columns as a network and a fit leave them."""
    from napari_atomseg.core.columns import Columns

    rng = np.random.default_rng(2)
    count = len(places)
    features = {
        "y_std_px": rng.uniform(0.01, 0.03, count),
        "x_std_px": rng.uniform(0.01, 0.03, count),
        "intensity": rng.normal(150, 20, count),
        "background": 40.0,
        "sigma_px": SIGMA,
        "confidence": rng.uniform(0.1, 1.0, count),
        "fit": "ok",
        "origin": "model",
        "network_y_px": places[:, 0],
        "network_x_px": places[:, 1],
    }
    columns = Columns(positions=places, pixel_size=(PIXEL_SIZE, PIXEL_SIZE), image_shape=(side, side))
    return columns.with_features(**features)


def described(data: np.ndarray, name: str) -> Any:
    """A calibrated micrograph."""
    from napari_atomseg.core.micrograph import Micrograph

    return Micrograph(data=data, pixel_size=(PIXEL_SIZE, PIXEL_SIZE), name=name)


class Window:
    """A window with an image and its columns, and the stalls of what was done in it."""

    def __init__(self) -> None:
        self.stalls: dict[str, float] = {}

    def busy(self) -> bool:
        """True while a job runs."""
        return False

    def do(self, what: str, work: Callable[[], object], busy: Callable[[], bool] | None = None) -> None:
        """Do something, and note the stall; the shortest of all rounds, since other work on the machine only adds to it."""
        self.stalls[what] = min(self.stalls.get(what, np.inf), stall(work, busy or self.busy))


class Bare(Window):
    """A window of napari's with an image and a Points layer, and nothing of ours."""

    def __init__(self, columns: Any, data: np.ndarray) -> None:
        import napari

        super().__init__()
        self.viewer = napari.Viewer()
        self.viewer.window._qt_window.resize(1280, 800)
        self.image = self.viewer.add_image(data, name="image")
        look = {"size": 7, "face_color": "transparent", "border_width": 0.12, "border_color": "#17becf"}
        self.points = self.viewer.add_points(columns.positions, features=columns.features, **look)
        self.before = np.array(self.points.data), self.points.features.copy()
        self.data = data
        spin(5)

    def work(self) -> None:
        """Everything, in the order of :class:`Ours`."""
        confidence = self.before[1]["confidence"].to_numpy()
        for number in range(ROUNDS):
            self.do("add", lambda place=14.0 + SPACING * number: self.points.add([[place, 14.0]]))
            self.do("move", lambda shift=number: self.points._move([5], np.array([30.0 + shift, 31.0])))
            self.do("delete", self.delete)
            self.do("undo", lambda: self.put_back(slice(None)))
            self.do("redo", lambda: self.put_back(slice(1, None)))
            self.do("colour by", lambda name=COLOURS[number]: setattr(self.points, "border_color", name))
            self.do("confidence slider, first step", lambda least=0.3 + 0.1 * number: self.put_back(confidence >= least))
            self.do("confidence slider, next step", lambda least=0.31 + 0.1 * number: self.put_back(confidence >= least))
        self.do("table opened", self.dock)
        self.do("table sorted", lambda: None)
        for _ in range(ROUNDS):
            self.do("delete beside a sorted table", self.delete)
        self.do("first diffractogram", self.dock)
        self.do("draw the line", self.line)
        made = np.roll(self.data, 2, axis=0)
        other = self.viewer.add_image(made, visible=False)
        for way in ROUNDS * COMPARED:
            if way == "checkerboard":
                self.do(f"compare, {way}", lambda: self.viewer.add_image(made, name="another"))
            elif way == "off":
                self.do(f"compare, {way}", lambda: self.viewer.layers.remove("another"))
            else:
                self.do(f"compare, {way}", lambda: setattr(other, "visible", not other.visible))
        self.do("compare, line moved", lambda: setattr(other, "data", np.roll(self.data, 3, axis=0)))
        self.do("profile", lambda: (self.line(), self.dock()))
        self.do("recovery written", lambda: None)

    def delete(self) -> None:
        """Delete one point."""
        self.points.selected_data = {7}
        self.points.remove_selected()

    def put_back(self, rows: Any) -> None:
        """What an undo has to do at the least: points and features of before."""
        self.points.data = self.before[0][rows]
        self.points.features = self.before[1][rows]

    def dock(self) -> None:
        """Open an empty dock."""
        from qtpy.QtWidgets import QLabel

        self.viewer.window.add_dock_widget(QLabel("empty"), area="bottom", tabify=True, name=f"dock {len(self.stalls)}")

    def line(self) -> None:
        """Add a layer with a line, ready to draw another one."""
        self.viewer.add_shapes([[[10.0, 10.0], [200.0, 300.0]]], shape_type="line").mode = "add_line"


class Ours(Window):
    """The same image and columns in a window with the panel."""

    def __init__(self, columns: Any, data: np.ndarray) -> None:
        from napari_atomseg.gui.documents.results import show_columns
        from napari_atomseg.gui.launch import make_window
        from napari_atomseg.gui.layers.conversion import image_layer_data
        from napari_atomseg.gui.shell.loading import keep_what_is_loaded
        from napari_atomseg.gui.shell.panel import AtomSegPanel

        super().__init__()
        keep_what_is_loaded()
        self.viewer = make_window([])
        window = self.viewer.window._qt_window
        window.resize(1280, 800)
        self.panel = window.findChild(AtomSegPanel)
        self.page = self.panel.pages["Columns"]
        values, options, _ = image_layer_data(described(data, "image"))
        self.image, self.data = self.viewer.add_image(values, **options), data
        self.session, _ = show_columns(self.viewer, self.image, columns)
        self.page.finder.keep(self.session, columns)
        self.page._host.documents.watch(self.session)
        spin(5)  # what is loaded later is loaded then

    def busy(self) -> bool:
        """True while a job runs."""
        return bool(self.panel.busy)

    def work(self) -> None:
        """Everything, in the order of :class:`Bare`."""
        from napari_atomseg.gui.docks.diffractogram import DiffractogramDock
        from napari_atomseg.gui.docks.table import ColumnsTable

        layer, page, tools = self.session.layer, self.page, self.panel.menu
        for number in range(ROUNDS):
            self.do("add", lambda place=14.0 + SPACING * number: layer.add([[place, 14.0]]))
            self.do("move", lambda shift=number: layer._move([5], np.array([30.0 + shift, 31.0])))
            self.do("delete", self.delete)
            self.do("undo", self.session.undo)
            self.do("redo", self.session.redo)
            self.do("colour by", lambda name=COLOURS[number]: self.colour(name))
            self.do("confidence slider, first step", lambda least=0.3 + 0.1 * number: page.finder.least.setValue(least))
            self.do("confidence slider, next step", lambda least=0.31 + 0.1 * number: page.finder.least.setValue(least))
        self.do("table opened", page.show_table)
        self.do("table sorted", self.sort)
        for _ in range(ROUNDS):
            self.do("delete beside a sorted table", self.delete)
        self.panel.dock(ColumnsTable).parentWidget().hide()
        self.do("first diffractogram", lambda: self.panel.open_dock(DiffractogramDock), self.transforming)
        self.panel.dock(DiffractogramDock).parentWidget().hide()
        tools.calibration()
        spin(0.5)
        self.do("draw the line", tools._calibration.draw_line)
        tools._calibration.close()
        self.compare()
        layer.add([[38.0, 38.0]])
        spin(3)  # what follows an edit is over
        begun = time.perf_counter()
        self.do("recovery written", page.store.keep, lambda: time.perf_counter() - begun < 4)
        page.store.discard()

    def transforming(self) -> bool:
        """True while the diffractogram is calculated."""
        from napari_atomseg.gui.docks.diffractogram import DiffractogramDock

        return self.panel.dock(DiffractogramDock)._work is not None

    def delete(self) -> None:
        """Delete one column."""
        self.session.layer.selected_data = {7}
        self.session.layer.remove_selected()

    def colour(self, name: str) -> None:
        """Colour by a feature."""
        self.page.colour.setCurrentText(name)
        self.page.colour.apply_choice()

    def sort(self) -> None:
        """Click on a header."""
        from qtpy.QtCore import Qt

        from napari_atomseg.gui.docks.table import ColumnsTable

        self.panel.dock(ColumnsTable).view.sortByColumn(2, Qt.SortOrder.AscendingOrder)

    def compare(self) -> None:
        """Each way of seeing a comparison."""
        from napari_atomseg.gui.layers.comparison import show_comparison
        from napari_atomseg.gui.pages.compare.page import _Result
        from napari_atomseg.workflows import Comparison

        made = np.roll(self.data, 2, axis=0)
        numbers = dict.fromkeys(("rotation_deg", "offset", "one_minus_r2", "frms", "ssim"), 0.0)
        images = (described(made, "simulated"), described(self.data, "image"), described(self.data - made, "residual"))
        names = ("simulated", "experimental", "residual")
        found = Comparison(**dict(zip(names, images, strict=True)), shift=(0.0, 0.0), magnification=1.0, gain=1.0, **numbers)
        page = self.panel.pages["Compare"]
        self.panel.pages.turn_to_title("Compare")
        page._results[self.image] = _Result(found, show_comparison(self.viewer, self.image, found, 0))
        page.on_image()
        for way in ROUNDS * COMPARED:
            self.do(f"compare, {way}", lambda way=way: page.views.show_as(way))
        page.views.show_as("split")
        self.do("compare, line moved", lambda: page.views.slider.setValue(300))
        page.views.show_as("off")
        self.do("profile", page.show_profile)
        self.panel.pages.turn_to_title("Columns")


def measure(kind: str, count: int) -> dict[str, float]:
    """Stalls in one window of a process of its own, so that neither side finds what the other has loaded."""
    from qtpy.QtCore import QSettings, QStandardPaths

    QStandardPaths.setTestModeEnabled(True)
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, tempfile.mkdtemp())
    places, side = places_of(count)
    data, columns = picture(places, side), columns_at(places, side)
    window = Ours(columns, data) if kind == "ours" else Bare(columns, data)
    window.work()
    window.viewer.close()
    return window.stalls


def apart(kind: str, count: int) -> dict[str, float]:
    """The same from another process."""
    command = [sys.executable, __file__, kind, str(count)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    stalls: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return stalls


def main() -> None:
    """Print the table."""
    words = sys.argv[1:]
    if words[:1] in (["ours"], ["bare"]):
        print(json.dumps(measure(words[0], int(words[1]))))
        return
    print(
        "| columns | operation | bare napari, ms | ours, ms | ratio | ours beyond it, ms |\n|---|---|---|---|---|---|", flush=True
    )
    for count in [int(word) for word in words] or COUNTS:
        bare, ours = apart("bare", count), apart("ours", count)
        for what, seconds in ours.items():
            plain = bare[what]
            beyond = 1e3 * (seconds - plain)
            print(f"| {count:,} | {what} | {1e3 * plain:.0f} | {1e3 * seconds:.0f} | {seconds / plain:.2f} | {beyond:.0f} |")


if __name__ == "__main__":
    main()
