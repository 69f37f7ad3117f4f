"""Tables of columns on the command line: how they are to be read, what was guessed, and whether their fits went well."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_atomseg.cli.console import Console
from napari_atomseg.core.errors import AtomsegError, MissingCalibrationError

if TYPE_CHECKING:
    from napari_atomseg.core.columns import Columns
    from napari_atomseg.core.micrograph import Micrograph

Unit = Annotated[
    str | None,
    typer.Option(metavar="A|nm|pm|px", help="What the table's positions are in; by its header, or pixels, if left out."),
]
FirstIndex = Annotated[
    int | None, typer.Option(metavar="0|1", help="Number of the table's first pixel; 1 in MATLAB and StatSTEM, 0 if left out.")
]

TableIn = Annotated[Path, typer.Argument(metavar="COLUMNS", help="Table of columns, ours or another program's.")]


@dataclass(frozen=True, kw_only=True)
class TableChoice:
    """How a table of columns is to be read, as typed; a group of options.

    Raises
    ------
    typer.BadParameter
        If something was typed that cannot be.
    """

    unit: Unit = None
    first_index: FirstIndex = None

    def __post_init__(self) -> None:
        require_units(self.unit, self.first_index)

    def read(self, path: Path, micrograph: Micrograph, console: Console) -> Columns:
        """Columns of a table in pixels of an image; the console is told what was guessed."""
        return read_table(path, micrograph, self.unit, self.first_index, console)


def require_units(unit: str | None, first_index: int | None) -> None:
    """Refuse what is no unit of positions, and no number of a first pixel.

    Raises
    ------
    typer.BadParameter
        Names those that are.
    """
    from napari_atomseg.readers.column_mapping import unit_called

    if unit is not None and unit_called(unit) is None:
        raise typer.BadParameter(f'positions are in A, nm, pm, um or px, not in "{unit}"', param_hint="--unit")
    if first_index not in (None, 0, 1):
        raise typer.BadParameter(f"the first pixel has the number 0 or 1, not {first_index}", param_hint="--first-index")


def read_table(path: Path, micrograph: Micrograph, unit: str | None, first_index: int | None, console: Console) -> Columns:
    """Columns of a table in pixels, what was guessed being noted.

    Positions given as lengths are turned by the table's own pixel size, else by the image's.

    Parameters
    ----------
    path : Path
    micrograph : Micrograph
        Tells the pixel size where the table does not.
    unit : str or None
        Of the positions, as one writes it, such as ``nm``; None to guess.
    first_index : int or None
        Number of the first pixel, 0 or 1; None to guess.
    console : Console
        Told what was guessed.

    Raises
    ------
    MissingCalibrationError
        If positions are lengths, and neither table nor image has a pixel size.
    """
    from napari_atomseg.readers.columns_table import mapping_for
    from napari_atomseg.readers.text_columns import NOTES
    from napari_atomseg.workflows import read_columns

    stated = unit is not None or first_index is not None
    mapping = mapping_for(path, unit, first_index) if stated else None
    try:
        columns = read_columns(path, mapping)
    except MissingCalibrationError:
        if micrograph.pixel_size is None:
            raise
        columns = read_columns(path, mapping, micrograph.pixel_size, micrograph.pixel_size_source)
    for note in columns.provenance.get(NOTES, ()):
        console.note(f"{path.name}: {note}")
    return columns


def doubt_of(columns: Columns, micrograph: Micrograph) -> str:
    """Where positions taken for pixels are probably something else: what was seen, and which options mend it; else empty."""
    from napari_atomseg.workflows import why_misplaced

    doubt = why_misplaced(columns, micrograph)
    return (
        f"{doubt}; say with --unit what they are in, and with --first-index 1 that the first pixel is number 1" if doubt else ""
    )


FLUKES = 0.1
"""Of points that stand on nothing a fit may take so many for columns."""


def require_fits(columns: Columns, target: Path, reason: str) -> None:
    """Refuse to call it a success where hardly a fit went well; the table has been written all the same.

    Parameters
    ----------
    columns : Columns
        With the feature ``fit``.
    target : Path
        The table that was written, whose name the error tells.
    reason : str
        End of the sentence.

    Raises
    ------
    AtomsegError
        If nearly every fit failed; `reason` is the end of the sentence, what was seen and what to do.
    """
    if all_failed(columns):
        failed = int((columns.features["fit"] == "failed").sum())
        number, which = (f"all {failed}", "no") if failed == len(columns) else (f"{failed} of {len(columns)}", "hardly any")
        raise AtomsegError(f"{number} fits failed, so that {which} position in {target.name} is confirmed; {reason}")


def all_failed(columns: Columns) -> bool:
    """Whether there are columns, and every fit of them failed, but for a few that noise may have made."""
    return len(columns) > 0 and float((columns.features["fit"] == "failed").mean()) > 1 - FLUKES
