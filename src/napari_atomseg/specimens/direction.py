"""Directions [uvw] of a crystal from a text; light to import."""

from __future__ import annotations

import re

from napari_atomseg.core.errors import AtomsegError


def parse_zone_axis(text: str) -> tuple[int, int, int]:
    """Direction [uvw] from a text: ``1,1,0``, ``[1 -1 0]``, ``110`` or ``1-10``.

    Raises
    ------
    AtomsegError
        If there are not three whole numbers, or all are zero.

    Examples
    --------
    >>> parse_zone_axis("[1 -1 0]"), parse_zone_axis("1-10")
    ((1, -1, 0), (1, -1, 0))
    """
    inside = text.strip().strip("[]<>()")
    numbers = re.findall(r"[-+]?\d+", inside) if re.search(r"[\s,;]", inside) else re.findall(r"[-+]?\d", inside)
    if len(numbers) != 3 or re.sub(r"[-+\d\s,;]", "", inside):
        raise AtomsegError(f'"{text}" is no zone axis: write three whole numbers, such as 1,1,0 or 1,-1,0')
    u, v, w = (int(number) for number in numbers)
    if u == v == w == 0:
        raise AtomsegError("the zone axis is [0 0 0]; give a direction of the crystal, such as 1,1,0")
    return u, v, w
