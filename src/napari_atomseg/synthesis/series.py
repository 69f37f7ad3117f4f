"""Many synthetic images from one recipe, in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from napari_atomseg.core.columns import ATOM_COUNT, Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.synthesis.post_processing import pixel_size_after
from napari_atomseg.synthesis.recipe import Recipe, draw_record, read_recipe
from napari_atomseg.synthesis.record import Record
from napari_atomseg.synthesis.render import LABELS, Batch, render
from napari_atomseg.synthesis.render_hrtem import foci_of

BATCH = 16


def records_of(recipe: Recipe, count: int, seed: int = 0, size: int | None = None) -> list[Record]:
    """Records of the images number 0 to `count` - 1 of a seed.

    Parameters
    ----------
    recipe : Recipe
    count : int
    seed : int
    size : int, optional, px
        Side of the images; by default the recipe's.

    Raises
    ------
    AtomsegError
        If the number or the size make no sense.
    """
    if count < 1:
        raise AtomsegError(f"{count} images cannot be made; give one or more")
    if size is not None and not 16 <= size <= 8192:
        raise AtomsegError(f"images of {size} px cannot be made; sides of 16 to 8192 px can be made")
    return [draw_record(recipe, seed * 1_000_003 + number, size) for number in range(count)]


def records_from(source: str | Path, count: int, seed: int, size: int | None) -> list[Record]:
    """Records drawn from a preset or a recipe file, or those that stand in a file of records (.jsonl).

    Parameters
    ----------
    source : str or Path
        Name of a preset, a YAML file, or a file of records.
    count : int
    seed : int
    size : int or None, px
        Side of the images.
    """
    if str(source).endswith(".jsonl"):
        path = Path(source)
        if not path.is_file():
            raise AtomsegError(f"{path}: there is no such file of records")
        return [Record.from_json(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return records_of(read_recipe(source), count, seed, size)


def batches(records: Sequence[Record], wanted: Sequence[str] = LABELS) -> Iterator[Batch]:
    """The images of records in order; those of one shape that follow each other are made together.

    A specimen that cannot be made is an error that names its seed: the record stands for itself.

    Parameters
    ----------
    records : sequence of Record
    wanted : sequence of str
        Labels.
    """
    return (rendered(group, wanted) for _, group in groups_of(records))


def groups_of(records: Sequence[Record]) -> list[tuple[int, list[Record]]]:
    """Records that are made together, each group with the number of its first one.

    Parameters
    ----------
    records : sequence of Record
    """
    found: list[tuple[int, list[Record]]] = []
    for number, record in enumerate(records):
        if found and len(found[-1][1]) < BATCH and _kind(found[-1][1][0]) == _kind(record):
            found[-1][1].append(record)
        else:
            found.append((number, [record]))
    return found


def rendered(records: Sequence[Record], wanted: Sequence[str] = LABELS) -> Batch:
    """The images of one group of records.

    Parameters
    ----------
    records : sequence of Record
    wanted : sequence of str
        Labels.

    Raises
    ------
    AtomsegError
        If a specimen cannot be made; names its seed.
    """
    try:
        return render(records, wanted)
    except AtomsegError as error:
        seeds = ", ".join(str(record.seed) for record in records)
        raise AtomsegError(f"recipe {records[0].recipe}, seeds {seeds}: {error}") from error


def _kind(record: Record) -> tuple[tuple[int, int], int, int]:
    """What the images of one batch have in common."""
    return record.shape, len(foci_of(record)), record.classes


def image_of(batch: Batch, row: int, name: str) -> Micrograph:
    """One image of a batch as a micrograph, or one of its labels if `name` is that of a label; several planes as a stack.

    Parameters
    ----------
    batch : Batch
    row : int
        Which of its images.
    name : str
        For people; that of a label gives the label.
    """
    record = batch.records[row]
    planes = batch.labels.get(name, batch.image)
    size = pixel_size_after(record) / (planes.shape[-1] / record.shape[1])
    data = planes[row, 0] if planes.shape[1] == 1 else planes[row]
    return Micrograph(data=data.cpu().numpy(), pixel_size=(size, size), name=name)


def true_columns(batch: Batch, row: int) -> Columns:
    """True columns of one image that lie within it: `intensity` is the scattering, `atom_count` the number of atoms.

    Parameters
    ----------
    batch : Batch
    row : int
        Which of its images.
    """
    record, truth, positions = batch.records[row], batch.columns[row], batch.positions[row]
    inside = np.all((positions > -0.5) & (positions < np.array(record.shape) - 0.5), axis=1)
    given = {"intensity": truth.scattering[inside], "origin": "imported", ATOM_COUNT: truth.counts[inside]}
    return Columns(
        positions=positions[inside],
        features=pd.DataFrame(given),
        pixel_size=(pixel_size_after(record),) * 2,
        image_shape=record.shape,
        provenance={"recipe": record.recipe, "seed": record.seed},
    )
