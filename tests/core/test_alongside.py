"""A job beside another one."""

import threading

import pytest

from napari_atomseg.core.alongside import alongside
from napari_atomseg.core.jobs import Progress, run

LONGEST_S = 60


def steps(count, seen, go=None):
    for number in range(count):
        seen.append(threading.current_thread())
        if go is not None:
            assert go.wait(LONGEST_S)
        yield Progress(number, count, "")
    return count


def test_the_result_is_waited_for_and_comes_from_another_thread():
    seen = []
    with alongside(steps(3, seen)) as waited:
        assert run(waited) == 3
    assert len(seen) == 3
    assert threading.current_thread() not in seen


def test_a_job_that_nobody_wants_any_more_is_stopped_and_closed():
    seen, go, closed = [], threading.Event(), threading.Event()

    def endless():
        try:
            yield from steps(10**6, seen, go)
        finally:
            closed.set()

    with alongside(endless()):
        threading.Timer(0.1, go.set).start()
    assert closed.is_set()
    assert len(seen) < 10**6


def test_what_goes_wrong_is_raised_where_the_result_is_asked_for():
    def wrong():
        yield Progress(0, 0, "")
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"), alongside(wrong()) as waited:
        run(waited)
