"""What counts as the same image, and what does not."""

import numpy as np
import pytest
from agreement import AFTER_MANY, assert_agree


def test_last_digits_do_not_count_and_anything_more_does(rng):
    image = rng.random((40, 50), dtype=np.float32)
    assert_agree(image, image * np.float32(1 + 3e-7))
    with pytest.raises(AssertionError, match="pixels differ"):
        assert_agree(image, image * np.float32(1 + 1e-4))
    with pytest.raises(AssertionError, match="1 of 2000"):
        assert_agree(image, np.where(image == image.max(), 0.5, image))
    with pytest.raises(AssertionError):
        assert_agree(image, np.where(image == image.max(), np.nan, image))
    with pytest.raises(AssertionError):
        assert_agree(image, image[:-1])


def test_a_few_counts_may_fall_to_the_other_side_but_not_many(rng):
    counts = rng.poisson(5, (40, 50)).astype(float)
    moved = counts.copy()
    moved.flat[:20] += 1
    assert_agree(counts, moved, AFTER_MANY)
    with pytest.raises(AssertionError, match="pixels differ"):
        assert_agree(counts, moved)
    with pytest.raises(AssertionError, match="pixels differ"):
        assert_agree(counts, counts[:, ::-1], AFTER_MANY)
