"""What an error of a foreign reader means where the file itself is whole: something beside it is missing, or a codec."""

from __future__ import annotations

import re
from pathlib import Path

_INSTEAD = {"compression": "imagecodecs"}
"""Modules of a newer Python that readers look for, and the packages that bring the same."""
_COMPANIONS = {".rpl": ".raw", ".hdr": ".img", ".asw": ".img"}
_NO_FILE = re.compile(r"does not exist|no such file|not found|cannot find|unable to (open|find) (external )?file", re.IGNORECASE)
_NAME = re.compile(r"""['"]([^'"]+\.\w+)['"]""")
_CODEC = re.compile(
    r"(codec|compress\w*|filter)\b.*\b(not (available|supported|found|installed|registered)|unknown|unsupported)"
    r"|\b(unknown|unsupported)\b.*(codec|compress|filter)|requires the '?imagecodecs",
    re.IGNORECASE,
)


def whole_but(error: BaseException, path: Path) -> str:
    """What a whole file lacks to be read, and what to do, as the end of a sentence; empty if the error tells nothing of it.

    Parameters
    ----------
    error : BaseException
        Of a reader.
    path : Path
        Of the file.
    """
    if isinstance(error, ModuleNotFoundError):
        return f"the package {_INSTEAD.get(str(error.name), error.name)} is needed for it and is not installed; install it"
    text = str(error)
    if isinstance(error, OSError) and (isinstance(error, FileNotFoundError) or _NO_FILE.search(text)):
        return f"its data are in {_missing(error, path)}, which is not beside it; put both files into one folder"
    if _CODEC.search(text):
        return f"its pixels are compressed in a way that cannot be undone here ({_first_line(text)}); save it without compression"
    return ""


def _missing(error: OSError, path: Path) -> str:
    """Name of the file that was not found."""
    if error.filename and Path(str(error.filename)).name != path.name:
        return Path(str(error.filename)).name
    named = _NAME.search(str(error))
    if named and Path(named[1]).name != path.name:
        return Path(named[1]).name
    suffix = _COMPANIONS.get(path.suffix.lower())
    return f"{path.stem}{suffix}" if suffix else "another file"


def _first_line(text: str) -> str:
    line = text.strip().splitlines()[0].strip().rstrip(".")
    return line[:117] + "..." if len(line) > 120 else line
