from __future__ import annotations

from pathlib import Path

import pytest

from napari_atomseg.readers.faults import whole_but

PATH = Path("folder/scan.rpl")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            FileNotFoundError(2, "No such file or directory", "/x/pixels.dat"),
            "its data are in pixels.dat, which is not beside it",
        ),
        (OSError("unable to open external file 'frames_1.h5'"), "its data are in frames_1.h5,"),
        (OSError('RAW file "" does not exists'), "its data are in scan.raw,"),
        (ModuleNotFoundError("no module", name="compression"), "the package imagecodecs is needed for it"),
        (ModuleNotFoundError("no module", name="mrcz"), "the package mrcz is needed for it and is not installed; install it"),
        (
            ValueError("codec not available: 'blosc'"),
            "compressed in a way that cannot be undone here (codec not available: 'blosc')",
        ),
    ],
)
def test_what_a_whole_file_lacks(error, said):
    assert said in whole_but(error, PATH)


@pytest.mark.parametrize(
    "error",
    [ValueError("Error -3 while decompressing data: incorrect header check"), OSError("truncated"), KeyError("filter")],
)
def test_damage_is_nothing_that_lacks(error):
    assert whole_but(error, PATH) == ""
