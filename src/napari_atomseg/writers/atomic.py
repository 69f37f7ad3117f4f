"""Whole files or none: write beside the target, then take its place in one step."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_atomseg.core.errors import AtomsegError

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


@contextmanager
def replacing(path: Path | str, error: type[AtomsegError] = AtomsegError, durable: bool = True) -> Iterator[Path]:
    """Path of a new file that takes the place of `path` when the block ends well, and vanishes when it does not.

    The new file lies in the same folder, because only there is a move one indivisible step, and keeps the suffix, because
    many libraries choose the format by it. A missing folder is made, a tree of them is refused; a
    symbolic link stays and its target is replaced.

    Parameters
    ----------
    path : Path or str
        The file to write.
    error : type of AtomsegError
        What to raise for a full disk, a folder without permission and the like.
    durable : bool
        Wait until the disk has it, so that it outlives a power failure.

    Yields
    ------
    Path
        Where to write.

    Raises
    ------
    AtomsegError
        If the file cannot be written.
    """
    target = Path(path)
    part: Path | None = None
    try:
        target = target.resolve()
        make_folder(target.parent, error)
        part = target.with_name(f".{target.stem[:60]}.{secrets.token_hex(4)}{target.suffix}")
        yield part
        if durable:
            _flush_to_disk(part)
        os.replace(part, target)
    except OSError as problem:
        raise error(_sentence(target, problem)) from problem
    finally:
        if part is not None:
            _discard(part)


def make_folder(folder: Path, error: type[AtomsegError] = AtomsegError) -> None:
    """Make a folder that is missing in one that exists; more than that is rather a slip in the path than a wish.

    Parameters
    ----------
    folder : Path
    error : type
        Raised if it cannot be made.

    Raises
    ------
    AtomsegError
        If the folder around it is missing too.
    """
    try:
        folder.mkdir(exist_ok=True)
    except FileNotFoundError as problem:
        missing = next(one for one in reversed(folder.parents) if not one.exists())
        raise error(f"{folder}: the folder {missing} does not exist; check its spelling, or make it first") from problem


def _flush_to_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _discard(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        # The folder itself is gone or locked: the first error is the one worth telling.
        return


def _sentence(path: Path, problem: OSError) -> str:
    if problem.errno in _FULL:
        return f"{path}: the disk is full; free some space or choose another folder"
    if path.is_dir():
        return f"{path}: this is a folder; give the name of a file in it"
    if isinstance(problem, PermissionError):
        return f"{path}: no permission to write here; choose another folder, or close the program that holds the file open"
    return f"{path}: cannot be written ({problem.strerror or problem}); choose another name or folder"
