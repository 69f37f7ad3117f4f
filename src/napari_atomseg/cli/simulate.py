"""``simulate``: images of structures by convolution, corrected, by PRISM or by multislice."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_atomseg.cli.inputs import open_image, params_of
from napari_atomseg.cli.talk import Debug, Quiet, Talk, each
from napari_atomseg.cli.targets import Formats, refuse_existing, targets_of
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import run
from napari_atomseg.core.quantities import parse_length

if TYPE_CHECKING:
    from napari_atomseg.workflows import SimulationParams

PICTURES = Formats(
    what="simulated images", suffixes=(".tif", ".tiff", ".npy", ".hspy", ".zspy"), described=".tif, .npy, .hspy, .zspy"
)

PROBE_ONLY = {
    "--defocus": "stem.defocus",
    "--cs": "stem.Cs",
    "--source-size": "stem.source_size",
    "--thermal": "cut.thermal",
}
"""Options that a convolution with a Gaussian does not know, and one with the probe does."""
OPTIONS = PROBE_ONLY | {
    "--semiangle": "stem.semiangle",
    "--inner": "detector.inner_angle",
    "--outer": "detector.outer_angle",
    "--detector": "detector.kind",
    "--psf": "convolution.psf",
    "--psf-sigma": "convolution.sigma",
    "--exponent": "convolution.exponent",
    "--configurations": "multislice.configurations",
    "--device": "multislice.device",
}
"""Options that some images do not depend on, and the parameter that each one sets."""


def simulate(
    structures: Annotated[list[Path], typer.Argument(metavar="STRUCTURE ...", help="cif, xyz, POSCAR ..., whatever ase reads.")],
    out: Annotated[str, typer.Option("-o", "--output", metavar="OUT", help="File (.tif, .npy, .hspy, .zspy), or a folder.")],
    method: Annotated[
        str, typer.Option(metavar="convolution|corrected|prism|multislice|hrtem", help="Simulation method.")
    ] = "convolution",
    energy: Annotated[float | None, typer.Option(metavar="EV", help="Beam energy in eV.", show_default="200000")] = None,
    semiangle: Annotated[float | None, typer.Option(metavar="MRAD", help="Probe semi-angle in mrad.", show_default="24")] = None,
    inner: Annotated[
        float | None, typer.Option(metavar="MRAD", help="Inner angle of the detector in mrad.", show_default="70")
    ] = None,
    outer: Annotated[
        float | None, typer.Option(metavar="MRAD", help="Outer angle of the detector in mrad.", show_default="150")
    ] = None,
    detector: Annotated[str | None, typer.Option(metavar="annular|bright_field|segmented", help="Shape of the detector.")] = None,
    pixel_size: Annotated[
        str | None, typer.Option(metavar="LENGTH", help="Pixel size with its unit, such as 9.77pm.", show_default="0.1A")
    ] = None,
    source_size: Annotated[
        str | None, typer.Option(metavar="LENGTH", help="Source size, full width at half maximum.", show_default="0.8A")
    ] = None,
    defocus: Annotated[str | None, typer.Option(metavar="LENGTH", help="Defocus of the lens; positive for underfocus.")] = None,
    cs: Annotated[str | None, typer.Option("--cs", metavar="LENGTH", help="Spherical aberration, such as 1.2um.")] = None,
    zone_axis: Annotated[
        str | None, typer.Option(metavar="u,v,w", help="Crystal direction along the beam.", show_default="0,0,1")
    ] = None,
    thickness: Annotated[str | None, typer.Option(metavar="LENGTH", help="Thickness of a crystal.", show_default="50A")] = None,
    repeat: Annotated[
        str | None,
        typer.Option(
            metavar="auto|none|NA,NB,NC", help="Cells along a, b, c; auto stops at empty slabs of 4A.", show_default="auto"
        ),
    ] = None,
    width: Annotated[
        str | None, typer.Option(metavar="LENGTH[,LENGTH]", help="Field of view along y and x.", show_default="40A for a crystal")
    ] = None,
    rotation: Annotated[float | None, typer.Option(metavar="DEG", help="Rotation in the image plane in degrees.")] = None,
    tilt: Annotated[str | None, typer.Option(metavar="MRAD,MRAD", help="Specimen mistilt about y and x in mrad.")] = None,
    vacancies: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Share of the atoms that are removed at random.")
    ] = None,
    thermal: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH", help="Root mean square thermal displacement along one axis.", show_default="the file's, else 0.08A"
        ),
    ] = None,
    configurations: Annotated[
        int | None,
        typer.Option(metavar="N", help="Number of frozen-phonon configurations; 0 for a still lattice.", show_default="8"),
    ] = None,
    psf: Annotated[
        str | None,
        typer.Option(
            metavar="gaussian|probe",
            help="Probe shape of a convolution.",
            show_default="gaussian; probe with lens options",
        ),
    ] = None,
    psf_sigma: Annotated[
        str | None, typer.Option(metavar="LENGTH", help="Standard deviation of the Gaussian probe.", show_default="0.38A")
    ] = None,
    exponent: Annotated[
        float | None, typer.Option(metavar="GAMMA", help="Exponent of the atomic number.", show_default="1.7")
    ] = None,
    correction: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Correction file of fit-correction, for --method corrected.")
    ] = None,
    device: Annotated[str | None, typer.Option(metavar="auto|cpu|gpu", help="Device of the multislice.")] = None,
    seed: Annotated[int | None, typer.Option(help="Random seed of thermal motion, vacancies and mixed sites.")] = None,
    like: Annotated[Path | None, typer.Option(metavar="IMAGE", help="Take pixel size and field from this image.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Simulate the image of an atomic structure, in fractions of the incident beam."""
    _refuse_wrong_method(method, correction, detector)
    _refuse_beside_like(like, pixel_size, width)
    lens = {"defocus": _length(defocus, "--defocus"), "Cs": _length(cs, "--cs")}
    sides = _pair(width, "--width", _length) or (None, None)
    tilts = _pair(tilt, "--tilt", _number) or (None, None)
    parts: dict[str, dict[str, Any]] = {
        "cut": {
            "zone_axis": zone_axis, "thickness": _length(thickness, "--thickness"), "repeat": repeat,
            "width_y": sides[0], "width_x": sides[1], "rotation_deg": rotation, "tilt_y": tilts[0], "tilt_x": tilts[1],
            "vacancies": vacancies, "thermal": _length(thermal, "--thermal"), "seed": seed,
        },
        "stem": {
            "energy": energy, "semiangle": semiangle, "source_size": _length(source_size, "--source-size"),
            **({} if method == "hrtem" else lens),
        },
        "tem": lens if method == "hrtem" else {},
        "detector": {"kind": detector, "inner_angle": inner, "outer_angle": outer},
        "convolution": {"psf": psf, "sigma": _length(psf_sigma, "--psf-sigma"), "exponent": exponent},
        "multislice": {"configurations": configurations, "seed": seed, "device": device},
    }  # fmt: skip
    told_lens = _typed(parts, PROBE_ONLY) if method == "convolution" and psf is None else ""
    if told_lens:
        parts["convolution"]["psf"] = "probe"
    params = _params(method, _length(pixel_size, "--pixel-size"), parts)
    _refuse_without_effect(params, parts)
    request = _Request(params=params, like=like, correction=correction, force=force, thick=thickness is not None, lens=told_lens)
    targets = targets_of(structures, out, PICTURES)
    talk = Talk(quiet=quiet, debug=debug)

    def work(path: Path) -> None:
        target = targets[path]
        if target.resolve() in {one.resolve() for one in structures}:
            raise AtomsegError(f"{target} is one of the structures themselves; write to another name or folder")
        _simulate(path, target, request, talk)

    each(talk, targets, work)


