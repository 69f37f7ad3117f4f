"""Which files can be read, by what: suffixes, the first bytes of each format, and the RosettaSciIO plugins to try.

A new format is one line in `FORMATS`, and one in `MAGIC` if it begins with a signature.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Format:
    """One file format.

    Attributes
    ----------
    title : str
        As people call it.
    suffixes : tuple of str
        Lower case, with the dot.
    plugins : tuple of str
        RosettaSciIO plugins (and ``dm5``, our own) in the order in which they are tried; empty for formats read by :mod:`.plain`.
    signed : bool
        Every file of the format begins with one of its entries in `MAGIC`.
    """

    title: str
    suffixes: tuple[str, ...]
    plugins: tuple[str, ...] = ()
    signed: bool = False


FORMATS: Mapping[str, Format] = {
    "dm": Format(title="DigitalMicrograph file", suffixes=(".dm3", ".dm4"), plugins=("digitalmicrograph",), signed=True),
    "dm5": Format(title="DigitalMicrograph 5 file", suffixes=(".dm5",), plugins=("dm5",), signed=True),
    "emd": Format(title="EMD file", suffixes=(".emd", ".de5"), plugins=("emd", "hspy"), signed=True),
    "ser": Format(title="TIA series", suffixes=(".ser",), plugins=("tia",), signed=True),
    "emi": Format(title="TIA .emi file", suffixes=(".emi",), plugins=("tia",), signed=True),
    "mrc": Format(title="MRC file", suffixes=(".mrc", ".ali"), plugins=("mrc",)),
    "mrcz": Format(title="MRCZ file", suffixes=(".mrcz",), plugins=("mrcz",)),
    "hspy": Format(title="HyperSpy file", suffixes=(".hspy",), plugins=("hspy",), signed=True),
    "zspy": Format(title="HyperSpy zarr store", suffixes=(".zspy",), plugins=("zspy",)),
    "hdf5": Format(
        title="HDF5 file", suffixes=(".hdf5", ".h5"), plugins=("hspy", "emd", "nexus", "delmic", "arina"), signed=True
    ),
    "nexus": Format(title="NeXus file", suffixes=(".nxs",), plugins=("nexus",), signed=True),
    "blo": Format(title="Blockfile", suffixes=(".blo",), plugins=("blockfile",)),
    "mib": Format(title="Quantum Detectors file", suffixes=(".mib",), plugins=("quantumdetector",)),
    "prz": Format(title="Panta Rhei file", suffixes=(".prz",), plugins=("pantarhei",), signed=True),
    "img": Format(title="JEOL or Hamamatsu image", suffixes=(".img",), plugins=("jeol", "hamamatsu")),
    "asw": Format(title="JEOL Analysis Station file", suffixes=(".asw",), plugins=("jeol",)),
    "tvips": Format(title="TVIPS file", suffixes=(".tvips",), plugins=("tvips",)),
    "unf": Format(title="Semper file", suffixes=(".unf",), plugins=("semper",)),
    "rpl": Format(title="Ripple file", suffixes=(".rpl",), plugins=("ripple",)),
    "bcf": Format(title="Bruker composite file", suffixes=(".bcf",), plugins=("bruker",)),
    "tiff": Format(title="TIFF image", suffixes=(".tif", ".tiff"), plugins=("tiff",), signed=True),
    "picture": Format(title="picture", suffixes=(".png", ".jpg", ".jpeg", ".bmp", ".gif"), signed=True),
    "npy": Format(title="NumPy array", suffixes=(".npy",), signed=True),
    "npz": Format(title="archive of NumPy arrays", suffixes=(".npz",), signed=True),
}
SUFFIXES: tuple[str, ...] = tuple(suffix for known in FORMATS.values() for suffix in known.suffixes)

MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "picture"),
    (b"\xff\xd8\xff", "picture"),
    (b"GIF8", "picture"),
    (b"BM", "picture"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"II+\x00", "tiff"),
    (b"MM\x00+", "tiff"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"\x93NUMPY", "npy"),
    (b"\x00\x00\x00\x03", "dm"),
    (b"\x00\x00\x00\x04", "dm"),
    (b"II\x97\x01", "ser"),
    (b"JK\x00\x02", "emi"),
    (b"PK\x03\x04", "zip"),
    (b"IMGBLO", "blo"),
)
_INSIDE = {
    "hspy": "hdf5",
    "dm5": "hdf5",
    "npz": "zip",
    "emd": "hdf5",
    "nexus": "hdf5",
    "de5": "hdf5",
    "prz": "zip",
    "zspy": "zip",
}


_FOREIGN = (
    (
        re.compile(rb"\x80[\x02-\x05][\x00-\xff]"),
        "a pickle of Python objects, which may run any code and is never loaded; save the image itself, as an array",
    ),
    (re.compile(rb"\x1f\x8b\x08"), "a gzip archive; unpack it first"),
    (re.compile(rb"BZh[1-9]"), "a bzip2 archive; unpack it first"),
    (re.compile(rb"\xfd7zXZ\x00|7z\xbc\xaf\x27\x1c|Rar!|\x28\xb5\x2f\xfd"), "an archive; unpack it first"),
    (re.compile(rb"%PDF-"), "a PDF document; export the image from the program that made it"),
    (re.compile(rb"version https://git-lfs"), "a pointer of Git LFS, a note that stands for the file; fetch the file itself"),
    (re.compile(rb"\s*<(!DOCTYPE )?html", re.I), "a web page, as a failed download leaves; download the file again"),
    (re.compile(rb"\s*<\?xml"), "an XML text, which holds no pixels; choose the image that it describes"),
)
"""Beginnings of files that are no image, and what they are."""


def foreign(path: Path) -> str:
    """What a file is that no reader knows, with what to do, as the end of a sentence; empty if its beginning does not tell."""
    with path.open("rb") as file:
        head = file.read(64)
    return next((what for start, what in _FOREIGN if start.match(head)), "")


def by_suffix(path: Path) -> str | None:
    """Key in `FORMATS` of the suffix of `path`, in any case of letters; None if unknown."""
    suffix = path.suffix.lower()
    return next((key for key, known in FORMATS.items() if suffix in known.suffixes), None)


def by_content(path: Path) -> str | None:
    """Key of the container that the first bytes of a file announce, ``zip`` included; None if they announce nothing."""
    with path.open("rb") as file:
        head = file.read(16)
    return next((key for start, key in MAGIC if head.startswith(start)), None)


def container(key: str) -> str:
    """What the bytes of a format look like: several formats are HDF5 or zip files inside."""
    return _INSIDE.get(key, key)


def is_telling(path: Path) -> bool:
    """Whether the first bytes are telling enough to be believed against the suffix of a file."""
    with path.open("rb") as file:
        head = file.read(16)
    return any(head.startswith(start) and _is_strong(start) for start, _ in MAGIC)


def _is_strong(start: bytes) -> bool:
    # Two letters, or the small numbers that DigitalMicrograph begins with, occur by chance in files without a signature.
    return len(start) >= 3 and not start.startswith(b"\x00")
