"""Synthetic images from recipes."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.jobs import Progress, job
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.synthesis.params import SynthesisParams

if TYPE_CHECKING:
    from napari_atomseg.synthesis.record import Record
    from napari_atomseg.synthesis.render import Batch

LABELS = ("circular_mask", "small_mask", "gaussian", "noise_free", "background_free", "deblurred")
"""Labels of synthetic images; ``upsampled_`` before a name asks for twice as many pixels."""


def synthesis_presets() -> list[str]:
    """Names of the recipes that come with the plugin."""
    from napari_atomseg.synthesis.recipe import presets

    return presets()


def image_of(batch: Batch, row: int, name: str) -> Micrograph:
    """One image of a batch, or one of its labels; see :func:`napari_atomseg.synthesis.series.image_of`.

    Parameters
    ----------
    batch : Batch
    row : int
        Which of its images.
    name : str
        ``image``, or the name of a label.
    """
    from napari_atomseg.synthesis.series import image_of as take

    return take(batch, row, name)


def true_columns(batch: Batch, row: int) -> Columns:
    """True columns of one image of a batch; see :func:`napari_atomseg.synthesis.series.true_columns`.

    Parameters
    ----------
    batch : Batch
    row : int
        Which of its images.
    """
    from napari_atomseg.synthesis.series import true_columns as take

    return take(batch, row)


@job
def synthesise(
    recipe: str | Path, *, number: int = 1, seed: int = 0, size: int | None = None, labels: tuple[str, ...] = LABELS
) -> Generator[Progress, None, list[Batch]]:
    """Synthetic images with labels and true columns; see :mod:`napari_atomseg.synthesis.render`.

    Parameters
    ----------
    recipe : str or Path
        A preset, a YAML file, or a file of records (.jsonl), which are made again.
    number : int
        How many; all of them for records.
    seed : int
    size : int, optional
        Side in px, instead of the recipe's.
    labels : tuple of str

    Raises
    ------
    AtomsegError
        If the recipe cannot be understood or made.
    """
    from napari_atomseg.synthesis.series import batches, records_from

    records = records_from(recipe, number, seed, size)
    found: list[Batch] = []
    yield Progress(0, len(records), "drawing")
    for batch in batches(records, labels):
        found.append(batch)
        yield Progress(sum(len(one.records) for one in found), len(records), "drawing")
    return found


@job
def synthesise_into(
    recipe: str | Path,
    folder: Path,
    params: SynthesisParams | None = None,
    *,
    labels: tuple[str, ...] = LABELS,
    workers: int = 0,
) -> Generator[Progress, None, int]:
    """Like :func:`synthesise`, but written batch by batch into a folder; gives the number of images.

    Parameters
    ----------
    recipe : str or Path
        A preset or a YAML file.
    folder : Path
        Made if it is not there.
    params : SynthesisParams, optional
        How many, and which; records are made again as they are.
    labels : tuple of str
        Which labels are written beside each image.
    workers : int
        Processes that draw and write, of one thread each; 0 does it here.
    """
    from napari_atomseg.synthesis.series import groups_of, records_from
    from napari_atomseg.training.drawing import drawn
    from napari_atomseg.writers.atomic import make_folder, replacing

    params = params or SynthesisParams()
    records = records_from(recipe, params.number, params.seed, params.size)
    groups = groups_of(records)
    make_folder(folder)
    done = 0
    yield Progress(0, len(records), "drawing")
    written = drawn(_Written(tuple(groups), folder, labels), 0, workers)
    try:
        for _ in groups:
            done += next(written)
            yield Progress(done, len(records), "drawing")
    finally:
        written.close()
    # Last: a folder with records is a complete one.
    with replacing(folder / "records.jsonl") as unfinished:
        unfinished.write_text("".join(record.to_json() + "\n" for record in records), encoding="utf-8")
    return done


@dataclass(frozen=True)
class _Written:
    """The images of one group of records, written into a folder; gives their number."""

    groups: tuple[tuple[int, list[Record]], ...]
    folder: Path
    labels: tuple[str, ...]

    def __call__(self, number: int) -> int:
        from napari_atomseg.synthesis.series import image_of, rendered, true_columns
        from napari_atomseg.writers.columns_csv import write_columns
        from napari_atomseg.writers.micrograph_tiff import write_tiff

        if number >= len(self.groups):
            return 0
        first, records = self.groups[number]
        batch = rendered(records, self.labels)
        for row in range(len(records)):
            stem = f"{first + row:06d}"
            write_tiff(image_of(batch, row, "image"), self.folder / f"{stem}_image.tif", durable=False)
            for name in self.labels:
                write_tiff(image_of(batch, row, name), self.folder / f"{stem}_{name}.tif", durable=False)
            write_columns(true_columns(batch, row), self.folder / f"{stem}_columns.csv", durable=False)
        return len(records)
