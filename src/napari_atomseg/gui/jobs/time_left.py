"""How long a job still takes, from how fast it has gone so far."""

from __future__ import annotations

import time

from napari_atomseg.core.jobs import Progress

FIRST_S = 2.0
"""Before that nothing is foretold."""


class TimeLeft:
    """Hears of a job's progress; phases that count anew are foretold by themselves, from their first finished part."""

    def __init__(self) -> None:
        self._phase: int | None = None
        self._begun, self._done = 0.0, 0

    def after(self, progress: Progress) -> float | None:
        """Seconds that the phase still takes; None while that cannot be known."""
        now, phase = time.monotonic(), progress.total
        if phase != self._phase or progress.done < self._done:
            self._phase, self._begun, self._done = phase, now, progress.done
            return None
        spent, done = now - self._begun, progress.done - self._done
        if not progress.total or done <= 0 or spent < FIRST_S:
            return None
        return spent * (progress.total - progress.done) / done


def duration(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 1:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
