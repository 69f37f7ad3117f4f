"""Where columns are saved, and how: one function for the window, its writer hook and the recovery file."""

from __future__ import annotations

from pathlib import Path

from napari_atomseg.core.columns import Columns


def write_table(columns: Columns, path: Path) -> list[Path]:
    """Write columns as extended xyz if the suffix says so, else as CSV with JSON beside it; the files written."""
    if path.suffix.lower() == ".xyz":
        from napari_atomseg.writers.structure_xyz import write_xyz

        return [write_xyz(columns, path)]
    from napari_atomseg.writers.columns_csv import write_columns

    return list(write_columns(columns, with_suffix(path, (".csv",))))


def usual_path(columns: Columns, folder: str) -> Path:
    """Beside the image by default, else in the folder used last; never a name that exists already.

    Parameters
    ----------
    columns : Columns
    folder : str
        The folder used last; empty for the user's home.
    """
    image = Path(columns.image_path)
    beside = image.parent if image.name and image.parent.is_dir() else Path(folder or Path.home())
    stem = image.stem if image.name else safe_name(columns.image_name or "micrograph")
    for number in range(1, 1000):
        ending = "" if number == 1 else f"_{number}"
        candidate = beside / f"{stem}_columns{ending}.csv"
        if not candidate.exists():
            break
    return candidate


def safe_name(name: str) -> str:
    """A name without the characters that some file system forbids."""
    allowed = "".join("_" if character in '<>:"/\\|?*' or ord(character) < 32 else character for character in name)
    return allowed.strip(" .") or "columns"


def with_suffix(path: Path, suffixes: tuple[str, ...]) -> Path:
    """The path itself if it ends in one of the suffixes, else with the first of them behind it: `scan.2` stays `scan.2`."""
    return path if path.suffix.lower() in suffixes else path.with_name(path.name + suffixes[0])
