"""The normalised correlation at every shift, against the same from the overlap's own pixels."""

from __future__ import annotations

import numpy as np
import pytest

from napari_atomseg.registration.correlation import normalised_correlation


def plainly(seen: np.ndarray, expected: np.ndarray, y: int, x: int) -> float:
    """Correlation over the overlap where both are known, with the expected image moved by (y, x)."""
    rows = slice(max(0, y), min(seen.shape[0], y + expected.shape[0]))
    columns = slice(max(0, x), min(seen.shape[1], x + expected.shape[1]))
    one, other = seen[rows, columns], expected[rows.start - y : rows.stop - y, columns.start - x : columns.stop - x]
    known = np.isfinite(one) & np.isfinite(other)
    return float(np.corrcoef(one[known], other[known])[0, 1])


@pytest.mark.parametrize("unknown", [(), ("seen",), ("seen", "expected")])
@pytest.mark.parametrize("shapes", [((40, 52), (40, 52)), ((61, 40), (33, 47))])
def test_every_shift_is_that_of_the_overlap(rng: np.random.Generator, unknown: tuple[str, ...], shapes: tuple) -> None:
    images = {name: rng.normal(3.0, 1.0, shape) for name, shape in zip(("seen", "expected"), shapes, strict=True)}
    for name in unknown:
        images[name][2:9, :14] = np.nan
    seen, expected = images["seen"], images["expected"]
    found = normalised_correlation(seen, expected)
    assert found.shape == tuple(a + b - 1 for a, b in zip(*shapes, strict=True))
    for y, x in [(0, 0), (5, -7), (-11, 3), (8, 12), (-3, -4)]:
        place = y + expected.shape[0] - 1, x + expected.shape[1] - 1
        assert found[place] == pytest.approx(plainly(seen, expected, y, x), abs=1e-9)


def test_no_correlation_is_told_where_little_overlaps(rng: np.random.Generator) -> None:
    found = normalised_correlation(rng.normal(size=(40, 52)), rng.normal(size=(40, 52)))
    rows, columns = np.nonzero(np.isfinite(found))
    common = (40 - np.abs(rows - 39)) * (52 - np.abs(columns - 51))
    assert common.min() >= 0.25 * 40 * 52
    assert len(rows) == sum((40 - abs(y)) * (52 - abs(x)) >= 0.25 * 40 * 52 for y in range(-39, 40) for x in range(-51, 52))
