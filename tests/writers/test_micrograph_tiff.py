import dask.array as da
import numpy as np
import pytest
import tifffile
from rsciio.tiff import file_reader

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.readers.registry import read
from napari_atomseg.writers.micrograph_tiff import write_tiff


@pytest.mark.parametrize("shape", [(7, 9), (4, 7, 9), (3, 7, 3)])
@pytest.mark.parametrize("lazy", [False, True])
def test_round_trip(tmp_path, shape, lazy):
    data = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    data[..., 0, 1] = np.nan
    micrograph = Micrograph(data=da.from_array(data) if lazy else data, pixel_size=(0.0977, 0.0977))
    back = read(write_tiff(micrograph, tmp_path / "an image.tif"))[0]
    assert np.array_equal(np.asarray(back.data), data, equal_nan=True)
    assert back.pixel_size == pytest.approx((0.0977, 0.0977), rel=1e-5)


def test_what_other_programs_see(tmp_path):
    path = write_tiff(Micrograph(data=np.zeros((2, 7, 9)), pixel_size=(0.2, 0.2), frame_time_s=0.5), tmp_path / "x")
    assert path.name == "x.tif"
    with tifffile.TiffFile(path) as file:
        assert file.imagej_metadata["unit"] == "micron"
        assert file.imagej_metadata["frames"] == 2
        assert file.imagej_metadata["finterval"] == 0.5
        assert file.series[0].dtype == np.float32
    axes = file_reader(path)[0]["axes"]
    assert [(axis["scale"], axis["units"]) for axis in axes[-2:]] == [(pytest.approx(2e-5), "µm")] * 2


def test_no_pixel_size_stays_none(tmp_path):
    assert read(write_tiff(Micrograph(data=np.eye(5)), tmp_path / "x.tif"))[0].pixel_size is None


def test_a_frame_that_cannot_be_computed_leaves_no_file(tmp_path):
    def broken(block):
        raise OSError(5, "the drive was unplugged")

    lazy = da.zeros((2, 5, 5), chunks=(1, 5, 5)).map_blocks(broken, dtype=float, meta=np.empty((0, 0, 0)))
    with pytest.raises(AtomsegError, match="unplugged"):
        write_tiff(Micrograph(data=lazy), tmp_path / "x.tif")
    assert list(tmp_path.iterdir()) == []
