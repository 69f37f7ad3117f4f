"""What networks are asked and told, the same on every page: the models at hand, the pixel size, the device."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtWidgets import QComboBox, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_atomseg.core.quantities import format_pixel_size
from napari_atomseg.gui.layers.conversion import to_micrograph
from napari_atomseg.gui.settings import recall_params, remember_params
from napari_atomseg.gui.widgets.elided import ElidedComboBox
from napari_atomseg.gui.widgets.forms import Form
from napari_atomseg.gui.widgets.link_label import AMBER
from napari_atomseg.workflows import RESTORATION, NetworkParams, known_pixel_size, model_cards, why_unfit

if TYPE_CHECKING:
    from napari_atomseg.networks.card import ModelCard

BEST_FOR_IMAGE = "auto (best for the image)"
"""The entry that leaves the choice to the image."""
NO_NETWORK = (
    "No network is installed. A network finds columns in noise and makes maps of an image. "
    '<a href="train">Train one</a> for your crystal, or <a href="import">import</a> a model folder '
    "(card.yaml and weights.safetensors). The classical finder needs none."
)


class NetworkSettings(QObject):
    """The models at hand and the parameters of the next question; remembered between starts."""

    changed = Signal()
    models_changed = Signal()
    announced = Signal(str)
    """A new model is at hand: its name."""
    preferred = Signal(str)
    """A model is to be chosen wherever one can be chosen."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.params: NetworkParams = recall_params(NetworkParams)
        self.cards: Mapping[str, ModelCard] = model_cards()

    def change(self, **values: Any) -> None:
        """Change some of the parameters.

        Raises
        ------
        AtomsegError
            If one of them makes no sense.
        """
        params = replace(self.params, **values)
        if params != self.params:
            self.params = params
            remember_params(params)
            self.changed.emit()

    def refresh(self) -> None:
        """Look again which models are at hand."""
        self.cards = model_cards()
        self.models_changed.emit()

    def announce(self, name: str) -> None:
        """A new model is at hand."""
        self.refresh()
        self.announced.emit(name)


class ModelBox(ElidedComboBox):
    """A list of models, each with its card as tooltip; what stands above them is told at the start.

    Parameters
    ----------
    networks : NetworkSettings
    others : dict of str
        Texts of further entries by their data, shown first; where images are restored they need a model, too.
    restoring : bool
        Offer the models that give images without noise, those that were taught to restore first, instead of all others.
    """

    def __init__(self, networks: NetworkSettings, others: Mapping[str, str] | None = None, restoring: bool = False) -> None:
        super().__init__()
        self._networks, self._others, self._restoring = networks, dict(others or {}), restoring
        self._offered: Callable[[ModelCard], bool] = lambda card: card.restores if restoring else card.task != RESTORATION
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(12)
        self.view().setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setPlaceholderText("no network")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.fill()
        self.currentIndexChanged.connect(self._describe)
        networks.models_changed.connect(self.fill)

    @property
    def chosen(self) -> str:
        """Name of the chosen entry; empty if there is none."""
        return str(self.currentData() or "")

    @property
    def card(self) -> ModelCard | None:
        """Card of the chosen model; None for other entries."""
        return self._networks.cards.get(self.chosen)

    def choose(self, name: str) -> None:
        """Choose an entry by its name, if it is there."""
        row = self.findData(name)
        if row >= 0:
            self.setCurrentIndex(row)

    def offer(self, names: Collection[str]) -> None:
        """Show only some of the models; the chosen one stays chosen where it is one of them."""
        self._offered = lambda card: card.name in names
        self.fill()

    @property
    def offered(self) -> list[str]:
        """Names of the models that can be chosen."""
        return [name for name, card in self._networks.cards.items() if self._offered(card)]

    def fill(self) -> None:
        """Show the models at hand; the chosen one stays chosen."""
        before = self.chosen
        blocked = self.blockSignals(True)
        self.clear()
        if not self._restoring or self.offered:
            for name, text in self._others.items():
                self.addItem(text, name)
        for name, card in sorted(self._networks.cards.items(), key=lambda one: self._restoring and one[1].task != RESTORATION):
            if not self._offered(card):
                continue
            self.addItem(name, name)
            self.setItemData(self.count() - 1, card_summary(card), Qt.ItemDataRole.ToolTipRole)
        self.setCurrentIndex(max(0, self.findData(before)) if self.count() else -1)
        self.setEnabled(self.count() > 0)
        self.blockSignals(blocked)
        self._describe()
        if self.chosen != before:
            self.currentIndexChanged.emit(self.currentIndex())

    def _describe(self, _: int = 0) -> None:
        card = self.card
        self.setToolTip(card_summary(card) if card is not None else "Network to use; its card describes what it was trained on.")


