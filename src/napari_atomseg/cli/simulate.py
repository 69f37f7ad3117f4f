"""``simulate``: images of structures by convolution, corrected, by PRISM or by multislice."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_atomseg.cli.console import Console, run_for_each
from napari_atomseg.cli.options import Force, StructuresIn, length_of, open_image
from napari_atomseg.cli.output_paths import Formats, refuse_existing, refuse_inputs, targets_of
from napari_atomseg.cli.param_options import FieldOption, Typed, param_options
from napari_atomseg.cli.simulation_options import DEVICE, REPEAT, THERMAL, ZONE_AXIS, simulation_params
from napari_atomseg.core.jobs import run

if TYPE_CHECKING:
    from napari_atomseg.workflows import SimulationParams

PICTURES = Formats(
    what="simulated images", suffixes=(".tif", ".tiff", ".npy", ".hspy", ".zspy"), described=".tif, .npy, .hspy, .zspy"
)

LENS = ("defocus", "Cs", "astigmatism", "astigmatism_angle")
"""Fields of the scanning lens that the lens of a transmission microscope has too."""


@param_options(
    {
        "simulation": "SimulationParams",
        "stem": "StemParams",
        "tem": "TemParams",
        "detector": "DetectorParams",
        "cut": "CutParams",
        "convolution": "ConvolutionParams",
        "multislice": "MultisliceParams",
    },
    FieldOption("simulation.method"),
    FieldOption("simulation.pixel_size"),
    FieldOption("stem.energy"),
    FieldOption("stem.semiangle"),
    FieldOption("stem.source_size"),
    FieldOption("stem.defocus"),
    FieldOption("stem.Cs", "--cs"),
    FieldOption("tem.C5", "--c5"),
    FieldOption("stem.astigmatism"),
    FieldOption("stem.astigmatism_angle"),
    FieldOption("tem.coma"),
    FieldOption("tem.coma_angle"),
    FieldOption("tem.focal_spread"),
    FieldOption("tem.mtf"),
    FieldOption("tem.dose"),
    FieldOption("detector.inner_angle", "--inner"),
    FieldOption("detector.outer_angle", "--outer"),
    FieldOption("detector.kind", "--detector"),
    ZONE_AXIS,
    FieldOption("cut.thickness"),
    REPEAT,
    FieldOption("cut.rotation_deg", "--rotation"),
    FieldOption("cut.vacancies", metavar="SHARE"),
    THERMAL,
    FieldOption("multislice.configurations"),
    FieldOption("convolution.psf", default="gaussian; probe with lens options"),
    FieldOption("convolution.sigma", "--psf-sigma"),
    FieldOption("convolution.exponent", metavar="GAMMA"),
    DEVICE,
    FieldOption("cut.seed multislice.seed"),
)
def simulate(
    structures: StructuresIn,
    out: Annotated[str, typer.Option("-o", "--output", metavar="OUT", help="File (.tif, .npy, .hspy, .zspy), or a folder.")],
    field: Annotated[
        str | None,
        typer.Option("--field", metavar="LENGTH[,LENGTH]", help="Field of view along y and x.", show_default="40A for a crystal"),
    ] = None,
    width: Annotated[str | None, typer.Option(metavar="LENGTH[,LENGTH]", help="The field of view.", hidden=True)] = None,
    tilt: Annotated[str | None, typer.Option(metavar="MRAD,MRAD", help="Specimen mistilt about y and x in mrad.")] = None,
    correction: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|NAME",
            help="Correction for --method corrected: a file of fit-correction, or one that comes with the program.",
            show_default="the one that fits",
        ),
    ] = None,
    extrapolate: Annotated[
        bool, typer.Option("--extrapolate", help="Apply the correction though it was fitted to something else.")
    ] = False,
    like: Annotated[Path | None, typer.Option(metavar="IMAGE", help="Take pixel size and field from this image.")] = None,
    force: Force = False,
    *,
    console: Console,
    typed: Typed,
) -> None:
    """Simulate the image of an atomic structure, in fractions of the incident beam."""
    method = typed.of("simulation").get("method", "convolution")
    _refuse_wrong_method(method, correction, typed.of("detector").get("kind"))
    if extrapolate and method != "corrected":
        raise typer.BadParameter("it belongs to --method corrected", param_hint="--extrapolate")
    field = field or width
    _refuse_beside_like(like, bool(typed.names("simulation", "pixel_size")), field)
    parts = _parts(typed, field, tilt, method)
    own_lens = _lens_options(typed) if method == "convolution" and "psf" not in parts["convolution"] else ""
    if own_lens:
        parts["convolution"]["psf"] = "probe"
    params = simulation_params(typed.of("simulation"), parts)
    _refuse_without_effect(params, typed, parts)
    request = _Request(
        params=params,
        like=like,
        correction=correction,
        extrapolate=extrapolate,
        force=force,
        thick="thickness" in parts["cut"],
        lens=own_lens,
    )
    targets = targets_of(structures, out, PICTURES)

    def work(path: Path) -> None:
        target = targets[path]
        refuse_inputs(target, structures, "structures themselves; write to another name or folder")
        _simulate(path, target, request, console)

    run_for_each(console, targets, work)


@dataclass(frozen=True, kw_only=True)
class _Request:
    """What is asked for of every structure; `thick` and `lens` tell that options were typed which not every image knows."""

    params: SimulationParams
    like: Path | None
    correction: str | None
    extrapolate: bool
    force: bool
    thick: bool
    lens: str


def _simulate(path: Path, target: Path, request: _Request, console: Console) -> None:
    """The image of one structure, and beside it how it was made."""
    from napari_atomseg.workflows import describe_structure, has_thickness, on_grid_of, read_structure, structure_summary
    from napari_atomseg.workflows import simulate as job
    from napari_atomseg.writers.atomic import replacing
    from napari_atomseg.writers.image import write_image

    told = target.with_suffix(".json")
    refuse_existing([target, told], request.force)
    params = request.params
    if request.like is not None:
        params = on_grid_of(params, open_image(request.like, None, None, console))
    atoms = read_structure(path)
    if request.thick and not has_thickness(atoms, params.cut):
        console.note(f"{path.name}: nothing is repeated along the beam, so it stays whole, whatever the thickness")
    if request.lens:
        console.note(f"{path.name}: {request.lens} belongs to the probe, which takes the place of the Gaussian (--psf probe)")
    steps = job.steps(atoms, params, correction=request.correction, extrapolate=request.extrapolate)
    found = run(steps, console.reporter(path))
    write_image(found, target)
    with replacing(told) as part:
        part.write_text(json.dumps(found.metadata["simulation"], indent=1), encoding="utf-8")
    for note in found.notes:
        console.note(f"{path.name}: {note}")
    shape = " x ".join(str(side) for side in found.shape)
    console.say(f"{path.name}: {structure_summary(describe_structure(atoms, params.cut.repeat))}")
    console.say(f"{path.name}: {params.method}, {shape} px of {found.require_pixel_size()[0]:.4g} Angstrom -> {target}")


def _refuse_wrong_method(method: str, correction: str | None, detector: str | None) -> None:
    from napari_atomseg.workflows import CONVOLUTIONS, METHODS, PROBES

    if method not in METHODS:
        raise typer.BadParameter(f'there is no method "{method}"; choose one of {", ".join(METHODS)}', param_hint="--method")
    if method != "corrected" and correction is not None:
        raise typer.BadParameter("it belongs to --method corrected", param_hint="--correction")
    if method in CONVOLUTIONS and detector not in (None, "annular"):
        raise typer.BadParameter(
            f"--detector {detector} is not known to --method {method}; it belongs to the methods {', '.join(PROBES)}",
            param_hint="--detector",
        )


def _parts(typed: Typed, field: str | None, tilt: str | None, method: str) -> dict[str, dict[str, Any]]:
    """Fields of the parts of a simulation that were typed; the lens is that of the microscope which the method simulates."""
    parts = {group: typed.of(group) for group in ("cut", "stem", "tem", "detector", "convolution", "multislice")}
    parts["cut"] |= _pair(field, ("width_y", "width_x"), "--field", length_of)
    parts["cut"] |= _pair(tilt, ("tilt_y", "tilt_x"), "--tilt", _number)
    if method == "hrtem":
        parts["tem"] |= {name: parts["stem"].pop(name) for name in LENS if name in parts["stem"]}
    return parts


def _lens_options(typed: Typed) -> str:
    """Options that were typed which a Gaussian does not know, and the probe does, in words."""
    lens = typed.names("stem", *LENS, "source_size") + typed.names("cut", "thermal")
    return " and ".join(lens)


def _refuse_without_effect(params: SimulationParams, typed: Typed, parts: dict[str, dict[str, Any]]) -> None:
    """An option that changes nothing of the image was meant for another."""
    from napari_atomseg.workflows import belongs_to

    for group, values in parts.items():
        for name in values:
            option = typed.options.get((group, name)) or typed.options.get(("stem", name), "")
            belonging = belongs_to(f"{group}.{name}", params)
            if belonging and option and name != "seed":
                raise typer.BadParameter(
                    f"{option} changes nothing of this image by --method {params.method}; it belongs to {belonging}",
                    param_hint=option,
                )


def _refuse_beside_like(like: Path | None, pixel_size: bool, field: str | None) -> None:
    for option, given in (("--pixel-size", pixel_size), ("--field", field is not None)):
        if like is not None and given:
            raise typer.BadParameter(
                f"{option} changes nothing beside --like, which gives both; leave one out", param_hint=option
            )


def _number(text: str, option: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f'a number was expected, got "{text}"', param_hint=option) from None


def _pair(text: str | None, names: tuple[str, str], option: str, read: Callable[[str, str], float]) -> dict[str, float]:
    """Two values (y, x) under two names, or one for both; nothing if nothing was typed."""
    if text is None:
        return {}
    parts = text.split(",")
    if len(parts) > 2:
        raise typer.BadParameter(f'one or two values were expected, got "{text}"', param_hint=option)
    return {names[0]: read(parts[0], option), names[1]: read(parts[-1], option)}
