"""Pairs of a convolution image and a multislice image of the same scene on one grid, from a folder."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_atomseg.core.errors import AtomsegError, UnreadableFileError

_SUFFIXES = (".tif", ".tiff")
_ROLES = ("convolution", "multislice")
_EXTRAS = ("wide", "error", "positions", "numbers")


@dataclass(frozen=True, kw_only=True, eq=False)
class ImagePair:
    """The same scene, simulated quickly and accurately.

    Attributes
    ----------
    name : str
        Shown to people.
    convolution : ndarray, float64, shape (Y, X)
    multislice : ndarray, float64, shape (Y, X)
    pixel_size : float or None, Å
    wide : ndarray, float64, shape (Y + 2 B, X + 2 B), or None
        The convolution with what lies around the field.
    error : ndarray, float64, shape (Y, X), or None
        Standard error of the multislice image, from its snapshots.
    positions : ndarray, float64, shape (N, 3), Å, (x, y, z), or None
        The atoms of the structure, counted from the first pixel; the beam runs along z.
    numbers : ndarray of int, shape (N,), or None
        Their atomic numbers.
    told : mapping
        How the pair was made: ``optics``, ``composition``, ``thickness`` (Å), ``params``, ``specimen``; empty if it does not say.
    """

    name: str
    convolution: np.ndarray
    multislice: np.ndarray
    pixel_size: float | None = None
    wide: np.ndarray | None = None
    error: np.ndarray | None = None
    positions: np.ndarray | None = None
    numbers: np.ndarray | None = None
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def border(self) -> int:
        """Pixels of the wide convolution on each side of the field."""
        return 0 if self.wide is None else (self.wide.shape[0] - self.convolution.shape[0]) // 2

    def __post_init__(self) -> None:
        for role in _ROLES:
            image = np.asarray(getattr(self, role))
            if image.ndim != 2 or image.dtype.kind not in "fiu":
                raise AtomsegError(
                    f"{self.name}: {role} is of shape {image.shape} and type {image.dtype}; give one image (Y, X) of real numbers"
                )
            # Whatever the file holds, the fit works in double precision.
            object.__setattr__(self, role, np.ascontiguousarray(image, dtype=np.float64))
            if not np.isfinite(getattr(self, role)).all():
                raise AtomsegError(f"{self.name}: {role} has pixels that are not finite; simulate it again or leave the pair out")
        if self.convolution.shape != self.multislice.shape:
            raise AtomsegError(
                f"{self.name}: convolution is {_size(self.convolution)} px and multislice {_size(self.multislice)} px (y x x); "
                "both must be on one grid"
            )
        self._check_extras()
        size = self.pixel_size
        if size is not None and not 0 < size < 1e9:
            raise AtomsegError(f"{self.name}: the pixel size is {size:g} Å; it must be above zero")

    def _check_extras(self) -> None:
        """What came with the images belongs to them."""
        inside = None
        if self.wide is not None:
            cut = slice(self.border, self.wide.shape[0] - self.border), slice(self.border, self.wide.shape[1] - self.border)
            inside = np.asarray(self.wide[cut])
        fitting = (inside is None or np.array_equal(inside, self.convolution)) and (
            self.error is None or self.error.shape == self.convolution.shape
        )
        atoms = (self.positions is None) == (self.numbers is None) and (
            self.positions is None or self.numbers is None or self.positions.shape == (len(self.numbers), 3)
        )
        if not fitting or not atoms:
            raise AtomsegError(f"{self.name}: wide, error, positions or numbers do not belong to its images; make the pair again")


def read_pairs(folder: Path | str) -> list[ImagePair]:
    """All pairs of a folder, sorted by name.

    Parameters
    ----------
    folder : Path or str
        With ``.npz`` files that hold ``convolution`` and ``multislice`` (and may hold ``pixel_size`` in Å), or with pairs
        ``*_convolution.tif`` and ``*_multislice.tif``.

    Raises
    ------
    AtomsegError
        Says which file, what was seen, and how to mend it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise UnreadableFileError(f"{folder}: {what}; give a folder of .npz files or of *_convolution.tif and *_multislice.tif")
    archives = sorted(folder.glob("*.npz"))
    pictures = _tif_partners(folder)
    if not archives and not pictures:
        raise UnreadableFileError(
            f"{folder}: there are no pairs in it; it needs .npz files with convolution and multislice, "
            "or files *_convolution.tif and *_multislice.tif"
        )
    return [read_pair(path) for path in archives] + [_read_pictures(*two) for two in pictures]


