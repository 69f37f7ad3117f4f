"""Atoms in three dimensions as extended xyz."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.writers.atomic import replacing

if TYPE_CHECKING:
    import pandas as pd


def model_path(target: Path) -> Path:
    """File of the model beside the table of columns."""
    return target.with_name(f"{target.stem}_atoms.xyz")


def write_model(atoms: pd.DataFrame, path: Path) -> None:
    """Write atoms, one frame of the file for each frame of the image.

    Parameters
    ----------
    atoms : DataFrame
        ``element, x_angstrom, y_angstrom, z_angstrom, frame``.
    path : Path

    Raises
    ------
    AtomsegError
        If the file cannot be written.
    """
    parts = []
    for frame, rows in atoms.groupby("frame"):
        parts.append(f'{len(rows)}\nProperties=species:S:1:pos:R:3 pbc="F F F" frame={frame}\n')
        places = rows[["x_angstrom", "y_angstrom", "z_angstrom"]].to_numpy(float)
        parts += [f"{name} {x:.6f} {y:.6f} {z:.6f}\n" for name, (x, y, z) in zip(rows["element"], places, strict=True)]
    with replacing(path, AtomsegError) as part:
        part.write_text("".join(parts), encoding="utf-8")
