"""``fit-correction``: the polynomial that brings convolution images towards multislice accuracy, from pairs of both."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_atomseg.cli.console import Console, run_for_each
from napari_atomseg.cli.options import Force, length_of
from napari_atomseg.cli.param_options import FieldOption, Typed, param_options
from napari_atomseg.core.errors import AtomsegError

if TYPE_CHECKING:
    from napari_atomseg.imaging.correction.correction import Correction

_PAPER_ONLY = "they belong to --form paper"


@param_options(
    {"fit": "CorrectionParams", "simulation": "SimulationParams", "stem": "StemParams", "detector": "DetectorParams"},
    FieldOption("fit.form"),
    FieldOption("fit.side"),
    FieldOption("fit.degree"),
    FieldOption("fit.log", "--no-log"),
    FieldOption("fit.interactions", "--no-interactions"),
    FieldOption("fit.split"),
    FieldOption("fit.folds"),
    FieldOption("fit.repeats"),
    FieldOption("fit.left_out", "--leave-out", metavar="SHARE"),
    FieldOption("fit.pixels"),
    FieldOption("fit.seed"),
    FieldOption("simulation.pixel_size", default="what the pairs tell"),
    FieldOption("stem.energy", default="what the pairs tell"),
    FieldOption("stem.semiangle", default="what the pairs tell"),
    FieldOption("detector.inner_angle", "--inner", default="what the pairs tell"),
    FieldOption("detector.outer_angle", "--outer", default="what the pairs tell"),
    FieldOption("stem.source_size", default="what the pairs tell"),
)
def fit_correction(
    pairs: Annotated[
        Path,
        typer.Argument(
            metavar="PAIRS", help="Folder of .npz with convolution and multislice, or of *_convolution.tif and *_multislice.tif."
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--output", metavar="FILE.json", help="The correction.")],
    elements: Annotated[
        str, typer.Option(metavar="A,B,...", help="Elements that the pairs show.", show_default="what the pairs tell")
    ] = "",
    thickness: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH[,LENGTH]", help="Least and greatest thickness of the pairs.", show_default="what the pairs tell"
        ),
    ] = None,
    figures: Annotated[Path | None, typer.Option(metavar="DIR", help="Parity plot and maps of the differences.")] = None,
    force: Force = False,
    *,
    console: Console,
    typed: Typed,
) -> None:
    """Fit a correction to pairs of convolution and multislice images; print its terms, and its cross-validated 1-R2 and FRMS."""
    from napari_atomseg.workflows import CorrectionParams

    form = typed.of("fit").get("form", "auto")
    _refuse_paper_only(form, typed.names("fit", "side", "degree", "log", "interactions"))
    if {"folds", "left_out"} <= set(typed.of("fit")):
        raise typer.BadParameter("it changes nothing beside --leave-out, which takes its place", param_hint="--folds")
    params = typed.params("fit", CorrectionParams)
    optics: dict[str, float | str] = {**typed.of("stem"), **typed.of("detector")}
    between = _thickness(thickness)

    def work(folder: Path) -> None:
        from napari_atomseg.core.jobs import run
        from napari_atomseg.workflows import fit_correction as job
        from napari_atomseg.workflows import write_correction

        if out.exists() and not force:
            raise AtomsegError(f"{out} is there already; choose another name, or --force to overwrite")
        symbols = [symbol.strip() for symbol in elements.split(",") if symbol.strip()]
        steps = job.steps(
            folder,
            params,
            elements=symbols,
            thickness=between,
            optics=optics,
            pixel_size=typed.of("simulation").get("pixel_size"),
            figures=figures,
        )
        correction = run(steps, console.reporter(folder))
        write_correction(correction, out)
        for sentence in doubts(correction, form):
            console.note(sentence)
        console.say(f"{summary(correction)} -> {out}")

    run_for_each(console, [pairs], work)


def doubts(correction: Correction, form: str) -> list[str]:
    """Sentences on the pairs that a correction was fitted to, and on the images that it is good for.

    Parameters
    ----------
    correction : Correction
    form : str
        As it was asked for, ``auto`` included.
    """
    told = []
    if any(correction.offset):
        y, x = correction.offset
        told.append(
            f"the multislice images lie {y:.2f}, {x:.2f} px (y, x) from the convolution images; the fit puts them on one grid"
        )
    if correction.fitted_on.untold:
        told.append(
            f"the pairs do not tell {', '.join(correction.fitted_on.untold)}; give it, so that images which the "
            "correction does not fit can be refused"
        )
    told += correction.fitted_on.off_scale
    if form == "paper":
        told.append("the paper's form needs exact convolution images in double precision; for any other image take --form robust")
    return told


def summary(correction: Correction) -> str:
    """One line: the form, its terms, and its scores."""
    text = f"{_named(correction)}: {correction.number_of_terms} terms"
    scores = correction.cross_validation
    if scores is None:
        return text
    how = f"{scores.folds} folds" if scores.left_out is None else f"{100 * scores.left_out:g} % left out"
    text += f", 1-R2 {scores.one_minus_r2:.4f}, FRMS {scores.frms:.4f} ({scores.split}-wise, {how}, {scores.repeats} repeats)"
    if scores.leave_one_out is not None:
        text += f"; images left out one by one {scores.leave_one_out:.4f}, their convolution alone {scores.plain:.4f}"
    return text if scores.noise is None else f"{text}, of which thermal noise {scores.noise:.4f}"


def _named(correction: Correction) -> str:
    params = correction.params
    return "one pixel" if params.form == "paper" and params.side == 1 else params.form


def _thickness(text: str | None) -> tuple[float, float] | None:
    """Least and greatest thickness, Å, as typed."""
    if text is None:
        return None
    ends = [length_of(part, "--thickness") for part in text.split(",")]
    if len(ends) > 2 or ends[0] > ends[-1]:
        raise typer.BadParameter(
            f'one length, or the least and the greatest, was expected, got "{text}"', param_hint="--thickness"
        )
    return ends[0], ends[-1]


def _refuse_paper_only(form: str, options: list[str]) -> None:
    if options and form != "paper":
        raise typer.BadParameter(f"{' and '.join(options)} change nothing of --form {form}; {_PAPER_ONLY}", param_hint="--form")
