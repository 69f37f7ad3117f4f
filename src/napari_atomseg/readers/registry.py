"""The one door for files: path in, micrographs out.

Nothing but an :class:`~napari_atomseg.core.errors.AtomsegError` leaves it, one sentence: what was seen, how to mend it.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_atomseg.core.errors import AtomsegError, NoImageError, UnreadableFileError
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.readers.faults import whole_but
from napari_atomseg.readers.formats import FORMATS, SUFFIXES, by_content, by_suffix, container, foreign, is_telling

__all__ = ["SUFFIXES", "describe", "read"]

_EAGER = 128 * 2**20  # bytes: the images of a file are loaded on opening if all of them together are no larger
_TABLES = {".csv": "a table", ".json": "a JSON file", ".txt": "a text file", ".xyz": "a structure", ".cif": "a structure"}
_TALKATIVE = ("rsciio", "tifffile", "PIL", "h5py", "pint", "zarr")


def read(path: str | os.PathLike[str], dataset: int | None = None) -> list[Micrograph]:
    """Every image, or stack of images, in a file.

    Parameters
    ----------
    path : path
        The file; a zarr store may be a folder. Its suffix, in any case of letters, tells the format; where the
        contents contradict the suffix, the contents are believed and a note says so.
    dataset : int, optional
        Read this one only, counted from 0 among all datasets of the file, images or not.

    Returns
    -------
    list of Micrograph
        Raw images before maps, colour pictures and thumbnails, else in the order of the file. `Micrograph.dataset` is the
        same index as above. Data are loaded if the images of
        the file together are small, else lazy: a dask array, or a NumPy array mapped from disk.

    Raises
    ------
    UnreadableFileError
        The file is missing, damaged, protected, or of a format that cannot be read.
    NoImageError
        It was read, but holds no image in real space, or none with the index `dataset`.
    """
    path = Path(path)
    try:
        with _silenced():
            return _read(path, dataset)
    except AtomsegError as error:
        raise type(error)(f"{path.name}: {error}") from error.__cause__
    except MemoryError as error:
        reason = "it asks for more memory than is free, so it is damaged, or has to be cropped on a larger computer"
        raise UnreadableFileError(f"{path.name}: {reason}") from error
    except PermissionError as error:
        raise UnreadableFileError(
            f"{path.name}: it may not be read; ask for the permission, or copy it to your own folder"
        ) from error
    except Exception as error:
        # Foreign readers raise anything on damaged files, and a traceback helps nobody who dropped a file.
        reason = whole_but(error, path) or f"{_said(error)}; it may be damaged, so copy it again from the microscope"
        raise UnreadableFileError(f"{path.name}: {reason}") from error


def describe(micrograph: Micrograph) -> dict[str, Any]:
    """What a file says about one image, in plain values fit for JSON."""
    size = micrograph.pixel_size
    return {
        "index": micrograph.dataset,
        "title": micrograph.name,
        "shape": list(micrograph.shape),
        "dtype": str(micrograph.data.dtype),
        "pixel_size_angstrom": None if size is None else [float(size[0]), float(size[1])],
        "unit_in_file": micrograph.unit_in_file,
        "modality": micrograph.modality,
        "notes": list(micrograph.notes),
    }


def _read(path: Path, dataset: int | None) -> list[Micrograph]:
    key, note = _format_of(path)
    signals = _signals(path, key)
    if not signals:
        raise NoImageError("there is no dataset in it that can be read; export the image from the microscope's program again")
    if dataset is not None and not 0 <= dataset < len(signals):
        have = "only dataset 0" if len(signals) == 1 else f"datasets 0 to {len(signals) - 1}"
        raise NoImageError(f"there is no dataset {dataset} in it; it has {have}")
    images, refused = _sorted_out(path, signals, dataset)
    if not images:
        raise NoImageError("; ".join(_once(reason for _, reason in refused)))
    skipped = tuple(f"dataset {index}{title} was left out: {reason}" for (index, title), reason in refused)
    extra = (note,) if note else ()
    images = [replace(image, notes=(*extra, *image.notes, *skipped)) for image in images]
    return _loaded(images)


def _format_of(path: Path) -> tuple[str, str]:
    """Format of a file by its suffix or its contents, and a note where its suffix is wrong."""
    _require_contents(path)
    key = by_suffix(path)
    if path.is_dir():
        if key == "zspy":
            return key, ""
        raise UnreadableFileError("this is a folder; choose the files in it")
    found = by_content(path)
    if key is None or (found is not None and found != container(key) and (FORMATS[key].signed or is_telling(path))):
        return _known_by_content(path, found)
    if found is None and FORMATS[key].signed:
        _refuse_foreign(path)
        raise UnreadableFileError(f"its contents are not those of a {FORMATS[key].title}; it is damaged, or its suffix is wrong")
    return key, ""


def _refuse_foreign(path: Path) -> None:
    what = foreign(path)
    if what:
        raise UnreadableFileError(f"it is {what}")


def _require_contents(path: Path) -> None:
    if not path.exists():
        raise UnreadableFileError("there is no such file; check its name and folder")
    if path.is_file() and path.stat().st_size == 0:
        raise UnreadableFileError("the file is empty; copy it again from the microscope")


def _known_by_content(path: Path, found: str | None) -> tuple[str, str]:
    suffix = path.suffix.lower()
    if suffix in _TABLES:
        raise NoImageError(f"this is {_TABLES[suffix]} and not an image; choose an image file")
    if found in ("ser", "emi"):
        # The plugin goes by the suffix, and an .emi file by the names beside it.
        raise UnreadableFileError(f'this is a {FORMATS[found].title} in spite of its suffix "{suffix}"; rename it to .{found}')
    if found is not None and found in FORMATS and is_telling(path):
        return found, f'this is a {FORMATS[found].title} in spite of its suffix "{suffix}", and was read as such'
    header = path.with_suffix(".rpl")
    if suffix == ".raw" and header.is_file():
        raise UnreadableFileError(f"these are bare pixels; open {header.name}, which describes them")
    _refuse_foreign(path)
    if suffix in SUFFIXES:
        raise UnreadableFileError(f'its contents do not belong to the suffix "{suffix}"; export it again, or mend the suffix')
    seen = f'files with the suffix "{suffix}"' if suffix else "files without a suffix"
    raise UnreadableFileError(f"{seen} cannot be read; those that can are {', '.join(SUFFIXES)}")


def _signals(path: Path, key: str) -> list[Any]:
    """Datasets of a file by the first reader that gives any."""
    from napari_atomseg.readers import plain, rosetta

    without_plugin = {"npy": plain.read_array, "npz": plain.read_archive, "picture": plain.read_picture}
    if key in without_plugin:
        return list(without_plugin[key](path))
    failures: list[Exception] = []
    for plugin in FORMATS[key].plugins:
        try:
            signals = rosetta.read_signals(path, plugin)
        except (AtomsegError, MemoryError, PermissionError):
            raise
        except Exception as error:  # noqa: BLE001 - each plugin has its own; all reasons are told together below
            failures.append(error)
            continue
        if signals:
            return list(signals)
    if failures:
        raise UnreadableFileError(_why_unread(failures, path, FORMATS[key].title))
    return []


def _why_unread(failures: Sequence[Exception], path: Path, title: str) -> str:
    """What a whole file lacks, if any reader says so; else what all of them say of a file that is probably damaged."""
    lacking = next((text for text in (whole_but(error, path) for error in failures) if text), "")
    reasons = " / ".join(_once(map(_said, failures)))
    return lacking or f"it cannot be read as a {title} ({reasons}); it may be damaged, so copy it again"


def _sorted_out(
    path: Path, signals: Sequence[Any], dataset: int | None
) -> tuple[list[Micrograph], list[tuple[tuple[int, str], str]]]:
    """Images, and for each other dataset its index, title and the reason why it is none."""
    from napari_atomseg.readers.preference import preferred
    from napari_atomseg.readers.signals import tidied, to_micrograph, why_no_image

    names = _names(path.stem, [signal.title for signal in signals])
    neat = [tidied(signal) for signal in signals]
    reasons = [why_no_image(signal) for signal in neat]
    images, refused = [], []
    for index, signal in preferred(neat, [reason is None for reason in reasons]):
        if dataset not in (None, index):
            continue
        try:
            if reasons[index] is None:
                images.append(to_micrograph(signal, path, index, names[index]))
        except NoImageError as error:
            reasons[index] = str(error)
        if reasons[index] is not None:
            refused.append(((index, f' "{signal.title}"' if signal.title else ""), str(reasons[index])))
    return images, sorted(refused)


def _names(stem: str, titles: Sequence[str]) -> list[str]:
    """Names for people: the file's, followed by the title where it holds several datasets, all different."""
    if len(titles) == 1:
        return [stem]
    titles = [title or str(index) for index, title in enumerate(titles)]
    counts, seen = Counter(titles), Counter[str]()
    names = []
    for title in titles:
        seen[title] += 1
        names.append(f"{stem} | {title} {seen[title]}" if counts[title] > 1 else f"{stem} | {title}")
    return names


