"""What a command says: results on standard output; progress, notes and problems on standard error."""

from __future__ import annotations

import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_atomseg.core.errors import AtomsegError, AtomsegWarning
from napari_atomseg.core.farm import farm
from napari_atomseg.core.jobs import Progress

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]

_SECONDS_BETWEEN_UPDATES = 0.1


@dataclass
class Console:
    """Everything that is said to the user, and how many inputs failed; commands take it as a group of options.

    Attributes
    ----------
    quiet : bool
        Only problems are told.
    debug : bool
        Problems come with their traceback.
    failures : int
        Problems so far.
    """

    quiet: Quiet = False
    debug: Debug = False
    failures: int = 0
    _shown: int = 0
    _since: float = 0.0

    def say(self, text: str) -> None:
        """A result, on standard output."""
        if not self.quiet:
            self.write(text, err=False)

    def note(self, text: str) -> None:
        """Something worth knowing, on standard error."""
        if not self.quiet:
            self.write(f"note: {one_line(text)}", err=True)

    def problem(self, subject: Path, error: BaseException) -> None:
        """One line for an input that failed: which, what was seen, how to mend it."""
        self.failures += 1
        if self.debug:
            self.write("".join(traceback.format_exception(error)).rstrip(), err=True)
        text = one_line(str(error) if isinstance(error, AtomsegError) else unforeseen(error))
        # Messages of readers start with the bare name; the path as typed tells files of one name apart.
        self.write(f"{subject}: {text.removeprefix(f'{subject}: ').removeprefix(f'{subject.name}: ')}", err=True)

    def write(self, text: str, err: bool) -> None:
        """A line, on standard output or standard error."""
        self.clear()
        typer.echo(text, err=err)

    def reporter(self, subject: Path) -> Callable[[Progress], None]:
        """What :func:`napari_atomseg.core.jobs.run` reports to: one line, written over and over on a terminal."""

        def report(progress: Progress) -> None:
            now = time.monotonic()
            if self.quiet or not sys.stderr.isatty() or now - self._since < _SECONDS_BETWEEN_UPDATES:
                return
            self._since = now
            share = f" {100 * progress.done // progress.total} %" if progress.total else ""
            line = f"{subject.name}: {progress.message}{share}"
            typer.echo("\r" + line.ljust(self._shown), err=True, nl=False)
            self._shown = len(line)

        return report

    def clear(self) -> None:
        """Wipe the progress line."""
        if self._shown:
            typer.echo("\r" + " " * self._shown + "\r", err=True, nl=False)
            self._shown = 0


@dataclass
class Notebook(Console):
    """What a process that works beside others would say, kept until it is its turn.

    Attributes
    ----------
    lines : list of (str, bool)
        Each with whether it belongs to standard error.
    """

    lines: list[tuple[str, bool]] = field(default_factory=list)

    def write(self, text: str, err: bool) -> None:
        """Keep a line."""
        self.lines.append((text, err))

    def reporter(self, subject: Path) -> Callable[[Progress], None]:
        """Nobody looks on."""
        return lambda progress: None


def run_with_jobs(console: Console, inputs: Iterable[Path], work: Callable[[Path, Console], None], jobs: int) -> None:
    """As :func:`run_for_each`, in several processes; what is said comes in the order of the inputs.

    Parameters
    ----------
    console : Console
        Where what failed is told and remembered.
    inputs : iterable of Path
    work : callable
        Takes an input and where to say something; with several processes it is pickled.
    jobs : int
        Processes; 1 is this one.

    Raises
    ------
    typer.Exit
        With status 1 if any failed.
    """
    if jobs == 1:
        run_for_each(console, inputs, lambda path: work(path, console))
        return
    given = list(inputs)
    report, done = console.reporter(Path(f"{jobs} processes")), 0
    try:
        with farm(min(jobs, max(2, len(given)))) as workers:
            for noted in workers.each(_noted, [(path, work, console.quiet, console.debug) for path in given]):
                for text, err in noted.lines:
                    console.write(text, err)
                console.failures += noted.failures
                done += 1
                report(Progress(done, len(given), f"{done} of {len(given)} images"))
    except AtomsegError as error:
        for path in given[done:]:
            console.problem(path, error)
    finally:
        console.clear()
    if console.failures:
        raise typer.Exit(1)


def _noted(path: Path, work: Callable[[Path, Console], None], quiet: bool, debug: bool) -> Notebook:
    """Work on one input in a process of its own, and what it says."""
    notebook = Notebook(quiet=quiet, debug=debug)
    with suppress(typer.Exit):
        run_for_each(notebook, [path], lambda one: work(one, notebook))
    return notebook


def run_for_each(console: Console, inputs: Iterable[Path], work: Callable[[Path], None]) -> None:
    """Work on every input, whatever becomes of the others.

    Parameters
    ----------
    console : Console
        Where what failed is told and remembered.
    inputs : iterable of Path
    work : callable
        Takes one input; whatever it raises is told with the path, but for typer's Exit and BadParameter, which end the command.

    Raises
    ------
    typer.Exit
        With status 1 if any failed.
    """
    try:
        for path in inputs:
            try:
                with _warnings_noted(console):
                    work(path)
            except (typer.Exit, typer.BadParameter):
                raise
            except Exception as error:  # noqa: BLE001 - one bad input may not keep the others from being done
                console.problem(path, error)
    finally:
        console.clear()
    if console.failures:
        raise typer.Exit(1)


@contextmanager
def _warnings_noted(console: Console) -> Iterator[None]:
    """Warnings of ours become notes; those of libraries are for developers."""

    def show(message: Warning | str, category: type[Warning], *_: Any) -> None:
        if issubclass(category, AtomsegWarning):
            console.note(str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", AtomsegWarning)
        warnings.showwarning = show  # type: ignore[assignment]  # restored by catch_warnings
        yield


def one_line(text: str) -> str:
    """The text without line breaks."""
    return " ".join(text.split())


def unforeseen(error: BaseException) -> str:
    """A sentence for an error that the program did not foresee."""
    if isinstance(error, MemoryError):
        return "there is not enough memory; crop the image, take one frame, or use a larger computer"
    said = ": ".join(text for text in (type(error).__name__, one_line(str(error))) if text)
    return f"something unforeseen happened ({said}); run again with --debug and report it"
