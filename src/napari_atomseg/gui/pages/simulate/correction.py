"""Which correction is put on a convolution: chosen, fitted to pairs, or made for the structure at hand."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QMenu, QPushButton, QSizePolicy

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, Steps
from napari_atomseg.gui.jobs.time_left import duration
from napari_atomseg.gui.jobs.workers import NOTHING_CHANGED
from napari_atomseg.gui.layers.structures import structure_of
from napari_atomseg.gui.settings import recall, remember
from napari_atomseg.gui.widgets.ask_where import ask_where
from napari_atomseg.workflows import (
    SimulationParams,
    correction_for,
    correction_names,
    corrections_that_fit,
    fit_correction,
    pairs_cost,
    write_correction,
)

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host
    from napari_atomseg.gui.pages.simulate.subject import Subject


EXPLAINED = (
    "A correction is a polynomial that brings the convolution near the multislice image. It is fitted to pairs of both, "
    "and holds for their elements, thickness and lens."
)


class CorrectionButton(QPushButton):
    """Shows the correction in use; its menu finds another.

    Parameters
    ----------
    host : Host
        The panel.
    subject : Subject
        Whose structure and parameters a correction is made for.
    """

    chosen_anew = Signal()

    def __init__(self, host: Host, subject: Subject) -> None:
        super().__init__()
        self._host, self._subject = host, subject
        self.setObjectName("correction")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMenu(self._menu())
        self._show()

    @property
    def chosen(self) -> str | None:
        """File or name of the correction in use; None for the one that fits the image."""
        told = str(recall("correction", ""))
        return told if told and (Path(told).is_file() or told in correction_names()) else None

    @property
    def extrapolate(self) -> bool:
        """Whether it is applied to images that it was not fitted to, too."""
        return self._extrapolate.isChecked()

    def _menu(self) -> QMenu:
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        automatic = menu.addAction("The one that fits")
        automatic.setToolTip("Of those that come with the program and your own.")
        automatic.triggered.connect(lambda _=False: self.choose(""))
        self._named = menu.addMenu("One that fits, by name")
        self._named.aboutToShow.connect(self._list_fitting)
        for text, action, tip in (
            ("Choose a file …", self.choose, "A correction that was fitted before (JSON)."),
            ("Fit to a folder of pairs …", self.fit, "Pairs of convolution and multislice images (.npz or .tif)."),
            (
                "Make pairs of this structure and fit …",
                self.make,
                "Six multislice images of it, of many thicknesses or directions, in the background; then the fit.",
            ),
        ):
            entry = menu.addAction(text)
            entry.setToolTip(tip)
            entry.triggered.connect(lambda _=False, chosen=action: chosen())
        self._extrapolate = menu.addAction("Apply beyond its fit")
        self._extrapolate.setCheckable(True)
        self._extrapolate.setToolTip("Correct images with other elements, intensities or optics than those of the fit, too.")
        self._extrapolate.toggled.connect(lambda _: self.chosen_anew.emit())
        return menu

    def _list_fitting(self) -> None:
        """The corrections at hand that hold for the image that the page asks for."""
        self._named.clear()
        for name in self._fitting():
            self._named.addAction(name).triggered.connect(lambda _=False, chosen=name: self.choose(chosen))
        if self._named.isEmpty():
            self._named.addAction("None fits").setEnabled(False)

    def _fitting(self) -> list[str]:
        layer = self._subject.layer
        try:
            return [] if layer is None else corrections_that_fit(structure_of(layer), self._subject.params())
        except AtomsegError:
            return []

    def explanation(self) -> str:
        """What a correction is, and how to get one; rich text with links for :meth:`follow_link`."""
        ways = (
            '<a href="choose">choose a file</a>, <a href="fit">fit one to a folder of pairs</a>, or <a href="make">make pairs</a>'
        )
        used = self.chosen or next(iter(self._fitting()), "")
        if used:
            return f"{EXPLAINED} In use: {escape(Path(used).name)}; or {ways}."
        return f"{EXPLAINED} None at hand fits: {ways} of this structure."

    def follow_link(self, link: str) -> None:
        """Do what a link of the explanation says."""
        ways: dict[str, Callable[[], Any]] = {"choose": self.choose, "fit": self.fit, "make": self.make}
        ways[link]()

    def choose(self, path: str | None = None) -> None:
        """Choose a correction by its file or its name; an empty text is the one that fits, None asks for a file."""
        if path is None:
            path, _ = QFileDialog.getOpenFileName(self, "Correction", str(recall("folder", "")), "Corrections (*.json)")
            if not path:
                return
        remember("correction", path)
        self._show()
        self.chosen_anew.emit()

    def _show(self) -> None:
        chosen = self.chosen
        self.setText("The one that fits" if chosen is None else Path(chosen).name)
        self.setToolTip(chosen or "Of those at hand, the one that was fitted to such images.")

    def fit(self, folder: str | None = None, path: str | None = None) -> None:
        """Fit a correction to a folder of pairs."""
        folder = folder or QFileDialog.getExistingDirectory(self, "Folder of pairs", str(recall("folder", "")))
        path = (path or self._where_to_save()) if folder else None
        if folder and path:
            target = Path(path)
            self._host.start(fit_correction.steps(folder), lambda found: self._fitted(found, target), "Fitting a correction")

    def make(self, path: str | None = None) -> None:
        """Say what pairs of the structure would cost, and make them and fit a correction to them if that is wanted."""
        layer = self._subject.layer
        path = (path or self._where_to_save()) if layer is not None else None
        if layer is None or not path:
            return
        try:
            atoms, params = structure_of(layer), self._subject.params()
        except AtomsegError as error:
            self._host.show_error(error)
            return
        target = Path(path)
        self._host.start(_cost(atoms, params), lambda cost: self._ask(atoms, params, target, cost), "Estimating the cost")

    def _ask(self, atoms: Any, params: SimulationParams, target: Path, cost: Any) -> None:
        memory = f"{cost.memory_bytes / 1e9:.2g} GB"
        self._host.say("")
        self._host.ask(
            f"Six multislice images take about {duration(cost.seconds)} and {memory} on this computer. Each is kept in "
            f"{pairs_folder(target).name}.",
            ("make_pairs", "Start", "Simulate the pairs in the background, then fit the correction."),
            ("make_none", "Not now", "Simulate nothing; a smaller field or larger pixels take less time."),
            {"make_pairs": lambda: self._make(atoms, params, target)},
        )

    def _make(self, atoms: Any, params: SimulationParams, target: Path) -> None:
        folder = pairs_folder(target)
        self._host.start(
            correction_for.steps(atoms, params, keep=folder),
            lambda found: self._fitted(found, target),
            "Making pairs for a correction",
            left=lambda: _kept(folder) or NOTHING_CHANGED,
        )

    def _where_to_save(self) -> str:
        start = str(Path(str(recall("folder", ""))) / "correction.json")
        return ask_where(self, "Save the correction", start, "Corrections (*.json)")

    def _fitted(self, found: Any, path: Path) -> None:
        try:
            write_correction(found, path)
        except AtomsegError as error:
            self._host.show_error(error)
            return
        self.choose(str(path))
        told = found.cross_validation
        self._host.say(f"{escape(path.name)}: 1 - R² = {told.one_minus_r2:.3g}, cross-validated.")


def pairs_folder(target: Path) -> Path:
    """Where the pairs of a correction are kept."""
    return target.with_name(f"{target.stem}_pairs")


def _kept(folder: Path) -> str:
    """What was made so far, and what can be done with it; empty if that is nothing."""
    count = len(list(folder.glob("*.npz"))) if folder.is_dir() else 0
    if not count:
        return ""
    pairs = "1 pair is" if count == 1 else f"{count} pairs are"
    return f"{pairs} kept in {escape(str(folder))}: Fit to a folder of pairs uses them."


def _cost(atoms: Any, params: SimulationParams) -> Steps[Any]:
    yield Progress(0, 0, "estimating the cost")
    return pairs_cost(atoms, params)
