"""``make-library``: simulated cross-sections of columns of 1, 2, 3 ... atoms, for counting."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_atomseg.cli.console import Console, run_for_each
from napari_atomseg.cli.options import Force, length_of
from napari_atomseg.cli.output_paths import Formats, refuse_existing, targets_of
from napari_atomseg.cli.param_options import FieldOption, Typed, param_options
from napari_atomseg.cli.simulation_options import DEVICE, THERMAL, ZONE_AXIS
from napari_atomseg.core.jobs import run

if TYPE_CHECKING:
    from napari_atomseg.workflows import SimulationParams

TABLES = Formats(what="libraries", suffixes=(".txt", ".csv"), described=".txt, .csv")


@param_options(
    {
        "stem": "StemParams",
        "detector": "DetectorParams",
        "cut": "CutParams",
        "multislice": "MultisliceParams",
    },
    FieldOption("stem.energy"),
    FieldOption("stem.semiangle"),
    FieldOption("stem.defocus"),
    FieldOption("stem.Cs", "--cs"),
    FieldOption("detector.inner_angle", "--inner"),
    FieldOption("detector.outer_angle", "--outer"),
    FieldOption("detector.kind", "--detector"),
    ZONE_AXIS,
    THERMAL,
    FieldOption("multislice.configurations"),
    DEVICE,
    FieldOption("multislice.seed"),
)
def make_library(
    structures: Annotated[list[Path], typer.Argument(metavar="CRYSTAL ...", help="cif, xyz, POSCAR ..., of one element.")],
    out: Annotated[str, typer.Option("-o", "--output", metavar="OUT", help="File (.txt, .csv), or a folder.")],
    atoms: Annotated[int, typer.Option(min=1, max=200, metavar="N", help="Number of atoms of the thickest column.")] = 10,
    atom_distance: Annotated[
        str | None,
        typer.Option(
            "--atom-distance",
            metavar="LENGTH",
            help="Distance of two atoms of a column along the beam.",
            show_default="the crystal's",
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="By convolution instead of multislice: without channelling, in a second.")
    ] = False,
    force: Force = False,
    *,
    console: Console,
    typed: Typed,
) -> None:
    """Simulate cross-sections of columns of 1, 2, 3 ... atoms, with which `measure --what counts --library` counts."""
    from napari_atomseg.workflows import cross_section_library as job
    from napari_atomseg.writers.cross_section_library import write_library

    if quick and typed.of("multislice"):
        raise typer.BadParameter("options of multislice have no effect with it", param_hint="--quick")
    params = _params(typed, quick)
    distance = None if atom_distance is None else length_of(atom_distance, "--atom-distance")
    targets = targets_of(structures, out, TABLES)

    def work(path: Path) -> None:
        target = targets[path]
        refuse_existing([target], force)
        found = run(job.steps(path, params, atoms=atoms, atom_distance=distance), console.reporter(path))
        write_library(found, target)
        step = (found[-1] - found[0]) / max(1, atoms - 1)
        console.say(f"{path.name}: {found[0]:.4g} to {found[-1]:.4g} Å², on average {step:.3g} Å² an atom -> {target}")

    run_for_each(console, structures, work)


def _params(typed: Typed, quick: bool) -> SimulationParams:
    """Lens, detector and method; what was not typed keeps its default."""
    from napari_atomseg.workflows import CutParams, DetectorParams, MultisliceParams, SimulationParams, StemParams

    return SimulationParams(
        method="convolution" if quick else "multislice",
        stem=typed.params("stem", StemParams),
        detector=typed.params("detector", DetectorParams),
        cut=typed.params("cut", CutParams),
        multislice=typed.params("multislice", MultisliceParams),
    )
