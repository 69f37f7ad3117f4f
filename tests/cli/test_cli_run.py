"""``run``: recorded steps on other images, whatever becomes of single ones."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from spots import draw, square_lattice

SHAPE = (100, 110)


@pytest.fixture
def images(tmp_path):
    """Three images, the second of which is none."""
    paths = [tmp_path / name for name in ("a.npy", "broken.npy", "c.npy")]
    for seed, path in enumerate(paths):
        rng = np.random.default_rng(seed)
        true = square_lattice(SHAPE, 16, margin=10) + rng.normal(0, 0.4, 2)
        np.save(path, (draw(true, 2.2, SHAPE) + rng.normal(0, 2, SHAPE)).astype(np.float32))
    paths[1].write_bytes(b"no image")
    return paths


def test_each_image_is_done_or_said_to_fail(call, images, tmp_path):
    options = ("--model", "classical", "--contrast", "0.4", "--no-refine", "--pixel-size", "0.1A")
    assert call("locate", images[0], "-o", tmp_path / "found.csv", *options)[0] == 0
    assert call("refine", tmp_path / "found.csv", images[0], "-o", tmp_path / "a.csv", "--width", "each")[0] == 0
    for path in (images[0], images[2]):
        call("locate", path, "-o", tmp_path / "hand.csv", *options, "--force")
        call("refine", tmp_path / "hand.csv", path, "-o", tmp_path / f"hand_{path.stem}.csv", "--width", "each")
    status, said, complaints = call("run", tmp_path / "a.json", *images, "-o", tmp_path / "again/", "--pixel-size", "0.1A")
    assert status == 1
    assert "a.npy" in said
    assert "c.npy" in said
    (line,) = [line for line in complaints.splitlines() if not line.startswith("note:")]
    assert "broken.npy" in line
    assert sorted(path.name for path in (tmp_path / "again").iterdir()) == ["a.csv", "a.json", "c.csv", "c.json"]
    for name in ("a", "c"):
        tables = [pd.read_csv(tmp_path / path) for path in (f"again/{name}.csv", f"hand_{name}.csv")]
        assert len(tables[0]) > 20
        np.testing.assert_allclose(*(table[["y_px", "x_px"]] for table in tables), atol=1e-6)


def test_what_is_no_record_is_wrong_use(call, images, tmp_path):
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"model": "classical"}))
    status, _, complaints = call("run", other, images[0], "-o", tmp_path / "out.csv")
    assert status == 2
    assert "no recorded steps" in " ".join(complaints.split())
    assert not (tmp_path / "out.csv").exists()


def test_several_processes_do_the_same_byte_for_byte(call, images, tmp_path):
    options = ("--model", "classical", "--pixel-size", "0.1A")
    assert call("locate", images[0], "-o", tmp_path / "found.csv", *options)[0] == 0
    assert call("measure", tmp_path / "found.csv", images[0], "-o", tmp_path / "all.csv", "--what", "displacement")[0] == 0
    done = {}
    for jobs in (1, 2):
        words = ("run", tmp_path / "all.json", *images, "-o", tmp_path / f"with{jobs}/", "--pixel-size", "0.1A", "--jobs", jobs)
        status, said, complaints = call(*words)
        assert status == 1
        done[jobs] = (said.replace("with2", "with1"), complaints.replace("with2", "with1"))
        assert ["broken.npy: " in line for line in complaints.splitlines() if not line.startswith("note:")] == [True]
    assert done[1] == done[2]
    files = sorted(path.name for path in (tmp_path / "with1").iterdir())
    assert {"a.csv", "a.json", "c.csv", "c.json"} <= set(files)
    assert sorted(path.name for path in (tmp_path / "with2").iterdir()) == files
    for name in files:
        # The clock alone goes on.
        one, two = (re.sub(rb'"time": "[^"]*"', b"", (tmp_path / f"with{jobs}" / name).read_bytes()) for jobs in (1, 2))
        assert one == two, name


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="processes are listed in /proc on Linux")
def test_an_interrupt_ends_all_processes(call, tmp_path):
    rng = np.random.default_rng(0)
    true = square_lattice((600, 600), 12, margin=10)
    picture = (draw(true, 2.2, (600, 600)) + rng.normal(0, 2, (600, 600))).astype(np.float32)
    # Many, so that some are left however late the interrupt comes.
    paths = [tmp_path / f"{number}.npy" for number in range(40)]
    for path in paths:
        np.save(path, picture)
    assert call("locate", paths[0], "-o", tmp_path / "found.csv", "--model", "classical", "--pixel-size", "0.1A")[0] == 0
    out = tmp_path / "out"
    words = ["run", tmp_path / "found.json", *paths, "-o", f"{out}/", "--pixel-size", "0.1A", "--jobs", "2"]
    # A process that was started in the background of a script is deaf to interrupts, and so are those that it starts.
    heard = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code = f"{heard}if __name__ == '__main__':\n from napari_atomseg.cli.app import main\n main()"
    started = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert started.stdout.readline().startswith("0.npy")
    children = [int(pid) for pid in children_of(started.pid)]
    started.send_signal(signal.SIGINT)
    said, complaints = started.communicate(timeout=600)
    assert started.returncode not in (0, 1)
    assert "Traceback" not in complaints
    assert children
    while any(alive(pid) for pid in children):  # else the test hangs
        time.sleep(0.05)
    # What has its name is whole; a process that was ended in the middle may leave the hidden beginning of a file.
    tables = [path.read_bytes() for path in out.glob("*.csv") if not path.name.startswith(".")]
    assert 0 < len(tables) < len(paths), said
    assert len(set(tables)) == 1


def children_of(pid):
    """Processes that a process has started."""
    return Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()


def alive(pid):
    """Whether a process is there, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
