"""What is learnt from, drawn ahead by other processes while the network learns."""

from __future__ import annotations

import multiprocessing
import pickle
import queue
import signal
from collections.abc import Callable, Generator
from itertools import count
from typing import Any, TypeVar

import torch

from napari_atomseg.core.errors import AtomsegError

T = TypeVar("T")
AHEAD = 4
"""Batches that each process keeps ready."""
LOOK_EVERY_S = 1.0
"""How often a process that gives nothing is looked after."""


def drawn(draw: Callable[[int], T], start: int, workers: int) -> Generator[T, None, None]:
    """``draw(start)``, ``draw(start + 1)`` and so on without end, in order; closed, its processes end at once.

    Parameters
    ----------
    draw : callable
        Something that can be pickled.
    start : int
    workers : int
        Processes; 0 draws here, when it is asked.

    Raises
    ------
    AtomsegError
        If a process has died. What `draw` raises is raised here.
    """
    if workers == 0:
        yield from (draw(number) for number in count(start))
        return
    context = multiprocessing.get_context("spawn")
    queues = [context.Queue(AHEAD) for _ in range(workers)]
    processes = [
        context.Process(target=_work, args=(draw, start + row, workers, one), daemon=True) for row, one in enumerate(queues)
    ]
    try:
        for process in processes:
            process.start()
        for number in count():
            row = number % workers
            yield _next(queues[row], processes[row])
    finally:
        for process in processes:
            if process.pid is not None:
                process.terminate()
        for one in queues:
            one.close()
            one.cancel_join_thread()


def _work(draw: Callable[[int], Any], first: int, step: int, out: Any) -> None:
    """One thread for each process: they share the cores with the training. Ctrl-C is for the one that learns."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    for number in count(first, step):
        try:
            given: tuple[bool, Any] = (True, draw(number))
        except Exception as error:  # noqa: BLE001 - raised again where the batch was asked for
            given = (False, error)
        # By value: memory that is shared with a process would have to outlive it.
        if not _put(out, pickle.dumps(given)) or not given[0]:
            return


def _put(out: Any, value: bytes) -> bool:
    """Wait for room; False if the process that learns has been killed, so that nobody asks any more."""
    parent = multiprocessing.parent_process()
    while True:
        try:
            out.put(value, timeout=LOOK_EVERY_S)
        except queue.Full:
            if parent is not None and not parent.is_alive():
                # What lies ready would be waited for.
                out.cancel_join_thread()
                return False
            continue
        return True


def _next(source: Any, process: Any) -> Any:
    while True:
        try:
            good, given = pickle.loads(source.get(timeout=LOOK_EVERY_S))
        except queue.Empty:
            if process.is_alive():
                continue
            raise AtomsegError(
                f"a process that drew images ended by itself (exit code {process.exitcode}); the memory may be too small, or a "
                "script starts it without the line if __name__ == '__main__'"
            ) from None
        if good:
            return given
        raise given
