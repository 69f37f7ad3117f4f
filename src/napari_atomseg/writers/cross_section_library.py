"""Cross-sections against the number of atoms as text."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_atomseg.writers.atomic import replacing


def write_library(cross_sections: np.ndarray, path: Path | str) -> None:
    """Write two columns, the number of atoms and the cross-section, below one line that names them.

    Parameters
    ----------
    cross_sections : ndarray, shape (L,), Å² of the beam
        Of columns of 1, 2, 3 ... atoms.
    path : Path or str
        Columns are parted by commas where it ends with .csv, else by a tabulator.

    Raises
    ------
    AtomsegError
        If it cannot be written.
    """
    between = "," if Path(path).suffix.lower() == ".csv" else "\t"
    lines = [f"atoms{between}cross_section_A2"]
    lines += [f"{number}{between}{value:.8g}" for number, value in enumerate(cross_sections, start=1)]
    with replacing(path) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")