@dataclass(frozen=True, kw_only=True)
class _Request:
    """What is asked for of every structure; `thick` and `lens` tell that options were typed which not every image knows."""

    params: SimulationParams
    like: Path | None
    correction: Path | None
    force: bool
    thick: bool
    lens: str


def _simulate(path: Path, target: Path, request: _Request, talk: Talk) -> None:
    """The image of one structure, and beside it how it was made."""
    from napari_atomseg.workflows import describe_structure, has_thickness, read_structure, structure_summary
    from napari_atomseg.workflows import like as on_grid_of
    from napari_atomseg.workflows import simulate as job
    from napari_atomseg.writers.atomic import replacing
    from napari_atomseg.writers.image import write_image

    told = target.with_suffix(".json")
    refuse_existing([target, told], request.force)
    params = request.params
    if request.like is not None:
        params = on_grid_of(params, open_image(request.like, None, None, talk))
    atoms = read_structure(path)
    if request.thick and not has_thickness(atoms, params.cut):
        talk.note(f"{path.name}: nothing is repeated along the beam, so it stays whole, whatever the thickness")
    if request.lens:
        talk.note(f"{path.name}: {request.lens} belongs to the probe, which takes the place of the Gaussian (--psf probe)")
    found = run(job.steps(atoms, params, correction=request.correction), talk.reporter(path))
    write_image(found, target)
    with replacing(told) as part:
        part.write_text(json.dumps(found.metadata["simulation"], indent=1), encoding="utf-8")
    for note in found.notes:
        talk.note(f"{path.name}: {note}")
    shape = " x ".join(str(side) for side in found.shape)
    talk.say(f"{path.name}: {structure_summary(describe_structure(atoms, params.cut.repeat))}")
    talk.say(f"{path.name}: {params.method}, {shape} px of {found.require_pixel_size()[0]:.4g} Angstrom -> {target}")


