"""``measure``: what columns say once they are found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_atomseg.cli.console import Console, run_for_each
from napari_atomseg.cli.options import Force, ImageChoice
from napari_atomseg.cli.output_paths import files_of, refuse_existing, targets_of, write
from napari_atomseg.cli.param_options import FieldOption, Typed, param_options
from napari_atomseg.cli.tables import TableChoice, TableIn
from napari_atomseg.core.jobs import run
from napari_atomseg.writers.particle_xyz import model_path, write_model
from napari_atomseg.writers.tables import table_paths, write_tables


@param_options(
    {"measure": "MeasureParams", "intensities": "IntensityParams"},
    FieldOption("measure.sublattice", metavar="N"),
    FieldOption("measure.window"),
    FieldOption("measure.structure", metavar="FILE"),
    FieldOption("measure.zone_axis", metavar="u,v,w"),
    FieldOption("intensities.background"),
    FieldOption("intensities.integration"),
    FieldOption("intensities.radius"),
    FieldOption("intensities.detector", metavar="FILE"),
    FieldOption("intensities.flux_exponent"),
    FieldOption("intensities.library", metavar="FILE"),
    FieldOption("intensities.steps"),
    FieldOption("intensities.scatter"),
    FieldOption("intensities.components"),
    FieldOption("intensities.most_components"),
    FieldOption("intensities.criterion"),
    FieldOption("intensities.least_atoms"),
    FieldOption("intensities.atom_distance"),
    FieldOption("intensities.heights"),
    FieldOption("intensities.element", metavar="SYMBOL"),
    FieldOption("intensities.false_share"),
)
def measure(
    columns: TableIn,
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="The image that they belong to.")],
    what: Annotated[
        str,
        typer.Option(
            metavar="WHAT[,WHAT ...]",
            help="What is measured: sublattices, displacement, strain, polarisation, cells, templates, rings, "
            "cross-section, counts, outliers or existence.",
        ),
    ],
    out: Annotated[str, typer.Option("-o", "--output", metavar="OUT.csv", help="The table with the new features.")],
    report: Annotated[
        str | None, typer.Option(metavar="FILE.html", help="Also a page with pictures, numbers, parameters and origin.")
    ] = None,
    *,
    table: TableChoice,
    images: ImageChoice,
    force: Force = False,
    console: Console,
    typed: Typed,
) -> None:
    """Measure columns: a table with new features (CSV), numbers of the whole image (JSON), and tables of their own."""
    from napari_atomseg.parameters import IntensityParams, MeasureParams
    from napari_atomseg.workflows import WHAT
    from napari_atomseg.workflows import measure as job
    from napari_atomseg.workflows import report as write_report

    asked = tuple(part.strip() for part in what.split(",") if part.strip())
    if not asked or set(asked) - set(WHAT):
        raise typer.BadParameter(f'one or more of {", ".join(WHAT)}, not "{what}"', param_hint="--what")
    params = typed.params("measure", MeasureParams)
    page = Path(report) if report else None
    if page is not None and page.suffix.lower() not in (".html", ".htm"):
        raise typer.BadParameter(f'a page with the suffix .html, not "{report}"', param_hint="--report")
    intensities = typed.params("intensities", IntensityParams)
    target = next(iter(targets_of([columns], out).values()))

    def work(path: Path) -> None:
        micrograph = images.open(path, console)
        given = table.read(columns, micrograph, console)
        steps = job.steps(micrograph, given, what=asked, params=params, intensities=intensities)
        found = run(steps, console.reporter(path))
        tables = table_paths(found.tables, target)
        model = [model_path(target)] if "atoms" in found.tables else []
        refuse_existing([*files_of(target), *tables.values(), *model, *((page,) if page is not None else ())], force)
        write(found.columns, target)
        write_tables(found.tables, tables)
        if model:
            write_model(found.tables["atoms"], model[0])
        if page is not None:
            run(write_report.steps(micrograph, found, page), console.reporter(path))
        console.say(f"{columns.name}: {found.summary} -> {target}")

    run_for_each(console, [image], work)
