"""Where the files that are not part of the repository lie, if they are here at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_ROOT = Path(os.environ.get("ATOMSEG_SHARED", Path(__file__).parents[2] / "shared")) / "data"


def shared(name: str) -> Path:
    path = _ROOT / name
    if not path.exists():
        pytest.skip(f"{name} is not here; set ATOMSEG_SHARED to the folder that holds data/{name}")
    return path
