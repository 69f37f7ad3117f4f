"""Order, errors and early ends of work on all cores."""

import threading

import pytest

from napari_atomseg.localise.refinement.parallel import WORKERS, each


@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_results_come_in_the_order_of_the_items(count):
    assert list(each(lambda item: item**2, range(count))) == [(item, item**2) for item in range(count)]


def test_an_error_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        list(each(lambda item: 1 / item, [2, 1, 0, 3]))


def test_closing_starts_nothing_more():
    begun = []
    gate = threading.Event()

    def work(item):
        begun.append(item)
        gate.wait(5)
        return item

    gate.set()
    steps = each(work, range(100))
    next(steps)
    steps.close()
    assert len(begun) <= 2 * WORKERS + 2
