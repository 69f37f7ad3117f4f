"""Arrays for results that may be too large for memory."""

from __future__ import annotations

import tempfile

import numpy as np

IN_MEMORY = 2 * 2**30
"""Arrays of more bytes than this lie in a temporary file."""


def scratch_array(shape: tuple[int, ...]) -> np.ndarray:
    """An array of float32, not a number everywhere; in a temporary file if it is large."""
    if 4 * np.prod(shape, dtype=float) <= IN_MEMORY:
        return np.full(shape, np.nan, np.float32)
    file = tempfile.NamedTemporaryFile(prefix="atomseg-")  # noqa: SIM115  # lives as long as the array
    room = np.memmap(file, np.float32, "w+", shape=shape)
    room.fill(np.nan)
    return room
