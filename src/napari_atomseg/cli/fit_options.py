"""How columns are fitted, as options that ``locate`` and ``refine`` share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_atomseg.cli.inputs import params_of

if TYPE_CHECKING:
    from napari_atomseg.workflows import RefineParams

Width = Annotated[
    str | None, typer.Option(metavar="shared|each", help="One width for all columns, or each its own. [default: shared]")
]
Likelihood = Annotated[
    str | None,
    typer.Option(
        metavar="poisson|least-squares",
        help="Pixels weighted by their counting noise, or all with the same weight. [default: poisson]",
    ),
]
Shape = Annotated[str | None, typer.Option(metavar="round|elliptic", help="Shape of the columns. [default: round]")]
Background = Annotated[
    str | None,
    typer.Option(
        metavar="auto|local|tilted|shared",
        help="Level under each column, flat or tilted; one level for the whole image (particles in vacuum); or chosen from "
        "the image. [default: auto]",
    ),
]
Tails = Annotated[bool, typer.Option("--tails", help="Give all columns a Lorentzian share, as the probe's tails ask for.")]
GaussiansOnly = Annotated[
    bool,
    typer.Option(
        "--gaussians-only",
        help="Fit Gaussians alone: do not take off unseen neighbours and what the columns' profile has beyond a Gaussian.",
    ),
]
Gain = Annotated[
    float | None, typer.Option(help="Variance for each unit of intensity: 1 for counts; from the image if left out.")
]
Offset = Annotated[float | None, typer.Option(help="Intensity where no electron arrives; from the image if left out.")]
RowJitter = Annotated[
    bool, typer.Option("--row-jitter", help="Estimate the displacement of single scan rows, and fit the columns without it.")
]


def fit_params(
    width: str | None,
    likelihood: str | None,
    shape: str | None,
    background: str | None,
    tails: bool,
    gaussians_only: bool,
    gain: float | None,
    offset: float | None,
    row_jitter: bool,
) -> RefineParams | None:
    """What was typed of the fit; None if nothing was.

    Raises
    ------
    typer.BadParameter
        If a value is illegal.
    """
    from napari_atomseg.workflows import RefineParams

    typed: dict[str, Any] = {
        "width": width,
        "likelihood": likelihood,
        "shape": shape,
        "background": background,
        "tails": tails or None,
        "beyond_gaussians": False if gaussians_only else None,
        "gain": gain,
        "offset": offset,
        "row_jitter": row_jitter or None,
    }
    typed = {name: value for name, value in typed.items() if value is not None}
    if not typed:
        return None
    options = " and ".join(OPTION_OF.get(name, f"--{name}".replace("_", "-")) for name in typed)
    return params_of(RefineParams, options, **typed)


OPTION_OF = {"beyond_gaussians": "--gaussians-only"}
"""Names of options that are not those of their parameters."""


def refuse_without_fit(fit: RefineParams | None, no_refine: bool) -> None:
    """Stop where the fit is described and left out.

    Raises
    ------
    typer.BadParameter
    """
    if fit is not None and no_refine:
        raise typer.BadParameter(
            "the options of the fit have no effect without it; leave out --no-refine", param_hint="--no-refine"
        )
