"""``measure``: what columns say once they are found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_atomseg.cli.console import Console, Debug, Quiet, run_for_each
from napari_atomseg.cli.options import Dataset, Force, PixelSize, open_image, pixel_size_of
from napari_atomseg.cli.output_paths import files_of, refuse_existing, targets_of, write
from napari_atomseg.cli.tables import FirstIndex, Unit, read_table, require_units
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import run

if TYPE_CHECKING:
    from napari_atomseg.workflows import Measurement


def measure(
    columns: Annotated[Path, typer.Argument(metavar="COLUMNS", help="Table of columns, ours or another program's.")],
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="The image that they belong to.")],
    what: Annotated[
        str, typer.Option(metavar="WHAT[,WHAT ...]", help="What is measured, such as rings (bonds and polygons of a sheet).")
    ],
    out: Annotated[str, typer.Option("-o", "--output", metavar="OUT.csv", help="The table with the new features.")],
    unit: Unit = None,
    first_index: FirstIndex = None,
    pixel_size: PixelSize = None,
    dataset: Dataset = None,
    force: Force = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Measure columns: a table with new features (CSV), numbers of the whole image (JSON), and tables of their own."""
    from napari_atomseg.workflows import WHAT
    from napari_atomseg.workflows import measure as job

    asked = tuple(part.strip() for part in what.split(",") if part.strip())
    if not asked or set(asked) - set(WHAT):
        raise typer.BadParameter(f'one or more of {", ".join(WHAT)}, not "{what}"', param_hint="--what")
    require_units(unit, first_index)
    size = pixel_size_of(pixel_size)
    target = next(iter(targets_of([columns], out).values()))
    console = Console(quiet=quiet, debug=debug)

    def work(path: Path) -> None:
        micrograph = open_image(path, dataset, size, console)
        given = read_table(columns, micrograph, unit, first_index, console)
        found = run(job.steps(micrograph, given, what=asked), console.reporter(path))
        tables = table_paths(found, target)
        refuse_existing([*files_of(target), *tables.values()], force)
        write(found.columns, target)
        write_tables(found, tables)
        console.say(f"{columns.name}: {found.summary} -> {target}")

    run_for_each(console, [image], work)


def table_paths(found: Measurement, target: Path) -> dict[str, Path]:
    """Files of the further tables of a measurement, beside that of the columns."""
    return {name: target.with_name(f"{target.stem}_{name}.csv") for name in found.tables}


def write_tables(found: Measurement, paths: Mapping[str, Path]) -> None:
    """Write the further tables of a measurement.

    Raises
    ------
    AtomsegError
        If a file cannot be written.
    """
    from napari_atomseg.writers.atomic import replacing

    for name, path in paths.items():
        with replacing(path, AtomsegError) as part:
            found.tables[name].to_csv(part, index=False, na_rep="", lineterminator="\n", encoding="utf-8")
