"""Numbers and words as JSON, whole files only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_atomseg.writers.atomic import replacing


def write_json(values: Mapping[str, Any], path: Path | str) -> None:
    """Write plain values to a file; what is not a number has to be None.

    Parameters
    ----------
    values : mapping
    path : Path or str

    Raises
    ------
    AtomsegError
        If it cannot be written.
    """
    text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
    with replacing(path) as part:
        part.write_text(text + "\n", encoding="utf-8")
