from __future__ import annotations

import json
import logging
import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import make_files as make
import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_atomseg.core.errors import AtomsegError, NoImageError, UnreadableFileError
from napari_atomseg.readers.registry import SUFFIXES, describe, read

IMAGE = (np.arange(24 * 20).reshape(24, 20) % 251).astype(np.uint8)


def test_importing_loads_nothing_heavy():
    code = (
        "import sys, napari_atomseg.readers.registry\n"
        "heavy = {'rsciio', 'dask', 'h5py', 'tifffile', 'skimage', 'scipy', 'PIL', 'pandas', 'torch', 'napari', 'zarr'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("suffix", make.WRITERS)
def test_every_format_that_can_be_made_comes_back(suffix, tmp_path):
    path = tmp_path / f"an image ÅÖ 原子{suffix}"
    make.write(path, IMAGE)
    (image,) = read(path)
    np.testing.assert_array_equal(np.asarray(image.data), IMAGE)
    assert image.name == path.stem
    assert (image.dataset, image.path) == (0, path)
    if suffix in make.CALIBRATED:
        assert image.pixel_size == pytest.approx((0.2, 0.2), rel=1e-4)
        assert image.pixel_size_source == "the file"
    else:
        assert image.pixel_size is None
        assert image.pixel_size_source == ""
    assert list(describe(image)) == [
        "index",
        "title",
        "shape",
        "dtype",
        "pixel_size_angstrom",
        "unit_in_file",
        "modality",
        "notes",
    ]
    json.dumps(describe(image))
    json.dumps(image.metadata)


@pytest.mark.parametrize("suffix", [".PNG", ".TIF", ".NPY", ".HSPY"])
def test_capital_letters_in_the_suffix(suffix, tmp_path):
    make.write(tmp_path / f"a{suffix.lower()}", IMAGE)
    (tmp_path / f"a{suffix.lower()}").rename(tmp_path / f"b{suffix}")
    assert read(tmp_path / f"b{suffix}")[0].shape == IMAGE.shape


@pytest.mark.parametrize("suffix", [suffix for suffix in make.WRITERS if suffix != ".zspy"])
@pytest.mark.parametrize("fraction", [0.02, 0.4, 0.9])
def test_truncated(suffix, fraction, tmp_path):
    path = tmp_path / f"whole{suffix}"
    rng = np.random.default_rng(0)
    make.write(path, rng.integers(0, 255, (64, 48), np.uint8))
    raw = path.read_bytes()
    path.write_bytes(raw[: int(fraction * len(raw))])
    with pytest.raises(AtomsegError, match=r"^whole[^\n]+$"):
        read(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("count", [1, 7, 3000])
def test_random_bytes(suffix, count, tmp_path):
    path = tmp_path / f"noise{suffix}"
    path.write_bytes(np.random.default_rng(count).bytes(count))
    with pytest.raises(AtomsegError, match=r"^noise[^\n]+$"):
        read(path)


@pytest.mark.parametrize("suffix", [".hspy", ".mrc", ".tif", ".npy", ".png", ".ser", ".dm3"])
def test_a_header_followed_by_noise(suffix, tmp_path):
    path = tmp_path / f"half{suffix}"
    make.write(path, IMAGE)
    raw = path.read_bytes()
    rng = np.random.default_rng(3)
    for kept in (16, 40, 200):
        path.write_bytes(raw[:kept] + rng.bytes(len(raw)))
        try:
            images = read(path)
        except AtomsegError:
            continue
        assert all(image.data.ndim in (2, 3) for image in images)


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".xyz", ""])
def test_empty(suffix, tmp_path):
    path = tmp_path / f"empty{suffix}"
    path.touch()
    with pytest.raises(UnreadableFileError, match=r"^empty.*: the file is empty; copy it again"):
        read(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_missing_and_folder(suffix, tmp_path):
    with pytest.raises(UnreadableFileError, match="there is no such file"):
        read(tmp_path / f"no{suffix}")
    (tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises(AtomsegError, match=r"^folder"):
        read(tmp_path / f"folder{suffix}")


@pytest.mark.skipif(os.name == "nt" or getattr(os, "geteuid", lambda: 0)() == 0, reason="everything is readable here")
def test_protected(tmp_path):
    path = tmp_path / "secret.png"
    make.write(path, IMAGE)
    path.chmod(0)
    with pytest.raises(UnreadableFileError, match="it may not be read; ask for the permission"):
        read(path)


def test_permission_is_a_sentence_of_its_own(tmp_path, monkeypatch):
    path = tmp_path / "secret.png"
    make.write(path, IMAGE)

    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UnreadableFileError, match="it may not be read; ask for the permission"):
        read(path)


def test_too_little_memory_is_a_sentence_of_its_own(tmp_path, monkeypatch):
    path = tmp_path / "large.npy"
    np.save(path, IMAGE)

    def refuse(*_args, **_kwargs):
        raise MemoryError

    monkeypatch.setattr(np, "load", refuse)
    with pytest.raises(UnreadableFileError, match="more memory than is free"):
        read(path)


def test_interrupting_is_not_an_unreadable_file(tmp_path, monkeypatch):
    path = tmp_path / "a.npy"
    np.save(path, IMAGE)

    def interrupt(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "load", interrupt)
    with pytest.raises(KeyboardInterrupt):
        read(path)


def test_an_unknown_suffix_lists_the_known_ones(tmp_path):
    path = tmp_path / "notes.docx"
    path.write_bytes(b"hello")
    with pytest.raises(UnreadableFileError, match=r'suffix "\.docx" cannot be read; those that can are .*\.dm3.*\.npy') as caught:
        read(path)
    assert all(suffix in str(caught.value) for suffix in SUFFIXES)
    (tmp_path / "README").write_bytes(b"hello")
    with pytest.raises(UnreadableFileError, match="files without a suffix cannot be read"):
        read(tmp_path / "README")


@pytest.mark.parametrize(("suffix", "what"), [(".json", "a JSON file"), (".csv", "a table"), (".cif", "a structure")])
def test_tables_are_no_images(suffix, what, tmp_path):
    path = tmp_path / f"columns{suffix}"
    path.write_text("x,y\n1,2\n")
    with pytest.raises(NoImageError, match=f"this is {what} and not an image"):
        read(path)


@pytest.mark.parametrize("true", [".png", ".tif", ".npy", ".hspy"])
@pytest.mark.parametrize("false", [".dm4", ".ser", ".mrc", ".png", ".hspy", ".blo", ".xyz1", ""])
def test_contents_are_believed_against_the_suffix(true, false, tmp_path):
    if true == false:
        return
    make.write(tmp_path / f"right{true}", IMAGE)
    path = (tmp_path / f"right{true}").rename(tmp_path / f"wrong{false}")
    (image,) = read(path)
    np.testing.assert_array_equal(image.data, IMAGE)
    assert "in spite of its suffix" in image.notes[0]


def test_a_series_under_another_name_is_told_to_be_renamed(tmp_path):
    make.write(tmp_path / "a.ser", IMAGE)
    path = (tmp_path / "a.ser").rename(tmp_path / "a.dm3")
    with pytest.raises(UnreadableFileError, match=r"TIA series in spite of its suffix .*; rename it to \.ser"):
        read(path)


def test_an_archive_is_no_image(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(UnreadableFileError, match=r'do not belong to the suffix "\.png"'):
        read(path)


@pytest.mark.parametrize("suffix", [".npy", ".hspy", ".tif", ".png", ".mrc", ".ser"])
def test_one_pixel(suffix, tmp_path):
    path = tmp_path / f"one{suffix}"
    make.write(path, np.full((1, 1), 7, np.uint8))
    (image,) = read(path)
    assert image.shape == (1, 1)
    assert image.frame()[0, 0] == 7


@pytest.mark.parametrize("suffix", [".npy", ".hspy", ".tif", ".mrc"])
@pytest.mark.parametrize("shape", [(6, 5), (3, 6, 5)])
def test_nothing_but_nan(suffix, shape, tmp_path):
    path = tmp_path / f"nan{suffix}"
    make.write(path, np.full(shape, np.nan, np.float32))
    (image,) = read(path)
    assert image.shape == shape
    assert np.isnan(image.frame()).all()


@pytest.mark.parametrize("suffix", [".npy", ".hspy", ".blo"])
def test_four_dimensions_are_refused_by_name(suffix, tmp_path):
    path = tmp_path / f"cube{suffix}"
    make.write(path, np.zeros((2, 3, 8, 8), np.uint8))
    with pytest.raises(NoImageError, match=r"^cube.*four-dimensional \(2, 3, 8, 8\): .*choose that"):
        read(path)


@pytest.mark.parametrize("suffix", [".npy", ".hspy"])
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (np.zeros((4, 4), complex), "complex"),
        (np.zeros(9), "a single spectrum"),
        (np.zeros((0, 4)), "no pixels"),
        (np.zeros((2, 2, 2, 2, 2)), "five-dimensional"),
    ],
)
def test_what_is_no_image(suffix, data, reason, tmp_path):
    if suffix == ".hspy" and 0 in data.shape:
        return
    path = tmp_path / f"no{suffix}"
    make.write(path, data)
    with pytest.raises(NoImageError, match=reason):
        read(path)


