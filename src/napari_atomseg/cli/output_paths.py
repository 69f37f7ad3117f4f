"""Which file each input is written to; nothing is overwritten unless that was asked for."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from napari_atomseg.core.errors import AtomsegError

if TYPE_CHECKING:
    from napari_atomseg.core.columns import Columns

TABLE = ".csv"
STRUCTURES = (".xyz", ".extxyz")
IMAGES = (".tif", ".tiff", ".npy", ".hspy", ".zspy")
"""As :data:`napari_atomseg.writers.image.IMAGE_SUFFIXES`, which takes longer to load than help may take."""


@dataclass(frozen=True, kw_only=True)
class Formats:
    """What a command writes.

    Attributes
    ----------
    what : str
        In a word.
    suffixes : tuple of str
        The first one where none is given.
    described : str
        The suffixes in words.
    """

    what: str
    suffixes: tuple[str, ...]
    described: str


COLUMNS = Formats(what="columns", suffixes=(TABLE, *STRUCTURES), described=f"{TABLE} (a table) or {STRUCTURES[0]} (a structure)")
MAPS = Formats(what="maps", suffixes=IMAGES, described=", ".join(IMAGES))


def targets_of(inputs: Sequence[Path], out: str, formats: Formats = COLUMNS) -> dict[Path, Path]:
    """The file that each input is written to; an input that was given twice stands once.

    Parameters
    ----------
    inputs : sequence of Path
        At least one.
    out : str
        As typed. It is a folder if it exists as one, ends with a separator, or has no suffix and there are several
        inputs.
    formats : Formats

    Raises
    ------
    typer.BadParameter
        If several inputs would share one file, or the file's suffix is none that this can be written to.
    """
    once = list({path.resolve(): path for path in reversed(inputs)}.values())[::-1]
    usual = formats.suffixes[0]
    if is_folder(out, len(once)):
        return {path: Path(out) / f"{name}{usual}" for path, name in zip(once, names_of(once), strict=True)}
    if len(once) > 1:
        raise typer.BadParameter(
            f'{len(once)} inputs cannot share the file "{out}"; give a folder and end its name with /', param_hint="-o"
        )
    path = Path(out)
    if not path.suffix:
        path = path.with_name(path.name + usual)
    if path.suffix.lower() not in formats.suffixes:
        raise typer.BadParameter(
            f'{formats.what} are written as {formats.described}, not as "{path.suffix}"; change the suffix', param_hint="-o"
        )
    return {once[0]: path}


def is_folder(out: str, count: int) -> bool:
    """True if `out` means a folder for `count` inputs."""
    return Path(out).is_dir() or out.endswith(("/", os.sep)) or (count > 1 and not Path(out).suffix)


def names_of(inputs: Sequence[Path]) -> list[str]:
    """A name for each input, all different even where upper and lower case are one.

    The stem; where stems clash in one folder, the suffix after it; where they clash between folders, as many folders
    before it as it takes; where all of that does not help, a number.
    """
    same_place = Counter((path.resolve().parent, path.stem.casefold()) for path in inputs)
    stems = [
        path.stem if same_place[path.resolve().parent, path.stem.casefold()] == 1 else f"{path.stem}_{path.suffix[1:]}"
        for path in inputs
    ]
    folders = [path.resolve().parent.parts[1:] for path in inputs]
    names = stems
    for depth in range(1, max(map(len, folders), default=0) + 1):
        clashing = _clashing(names)
        if not clashing:
            return names
        names = [
            "_".join([*folders[index][-depth:], stems[index]]) if index in clashing else name for index, name in enumerate(names)
        ]
    clashing = _clashing(names)
    return [f"{name}_{index}" if index in clashing else name for index, name in enumerate(names)]


def _clashing(names: Sequence[str]) -> set[int]:
    counts = Counter(name.casefold() for name in names)
    return {index for index, name in enumerate(names) if counts[name.casefold()] > 1}


def files_of(target: Path) -> tuple[Path, ...]:
    """All files that belong to a columns file."""
    if target.suffix.lower() in STRUCTURES:
        return (target,)
    return target.with_suffix(TABLE), target.with_suffix(".json")


def refuse_existing(paths: Sequence[Path], force: bool) -> None:
    """Stop before work is done in vain.

    Raises
    ------
    AtomsegError
        If one of the files exists and may not be overwritten.
    """
    taken = [str(path) for path in paths if path.exists()]
    if taken and not force:
        raise AtomsegError(f"{' and '.join(taken)} would be overwritten; add --force, or choose another name")


def refuse_overwriting(written: Sequence[Path], inputs: Iterable[Path], force: bool) -> None:
    """Stop before images are written over recorded ones, or unasked over other files.

    Parameters
    ----------
    written : sequence of Path
    inputs : iterable of Path
        The recorded images.
    force : bool
        Files other than the recorded images may be overwritten.

    Raises
    ------
    AtomsegError
        Names the file.
    """
    for target in written:
        refuse_inputs(target, inputs)
    refuse_existing(written, force)


def write(columns: Columns, target: Path) -> None:
    """Columns as a table with its description, or as a structure, as the suffix says."""
    if target.suffix.lower() in STRUCTURES:
        from napari_atomseg.writers.structure_xyz import write_xyz

        write_xyz(columns, target)
    else:
        from napari_atomseg.writers.columns_csv import write_columns

        write_columns(columns, target)


def refuse_inputs(target: Path, inputs: Iterable[Path], what: str = "images themselves; write to another name or folder") -> None:
    """What was given is never overwritten by what is made of it, whatever was forced.

    Parameters
    ----------
    target : Path
    inputs : iterable of Path
    what : str
        The inputs in words, and what to do instead: end of the sentence.

    Raises
    ------
    AtomsegError
        If the target is one of them.
    """
    if target.resolve() in {path.resolve() for path in inputs}:
        raise AtomsegError(f"{target} is one of the {what}")
