"""Long jobs are generators: they yield their progress and return their result; to cancel one is to stop asking.

Nothing here knows of threads or windows. A script drains a job with :func:`run`; the window drains it in a worker.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Generic, ParamSpec, TypeVar

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")


@dataclass(frozen=True)
class Progress:
    """How far a long job is.

    Attributes
    ----------
    done, total : int
        Finished and all steps; `total` 0 if unknown.
    message : str
        The phase, in a word or two.
    """

    done: int
    total: int
    message: str


WHOLE = 1000
"""Parts of the bar of a job that is made of others."""
Steps = Generator[Progress, None, Result]


def run(steps: Steps[Result], report: Callable[[Progress], None] | None = None) -> Result:
    """Drain a job to its end and give its result; `report` hears of each step.

    Parameters
    ----------
    steps : generator
        Closed in any case.
    report : callable, optional
        Takes each :class:`Progress`.
    """
    try:
        while True:
            progress = next(steps)
            if report is not None:
                report(progress)
    except StopIteration as end:
        result: Result = end.value
        return result
    finally:
        steps.close()


def mapped(steps: Steps[Result], change: Callable[[Progress], Progress]) -> Steps[Result]:
    """The same job, each step of its progress told as `change` makes it; closing one closes the other.

    Parameters
    ----------
    steps : generator
    change : callable
        From the progress of that job to the progress that is yielded in its place.
    """
    try:
        while True:
            yield change(next(steps))
    except StopIteration as stopped:
        result: Result = stopped.value
        return result
    finally:
        steps.close()


def as_part(steps: Steps[Result], begin: float, end: float, what: str) -> Steps[Result]:
    """The same job as a part of a longer one: its progress fills that one's bar from one share of it to another.

    Parameters
    ----------
    steps : generator
    begin, end : float
        From 0 to 1.
    what : str
        Name of the longer job, which stands before the words of this one.
    """
    reached = 0.0

    def share(progress: Progress) -> Progress:
        nonlocal reached
        if progress.total:
            # Phases of the part that count anew do not send the bar back.
            reached = max(reached, min(1.0, progress.done / progress.total))
        return Progress(round(WHOLE * (begin + (end - begin) * reached)), WHOLE, f"{what}: {progress.message}")

    return mapped(steps, share)


def with_frame_progress(steps: Steps[Result], row: int, number: int) -> Steps[Result]:
    """The same job as that of one frame of several: its messages name the frame, and its progress is that of all frames.

    Parameters
    ----------
    steps : generator
    row : int
        Index of the frame among those that are worked on.
    number : int
        How many these are; with a single one nothing is changed.
    """

    def share(progress: Progress) -> Progress:
        part = progress.done / progress.total if progress.total else 0.0
        return Progress(int(WHOLE * (row + part)), WHOLE * number, f"frame {row + 1}: {progress.message}")

    return steps if number == 1 else mapped(steps, share)


class Job(Generic[Arguments, Result]):
    """A generator function that can be called as a plain one: ``job(...)`` blocks, ``job.steps(...)`` yields."""

    def __init__(self, steps: Callable[Arguments, Steps[Result]]) -> None:
        self.steps = steps
        functools.update_wrapper(self, steps)

    def __call__(self, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        return run(self.steps(*args, **kwargs))


def job(steps: Callable[Arguments, Steps[Result]]) -> Job[Arguments, Result]:
    """Turn a generator function into a :class:`Job`."""
    return Job(steps)
