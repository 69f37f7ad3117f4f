"""``sequence``: what columns do in the course of a stack of frames."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_atomseg.cli.console import Console, run_for_each
from napari_atomseg.cli.options import Force, ImageChoice
from napari_atomseg.cli.output_paths import refuse_existing
from napari_atomseg.cli.param_options import FieldOption, Typed, param_options
from napari_atomseg.core.jobs import run

TABLES = ("sites", "events", "drift")


@param_options(
    {"sequence": "SequenceParams"},
    FieldOption("sequence.positions"),
    FieldOption("sequence.hop_distance"),
    FieldOption("sequence.false_share"),
    FieldOption("sequence.least_frames"),
)
def sequence(
    stack: Annotated[Path, typer.Argument(metavar="STACK", help="A stack of frames.")],
    out: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder of the tables.")],
    model: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="NAME", help="The finder: classical, a network, or its folder; by default chosen by the image."
        ),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, metavar="N", help="Processes that work on the frames.")] = 1,
    cluster: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Dask scheduler whose workers do so, as in tcp://host:8786.")
    ] = None,
    *,
    images: ImageChoice,
    force: Force = False,
    console: Console,
    typed: Typed,
) -> None:
    """Follow the columns of a stack of frames: sites, occupancy, appearances, disappearances and hops."""
    from napari_atomseg.workflows import SequenceParams
    from napari_atomseg.workflows import sequence as job

    if cluster is not None and jobs > 1:
        raise typer.BadParameter("no effect with --cluster, which has its own workers", param_hint="--jobs")
    params = typed.params("sequence", SequenceParams)

    def work(path: Path) -> None:
        from napari_atomseg.writers.columns_csv import write_columns
        from napari_atomseg.writers.json_file import write_json
        from napari_atomseg.writers.tables import write_tables

        paths = {name: out / f"{name}.csv" for name in TABLES}
        columns, numbers = out / "columns.csv", out / "sequence.json"
        refuse_existing([columns, columns.with_suffix(".json"), *paths.values(), numbers], force)
        image = images.open(path, console)
        steps = job.steps(image, model=model, params=params, jobs=jobs, cluster=cluster)
        found = run(steps, console.reporter(path))
        out.mkdir(parents=True, exist_ok=True)
        write_columns(found.columns, columns)
        write_tables({name: getattr(found, name) for name in TABLES}, paths)
        write_json(found.numbers, numbers)
        for verdict in found.numbers["verdicts"]:
            console.note(f"{path.name}: {verdict}")
        kinds = found.events["kind"].value_counts()
        events = ", ".join(f"{number} {kind}{'s' if number != 1 else ''}" for kind, number in kinds.items()) or "no events"
        console.say(f"{path.name}: {len(found.sites)} sites in {image.frames} frames; {events} -> {out}")

    run_for_each(console, [stack], work)
