"""What several folders of tests share."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest


def pytest_itemcollected(item):
    """Where several processes test, one drives the window, whose focus and mouse are one; other files are shared out whole."""
    folder = item.path.relative_to(Path(__file__).parent).parts[0]
    item.add_marker(pytest.mark.xdist_group("window" if folder == "gui" else item.path.stem))


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
