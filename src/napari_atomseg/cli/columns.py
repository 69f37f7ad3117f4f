"""``locate`` and ``refine``: from images to tables of columns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_atomseg.cli.console import Console, run_for_each
from napari_atomseg.cli.fit_options import FIT, FIT_OPTIONS, fit_params, refuse_without_fit
from napari_atomseg.cli.options import Force, ImageChoice, ImagesIn, PartChoice, require_model
from napari_atomseg.cli.output_paths import STRUCTURES, files_of, is_folder, refuse_existing, targets_of, write
from napari_atomseg.cli.param_options import FieldOption, Typed, param_options
from napari_atomseg.cli.tables import TableChoice, TableIn, doubt_of, require_fits
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import run
from napari_atomseg.core.quantities import format_pixel_size

if TYPE_CHECKING:
    from napari_atomseg.core.columns import Columns
    from napari_atomseg.core.micrograph import Micrograph

Out = Annotated[
    str, typer.Option("-o", "--output", metavar="OUT", help="File (.csv or .xyz), or a folder for any number of inputs.")
]


@param_options(
    {**FIT, "classical": "ClassicalParams", "network": "NetworkParams"},
    FieldOption("classical.polarity network.polarity"),
    FieldOption("classical.column_sigma", "--column-width"),
    FieldOption("classical.contrast", metavar="SHARE"),
    FieldOption("network.segmentation"),
    FieldOption("network.epsilon", metavar="P"),
    FieldOption("network.rejection", metavar="T"),
    FieldOption("network.foci", metavar="A,A,A"),
    FieldOption("network.register", "--no-registration"),
    FieldOption("network.straighten", "--as-scanned"),
    FieldOption("network.alike", "--no-nonlocal", aliases=("--alone",)),
    FieldOption("network.averaged", "--averaged"),
    *FIT_OPTIONS,
)
def locate(
    inputs: ImagesIn,
    out: Out,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="auto|NAME", help="Finder, see `models`; auto takes a network where it knows such images. [default: auto]"
        ),
    ] = None,
    *,
    images: PartChoice,
    series: Annotated[
        bool, typer.Option("--series", help="The frames, or the images of several files with one table, are one focal series.")
    ] = False,
    no_refine: Annotated[bool, typer.Option("--no-refine", help="Leave out the fit that gives error bars.")] = False,
    force: Force = False,
    console: Console,
    typed: Typed,
) -> None:
    """Find atomic columns: a table (CSV) and its description (JSON) for each image."""
    from napari_atomseg.workflows import AUTO, ClassicalParams, NetworkParams, join_series, model_names
    from napari_atomseg.workflows import locate as job

    require_model(model, [AUTO, *model_names()])
    for_networks = _options_of_networks(typed, model)
    if not series:
        _refuse(typed.names("network", "foci", "register"), "a focal series; give --series")
    params, network = typed.params("classical", ClassicalParams), typed.params("network", NetworkParams)
    fit = fit_params(typed)
    refuse_without_fit(fit, no_refine)
    # Several images that are to share one table are one series; else each file holds one.
    joined = inputs if series and len(inputs) > 1 and not is_folder(out, len(inputs)) else []
    targets = targets_of(inputs[:1] if joined else inputs, out)

    def work(path: Path) -> None:
        target = targets[path]
        refuse_existing(files_of(target), force)
        opened = [images.open(one, console) for one in joined or [path]]
        image = join_series(opened) if joined else opened[0]
        require_scale(image, target, console)
        steps = job.steps(
            image,
            model=model,
            params=params,
            network=network,
            refined=not no_refine,
            refinement=fit,
            region=images.part,
            frames=images.frames,
            series=series,
        )
        found = run(steps, console.reporter(path))
        _refuse_of_no_network(for_networks, found, path)
        write(found, target)
        note_finding(path, found, console)
        console.say(summary(path, found, target))
        require_fits(found, target, "check --polarity and --pixel-size, or leave the fit out with --no-refine")

    run_for_each(console, targets, work)


def _options_of_networks(typed: Typed, model: str | None) -> list[str]:
    """Options that were typed and belong to networks; those of the other kind of finder are refused."""
    from napari_atomseg.workflows import AUTO, CLASSICAL

    for_networks = typed.names("network", "straighten", "alike", "averaged", "segmentation", "epsilon", "rejection")
    if model == CLASSICAL:
        _refuse(for_networks, "networks; name one with --model")
    elif model not in (None, AUTO):
        _refuse(typed.names("classical", "column_sigma", "contrast"), "the classical finder; leave out --model")
    return for_networks


def _refuse_of_no_network(options: list[str], found: Columns, path: Path) -> None:
    """Stop where the image itself made the choice of the finder, and options of networks had no effect."""
    from napari_atomseg.workflows import CLASSICAL

    if options and found.provenance.get("model") == CLASSICAL:
        raise AtomsegError(
            f"{path.name}: {' and '.join(options)} have no effect with the classical finder, which was chosen "
            f"({found.provenance.get('model_chosen_because')}); leave them out, or name a network with --model"
        )


def _refuse(options: list[str], belonging: str) -> None:
    """Stop where options would have no effect.

    Raises
    ------
    typer.BadParameter
    """
    if options:
        raise typer.BadParameter(f"no effect here: for {belonging}", param_hint=" and ".join(options))


@param_options(FIT, *FIT_OPTIONS)
def refine(
    columns: TableIn,
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="The image that they are fitted on.")],
    out: Out,
    straighten: Annotated[
        bool, typer.Option("--straighten-rows", help="Take off what all columns of the same rows are displaced by in common.")
    ] = False,
    *,
    table: TableChoice,
    images: ImageChoice,
    force: Force = False,
    console: Console,
    typed: Typed,
) -> None:
    """Fit given columns again on an image: sub-pixel positions with error bars."""
    from napari_atomseg.workflows import refine as job
    from napari_atomseg.workflows import straighten_rows

    params = fit_params(typed)
    target = next(iter(targets_of([columns], out).values()))

    def work(path: Path) -> None:
        refuse_existing(files_of(target), force)
        micrograph = images.open(path, console)
        require_scale(micrograph, target, console)
        given = table.read(columns, micrograph, console)
        if given.image_shape not in (None, micrograph.shape):
            console.note(
                f"{columns}: the columns belong to an image of shape {given.image_shape}, this one has {micrograph.shape}"
            )
        fitted = run(job.steps(micrograph, given, params=params), console.reporter(path))
        if straighten:
            fitted, _ = run(straighten_rows.steps(fitted), console.reporter(path))
        write(fitted, target)
        console.say(summary(columns, fitted, target))
        # As they were given: a fit may have moved them.
        doubt = doubt_of(given.with_features(fit=fitted.features["fit"].to_numpy()), micrograph)
        require_fits(fitted, target, doubt or "check that the table belongs to this image")
        if doubt:
            console.note(f"{columns.name}: {doubt}")

    run_for_each(console, [image], work)


def summary(path: Path, columns: Columns, target: Path) -> str:
    """One line: how many columns, how their fits went, and where they are.

    Parameters
    ----------
    path : Path
        The image; its name comes first.
    columns : Columns
        With the feature ``fit``; their provenance tells which finder and which fit were chosen.
    target : Path
        The table that was written.
    """
    from napari_atomseg.workflows import finder_choice, fit_choices

    counts = columns.features["fit"].value_counts()
    fits = ", ".join(f"{count} {name}" for name, count in counts.items() if name != "none")
    chosen = "; ".join(text for text in (finder_choice(columns), fit_choices(columns)) if text)
    return f"{path.name}: {len(columns)} columns{f' ({fits})' if fits else ''}{f'; {chosen}' if chosen else ''} -> {target}"


def note_finding(path: Path, found: Columns, console: Console) -> None:
    """Say what was not searched, with which pixel size a network worked, what it doubts, and that rows were straightened.

    Parameters
    ----------
    path : Path
        The image; its name comes first.
    found : Columns
        Their provenance tells.
    console : Console
    """
    from napari_atomseg.workflows import estimated_size, left_out

    network = found.provenance.get("network", {})
    estimate, rows = estimated_size(found.provenance), network.get("rows", "")
    if left_out(found):
        console.note(f"{path.name}: not searched: {left_out(found)}")
    if estimate is not None:
        size = format_pixel_size(estimate.size)
        console.note(
            f"{path.name}: the network took {size}, {estimate.source}; the file gives none, and --pixel-size gives the true one"
        )
    if network.get("series"):
        console.note(f"{path.name}: {network['series']}")
    if network.get("doubt"):
        console.note(f"{path.name}: {network['doubt']}")
    if rows.startswith("straightened"):
        console.note(
            f"{path.name}: rows {rows} for the network's own positions (network_y_px, network_x_px), not for fitted ones"
        )


def require_scale(micrograph: Micrograph, target: Path, console: Console) -> None:
    """Refuse to write a structure, which is made of lengths, without a pixel size; note that a table does without.

    Parameters
    ----------
    micrograph : Micrograph
    target : Path
        What will be written.
    console : Console

    Raises
    ------
    MissingCalibrationError
        If a structure has no pixel size.
    """
    if target.suffix.lower() in STRUCTURES:
        micrograph.require_pixel_size()
    elif micrograph.pixel_size is None:
        console.note(f"{micrograph.name}: the pixel size is unknown, so lengths in Angstrom stay empty; --pixel-size gives it")
