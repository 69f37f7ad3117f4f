"""A comparison as files: images, numbers, a picture, a table of columns."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from napari_atomseg import __version__
from napari_atomseg.comparison.line_profile import line_profile
from napari_atomseg.comparison.result import NUMBERS, Comparison, comparison_summary
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import to_dict

PICTURES = ("simulated.tif", "residual.tif")
DESCRIPTION, FIGURE, TABLE = "comparison.json", "comparison.png", "columns.csv"


def write_comparison(comparison: Comparison, folder: Path | str, *, force: bool = False) -> list[Path]:
    """Images, numbers, a picture and, if columns were compared, a table; each whole or not at all.

    Parameters
    ----------
    comparison : Comparison
    folder : Path
        Made if it is not there.
    force : bool
        Overwrite what is there.

    Returns
    -------
    list of Path

    Raises
    ------
    AtomsegError
        If a file is there already, or cannot be written.
    """
    from napari_atomseg.writers.atomic import replacing
    from napari_atomseg.writers.image import write_image
    from napari_atomseg.writers.json_file import write_json

    paths = comparison_files(folder, comparison.columns is not None)
    taken = [str(path) for path in paths if path.exists()]
    if taken and not force:
        raise AtomsegError(f"{' and '.join(taken)} would be overwritten; choose another folder, or allow it (--force)")
    write_image(comparison.simulated, paths[0])
    write_image(comparison.residual, paths[1])
    with replacing(paths[3]) as part:
        _figure(comparison).savefig(part, dpi=110)
    if comparison.columns is not None:
        with replacing(paths[4]) as part:
            comparison.columns.to_csv(part, index=False, na_rep="", lineterminator="\n", encoding="utf-8")
    write_json(_description(comparison, paths), paths[2])
    return paths


def comparison_files(folder: Path | str, with_columns: bool) -> list[Path]:
    """What :func:`write_comparison` writes into a folder.

    Parameters
    ----------
    folder : str or Path
    with_columns : bool
        Columns were compared, so that there is a table.
    """
    names = (*PICTURES, DESCRIPTION, FIGURE, *((TABLE,) if with_columns else ()))
    return [Path(folder) / name for name in names]


def _description(comparison: Comparison, paths: list[Path]) -> dict[str, Any]:
    """What the pictures do not say, fit for JSON."""
    import scipy

    from napari_atomseg.writers.columns_csv import checksum, plain

    compared = comparison.simulated.metadata["comparison"]
    sources = {}
    for which in ("simulated", "experimental"):
        path = compared[which]["path"]
        sources[which] = {**compared[which], "sha256": checksum(path) if path else None}
    numbers: dict[str, Any] = {name: getattr(comparison, name) for name in NUMBERS}
    numbers["shift_angstrom"] = numbers.pop("shift")
    described: dict[str, Any] = plain(
        {
            "format": "napari-atomseg comparison",
            **sources,
            "parameters": to_dict(comparison.params),
            **numbers,
            "columns": None if comparison.columns is None else len(comparison.columns),
            "notes": comparison.notes,
            "files": [path.name for path in paths],
            "versions": {"napari-atomseg": __version__, "numpy": np.__version__, "scipy": scipy.__version__},
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        }
    )
    return described


def _figure(comparison: Comparison) -> Any:
    from napari_atomseg.comparison.figure import comparison_figure

    planes = [one.frame() for one in (comparison.simulated, comparison.experimental, comparison.residual)]
    known = np.flatnonzero(np.isfinite(planes[2]).any(axis=1))
    row = float(known[len(known) // 2])
    profile = line_profile(comparison, (row, 0), (row, planes[1].shape[1] - 1))
    size = comparison.experimental.require_pixel_size()
    return comparison_figure(planes[0], planes[1], planes[2], size, profile, comparison_summary(comparison))
