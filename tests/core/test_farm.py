"""Work in this process, in several, and with one that dies."""

import os
import signal
from pathlib import Path

import pytest

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.farm import farm


def squared(number):
    return number**2


def dying_once(number, mark):
    """End its own process in the middle of the work, the first time."""
    if number == 3 and not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGTERM)
    return squared(number)


def dying(number):
    os.kill(os.getpid(), signal.SIGTERM)


def test_results_come_in_order_wherever_they_are_made():
    expected = [(k**2) for k in range(7)]
    with farm() as here:
        assert list(here.each(squared, ((k,) for k in range(7)))) == expected
    with farm(2) as several:
        assert list(several.each(squared, ((k,) for k in range(7)))) == expected


def test_work_of_a_process_that_died_is_done_again(tmp_path):
    with farm(2) as several:
        found = several.each(dying_once, ((k, str(tmp_path / "died")) for k in range(7)))
        assert list(found) == [k**2 for k in range(7)]


def test_processes_that_die_again_and_again_are_told():
    with farm(2) as several, pytest.raises(AtomsegError, match="end again and again"):
        list(several.each(dying, [(1,)]))


def test_tasks_are_asked_for_as_they_are_needed():
    asked = []

    def tasks():
        for k in range(50):
            asked.append(k)
            yield (k,)

    with farm(2) as several:
        next(several.each(squared, tasks()))
    assert len(asked) <= 8


def test_what_cannot_be_is_refused():
    with pytest.raises(AtomsegError, match="1 or more"), farm(0):
        pass
    with pytest.raises(AtomsegError, match="no effect with a cluster"), farm(2, "tcp://here:1"):
        pass
