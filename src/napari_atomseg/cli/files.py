"""``info`` and ``models``: what is in a file, and what is at hand to work on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_atomseg.cli.console import Console, Debug, run_for_each

if TYPE_CHECKING:
    from napari_atomseg.specimens.description import Description

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for other programs.")]

_CLASSICAL: dict[str, Any] = {
    "name": "classical",
    "task": "columns",
    "native_sampling_angstrom": None,
    "licence": "GPL-3.0-or-later",
    "weights": None,
    "checksum": None,
    "score": None,
    "about": "band-pass, selection of repeated maxima, watershed; no network, no weights",
}
_SCORE = "validation f1"


def info(
    files: Annotated[list[Path], typer.Argument(metavar="FILE ...", help="Images and structures.")],
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Every dataset in a file: index, title, shape, pixel size and what was assumed; of a structure, what it is made of."""
    from napari_atomseg.readers.registry import describe
    from napari_atomseg.workflows import is_structure_file, read

    console = Console(debug=debug)
    found: list[dict[str, Any]] = []

    def work(path: Path) -> None:
        if is_structure_file(path):
            described = _structure(path)
            found.append({"file": str(path), **described.as_dict()})
            if not as_json:
                console.say("\n".join([str(path), *structure_lines(described)]))
            return
        datasets = [describe(image) for image in read(path)]
        if as_json:
            found.extend({"file": str(path), **dataset} for dataset in datasets)
        else:
            console.say("\n".join([str(path), *dataset_lines(datasets)]))

    try:
        run_for_each(console, files, work)
    finally:
        if as_json:
            # Plain ASCII, so that every pipe and console can carry it.
            typer.echo(json.dumps(found, indent=2))


def structure_lines(described: Description) -> list[str]:
    """A structure in a line, its notes below it."""
    from napari_atomseg.workflows import structure_summary

    return [f"  {structure_summary(described)}", *(f"         {note}" for note in described.notes)]


def _structure(path: Path) -> Description:
    from napari_atomseg.workflows import describe_structure, read_structure

    return describe_structure(read_structure(path))


def models(as_json: AsJson = False) -> None:
    """The models at hand: task, native sampling, licence, weights, score."""
    from napari_atomseg.workflows import model_table

    rows = [{**row, "score": (row.get("scores") or {}).get(_SCORE)} for row in model_table()]
    typer.echo(json.dumps([_CLASSICAL, *rows], indent=2) if as_json else "\n".join(model_lines([_CLASSICAL, *rows])))


def model_lines(models: list[dict[str, Any]]) -> list[str]:
    """An aligned table of models, each one's sentence, weights or problem below it."""
    table = [("name", "task", "native sampling", "score (F1)", "checksum", "licence")]
    below = []
    for model in models:
        native, score = model.get("native_sampling_angstrom"), model.get("score")
        table.append(
            (
                model["name"],
                model.get("task") or "-",
                "-" if native is None else f"{native:g} Å",
                "-" if score is None else f"{score:.3f}",
                model.get("checksum") or "-",
                model.get("licence") or "-",
            )
        )
        below.append([str(model[name]) for name in ("about", "problem", "weights") if model.get(name)])
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    found = lines[:1]
    for line, more in zip(lines[1:], below, strict=True):
        found += [line, *(f"    {text}" for text in more)]
    return found


def dataset_lines(datasets: list[dict[str, Any]]) -> list[str]:
    """An aligned table of the datasets of one file, each one's notes below it."""
    from napari_atomseg.core.quantities import format_pixel_size

    rows = [("index", "title", "shape", "dtype", "pixel size", "unit in file", "modality")]
    for dataset in datasets:
        size = dataset["pixel_size_angstrom"]
        rows.append(
            (
                str(dataset["index"]),
                dataset["title"],
                " x ".join(map(str, dataset["shape"])),
                dataset["dtype"],
                "unknown" if size is None else format_pixel_size((size[0], size[1])),
                dataset["unit_in_file"] or "-",
                dataset["modality"] or "-",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    for place, dataset in reversed(list(enumerate(datasets, start=1))):
        lines[place + 1 : place + 1] = [f"         {note}" for note in dataset["notes"]]
    return lines
