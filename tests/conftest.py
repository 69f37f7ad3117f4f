"""What several folders of tests share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Where several processes test, files are shared out whole, and one drives the window, whose focus and mouse are one."""
    from xdist.scheduler import LoadFileScheduling

    # Not by their number of tests, but in the order below.
    config.option.loadscopereorder = False

    class OneWindow(LoadFileScheduling):
        def _split_scope(self, nodeid):
            return "window" if nodeid.startswith("tests/gui/") else super()._split_scope(nodeid)

    return OneWindow(config, log)


def pytest_collection_modifyitems(config, items):
    """Where several processes test, the window and files with slow tests come first, so that none waits at the end."""
    if hasattr(config, "workerinput"):
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: (not item.nodeid.startswith("tests/gui/"), item.path not in slow))


@pytest.fixture(autouse=True)
def same_chance():
    """Tests that draw from torch without a generator draw the same in every run."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(20)


@pytest.fixture
def rng():
    return np.random.default_rng(20)


@pytest.fixture
def shared_data():
    """Path of a file that is not part of the repository; the test is skipped where it is absent."""
    root = Path(os.environ.get("ATOMSEG_SHARED", Path(__file__).parents[2] / "shared")) / "data"

    def path_of(name):
        path = root / name
        if not path.exists():
            pytest.skip(f"{name} is not here; set ATOMSEG_SHARED to the folder that holds data/{name}")
        return path

    return path_of
