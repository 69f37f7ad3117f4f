"""Run a command where only its exit status counts."""

import pytest

from napari_atomseg.cli.app import main


def call(*words):
    """Exit status of the command line."""
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    return end.value.code
