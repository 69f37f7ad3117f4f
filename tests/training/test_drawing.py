import math
import multiprocessing
import operator
import os
from functools import partial
from itertools import islice

import pytest

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.training.drawing import AHEAD, drawn


@pytest.mark.parametrize("workers", [0, 2])
def test_numbers_come_in_order(workers):
    source = drawn(operator.neg, 3, workers)
    assert list(islice(source, 7)) == [-3, -4, -5, -6, -7, -8, -9]
    source.close()


def marked(folder, number):
    """Leave a mark for every number that is drawn."""
    (folder / str(number)).touch()
    return number


def test_nothing_more_is_drawn_once_it_is_closed(tmp_path):
    source = drawn(partial(marked, tmp_path), 0, 1)
    assert next(source) == 0
    source.close()
    for process in multiprocessing.active_children():
        process.join(600)
        assert process.exitcode is not None
    # One that was taken, those that are kept ahead, one that waits for room, one that was under way.
    assert len(list(tmp_path.iterdir())) <= AHEAD + 3


@pytest.mark.parametrize("workers", [0, 1])
def test_what_drawing_raises_is_raised_here(workers):
    with pytest.raises(ValueError, match="math domain"):
        next(drawn(math.log, 0, workers))


def test_a_process_that_dies_is_missed():
    with pytest.raises(AtomsegError, match="ended by itself"):
        next(drawn(os._exit, 7, 1))
