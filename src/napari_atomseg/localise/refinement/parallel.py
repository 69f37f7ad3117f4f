"""Chunks of columns worked on by all cores: numpy lets other threads run while it computes."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import lru_cache
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

WORKERS = max(1, min(8, os.cpu_count() or 1))
"""More threads wait for memory, not for cores."""


def each(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[tuple[Item, Result]]:
    """Results of a function in the order of its items, a few ahead of the one asked for; closing the iterator stops it."""
    items = list(items)
    if len(items) < 2:
        yield from ((item, function(item)) for item in items)
        return
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    pool = _pool(os.getpid())
    try:
        for item in items:
            waiting.append((item, pool.submit(function, item)))
            if len(waiting) > WORKERS:
                first, result = waiting.popleft()
                yield first, result.result()
        while waiting:
            first, result = waiting.popleft()
            yield first, result.result()
    finally:
        for _, result in waiting:
            result.cancel()
        wait(result for _, result in waiting if not result.cancelled())


@lru_cache(maxsize=1)
def _pool(process: int) -> ThreadPoolExecutor:
    """Threads that are kept, since to begin them takes as long as a small chunk; a forked process has none of its parent's."""
    return ThreadPoolExecutor(WORKERS, thread_name_prefix=f"columns-{process}")