def test_leading_dimensions_of_one_are_dropped(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((1, 1, 4, 5)))
    np.save(tmp_path / "b.npy", np.zeros((3, 1, 4, 1)))
    assert read(tmp_path / "a.npy")[0].shape == (4, 5)
    assert read(tmp_path / "b.npy")[0].shape == (3, 4, 1)


def test_pickled_objects_are_never_loaded(tmp_path):
    path = tmp_path / "evil.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(UnreadableFileError, match=r"evil\.npy: it holds pickled Python objects, .* never loaded; save the image"):
        read(path)
    path.write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(
        UnreadableFileError, match=r"evil\.npy: it is a pickle of Python objects, .* never loaded; save the image"
    ):
        read(path)


def test_arrays_of_an_archive_are_datasets(tmp_path):
    path = tmp_path / "two.npz"
    np.savez(path, image=IMAGE, objects=np.array([{"a": 1}], dtype=object), other=IMAGE[:5])
    first, second = read(path)
    np.testing.assert_array_equal(first.data, IMAGE)
    assert [first.name, second.name] == ["two | image", "two | other"]
    np.savez(path, objects=np.array([{"a": 1}], dtype=object))
    with pytest.raises(UnreadableFileError, match="pickled Python objects"):
        read(path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.tif", b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "a pointer of Git LFS, .*; fetch the file itself"),
        ("a.dm4", b"<!DOCTYPE html><html>", "a web page, .*; download the file again"),
        ("a.png", b"%PDF-1.7 ", "a PDF document"),
        ("a.mrc.gz", b"\x1f\x8b\x08" + bytes(20), "a gzip archive; unpack it first"),
        ("a.emd", b"\x1f\x8b\x08" + bytes(20), "a gzip archive; unpack it first"),
    ],
)
def test_what_is_no_image_at_all_is_named(name, content, said, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnreadableFileError, match=f"{name}: it is {said}") as caught:
        read(tmp_path / name)
    assert "damaged" not in str(caught.value)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint32", "float16", "float64", ">u2", ">f4"])
