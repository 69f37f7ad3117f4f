"""Cross-sections against the number of atoms, from a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_atomseg.core.errors import AtomsegError


def read_library(path: str | Path) -> np.ndarray:
    """Cross-sections of columns of 1, 2 ... atoms, shape (L,).

    Parameters
    ----------
    path : str or Path
        Text: one cross-section a line, or two numbers a line, the atoms and the cross-section. Commas, blanks and a header are
        understood.

    Raises
    ------
    AtomsegError
        If it cannot be read so, or the cross-sections do not grow.
    """
    name = Path(path).name
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise AtomsegError(
            f"{name} cannot be read as a library: {getattr(error, 'strerror', None) or 'it is no text'}"
        ) from error
    rows = _numbers(lines, name)
    if not rows or len({len(row) for row in rows}) != 1 or len(rows[0]) > 2:
        raise AtomsegError(f"{name} is no library: it should hold one cross-section a line, or atoms and cross-section")
    table = np.array(rows)
    if table.shape[1] == 2:
        if not np.array_equal(table[:, 0], np.arange(1, len(table) + 1)):
            raise AtomsegError(f"{name}: the numbers of atoms should be 1, 2, 3 ... without gaps")
        table = table[:, 1:]
    found = table[:, 0]
    if not np.isfinite(found).all() or found[0] <= 0 or (np.diff(found) <= 0).any():
        raise AtomsegError(f"{name}: cross-sections should be positive and grow from atom to atom")
    return np.asarray(found)


def _numbers(lines: list[str], name: str) -> list[list[float]]:
    """Numbers of each line that has some; what is no number may stand in the head only."""
    rows: list[list[float]] = []
    for line in lines:
        parts = line.split("#")[0].replace(",", " ").replace(";", " ").split()
        try:
            numbers = [float(part) for part in parts]
        except ValueError:
            if rows:
                raise AtomsegError(f'{name}: "{line.strip()}" is no cross-section; a library holds one a line') from None
            continue
        if numbers:
            rows.append(numbers)
    return rows
