"""``demo``: the main job on a sample whose true columns are known, without a window."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_atomseg.cli.console import Console, run_for_each
from napari_atomseg.cli.options import Force
from napari_atomseg.cli.output_paths import files_of, refuse_existing, write
from napari_atomseg.core.jobs import run

if TYPE_CHECKING:
    import numpy as np

    from napari_atomseg.core.columns import Columns

SAMPLE = "perovskite"
MARGIN, REACH = 1.0, 0.6
"""Border that is left out of the comparison, and farthest distance of a match, in Angstrom."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Columns found against the true ones.

    Attributes
    ----------
    true, found, missed, false : int
        Columns farther from the border than :data:`MARGIN`.
    rms_pm : float
        Root mean square distance of the matched ones, along y and x together.
    """

    true: int
    found: int
    missed: int
    false: int
    rms_pm: float


def demo(
    out: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for the results.")] = Path("demo"),
    *,
    force: Force = False,
    console: Console,
) -> None:
    """Find the columns of a simulated SrTiO3 image: columns.csv, columns.json, overlay.png and a summary."""
    table, overlay = out / "columns.csv", out / "overlay.png"

    def work(folder: Path) -> None:
        from napari_atomseg.core.quantities import format_pixel_size
        from napari_atomseg.workflows import SAMPLES, draw_sample, locate
        from napari_atomseg.writers.overlay import write_overlay

        refuse_existing([*files_of(table), overlay], force)
        image, truth = draw_sample(SAMPLE)
        found = run(locate.steps(image), console.reporter(folder))
        write(found, table)
        write_overlay(image, found, overlay)
        size = " x ".join(map(str, image.shape))
        console.say(f"Image    {SAMPLES[SAMPLE]}, simulated; {size} px, {format_pixel_size(image.pixel_size)}")
        counts = ", ".join(f"{count} {fit}" for fit, count in found.features["fit"].value_counts().items())
        console.say(f"Columns  {len(found)} (fits: {counts})")
        console.say(f"Truth    {agreement_text(compare(found, truth))}")
        console.say(f"Written  {', '.join(str(path) for path in (*files_of(table), overlay))}")

    run_for_each(console, [out], work)


def compare(found: Columns, truth: Columns) -> Agreement:
    """Match columns to the true ones, mutual nearest neighbours within :data:`REACH`; both have a pixel size and a shape."""
    import numpy as np
    from scipy.spatial import cKDTree

    here, there = found.positions_angstrom, truth.positions_angstrom
    shape = np.array(truth.image_shape or (0, 0))[-2:]
    extent = (shape - 1) * np.asarray(truth.pixel_size)
    if len(here) == 0:
        true = int(_inside(there, extent).sum())
        return Agreement(true=true, found=0, missed=true, false=0, rms_pm=float("nan"))
    distance, nearest = cKDTree(there).query(here)
    _, back = cKDTree(here).query(there)
    matched = (distance < REACH) & (back[nearest] == np.arange(len(here)))
    wanted = _inside(there, extent)
    hit = matched & wanted[nearest]
    return Agreement(
        true=int(wanted.sum()),
        found=int(hit.sum()),
        missed=int(wanted.sum() - hit.sum()),
        false=int((~matched & _inside(here, extent)).sum()),
        rms_pm=float(100 * np.sqrt(np.mean(distance[hit] ** 2))) if hit.any() else float("nan"),
    )


def agreement_text(agreement: Agreement) -> str:
    """The comparison in one sentence."""
    return (
        f"{agreement.found} of {agreement.true} columns found, {agreement.missed} missed, {agreement.false} false; "
        f"rms distance {agreement.rms_pm:.1f} pm, the image's scan jitter included; "
        f"columns within {MARGIN:g} Å of the border not counted"
    )


def _inside(positions: np.ndarray, extent: np.ndarray) -> np.ndarray:
    import numpy as np

    return np.asarray(np.all((positions > MARGIN) & (positions < extent - MARGIN), axis=1))