def test_numbers_are_left_as_they_are(dtype, tmp_path):
    path = tmp_path / "a.npy"
    data = (IMAGE % 2).astype(dtype)
    np.save(path, data)
    (image,) = read(path)
    np.testing.assert_array_equal(image.data, data)
    assert image.data.dtype == data.dtype.newbyteorder("=")
    path.unlink()


def test_a_dataset_is_chosen_by_its_index(tmp_path):
    path = tmp_path / "many.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(IMAGE, photometric="minisblack")
        file.write(np.zeros((3, 4), np.complex64), photometric="minisblack")
        file.write(IMAGE[:5], photometric="minisblack")
    first, last = read(path)
    assert (first.dataset, last.dataset) == (0, 2)
    assert (first.name, last.name) == ("many | 0", "many | 2")
    assert "dataset 1 was left out: its data are complex" in first.notes[-1]
    assert read(path, dataset=2)[0].shape == (5, 20)
    with pytest.raises(NoImageError, match="complex"):
        read(path, dataset=1)
    for index in (3, -1):
        with pytest.raises(NoImageError, match=f"there is no dataset {index} in it; it has datasets 0 to 2"):
            read(path, dataset=index)


@pytest.mark.parametrize("shape", [(1, 5), (5, 1)])
@pytest.mark.parametrize("suffix", [".npy", ".hspy", ".tif", ".png", ".mrc", ".ser"])
def test_one_line(suffix, shape, tmp_path):
    make.write(tmp_path / f"line{suffix}", np.arange(5, dtype=np.uint8).reshape(shape))
    (image,) = read(tmp_path / f"line{suffix}")
    np.testing.assert_array_equal(image.data, np.arange(5).reshape(shape))


