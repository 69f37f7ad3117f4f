"""One function on many things, in this process, in several, or on a cluster: the results are the same, and in order.

Only so many things are on their way at a time, so that a long series never lies in memory as a whole. A worker that dies is
replaced and its work done again.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from napari_atomseg.core.errors import AtomsegError

Task = tuple[Any, ...]
Result = TypeVar("Result")
ON_THEIR_WAY = 2
"""Tasks a worker."""
TRIES = 4
"""How often workers may die over one task before it is given up."""


class Farm(Protocol):
    """Where work is done."""

    def each(self, function: Callable[..., Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Results of a function of the module level for each tuple of its arguments, in order, as they come."""
        ...


class Here:
    """In this process."""

    def each(self, function: Callable[..., Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """One after the other."""
        return (function(*task) for task in tasks)


class Processes:
    """Several processes of this computer.

    Parameters
    ----------
    number : int
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._pool = self._started()

    def _started(self) -> ProcessPoolExecutor:
        # Forked, a window's threads and locks would be copied in the middle of what they do.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self._number, mp_context=context, initializer=_leave_interrupts)

    def each(self, function: Callable[..., Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """In order; tasks of a process that died are begun again in new ones."""
        coming, waiting, died = iter(tasks), deque[Task](), 0
        running: deque[Any] = deque()
        while True:
            try:
                while len(waiting) < ON_THEIR_WAY * self._number:
                    task = next(coming, None)
                    if task is None:
                        break
                    waiting.append(task)
                for task in list(waiting)[len(running) :]:
                    running.append(self._pool.submit(function, *task))
                if not waiting:
                    return
                result = running[0].result()
            except BrokenProcessPool:
                died += 1
                if died >= TRIES:
                    raise AtomsegError(
                        "the processes end again and again before a task is done, perhaps for want of memory; use fewer of them"
                    ) from None
                self._pool.shutdown(wait=False, cancel_futures=True)
                self._pool = self._started()
                running.clear()
                continue
            died = 0
            running.popleft()
            waiting.popleft()
            yield result

    def stop(self) -> None:
        """End all processes at once, in the middle of what they do."""
        # Python 3.14 has terminate_workers; before, only this dictionary knows them.
        for process in list((getattr(self._pool, "_processes", None) or {}).values()):
            process.terminate()

    def close(self) -> None:
        """Stop: what has not begun is not done."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _leave_interrupts() -> None:
    """Ctrl-C, which a terminal sends to all processes, is for the one that has begun the others, and ends them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class Cluster:
    """Workers of dask.distributed.

    Parameters
    ----------
    address : str
        Of its scheduler.
    """

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client, KilledWorker
        except ImportError:
            raise AtomsegError(
                "a cluster needs dask.distributed, which is not installed: pip install distributed, or use processes of this "
                "computer (--jobs)"
            ) from None
        try:
            connect: Any = Client
            self._killed: type[Exception] = KilledWorker
            self._client = connect(address, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise AtomsegError(f'no dask scheduler answers at "{address}" ({error}); give its address as it says it') from None

    def each(self, function: Callable[..., Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """In order; the cluster begins again what a lost worker had."""
        coming = iter(tasks)
        running: deque[Any] = deque()
        while True:
            workers = max(sum(self._client.nthreads().values()), 1)
            while len(running) < ON_THEIR_WAY * workers:
                task = next(coming, None)
                if task is None:
                    break
                running.append(self._client.submit(function, *task, pure=False, retries=TRIES))
            if not running:
                return
            try:
                result = running.popleft().result()
            except self._killed:
                raise AtomsegError(
                    "workers of the cluster end again and again before a frame is done; give them more memory"
                ) from None
            yield result

    def stop(self) -> None:
        """Nothing that closing does not do."""

    def close(self) -> None:
        """Leave the cluster; what is under way there is forgotten."""
        self._client.close()


@contextmanager
def farm(jobs: int = 1, cluster: str | None = None) -> Iterator[Farm]:
    """Where work is to be done; left by an error or an interrupt, all processes end at once.

    Parameters
    ----------
    jobs : int
        Processes; 1 is this one.
    cluster : str, optional
        Address of a dask scheduler, in place of processes.

    Raises
    ------
    AtomsegError
        If both are asked for, or the cluster cannot be reached.
    """
    if jobs < 1:
        raise AtomsegError(f"{jobs} processes can do nothing; give 1 or more")
    if cluster is not None and jobs > 1:
        raise AtomsegError("processes have no effect with a cluster, which has its own; leave one of the two out")
    if cluster is None and jobs == 1:
        yield Here()
        return
    workers = Processes(jobs) if cluster is None else Cluster(cluster)
    try:
        yield workers
    except BaseException:
        workers.stop()
        raise
    finally:
        workers.close()