def _loaded(images: Sequence[Micrograph]) -> list[Micrograph]:
    """Small images in memory, so that the file is closed; the others lazy, after a look at whether the file is whole."""
    small = sum(image.data.nbytes for image in images) <= _EAGER
    return [replace(image, data=_in_memory(image.data) if small else _lazy(image.data)) for image in images]


def _in_memory(data: Any) -> np.ndarray:
    loaded = np.array(data) if isinstance(data, np.ndarray) else np.asarray(data.compute(scheduler="synchronous"))
    return loaded.astype(loaded.dtype.newbyteorder("="), copy=False)


def _lazy(data: Any) -> Any:
    # The last pixel is what a truncated file lacks; asking for it costs one chunk.
    np.asarray(data[(slice(-1, None),) * data.ndim])
    return data


def _once(texts: Any) -> list[str]:
    return list(dict.fromkeys(texts))


def _said(error: BaseException) -> str:
    """First line of an exception's text, short, without a full stop; its kind if it says nothing."""
    lines = str(error).strip().splitlines()
    text = lines[0].strip().rstrip(".") if lines else ""
    if isinstance(error, (KeyError, IndexError)):
        return "something that belongs into it is missing"
    return (text[:117] + "..." if len(text) > 120 else text) or type(error).__name__


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Nothing of what the reading libraries print, log or warn reaches the user."""
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
