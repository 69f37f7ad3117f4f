"""Which maps a network is asked for: a box to tick for each that it gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QGridLayout, QWidget

from napari_atomseg.core.tasks import NORMALISED, SEGMENTS
from napari_atomseg.gui.layers.maps import PROBABILITY, title_of
from napari_atomseg.gui.settings import recall, remember
from napari_atomseg.workflows import STRUCTURES, TASKS, map_names

if TYPE_CHECKING:
    from napari_atomseg.networks.card import ModelCard

USUAL = ("columns", "denoise")
TIPS = {
    "columns": "How sure the network is that a column's centre is here, from 0 to 1.",
    "mask": "Discs on the columns, from 0 to 1.",
    "denoise": "The image as it would be without noise, in its intensities.",
    "background": "Without noise and without what varies slowly.",
    "deblur": "Without noise and background, columns made narrow.",
    NORMALISED: "The image as the network is given it: the mean and the contrast of its surroundings taken off every pixel.",
    SEGMENTS: "The segments in which one structure each was looked for, those that were rejected among them. They end where the "
    "background is as probable as Epsilon on the page Columns.",
}
OF_A_CLASS = "How probable this is at every pixel, from 0 to 1; all classes and the background add up to 1."


class MapTicks(QWidget):
    """The boxes of one network; another network's take their place.

    Attributes
    ----------
    ticks : dict of QCheckBox
        By the name of the map.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.ticks: dict[str, QCheckBox] = {}
        self._remembered = "maps"
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(2)
        self._fill(TASKS, "maps", USUAL, titles=True)

    def show_for(self, card: ModelCard | None) -> None:
        """Offer the maps of a network; None: those of networks for columns."""
        recognises = card is not None and card.task == STRUCTURES
        names = map_names(card.name) if card is not None and recognises else TASKS
        if names != tuple(self.ticks):
            self._fill(names, *(("steps", names) if recognises else ("maps", USUAL)), titles=not recognises)

    @property
    def chosen(self) -> tuple[str, ...]:
        """The maps that are ticked."""
        return tuple(name for name, tick in self.ticks.items() if tick.isChecked())

    def _fill(self, names: tuple[str, ...], remembered: str, usual: tuple[str, ...], *, titles: bool) -> None:
        for tick in self.ticks.values():
            self._grid.removeWidget(tick)
            tick.setParent(None)
            tick.deleteLater()
        self._remembered = remembered
        chosen = recall(remembered, list(usual))
        self.ticks = {}
        for name in names:
            of_a_class = not titles and name not in (NORMALISED, SEGMENTS)
            tick = QCheckBox(name if of_a_class or name == SEGMENTS else title_of(name))
            tick.setObjectName(f"map_{name}")
            tick.setToolTip(OF_A_CLASS if of_a_class else TIPS[name])
            tick.setChecked(name in chosen)
            tick.toggled.connect(self._on_ticked)
            self.ticks[name] = tick
        # The longest name stands last, in a row of its own.
        ordered = sorted(names, key=lambda name: titles and name == "background")
        for place, name in enumerate(ordered):
            alone = place == len(ordered) - 1
            self._grid.addWidget(self.ticks[name], place // 2, place % 2, 1, 2 if alone else 1)

    def _on_ticked(self, _: bool) -> None:
        remember(self._remembered, list(self.chosen))
        self.changed.emit()


def kind_of(name: str, card: ModelCard | None) -> str:
    """What a map shows: the classes of a network of structures are probabilities, whatever they are called.

    Parameters
    ----------
    name : str
        Of the map.
    card : ModelCard or None
        Of the network.
    """
    of_a_class = card is not None and card.task == STRUCTURES and name not in (NORMALISED, SEGMENTS)
    return f"{PROBABILITY} {name}" if of_a_class else name
