"""What an aligned series says, in a sentence or two of rich text."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

MOST_NAMED = 8
"""Frames that were left out are named up to this number."""


def said_of(numbers: Mapping[str, Any], frames: int) -> str:
    """Noise against the ideal, frames that were left out, and in bold what the data cannot tell.

    Parameters
    ----------
    numbers : mapping
        Of an aligned series.
    frames : int
        Of the series.
    """
    dropped = numbers["dropped_frames"]
    used = frames - len(dropped)
    sentences = [f"Average of {used} of {frames} frames: {_noise(numbers['noise'], used)}"]
    if dropped:
        named = ", ".join(map(str, dropped[:MOST_NAMED])) + (" …" if len(dropped) > MOST_NAMED else "")
        sentences.append(f"Left out, because they show something else or nothing: {named} (from 0).")
    if numbers["verdict"]:
        verdict = str(numbers["verdict"])
        sentences.append(f"<b>{escape(verdict[:1].upper() + verdict[1:])}.</b>")
    return " ".join(sentences)


def said_of_scans(numbers: Mapping[str, Any], scans: int) -> str:
    """The same of scans in several directions."""
    sentences = [f"Average of {scans} scans without drift: {_noise(numbers['noise'], scans)}"]
    sentences.append(f"They agree with a correlation of {numbers['correlation']:.2f}.")
    if numbers["verdict"]:
        verdict = str(numbers["verdict"])
        sentences.append(f"<b>{escape(verdict[:1].upper() + verdict[1:])}.</b>")
    return " ".join(sentences)


def _noise(noise: Mapping[str, float | None], used: int) -> str:
    average, ideal = noise["average"], noise["ideal_average"]
    if average is None or not ideal:
        return "its noise is not known."
    return f"noise {average:.3g}, where one frame / √{used} is {ideal:.3g}."
