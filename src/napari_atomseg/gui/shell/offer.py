"""A framed question above the pages that stays until it is answered: what the foot says is soon replaced by the next sentence."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_atomseg.gui.widgets.link_label import AMBER


class Offer(QFrame):
    """One sentence and two buttons; hidden while there is nothing to offer."""

    answered = Signal(str)
    """Name of the button that was pressed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("offer")
        self.setStyleSheet(f"QFrame#offer {{ border: 2px solid {AMBER}; border-radius: 4px; }}")
        self.sentence = QLabel()
        self.sentence.setWordWrap(True)
        self.sentence.setTextFormat(Qt.TextFormat.PlainText)
        self.accept, self.refuse = QPushButton(), QPushButton()
        for button in (self.accept, self.refuse):
            button.setToolTip("Answers the question above.")
            button.clicked.connect(lambda _=False, pressed=button: self._answer(pressed))
        row = QHBoxLayout()
        row.addWidget(self.accept)
        row.addWidget(self.refuse)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.addWidget(self.sentence)
        layout.addLayout(row)
        self.hide()

    def ask(self, sentence: str, accept: tuple[str, str, str], refuse: tuple[str, str, str]) -> None:
        """Show a question; each button is given by its name, its text and its tooltip.

        Parameters
        ----------
        sentence : str
            The question, rich text.
        accept, refuse : tuple of str
            Name, text and tooltip of each answer.
        """
        self.sentence.setText(sentence)
        for button, (name, text, tip) in ((self.accept, accept), (self.refuse, refuse)):
            button.setObjectName(name)
            button.setText(text)
            button.setToolTip(tip)
        self.show()

    def withdraw(self, name: str) -> None:
        """Offer nothing any more, if what is offered is the button of that name."""
        if self.accept.objectName() == name:
            self.hide()

    def _answer(self, button: QPushButton) -> None:
        self.hide()
        self.answered.emit(button.objectName())
