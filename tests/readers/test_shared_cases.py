"""Files and tables as users reported them, drawn by scripts that are not part of the repository; skipped where those are not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_atomseg.core.errors import NoImageError
from napari_atomseg.readers.columns_table import mapping_for, read_columns
from napari_atomseg.readers.registry import read

CASES = Path(os.environ.get("ATOMSEG_SHARED", Path(__file__).parents[3] / "shared")) / "cases"
SIZE = 0.125  # Angstrom
PLACES = np.array([(16 * row + 8.3, 16 * column + 8.7) for row in range(10) for column in range(10)])


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Run a script once, in a folder of its own; gives the folder."""
    done = {}

    def run(script, *arguments):
        if not (CASES / script).exists():
            pytest.skip(f"{script} is not here; set ATOMSEG_SHARED to the folder that holds cases/{script}")
        if script not in done:
            done[script] = tmp_path_factory.mktemp(script)
            subprocess.run([sys.executable, "-W", "ignore", CASES / script, *arguments], cwd=done[script], check=True)
        return done[script]

    return run


@pytest.mark.parametrize(
    ("script", "name", "size"),
    [("make_prismatic_emd.py", "a.emd", 0.25), ("make_de_mrc.py", "a.mrc", None), ("make_dm5.py", "a.dm5", SIZE)],
)
def test_single_files(drawn, script, name, size):
    (image,) = read(drawn(script, name) / name)
    assert image.pixel_size == (size and pytest.approx((size, size)))
    assert image.notes or script == "make_dm5.py"


@pytest.mark.parametrize("name", ["i8", "u8_imod", "i8_imod", "i16", "f32", "u16", "f16", "big", "ext_ccp4", "ext_fei1", "stack"])
def test_mrc_files(drawn, name):
    (image,) = read(drawn("make_mrc_variants.py") / f"{name}.mrc")
    assert image.pixel_size == pytest.approx((SIZE, SIZE))
    brightest = np.unravel_index(np.argmax(image.frame()[:16, :16]), (16, 16))
    assert np.abs(np.subtract(brightest, PLACES[0])).max() < 1.5


@pytest.mark.parametrize("name", ["zero_cella", "zero_m", "default1A"])
def test_mrc_files_without_a_size(drawn, name):
    (image,) = read(drawn("make_mrc_variants.py") / f"{name}.mrc")
    assert image.pixel_size is None
    assert "header" in image.notes[0]


UNCALIBRATED = (
    "ij_inch",
    "ij_pixel",
    "ij_nounit_scale",
    "dpi72",
    "none_res",
    "bigendian",
    "comp_jpeg2000",
    "palette",
    "rgb_planar",
)
CALIBRATED = (
    *(
        "ij_nm",
        "ij_um_escaped",
        "ij_A",
        "ij_angstrom",
        "ij_pm",
        "ij_aniso_units",
        "ij_zstack",
        "ij_time",
        "ij_cm_1.25e-9",
        "cm_8e8",
    ),
    *("ome_nm.ome", "ome_default_um.ome", "ome_A.ome", "ome_2ch.ome"),
)


@pytest.mark.parametrize("name", [*CALIBRATED, *UNCALIBRATED])
def test_tiff_files(drawn, name):
    (image,) = read(drawn("make_tiff_variants.py") / f"{name}.tif")
    assert image.shape[-2:] == (160, 160)
    assert image.pixel_size == (pytest.approx((SIZE, SIZE), rel=1e-4) if name in CALIBRATED else None)
    assert image.notes or name in CALIBRATED


@pytest.mark.parametrize("name", ["jem2100_like", "thumb_then_image"])
def test_the_raw_page_of_a_tiff_file(drawn, name):
    first = read(drawn("make_tiff_variants.py") / f"{name}.tif")[0]
    assert (first.dataset, first.shape, first.data.dtype) == (1, (160, 160), np.uint16)


def test_a_reciprocal_file():
    path = CASES / "pyxem_reciprocal_latex.hspy"
    if not path.exists():
        pytest.skip(f"{path.name} is not here")
    with pytest.raises(NoImageError, match="a reciprocal length"):
        read(path)


@pytest.mark.parametrize(
    ("name", "unit", "first"),
    [
        *((f"{name}.csv", None, None) for name in ("thunderstorm", "angstrom_par", "pm", "capital_units", "trackmate")),
        *(
            (f"{name}.csv", None, None)
            for name in ("atomsegnet", "bom", "comment", "pos", "rowcol", "index_yx", "semicolon_comma")
        ),
        ("headerless_ws.txt", None, None),
        ("np_savetxt_header.txt", None, None),
        ("statstem_A.txt", "A", 1),
        ("imagej_nm.csv", "nm", None),
    ],
)
def test_tables(drawn, name, unit, first):
    path = drawn("make_tables.py") / name
    columns = read_columns(path, mapping_for(path, unit, first), (SIZE, SIZE))
    assert columns.positions == pytest.approx(PLACES, abs=0.01)
    assert set(columns.frame) == {0}
