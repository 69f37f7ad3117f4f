"""Images that should be one and the same although they were drawn in batches of different size, or in several threads.

A transform or a convolution of a batch of another size may take another way through the processor, which changes the last
digits; a count, or a rounding, that lies right on an edge then falls to the other side. So what is compared is equal up to a few
units in the last place of the largest value, in all pixels but a tiny share where something is counted or rounded.
"""

from __future__ import annotations

import numpy as np

LAST_DIGITS = 1e-5
"""Difference that is none, relative to the largest value: some eighty units in the last place of single precision."""
ON_AN_EDGE = 0.001
"""Share of pixels whose count or rounding may fall to the other side after one effect."""
AFTER_MANY = 0.02
"""The same after a chain of effects, some of which spread a pixel over its neighbours."""


def assert_agree(one, other, apart=0.0):
    """Fail unless two images agree but for a share of the pixels; where they do not, they agree on average."""
    one, other = (np.asarray(image, dtype=np.float64) for image in (one, other))
    assert one.shape == other.shape
    if one.size == 0:
        return
    difference = np.abs(one - other)
    scale = max(float(np.abs(one).max()), float(np.abs(other).max()))
    differing = int(np.count_nonzero(~(difference <= LAST_DIGITS * scale)))
    assert differing <= apart * one.size, f"{differing} of {one.size} pixels differ by up to {difference.max() / scale:.2g}"
    assert difference.mean() <= (LAST_DIGITS + apart) * scale
