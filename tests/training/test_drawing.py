import math
import operator
import os
import time
from itertools import islice

import pytest

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.training.drawing import drawn


@pytest.mark.parametrize("workers", [0, 2])
def test_numbers_come_in_order(workers):
    source = drawn(operator.neg, 3, workers)
    assert list(islice(source, 7)) == [-3, -4, -5, -6, -7, -8, -9]
    source.close()


def test_it_ends_at_once_when_closed():
    source = drawn(time.sleep, 0, 1)
    next(source)
    began = time.monotonic()
    source.close()
    assert time.monotonic() - began < 0.5


@pytest.mark.parametrize("workers", [0, 1])
def test_what_drawing_raises_is_raised_here(workers):
    with pytest.raises(ValueError, match="math domain"):
        next(drawn(math.log, 0, workers))


def test_a_process_that_dies_is_missed():
    with pytest.raises(AtomsegError, match="ended by itself"):
        next(drawn(os._exit, 7, 1))
