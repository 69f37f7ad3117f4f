"""Images and stacks to files of the format that the suffix names: float32, whole or not at all.

TIFF, ``.hspy`` and ``.zspy`` carry the pixel size; ``.npy`` holds nothing but numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_atomseg import __version__
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.micrograph import RECORDED, SOURCE_KEY, Micrograph
from napari_atomseg.writers.atomic import replacing
from napari_atomseg.writers.micrograph_tiff import write_tiff

_VERSION = "3.3"
"""Of HyperSpy's layout."""


def write_image(micrograph: Micrograph, path: Path | str) -> Path:
    """Write intensities as float32, (Y, X) or (T, Y, X), in the format of the suffix; ``.tif`` where there is none.

    Stacks are computed and written frame by frame.

    Parameters
    ----------
    micrograph : Micrograph
    path : Path or str
        Ends with one of :data:`IMAGE_SUFFIXES`, in any case of letters.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    AtomsegError
        If the suffix is another one, or the file cannot be written.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix in ("", ".tif", ".tiff"):
        return write_tiff(micrograph, target)
    if suffix not in _WRITERS:
        raise AtomsegError(f'{target}: images are written as {", ".join(IMAGE_SUFFIXES)}, not as "{suffix}"; change the suffix')
    with replacing(target) as part:
        _WRITERS[suffix](micrograph, part)
    return target


def _frames(micrograph: Micrograph) -> Iterator[tuple[Any, np.ndarray]]:
    """Place in the array, and pixels, of every frame."""
    if len(micrograph.shape) == 2:
        yield ..., micrograph.frame()
    else:
        yield from ((index, micrograph.frame(index)) for index in range(micrograph.frames))


def _chunks(micrograph: Micrograph) -> tuple[int, ...]:
    """A frame each."""
    return micrograph.shape if len(micrograph.shape) == 2 else (1, *micrograph.shape[1:])


def _write_npy(micrograph: Micrograph, path: Path) -> None:
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": micrograph.shape}
        np.lib.format.write_array_header_1_0(file, header)
        for _, frame in _frames(micrograph):
            file.write(np.ascontiguousarray(frame, "<f4").tobytes())


def _write_hspy(micrograph: Micrograph, path: Path) -> None:
    import dask.array as da
    from rsciio.hspy import file_writer

    # Lazily, a stack that lies in a file or is yet to be computed is never in memory as a whole.
    chunks = _chunks(micrograph)
    data = micrograph.data if hasattr(micrograph.data, "dask") else da.from_array(micrograph.data, chunks=chunks)
    signal = {
        "data": data.astype(np.float32).rechunk(chunks),
        "axes": _axes(micrograph),
        "metadata": {**_metadata(micrograph), "_HyperSpy": {}},
        "original_metadata": {},
        "attributes": {"_lazy": False, "ragged": False},
        "package_info": _PACKAGE,
        "learning_results": {},
        "models": {},
        "tmp_parameters": {},
    }
    file_writer(str(path), signal, show_progressbar=False)


def _write_zspy(micrograph: Micrograph, path: Path) -> None:
    """A zipped zarr store, which is one file; RosettaSciIO's own writer needs zarr 2."""
    import zarr
    from zarr.storage import ZipStore

    with ZipStore(path, mode="w") as store:

        def group(name: str, values: Mapping[str, Any]) -> None:
            # With all its attributes at once: what is in a zip file cannot be changed.
            attributes = {key: "_None_" if value is None else value for key, value in values.items()}
            zarr.create_group(store, path=name, attributes=attributes, zarr_format=2)

        group("", {"file_format": "ZSpy", "file_format_version": _VERSION})
        group("Experiments", {})
        group("Experiments/image", _PACKAGE)
        for number, axis in enumerate(_axes(micrograph)):
            group(f"Experiments/image/axis-{number}", axis)
        group("Experiments/image/metadata", {})
        for name, values in _metadata(micrograph).items():
            group(f"Experiments/image/metadata/{name}", values)
        for name in ("original_metadata", "learning_results"):
            group(f"Experiments/image/{name}", {})
        group("Experiments/image/attributes", {"_lazy": False, "ragged": False})
        chunks = _chunks(micrograph)
        array = zarr.create_array(
            store, name="Experiments/image/data", shape=micrograph.shape, chunks=chunks, dtype="<f4", zarr_format=2
        )
        for place, frame in _frames(micrograph):
            array[place] = frame


def _axes(micrograph: Micrograph) -> list[dict[str, Any]]:
    """Axes as HyperSpy describes them."""
    size = micrograph.pixel_size
    time = micrograph.frame_time_s
    known = {
        "y": (size[0] if size else 1.0, "Å" if size else None),
        "x": (size[1] if size else 1.0, "Å" if size else None),
        "time": (time or 1.0, "s" if time else None),
    }
    names = ("time", "y", "x")[-len(micrograph.shape) :]
    return [
        {
            "_type": "UniformDataAxis",
            "name": name,
            "scale": float(known[name][0]),
            "offset": 0.0,
            "units": known[name][1],
            "size": length,
            "navigate": name == "time",
            "is_binned": False,
            "index_in_array": number,
        }
        for number, (name, length) in enumerate(zip(names, micrograph.shape, strict=True))
    ]


def _metadata(micrograph: Micrograph) -> dict[str, dict[str, Any]]:
    """Title, and what was assumed and made."""
    other = micrograph.pixel_size is not None and micrograph.pixel_size_source not in ("", RECORDED)
    source = {SOURCE_KEY: micrograph.pixel_size_source} if other else {}
    return {
        "General": {"title": micrograph.name, "notes": "; ".join(micrograph.notes), **source},
        "Signal": {"signal_type": ""},
    }


_PACKAGE = {"package": "napari-atomseg", "package_version": __version__}
_WRITERS: Mapping[str, Callable[[Micrograph, Path], None]] = {
    ".npy": _write_npy,
    ".hspy": _write_hspy,
    ".zspy": _write_zspy,
}
IMAGE_SUFFIXES = (".tif", ".tiff", *_WRITERS)
