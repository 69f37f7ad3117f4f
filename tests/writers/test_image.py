"""Every format of images comes back through our own reader as it was, with its calibration."""

import dask.array as da
import numpy as np
import pytest

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.readers.registry import read
from napari_atomseg.writers.image import IMAGE_SUFFIXES, write_image


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
@pytest.mark.parametrize("shape", [(7, 9), (4, 7, 9)])
@pytest.mark.parametrize("lazy", [False, True])
def test_round_trip(tmp_path, suffix, shape, lazy):
    data = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    data[..., 0, 1] = np.nan
    given = Micrograph(
        data=da.from_array(data, chunks=3) if lazy else data,
        pixel_size=(0.0977, 0.0977),
        name="a/map",
        frame_time_s=0.5 if len(shape) == 3 else None,
        notes=("a belief",),
    )
    path = write_image(given, tmp_path / f"an image{suffix}")
    (back,) = read(path)
    assert path.is_file()
    assert back.data.dtype == np.float32
    assert np.array_equal(np.asarray(back.data), data, equal_nan=True)
    if suffix != ".npy":
        assert back.pixel_size == pytest.approx((0.0977, 0.0977), rel=1e-5)
        assert back.frame_time_s == given.frame_time_s
    assert [other.name for other in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [suffix for suffix in IMAGE_SUFFIXES if suffix != ".npy"])
@pytest.mark.parametrize("source", ["typed", "a line", "the simulation", "the file", ""])
def test_a_size_that_was_not_recorded_never_becomes_that_of_the_file(tmp_path, suffix, source):
    given = Micrograph(data=np.eye(12), pixel_size=(0.1, 0.1), pixel_size_source=source)
    (back,) = read(write_image(given, tmp_path / f"x{suffix}"))
    assert back.pixel_size_source == (source or "the file")
    assert any("not recorded with the image" in note for note in back.notes) == (source not in ("", "the file"))


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
def test_no_pixel_size_stays_none(tmp_path, suffix):
    given = Micrograph(data=np.eye(12, dtype=np.int16))
    (back,) = read(write_image(given, tmp_path / f"x{suffix.upper()}"))
    assert back.pixel_size is None
    assert np.array_equal(np.asarray(back.data), np.eye(12))


def test_without_a_suffix_it_is_a_tiff(tmp_path):
    assert write_image(Micrograph(data=np.eye(5)), tmp_path / "x").name == "x.tif"


def test_another_format_is_refused(tmp_path):
    with pytest.raises(AtomsegError, match="not as"):
        write_image(Micrograph(data=np.eye(5)), tmp_path / "x.gif")


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
def test_a_frame_that_cannot_be_computed_leaves_the_old_file_alone(tmp_path, suffix):
    def broken(block):
        raise OSError(5, "the drive was unplugged")

    target = tmp_path / f"x{suffix}"
    target.write_text("old")
    lazy = da.zeros((2, 5, 5), chunks=(1, 5, 5)).map_blocks(broken, dtype=float, meta=np.empty((0, 0, 0)))
    with pytest.raises(AtomsegError, match="unplugged"):
        write_image(Micrograph(data=lazy), target)
    assert target.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1
