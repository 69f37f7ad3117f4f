"""What a run has reached so far, as a table and a picture."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

PANELS = (
    ("training_loss", "loss"),
    ("f1", "recall", "precision", "defect recall", "defect precision"),
    ("rms_pm",),
    ("psnr_denoise", "psnr_background", "psnr_deblur", "psnr", "psnr gain"),
)
"""Numbers that are drawn together, as far as a run has them."""


def report(history: Sequence[Mapping[str, float]], folder: Path) -> None:
    """Write ``history.csv``, and ``history.png`` where matplotlib is there.

    Parameters
    ----------
    history : sequence of mapping
        One entry for each look at the validation scenes.
    folder : Path
    """
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / "history.csv.part"
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(history[-1]), extrasaction="ignore", restval="")
        writer.writeheader()
        writer.writerows({name: f"{value:.6g}" for name, value in entry.items()} for entry in history)
    os.replace(partial, folder / "history.csv")
    try:
        from matplotlib.figure import Figure
    except ImportError:  # a machine for training only
        return
    figure = Figure(figsize=(11, 6), layout="constrained")
    panels = [known for names in PANELS if (known := [name for name in names if name in history[-1]])]
    for axes, names in zip(figure.subplots(2, 2).ravel(), panels, strict=False):
        for name in names:
            axes.plot([entry["step"] for entry in history], [entry[name] for entry in history], label=name)
        axes.set_xlabel("updates")
        axes.legend()
    picture = folder / "history.part.png"
    figure.savefig(picture, dpi=80)
    os.replace(picture, folder / "history.png")
