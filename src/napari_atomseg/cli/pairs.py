"""``make-pairs``: matched convolution and multislice images of many specimens, which a correction is fitted to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_atomseg.cli.console import Console, run_for_each
from napari_atomseg.cli.options import length_of
from napari_atomseg.cli.param_options import FieldOption, Typed, param_options
from napari_atomseg.cli.simulation_options import DEVICE, THERMAL, simulation_params
from napari_atomseg.core.jobs import run

if TYPE_CHECKING:
    from napari_atomseg.workflows import SimulationParams

SNAPSHOTS = 2
"""Of the thermal motion for each pair unless more are asked for: many specimens tell a fit more than many snapshots."""


@param_options(
    {
        "set": "PairSetParams",
        "simulation": "SimulationParams",
        "stem": "StemParams",
        "detector": "DetectorParams",
        "cut": "CutParams",
        "convolution": "ConvolutionParams",
        "multislice": "MultisliceParams",
    },
    FieldOption("set.alloys", metavar="A,B,..."),
    FieldOption("set.shapes", metavar="A,B,..."),
    FieldOption("set.smallest"),
    FieldOption("set.largest"),
    FieldOption("set.amorphous", metavar="SHARE,..."),
    FieldOption("set.zones", metavar='"u,v,w u,v,w ..."'),
    FieldOption("set.mistilt"),
    FieldOption("set.number", "--number", metavar="N"),
    FieldOption("set.seed"),
    FieldOption("cut.thickness"),
    FieldOption("set.thinnest", metavar="SHARE"),
    THERMAL,
    FieldOption("simulation.pixel_size"),
    FieldOption("stem.energy"),
    FieldOption("stem.semiangle"),
    FieldOption("stem.source_size"),
    FieldOption("stem.defocus"),
    FieldOption("stem.Cs", "--cs"),
    FieldOption("detector.inner_angle", "--inner"),
    FieldOption("detector.outer_angle", "--outer"),
    FieldOption("convolution.sigma", "--psf-sigma"),
    FieldOption("multislice.configurations", default=f"{SNAPSHOTS}"),
    FieldOption("multislice.scan_step", default="what lens and source need"),
    FieldOption("multislice.slice_thickness"),
    DEVICE,
)
def make_pairs(
    out: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder of the pairs; a set begun there goes on.")],
    structures: Annotated[
        list[Path] | None, typer.Argument(metavar="STRUCTURE ...", help="Crystals and particles, whatever ase reads.")
    ] = None,
    field: Annotated[
        str | None,
        typer.Option("--field", metavar="LENGTH[,LENGTH]", help="Field of each pair along y and x.", show_default="the whole"),
    ] = None,
    cost: Annotated[bool, typer.Option("--cost", help="Say how long it takes, and simulate nothing.")] = False,
    *,
    console: Console,
    typed: Typed,
) -> None:
    """Make pairs of convolution and multislice images for fit-correction; stopped and called again, it goes on."""
    from napari_atomseg.workflows import PairSetParams

    wanted = typed.params("set", PairSetParams)
    given = list(structures or [])
    if not given and not wanted.compositions:
        raise typer.BadParameter(
            "give structures, or compositions of particles with --alloys Au,Pt0.5Mo0.5", param_hint="STRUCTURE"
        )
    _refuse_without_effect(typed, bool(given), bool(wanted.compositions))
    params = _params(typed, field)

    def work(folder: Path) -> None:
        from napari_atomseg.workflows import make_pair_set, pair_set_cost, read_structure

        atoms = [read_structure(path) for path in given]
        expected = pair_set_cost(wanted, params, atoms, folder)
        about = f"about {expected.seconds / 60:.3g} min on this computer, {expected.memory_bytes / 1e9:.2g} GB of memory"
        if cost:
            console.say(f"{folder}: {about}")
            return
        console.note(f"{folder}: {about}; each pair is kept when it is made")
        pairs = run(make_pair_set.steps(wanted, params, atoms, keep=folder), console.reporter(folder))
        console.say(f"{len(pairs)} pairs -> {folder}")

    run_for_each(console, [out], work)


def _params(typed: Typed, field: str | None) -> SimulationParams:
    parts = {group: typed.of(group) for group in ("cut", "stem", "detector", "convolution", "multislice")}
    parts["multislice"].setdefault("configurations", SNAPSHOTS)
    if field is not None:
        sides = [length_of(part, "--field") for part in field.split(",")]
        if len(sides) > 2:
            raise typer.BadParameter(f'one or two lengths were expected, got "{field}"', param_hint="--field")
        parts["cut"] |= {"width_y": sides[0], "width_x": sides[-1]}
    return simulation_params({"method": "multislice", **typed.of("simulation")}, parts)


def _refuse_without_effect(typed: Typed, structures: bool, alloys: bool) -> None:
    """What changes nothing of the set was meant for another."""
    for given, names, belonging in (
        (alloys, typed.names("set", "shapes", "smallest", "largest", "amorphous"), "particles of --alloys"),
        (structures, [*typed.names("set", "thinnest"), *typed.names("cut", "thickness")], "crystals given as files"),
    ):
        if names and not given:
            raise typer.BadParameter(
                f"{' and '.join(names)} changes nothing here, but belongs to {belonging}", param_hint=names[0]
            )