def test_equal_titles_become_different_names(tmp_path):
    path = tmp_path / "twins.hspy"
    make.write_hspy(path, [IMAGE, IMAGE, IMAGE], titles=["HAADF", "HAADF", "BF"])
    assert len({image.name for image in read(path)}) == 3


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_colour_becomes_luminance(suffix, tmp_path):
    colour = np.zeros((16, 24, 3), np.uint8)
    colour[..., 0] = 200
    path = tmp_path / f"photo{suffix}"
    if suffix == ".tif":
        tifffile.imwrite(path, colour, photometric="rgb")
    else:
        Image.fromarray(colour).save(path)
    (image,) = read(path)
    assert image.shape == (16, 24)
    np.testing.assert_allclose(image.data, 0.299 * 200, atol=1)
    assert "luminance" in image.notes[0]


@pytest.mark.parametrize("mode", ["P", "LA", "RGBA", "1", "I;16", "CMYK"])
def test_pictures_of_every_mode(mode, tmp_path):
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    Image.fromarray(IMAGE).convert(mode).save(path)
    (image,) = read(path)
    assert image.shape == IMAGE.shape
    assert image.data.ndim == 2


def test_dots_per_inch_are_no_pixel_size(tmp_path):
    Image.fromarray(IMAGE).save(tmp_path / "a.png", dpi=(300, 300))
    tifffile.imwrite(tmp_path / "a.tif", IMAGE, resolution=(300, 300), resolutionunit="INCH")
    tifffile.imwrite(tmp_path / "b.tif", IMAGE, resolution=(300, 300), resolutionunit="CENTIMETER")
    for name in ("a.png", "a.tif", "b.tif"):
        assert read(tmp_path / name)[0].pixel_size is None


def test_nothing_is_printed_logged_or_warned(tmp_path, capfd, caplog):
    path = tmp_path / "noisy.mrc"
    make.write(path, IMAGE)
    with warnings.catch_warnings(), caplog.at_level(logging.DEBUG):
        warnings.simplefilter("error")
        read(path)
    assert not [record for record in caplog.records if record.name.startswith(("rsciio", "tifffile"))]
    assert capfd.readouterr() == ("", "")


def test_a_file_that_was_read_can_be_replaced(tmp_path):
    for suffix in (".hspy", ".npy", ".tif", ".mrc"):
        path = tmp_path / f"a{suffix}"
        make.write(path, IMAGE)
        (image,) = read(path)
        assert isinstance(image.data, np.ndarray)
        assert not isinstance(image.data, np.memmap)
        make.write(path, IMAGE // 2)
        np.testing.assert_array_equal(image.data, IMAGE)


@pytest.mark.parametrize("suffix", [".npy", ".hspy"])
def test_sixteen_thousand_pixels_stay_on_disk(suffix, tmp_path):
    path = tmp_path / f"huge{suffix}"
    make.write_sparse(path, (16384, 16384))
    code = (
        "import sys, psutil\nfrom napari_atomseg.readers.registry import read\n"
        "import rsciio.hspy, dask.array, h5py\n"
        "before = psutil.Process().memory_info().rss\n"
        "(image,) = read(sys.argv[1])\n"
        "grown = (psutil.Process().memory_info().rss - before) / 2**20\n"
        "assert image.shape == (16384, 16384), image.shape\n"
        "assert type(image.data).__name__ in ('memmap', 'Array'), type(image.data)\n"
        "assert grown < 200, grown\n"
        "assert image.data[8000:8010, 5:9].sum() == 0\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
