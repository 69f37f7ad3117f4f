"""``make-exit-waves``: multislice waves of structures, for recipes with a specimen of kind ``exit_wave``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_atomseg.cli.console import Console, run_for_each
from napari_atomseg.cli.options import Force, StructuresIn, length_of
from napari_atomseg.cli.output_paths import refuse_existing
from napari_atomseg.cli.param_options import FieldOption, Typed, param_options
from napari_atomseg.cli.simulation_options import REPEAT, THERMAL, ZONE_AXIS
from napari_atomseg.core.jobs import run


@param_options(
    {"cut": "CutParams", "stem": "StemParams", "simulation": "SimulationParams"},
    FieldOption("simulation.pixel_size"),
    FieldOption("stem.energy"),
    ZONE_AXIS,
    FieldOption("cut.thickness"),
    REPEAT,
    FieldOption("cut.rotation_deg", "--rotation"),
    FieldOption("cut.tilt_y", metavar="MRAD"),
    FieldOption("cut.tilt_x", metavar="MRAD"),
    FieldOption("cut.vacancies", metavar="SHARE"),
    THERMAL,
    FieldOption("cut.seed"),
)
def make_exit_waves(
    structures: StructuresIn,
    out: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for the waves.")],
    field: Annotated[
        str | None, typer.Option("--field", metavar="LENGTH", help="Side of the field of view.", show_default="40A for a crystal")
    ] = None,
    snapshots: Annotated[int, typer.Option(min=1, metavar="N", help="Waves of each structure, at moments of its motion.")] = 1,
    force: Force = False,
    *,
    console: Console,
    typed: Typed,
) -> None:
    """Write the multislice exit waves of structures in any cell, for recipes with {kind: exit_wave, folder: DIR}."""
    from napari_atomseg.workflows import CutParams, SimulationParams, StemParams, exit_wave_files
    from napari_atomseg.workflows import make_exit_waves as job

    size = typed.params("simulation", SimulationParams).pixel_size
    side = {} if field is None else dict.fromkeys(("width_y", "width_x"), length_of(field, "--field"))
    params, energy = typed.params("cut", CutParams, **side), typed.params("stem", StemParams).energy

    def work(path: Path) -> None:
        refuse_existing(exit_wave_files(path, out, snapshots), force)
        steps = job.steps(path, out, params, energy=energy, pixel_size=size, snapshots=snapshots)
        written = run(steps, console.reporter(path))
        console.say(f"{path.name}: {len(written)} exit waves -> {out}")

    run_for_each(console, structures, work)
