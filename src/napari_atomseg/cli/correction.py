"""``fit-correction``: the polynomial that brings convolution images towards multislice accuracy, from pairs of both."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_atomseg.cli.inputs import params_of
from napari_atomseg.cli.talk import Debug, Quiet, Talk, each
from napari_atomseg.core.errors import AtomsegError

if TYPE_CHECKING:
    from napari_atomseg.imaging.correction.correction import Correction
    from napari_atomseg.imaging.correction.params import CorrectionParams

_PAPER_ONLY = "they belong to --form paper"


def fit_correction(
    pairs: Annotated[
        Path,
        typer.Argument(
            metavar="PAIRS", help="Folder of .npz with convolution and multislice, or of *_convolution.tif and *_multislice.tif."
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--output", metavar="FILE.json", help="The correction.")],
    form: Annotated[
        str,
        typer.Option(metavar="robust|paper|better", help="Principal components; Combs et al. (2019); with wider surroundings."),
    ] = "robust",
    side: Annotated[
        int | None, typer.Option(metavar="PX", help="Odd side of the paper's grid of input pixels. [default: 5]")
    ] = None,
    degree: Annotated[int | None, typer.Option(metavar="N", help="Degree of the paper's polynomial. [default: 2]")] = None,
    no_log: Annotated[bool, typer.Option("--no-log", help="The paper's form without the logarithm.")] = False,
    no_interactions: Annotated[bool, typer.Option("--no-interactions", help="The paper's form without products.")] = False,
    split: Annotated[str, typer.Option(metavar="image|block|pixel", help="What is left out together.")] = "image",
    folds: Annotated[int | None, typer.Option(metavar="N", help="Parts of which each is left out once. [default: 2]")] = None,
    repeats: Annotated[int, typer.Option(metavar="N", help="How often the data are divided anew.")] = 2,
    leave_out: Annotated[
        float | None,
        typer.Option("--leave-out", metavar="SHARE", help="Share of the data left out in each repeat, in place of folds."),
    ] = None,
    pixels: Annotated[
        int, typer.Option(metavar="N", help="Largest number of pixels of each image that are fitted; 0 for all.")
    ] = 20_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same folds.")] = 0,
    elements: Annotated[str, typer.Option(metavar="A,B,...", help="Elements that the pairs show, to warn of others.")] = "",
    figures: Annotated[Path | None, typer.Option(metavar="DIR", help="Parity plot and maps of the differences.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Fit a correction to pairs of convolution and multislice images; print its terms, and its cross-validated 1-R2 and FRMS."""
    own = {"side": side, "degree": degree, "log": False if no_log else None, "interactions": False if no_interactions else None}
    _refuse_paper_only(form, own)
    if folds is not None and leave_out is not None:
        raise typer.BadParameter("it changes nothing beside --leave-out, which takes its place", param_hint="--folds")
    params = _params(
        {
            "form": form,
            "split": split,
            **({} if folds is None else {"folds": folds}),
            "repeats": repeats,
            "left_out": leave_out,
            "pixels": pixels,
            "seed": seed,
        },
        own,
    )
    talk = Talk(quiet=quiet, debug=debug)

    def work(folder: Path) -> None:
        from napari_atomseg.core.jobs import run
        from napari_atomseg.workflows import fit_correction as job
        from napari_atomseg.workflows import write_correction

        if out.exists() and not force:
            raise AtomsegError(f"{out} is there already; choose another name, or --force to overwrite")
        symbols = [symbol.strip() for symbol in elements.split(",") if symbol.strip()]
        correction = run(job.steps(folder, params, elements=symbols, figures=figures), talk.reporter(folder))
        write_correction(correction, out)
        if any(correction.offset):
            y, x = correction.offset
            talk.note(
                f"the multislice images lie {y:.2f}, {x:.2f} px (y, x) from the convolution images; the fit puts them on one grid"
            )
        if form == "paper":
            talk.note(
                "the paper's form needs exact convolution images in double precision; for any other image take --form robust"
            )
        talk.say(f"{summary(correction)} -> {out}")

    each(talk, [pairs], work)


def summary(correction: Correction) -> str:
    """One line: the form, its terms, and its scores."""
    text = f"{correction.params.form}: {correction.number_of_terms} terms"
    scores = correction.cross_validation
    if scores is None:
        return text
    how = f"{scores.folds} folds" if scores.left_out is None else f"{100 * scores.left_out:g} % left out"
    return (
        f"{text}, 1-R2 {scores.one_minus_r2:.4f}, FRMS {scores.frms:.4f} ({scores.split}-wise, {how}, {scores.repeats} repeats)"
    )


def _refuse_paper_only(form: str, own: dict[str, Any]) -> None:
    told = [name for name, value in own.items() if value is not None]
    if told and form != "paper":
        names = " and ".join(f"--{'no-' if own[name] is False else ''}{name}" for name in told)
        raise typer.BadParameter(f"{names} change nothing of --form {form}; {_PAPER_ONLY}", param_hint="--form")


def _params(common: dict[str, Any], own: dict[str, Any]) -> CorrectionParams:
    from napari_atomseg.workflows import CorrectionParams

    values = common | {name: value for name, value in own.items() if value is not None}
    return params_of(CorrectionParams, "--" + ", --".join(values).replace("_", "-"), **values)
