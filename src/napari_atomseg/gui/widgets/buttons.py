"""Buttons that say what they do, and keep saying it when they can be pressed again."""

from __future__ import annotations

from qtpy.QtWidgets import QPushButton


def told_button(text: str, tip: str, name: str = "") -> QPushButton:
    """A button with a tip, to which :func:`~napari_atomseg.gui.widgets.forms.enable` returns after it told why it is disabled.

    Parameters
    ----------
    text, tip : str
    name : str
        By which tests and links find it.
    """
    button = QPushButton(text)
    button.setObjectName(name)
    button.setToolTip(tip)
    button.setProperty("tip", tip)
    return button
