"""A job that goes on in a thread while another one runs."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Event
from typing import TypeVar

from napari_atomseg.core.jobs import Progress, Steps

Result = TypeVar("Result")
BEAT_S = 0.05


@contextmanager
def alongside(steps: Steps[Result]) -> Iterator[Steps[Result]]:
    """Begin a job in another thread, and give what waits for its result.

    The job is stopped at its next step when the block ends before its result has been asked for.

    Parameters
    ----------
    steps : generator
        Touches nothing that the other job changes.

    Yields
    ------
    generator
        A job as well: it waits, and returns the result.
    """
    unwanted = Event()
    with ThreadPoolExecutor(1, thread_name_prefix="alongside") as pool:
        future = pool.submit(_drained, steps, unwanted)
        try:
            yield _waited(future)
        finally:
            unwanted.set()


def _drained(steps: Steps[Result], unwanted: Event) -> Result | None:
    try:
        while not unwanted.is_set():
            next(steps)
    except StopIteration as end:
        result: Result = end.value
        return result
    finally:
        steps.close()
    return None


def _waited(future: Future[Result | None]) -> Steps[Result]:
    while not future.done():
        wait([future], BEAT_S)
        yield Progress(0, 0, "comparing")
    result = future.result()
    assert result is not None  # only a job that is unwanted gives none
    return result