def _refuse_wrong_method(method: str, correction: Path | None, detector: str | None) -> None:
    from napari_atomseg.workflows import CONVOLUTIONS, METHODS, PROBES

    if method not in METHODS:
        raise typer.BadParameter(f'there is no method "{method}"; choose one of {", ".join(METHODS)}', param_hint="--method")
    if method == "corrected" and correction is None:
        raise typer.BadParameter("corrected images need a correction; fit one with fit-correction", param_hint="--correction")
    if method != "corrected" and correction is not None:
        raise typer.BadParameter("it belongs to --method corrected", param_hint="--correction")
    if method in CONVOLUTIONS and detector not in (None, "annular"):
        raise typer.BadParameter(
            f"--detector {detector} is not known to --method {method}; it belongs to the methods {', '.join(PROBES)}",
            param_hint="--detector",
        )


def _params(method: str, pixel_size: float | None, parts: dict[str, dict[str, Any]]) -> SimulationParams:
    """All parameters; what was not typed keeps its default."""
    from napari_atomseg.workflows import SimulationParams

    def typed(values: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in values.items() if value is not None}

    usual = SimulationParams()
    own = {name: params_of(type(getattr(usual, name)), "parameters", **typed(values)) for name, values in parts.items()}
    return params_of(SimulationParams, "parameters", method=method, **typed({"pixel_size": pixel_size}), **own)


def _typed(parts: dict[str, dict[str, Any]], options: dict[str, str]) -> str:
    """The options among some that were typed, in words."""
    given = (name for name, field in options.items() if _value(parts, field) is not None)
    return " and ".join(given)


def _value(parts: dict[str, dict[str, Any]], field: str) -> Any:
    part, name = field.split(".")
    return parts[part].get(name)


def _refuse_without_effect(params: SimulationParams, parts: dict[str, dict[str, Any]]) -> None:
    """An option that changes nothing of the image was meant for another."""
    from napari_atomseg.workflows import belongs_to

    for option, field in OPTIONS.items():
        belonging = belongs_to(field, params)
        if belonging and _value(parts, field) is not None:
            raise typer.BadParameter(
                f"{option} changes nothing of this image by --method {params.method}; it belongs to {belonging}",
                param_hint=option,
            )


def _refuse_beside_like(like: Path | None, pixel_size: str | None, width: str | None) -> None:
    for option, value in (("--pixel-size", pixel_size), ("--width", width)):
        if like is not None and value is not None:
            raise typer.BadParameter(
                f"{option} changes nothing beside --like, which gives both; leave one out", param_hint=option
            )


def _length(text: str | None, option: str) -> float | None:
    if text is None:
        return None
    try:
        return parse_length(text)
    except AtomsegError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def _number(text: str, option: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f'a number was expected, got "{text}"', param_hint=option) from None


def _pair(text: str | None, option: str, read: Any) -> tuple[Any, Any] | None:
    """Two values (y, x), or one for both."""
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) > 2:
        raise typer.BadParameter(f'one or two values were expected, got "{text}"', param_hint=option)
    return read(parts[0], option), read(parts[-1], option)