class PixelSizeBox(QWidget):
    """The pixel size that a network is told, where it comes from, and a way to override it.

    Parameters
    ----------
    networks : NetworkSettings
    """

    def __init__(self, networks: NetworkSettings) -> None:
        super().__init__()
        self._networks = networks
        self.form = Form(NetworkParams, ("pixel_size",))
        self.says = QLabel()
        self.says.setObjectName("told")
        self.says.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.form)
        layout.addWidget(self.says)
        self.form.set_value(networks.params)
        self.form.value_changed.connect(lambda: networks.change(pixel_size=self.form.value().pixel_size))
        networks.changed.connect(lambda: self.form.set_value(networks.params))

    def show_for(self, image: Image | None, card: ModelCard | None) -> None:
        """Say what is told of an image, and whether the model can do with it."""
        text, bad = pixel_size_sentence(image, card, self._networks.params)
        self.says.setText(text)
        self.says.setVisible(bool(text))
        self.says.setStyleSheet(f"color: {AMBER};" if bad else "")


def pixel_size_sentence(image: Image | None, card: ModelCard | None, params: NetworkParams) -> tuple[str, bool]:
    """The pixel size that a network takes an image to have, in words, and whether that will not do.

    Parameters
    ----------
    image : Image or None
    card : ModelCard or None
        Of the network.
    params : NetworkParams

    Returns
    -------
    sentence : str
        Empty without an image or a network.
    unfit : bool
        True if the network knows no such pixels.
    """
    if image is None or card is None:
        return "", False
    micrograph = to_micrograph(image)
    size = known_pixel_size(micrograph, params)
    if size is None:
        return "The image has no pixel size: it is estimated from its columns, unless you set it here.", False
    problem = why_unfit(card, size)
    if problem:
        return problem, True
    source = "set by hand here" if params.pixel_size is not None else f"from {micrograph.pixel_size_source or 'the layer'}"
    low, high = card.sampling_range
    return (
        f"Pixel size for the network: {format_pixel_size(size)}, {source}. Its range is {_size(low)} to {_size(high)}.",
        False,
    )


SCORES_SHOWN = 5
"""Scores in a tooltip; the card shows all."""


def card_summary(card: ModelCard) -> str:
    """A card in a few lines of plain text: the first of its F1 scores are shown, or what else says how much it finds."""
    low, high = card.sampling_range
    lines = [
        card.about or "No description.",
        f"works at {_size(card.native_sampling)}, for images of {_size(low)} to {_size(high)}",
    ]
    shown = {name: value for name, value in card.scores.items() if "f1" in name.lower()}
    shown = shown or {name: value for name, value in card.scores.items() if name.endswith(("recall", "precision", "gain"))}
    lines += [f"{name} {value:.3g}" for name, value in list(shown.items())[:SCORES_SHOWN]]
    return "\n".join(lines)


def _size(sampling: float) -> str:
    return format_pixel_size((sampling, sampling))


def card_text(card: ModelCard) -> str:
    """A whole card as rich text."""
    low, high = card.sampling_range
    facts = {
        "Works at": _size(card.native_sampling),
        "Images of": f"{_size(low)} to {_size(high)}, {card.modality}",
        "Network": f"{card.architecture}, {listed(card.network)}",
        "Classifier of candidates": f"trained on {card.judge.get('images', 'some')} images"
        if card.judge
        else "none: the map's own word",
        "Recipe": card.recipe or "–",
        "Scores": listed({name: f"{value:.4g}" for name, value in card.scores.items()}) or "none",
        "Training": listed(card.training) or "–",
        "Licence": card.licence or "–",
    }
    rows = "".join(
        f"<p style='margin: 3px 0'><b>{escape(name)}</b>&nbsp; {escape(str(value))}</p>" for name, value in facts.items()
    )
    return f"<p>{escape(card.about or 'No description.')}</p>{rows}"


def listed(values: Mapping[str, Any]) -> str:
    """Names and values in words."""
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items())
