import pytest

from napari_atomseg.core.jobs import Progress, job, run


@job
def count(total, *, closed=None):
    """Count."""
    try:
        for done in range(total):
            yield Progress(done, total, "counting")
    finally:
        if closed is not None:
            closed.append(True)
    return total


def test_a_job_blocks_when_called_and_yields_as_steps():
    assert count(3) == 3
    assert [step.done for step in count.steps(3)] == [0, 1, 2]
    assert count.__doc__ == "Count."


def test_run_reports_every_step_and_returns_the_result():
    heard = []
    assert run(count.steps(2), heard.append) == 2
    assert heard == [Progress(0, 2, "counting"), Progress(1, 2, "counting")]


def test_an_interrupted_run_closes_the_job():
    closed = []

    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(count.steps(5, closed=closed), interrupt)
    assert closed == [True]