def common_pixel_size(pairs: Sequence[ImagePair]) -> float | None:
    """Pixel size of all pairs in Å, None if none tells it.

    Raises
    ------
    AtomsegError
        If they differ by more than one part in a thousand.
    """
    told = [(pair.name, pair.pixel_size) for pair in pairs if pair.pixel_size is not None]
    if not told:
        return None
    first, size = told[0]
    for name, other in told[1:]:
        if abs(other - size) > 1e-3 * size:
            raise AtomsegError(
                f"{name}: the pixel size is {other:g} Å, and {size:g} Å in {first}; resample them to one pixel size"
            )
    return size


def _tif_partners(folder: Path) -> list[tuple[Path, Path]]:
    found: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.iterdir()):
        for role in _ROLES:
            if path.suffix.lower() in _SUFFIXES and path.stem.endswith(f"_{role}"):
                found.setdefault(path.stem.removesuffix(f"_{role}"), {})[role] = path
    for stem, roles in found.items():
        for role, partner in (_ROLES, _ROLES[::-1]):
            if partner not in roles:
                seen = roles[role]
                raise AtomsegError(
                    f"{seen.name}: its partner {stem}_{partner}{seen.suffix} is missing; add it, or take this one out"
                )
    return [(roles["convolution"], roles["multislice"]) for _, roles in sorted(found.items())]


def read_pair(path: Path) -> ImagePair:
    """The pair of one ``.npz`` file.

    Parameters
    ----------
    path : Path

    Raises
    ------
    AtomsegError
        Says which file, what was seen, and how to mend it.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [role for role in _ROLES if role not in archive]
            if missing:
                raise AtomsegError(
                    f"{path.name}: there is no array {' and '.join(missing)} in it, only {', '.join(archive) or 'nothing'}; "
                    "each file needs convolution and multislice"
                )
            arrays: dict[str, Any] = {name: archive[name] for name in (*_ROLES, *_EXTRAS) if name in archive}
            size = archive.get("pixel_size")
            told: dict[str, Any] = json.loads(str(archive["told"])) if "told" in archive else {}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, KeyError) as error:
        raise UnreadableFileError(f"{path.name}: it cannot be read as .npz; it may be damaged, so write it again") from error
    return ImagePair(name=path.name, pixel_size=_one_size(path.name, size), told=told, **arrays)


def _one_size(name: str, told: np.ndarray | None) -> float | None:
    """The pixel size that a file tells, as one number or as two equal ones."""
    if told is None:
        return None
    try:
        sizes = np.atleast_1d(np.asarray(told, dtype=float)).ravel()
    except (TypeError, ValueError) as error:
        raise AtomsegError(f"{name}: the pixel size is no number; give it in Å") from error
    if not 0 < len(sizes) <= 2 or not np.isfinite(sizes).all():
        raise AtomsegError(f"{name}: the pixel size is {told}; give one number in Å")
    if abs(sizes[0] - sizes[-1]) > 1e-3 * abs(sizes[0]):
        raise AtomsegError(
            f"{name}: pixels of {sizes[0]:g} Å by {sizes[-1]:g} Å are not square; resample the images to square ones"
        )
    return float(sizes[0])


def _read_pictures(convolution: Path, multislice: Path) -> ImagePair:
    from napari_atomseg.readers.registry import read

    images, sizes = {}, []
    for role, path in (("convolution", convolution), ("multislice", multislice)):
        found = read(path)
        if len(found) != 1 or found[0].frames != 1:
            raise AtomsegError(f"{path.name}: it holds more than one image; keep one image in each file of a pair")
        images[role] = np.squeeze(np.asarray(found[0].data))
        sizes.append(_one_size(path.name, None if found[0].pixel_size is None else np.array(found[0].pixel_size)))
    known = [size for size in sizes if size is not None]
    if len(known) == 2 and abs(known[0] - known[1]) > 1e-3 * known[0]:
        raise AtomsegError(
            f"{multislice.name}: the pixel size is {known[1]:g} Å, and {known[0]:g} Å in {convolution.name}; "
            "both must be on one grid"
        )
    name = convolution.stem.removesuffix("_convolution")
    return ImagePair(
        name=name,
        pixel_size=known[0] if known else None,
        convolution=images["convolution"],
        multislice=images["multislice"],
    )


def _size(image: np.ndarray) -> str:
    return " x ".join(map(str, image.shape))
