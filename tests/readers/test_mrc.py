"""MRC headers of many programs, written here byte by byte."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from napari_atomseg.core.errors import UnreadableFileError
from napari_atomseg.readers.registry import read

IMAGE = (100 + 90 * np.sin(np.arange(24)[:, None] / 3) * np.cos(np.arange(20) / 3)).astype(np.float32)
MODES = {"int8": 0, "uint8": 0, "int16": 1, "float32": 2, "uint16": 6, "float16": 12}
STEP = 0.125  # Angstrom


def write(
    path,
    data=IMAGE,
    *,
    cell=None,
    grid=None,
    order="<",
    axes=(1, 2, 3),
    span=None,
    imod=None,
    extended=b"",
    kind=b"",
    mode=None,
    stamp=True,
):
    shape = (1,) * (3 - data.ndim) + data.shape
    count = shape[::-1]
    header = bytearray(1024)
    struct.pack_into(f"{order}4i", header, 0, *count, MODES[data.dtype.name] if mode is None else mode)
    struct.pack_into(f"{order}3i", header, 28, *(grid or count))
    struct.pack_into(f"{order}3f", header, 40, *(cell or [STEP * size for size in count]))
    struct.pack_into(f"{order}3i", header, 64, *axes)
    struct.pack_into(f"{order}3f", header, 76, *(span or (data.min(), data.max(), data.mean())))
    struct.pack_into(f"{order}i", header, 92, len(extended))
    header[104 : 104 + len(kind)] = kind
    if imod is not None:
        struct.pack_into(f"{order}2i", header, 152, 1146047817, imod)
    header[208:212] = b"MAP "
    header[212:216] = (b"\x11\x11\0\0" if order == ">" else b"DD\0\0") if stamp else bytes(4)
    path.write_bytes(bytes(header) + extended + data.astype(data.dtype.newbyteorder(order)).tobytes())
    return path


@pytest.mark.parametrize("dtype", MODES)
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("stamp", [True, False])
def test_every_mode_in_both_byte_orders(dtype, order, stamp, tmp_path):
    data = (IMAGE - (100 if dtype == "int8" else 0)).astype(dtype)
    (image,) = read(write(tmp_path / "a.mrc", data, order=order, stamp=stamp))
    np.testing.assert_array_equal(image.data, data)
    assert image.pixel_size == pytest.approx((STEP, STEP))
    assert ("the file is big-endian" in image.notes) == (order == ">")


@pytest.mark.parametrize(("dtype", "flag"), [("int8", 1), ("uint8", 0)])
def test_bytes_are_signed_where_imod_says_so(dtype, flag, tmp_path):
    data = (IMAGE - (100 if dtype == "int8" else 0)).astype(dtype)
    (image,) = read(write(tmp_path / "a.mrc", data, imod=flag, span=(0, 0, 0)))
    assert (image.data.dtype.name, image.notes) == (dtype, ())
    np.testing.assert_array_equal(image.data, data)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("stack", [False, True])
def test_bytes_without_a_word_on_their_sign_are_taken_as_they_are_smooth(dtype, stack, tmp_path):
    data = (IMAGE - (100 if dtype == "int8" else 0)).astype(dtype)
    data = np.stack([data] * 3) if stack else data
    (image,) = read(write(tmp_path / "a.mrc", data, span=(0, 0, 0)))
    np.testing.assert_array_equal(image.data, data)
    kind = "signed" if dtype == "int8" else "unsigned"
    assert f"; {kind} ones give the smoother image" in image.notes[0]


@pytest.mark.parametrize(
    ("cell", "grid", "said"),
    [
        ((0, 0, 0), None, "0 x 0 Å: the file is not calibrated"),
        ((-200, -240, 0), None, "-200 x -240 Å, which no specimen is"),
        ((2.5, -3, 1), None, "2.5 x -3 Å, which no specimen is"),
        ((0, 3, 1), None, "0 x 3 Å, which no specimen is"),
        ((float("nan"), 3, 1), None, "not calibrated"),
        ((20, 24, 1), None, "exactly 1 Å for each pixel"),
        ((2.5, 3, 1), (1, 1, 1), "a pixel is 2.5 Å, or 12.5 pm if the cell is that of the whole image"),
    ],
)
def test_a_cell_that_tells_no_pixel_size(cell, grid, said, tmp_path):
    (image,) = read(write(tmp_path / "a.mrc", cell=cell, grid=grid))
    assert image.pixel_size is None
    assert image.pixel_size_source == ""
    assert said in image.notes[0]


def test_a_cell_without_a_grid_is_that_of_the_image(tmp_path):
    (image,) = read(write(tmp_path / "a.mrc", cell=(2.5, 3, 1), grid=(0, 0, 0)))
    assert image.pixel_size == pytest.approx((STEP, STEP))
    assert "does not divide its cell" in image.notes[0]


def test_a_part_of_a_cell_has_the_pixels_of_its_grid(tmp_path):
    (image,) = read(write(tmp_path / "a.mrc", cell=(5, 6, 1), grid=(40, 48, 1)))
    assert image.pixel_size == pytest.approx((STEP, STEP))


def test_lengths_follow_the_axes_of_the_map(tmp_path):
    # Columns run along y, whose edge is 20 pixels of 0.125 A; rows along x, of 0.126 A.
    (image,) = read(write(tmp_path / "a.mrc", cell=(24 * 0.126, 20 * 0.125, 1), grid=(24, 20, 1), axes=(2, 1, 3)))
    assert image.pixel_size == pytest.approx((0.126, 0.125))
    assert "columns, rows and sections run along y, x, z" in image.notes[0]
    (unknown,) = read(write(tmp_path / "b.mrc", axes=(0, 0, 0)))
    assert (unknown.pixel_size, unknown.notes) == (pytest.approx((STEP, STEP)), ())


def fei(x, y):
    extended = bytearray(768)
    struct.pack_into("<2d", extended, 156, x, y)
    return bytes(extended)


def old_fei(size):
    extended = bytearray(131_072)
    struct.pack_into("<f", extended, 44, size)
    return bytes(extended)


@pytest.mark.parametrize(
    ("extended", "kind", "size"),
    [
        (fei(3e-11, 3e-11), b"FEI1", 0.3),
        (fei(3e-11, 3e-11), b"FEI2", 0.3),
        (fei(0, 0), b"FEI1", STEP),
        (old_fei(3e-11), b"", 0.3),
        (old_fei(0), b"", STEP),
        (old_fei(0), b"FEI1", STEP),
        (bytes(1024), b"SERI", STEP),
        (b" " * 80, b"CCP4", STEP),
    ],
)
def test_extended_headers(extended, kind, size, tmp_path):
    (image,) = read(write(tmp_path / "a.mrc", extended=extended, kind=kind))
    np.testing.assert_array_equal(image.data, IMAGE)
    assert image.pixel_size == pytest.approx((size, size))
    assert image.unit_in_file == ("m" if size == 0.3 else "Å")


@pytest.mark.parametrize(("mode", "said"), [(3, "complex"), (16, "colours"), (101, "4-bit")])
def test_modes_that_are_not_read_are_named(mode, said, tmp_path):
    with pytest.raises(UnreadableFileError, match=rf"a\.mrc: its mode {mode}, .*{said}.*convert it to mode 1, 2 or 6"):
        read(write(tmp_path / "a.mrc", mode=mode))


def test_a_film_of_direct_electron_whose_size_is_unknown(tmp_path):
    stack = np.stack([IMAGE] * 3)
    path = write(tmp_path / "20250101_00001_movie.mrc", stack, cell=(-200, -240, 0))
    beside = tmp_path / "20250101_00001_info.txt"
    for told, size in (("-1", None), ("0.0125", STEP)):
        lines = (f"Specimen Pixel Size {axis} (nanometers) = {told}" for axis in "XY")
        beside.write_text("\n".join(["Frames Per Second = 10", *lines, ""]))
        (image,) = read(path)
        assert image.pixel_size == (size and pytest.approx((size, size)))
