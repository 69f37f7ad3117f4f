"""How columns are fitted, as options that ``locate`` and ``refine`` share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from napari_atomseg.cli.param_options import FieldOption, Typed

if TYPE_CHECKING:
    from napari_atomseg.workflows import RefineParams

FIT = {"fit": "RefineParams"}
FIT_OPTIONS = (
    FieldOption("fit.width"),
    FieldOption("fit.likelihood"),
    FieldOption("fit.shape"),
    FieldOption("fit.background"),
    FieldOption("fit.tails"),
    FieldOption("fit.beyond_gaussians", "--gaussians-only"),
    FieldOption("fit.gain"),
    FieldOption("fit.offset"),
    FieldOption("fit.row_jitter"),
)


def fit_params(typed: Typed) -> RefineParams | None:
    """What was typed of the fit; None if nothing was.

    Raises
    ------
    typer.BadParameter
        If a value is illegal.
    """
    from napari_atomseg.workflows import RefineParams

    return typed.params("fit", RefineParams) if typed.of("fit") else None


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
