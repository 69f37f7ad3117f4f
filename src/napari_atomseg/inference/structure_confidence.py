"""How sure a structure is, and which rejection by Eq. 8 of Madsen et al. that is."""

from __future__ import annotations

import math

CORE = 1.18
"""Radius of a structure's core in widths of its label: where a sure label has fallen to one half.

The paper sums over the whole segment. But a sure label holds 4.3 times more background than foreground down to epsilon, and the
recommended t of 0.5 would discard it; in its core it holds 2.6 times more foreground (ours)."""
SURE = 2 / CORE**2 * (1 - math.exp(-(CORE**2) / 2))
"""Mean of a sure label over its core."""


def rejection_at(confidence: float) -> float:
    """The t of Eq. 8 that lets through what has at least a confidence."""
    foreground = confidence * SURE
    return float(foreground / (1 - foreground))
