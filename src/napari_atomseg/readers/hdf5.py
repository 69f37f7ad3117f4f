"""What is looked for in an HDF5 file before a reader is trusted with it: damage, missing files and filters, wrong units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from napari_atomseg.core.errors import NoImageError, UnreadableFileError

_MOST_OBJECTS = 10_000  # a file with more is not searched to its end
_PRISMATIC = "4DSTEM_simulation"
_SAME = 1e-2  # relative difference of a step and the pixel size that it may be


def check(path: Path) -> None:
    """Say what keeps a file from being read as an image.

    Raises
    ------
    UnreadableFileError
        It is damaged, or lacks a file or a filter that it needs; the text is the end of a sentence.
    NoImageError
        It is one of Atomap's lattices, which hold column positions and no image.
    """
    import h5py

    try:
        file = h5py.File(path, "r")
    except (OSError, RuntimeError) as error:
        raise UnreadableFileError("it is a truncated or damaged HDF5 file; copy it again from the microscope") from error
    with file:
        lattices = [group for group in file.values() if isinstance(group, h5py.Group) and "atom_positions" in group]
        if lattices or "Atom_Lattice" in str(file.attrs.get("atom_lattice_type", "")):
            raise NoImageError("it is an Atomap lattice, which holds column positions and no micrograph; open it as columns")
        found = list(_members(file))
        datasets = [member for member in found if isinstance(member, h5py.Dataset)]
        _require_files([name for data in datasets for name in _sources(data)], path.parent)
        if not any(data.ndim >= 2 for data in datasets):
            _require_files([link.filename for link in found if isinstance(link, h5py.ExternalLink)], path.parent)
        for data in datasets:
            _require_filters(data)


def prismatic_steps(path: Path) -> Mapping[str, float]:
    """Pixel size in Angstrom along ``y`` and ``x`` of a simulation by Prismatic; empty if the file is none of its.

    Prismatic calls its units ``[n_m]`` and means Angstrom, as its own parameter tells, which is kept beside the image.
    """
    import h5py

    with h5py.File(path, "r") as file:
        group = file.get(f"{_PRISMATIC}/metadata/metadata_0/original/simulation_parameters")
        if _PRISMATIC not in file:
            return {}
        offsets = {} if group is None else {axis: group.attrs.get(f"r{axis}") for axis in "yx"}
    return {axis: float(value) for axis, value in offsets.items() if value is not None} or {"y": 0.0, "x": 0.0}


def prismatic_axes(axes: list[dict[str, Any]], steps: Mapping[str, float]) -> tuple[list[dict[str, Any]], str]:
    """Axes of one of Prismatic's images in Angstrom, and a note; as they are where its own parameter says nanometres."""
    mended = [dict(axis) for axis in axes]
    for axis, name in zip(mended[-2:], "yx", strict=False):
        step = abs(float(axis.get("scale") or 0.0))
        if steps[name] > 0 and abs(10 * step / steps[name] - 1) < _SAME:
            return list(axes), ""
        if str(axis.get("units")).strip("[]") in ("n_m", "nm"):
            axis["units"] = "Å"
    if all(axis.get("units") != "Å" for axis in mended):
        return list(axes), ""
    agrees = any(steps[name] > 0 for name in "yx")
    return mended, f"Prismatic writes n_m and means Å{', as its own pixel size in the file confirms' if agrees else ''}"


def _require_files(names: list[Any], folder: Path) -> None:
    for name in names:
        text = name.decode(errors="replace") if isinstance(name, bytes) else str(name)
        bare = text.replace("\\", "/").rsplit("/", 1)[-1]
        # "." is the file itself; where a path leads nowhere, HDF5 looks beside the file.
        if text != "." and not (folder / text).exists() and not (folder / bare).exists():
            raise UnreadableFileError(f"its data are in {bare}, which is not beside it; put both files into one folder")


def _sources(data: Any) -> Iterator[Any]:
    """Names of the files that hold the numbers of a dataset in place of its own."""
    if data.is_virtual:
        yield from (source.file_name for source in data.virtual_sources())
    yield from (outside[0] for outside in data.external or ())


def _require_filters(data: Any) -> None:
    import h5py

    settings = data.id.get_create_plist()
    for number in range(settings.get_nfilters()):
        code, _, _, called = settings.get_filter(number)
        if not h5py.h5z.filter_avail(code):
            name = called.decode(errors="replace").split(";")[0] or f"number {code}"
            raise UnreadableFileError(
                f"its pixels are compressed by the HDF5 filter {name}, which is not installed; install the package hdf5plugin, "
                "or save it without compression"
            )


def _members(file: Any) -> Iterator[Any]:
    """Every dataset and every link out of the file, up to a number."""
    import h5py

    pending, count = [file], 0
    while pending and count < _MOST_OBJECTS:
        group = pending.pop()
        for name in group:
            count += 1
            link = group.get(name, getlink=True)
            member = group.get(name) if isinstance(link, h5py.HardLink) else link
            if isinstance(member, h5py.Group):
                pending.append(member)
            else:
                yield member
