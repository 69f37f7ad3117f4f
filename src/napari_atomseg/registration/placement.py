"""Where one image lies on another: shift, rotation, magnification, and how far each may go.

Lengths are in Angstrom, order is (y, x); rotation is positive from x towards y.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

LEAST_SIDE = 8
"""Shortest side of the overlap, px of the experiment."""


@dataclass(frozen=True, kw_only=True)
class Placement:
    r"""Place of the simulated image on the experiment.

    Attributes
    ----------
    shift : tuple of float, Å, (y, x)
        Of the simulated image's first pixel, from the experiment's first.
    rotation : float, rad
        About that pixel, from x towards y.
    magnification : float
        Lengths of the experiment in units of those of the simulation.

    Notes
    -----
    .. math:: r_{exp} = t + m R(\theta)\, r_{sim}
    """

    shift: tuple[float, float] = (0.0, 0.0)
    rotation: float = 0.0
    magnification: float = 1.0

    def on_experiment(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 2) of the simulation on the experiment, Å."""
        return np.asarray(self.shift + self.magnification * points @ rotation_matrix(self.rotation).T)

    def on_simulation(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 2) of the experiment on the simulation, Å."""
        return np.asarray((points - self.shift) @ rotation_matrix(self.rotation) / self.magnification)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How far rotation (rad) and magnification (relative) may go; 0 where they are not fitted."""

    rotation: float = math.radians(5)
    scale: float = 0.05


@dataclass(frozen=True, kw_only=True)
class Registration:
    """A placement, and how sure it is.

    Attributes
    ----------
    placement : Placement
    correlation : float
        Of the images over the overlap.
    others : tuple of tuple of float, Å, (y, x)
        Differences of other shifts that are as good, of those that were looked at, the shortest first.
    notes : tuple of str
    """

    placement: Placement
    correlation: float
    others: tuple[tuple[float, float], ...] = ()
    notes: tuple[str, ...] = ()


def rotation_matrix(angle: float) -> np.ndarray:
    """Rotation of column vectors (y, x) from x towards y."""
    return np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
