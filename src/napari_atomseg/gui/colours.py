"""Colours that can be read on both of napari's themes."""

LINK = "#5aa9ff"
"""Qt's own blue cannot be read on the dark theme."""


def linked(text: str) -> str:
    """Rich text with its links in that colour."""
    return text.replace("<a ", f'<a style="color: {LINK}" ')
