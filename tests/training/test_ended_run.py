"""A run that is ended from outside leaves a checkpoint and no process behind."""

import os
import signal
import subprocess
import sys
import time

import pytest

HANGING = 300


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that a program could answer")
def test_ended_by_the_system_it_leaves_a_checkpoint_and_no_process(tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("name: mine\nabout: For tests.\nparts: [lrsem]\n")
    code = "from napari_atomseg.cli.app import main; main()"
    words = ["train", str(recipe), "-o", str(tmp_path / "run"), "--patch", "32", "--batch", "2", "--steps", "1000000"]
    run = subprocess.Popen(
        [sys.executable, "-c", code, *words, "--validate-every", "1", "--workers", "1", "--channels", "4", "--blocks", "1"],
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    end = time.monotonic() + HANGING
    while not (tmp_path / "run" / "history.csv").exists():
        assert run.poll() is None, run.stderr.read().decode()
        assert time.monotonic() < end
        time.sleep(0.1)
    run.send_signal(signal.SIGTERM)
    _, said = run.communicate(timeout=HANGING)
    assert run.returncode == 130, said.decode()
    assert (tmp_path / "run" / "checkpoint.safetensors").exists()
    while time.monotonic() < end:
        try:
            os.killpg(run.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    raise AssertionError("a process is left")
