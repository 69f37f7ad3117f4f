r"""Electron scattering factors of the atoms, after Lobato and Van Dyck; without torch, for whoever comes early.

The table ``lobato2014.json`` is written by ``tools/make_scattering_factors.py``.

References
----------
I. Lobato and D. Van Dyck, Acta Cryst. A 70 (2014) 636, Eq. 16 and Table 1.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import Any, TypeVar

import numpy as np

from napari_atomseg.core.errors import AtomsegError

HEAVIEST = 103

Values = TypeVar("Values", bound=Any)
"""An array or a tensor."""


@lru_cache(maxsize=1)
def lobato_table() -> tuple[np.ndarray, np.ndarray]:
    """Parameters a in Å and b in Å^2 of every element, each of shape (103, 5), float64; row 0 is hydrogen."""
    rows = json.loads(files("napari_atomseg.imaging").joinpath("lobato2014.json").read_text(encoding="utf-8"))
    a, b = (np.array([row[name] for row in rows], dtype=np.float64) for name in ("a", "b"))
    return a, b


def scattering_factor(number: int, squared: Values) -> Values:
    r"""Electron scattering factor of an atom.

    Parameters
    ----------
    number : int
        Atomic number, 1 to 103.
    squared : ndarray or Tensor, 1/Å^2
        Square of the spatial frequency g = 2 sin(theta) / lambda.

    Returns
    -------
    ndarray or Tensor, Å, of the same shape

    Notes
    -----
    .. math:: f(g) = \sum_{i=1}^{5} a_i \frac{2 + b_i g^2}{(1 + b_i g^2)^2}
    """
    check_number(number)
    a, b = (one[number - 1].tolist() for one in lobato_table())
    total: Any = 0 * squared
    for height, width in zip(a, b, strict=True):
        bent = 1 + width * squared
        total = total + height * (1 + bent) / bent**2
    found: Values = total
    return found


def check_number(number: int) -> None:
    """Raise an error for what is no element of the table."""
    if not 1 <= number <= HEAVIEST:
        raise AtomsegError(f"There is no scattering factor for atomic number {number}; the table goes from 1 to {HEAVIEST}")
