from __future__ import annotations

import make_files as make
import numpy as np
import pytest
import tifffile

from napari_atomseg.core.errors import NoImageError, UnreadableFileError
from napari_atomseg.readers import rosetta
from napari_atomseg.readers.registry import read

IMAGE = (np.arange(24 * 20).reshape(24, 20) % 251).astype(np.uint8)


@pytest.mark.parametrize("folder", ["plain", "with [brackets] and ÅÖ"])
def test_an_emi_file_brings_every_series_beside_it(folder, tmp_path, monkeypatch):
    here = tmp_path / folder
    here.mkdir()
    (here / "scan.emi").write_bytes(b"JK\x00\x02" + bytes(60))
    for number in (1, 2, 10):
        make.write(here / f"scan_{number}.ser", IMAGE + np.uint8(number))
    make.write(here / "scan2_1.ser", IMAGE)
    images = read(here / "scan.emi")
    assert [int(image.frame()[0, 0]) for image in images] == [1, 2, 10]
    assert read(here / "scan_10.ser")[0].shape == IMAGE.shape


def test_an_emi_file_alone_says_what_is_missing(tmp_path):
    (tmp_path / "scan.emi").write_bytes(b"JK\x00\x02" + bytes(60))
    with pytest.raises(UnreadableFileError, match=r"scan\.emi: its pixels are in scan_1\.ser, which is not beside it; put both"):
        read(tmp_path / "scan.emi")


@pytest.mark.parametrize(
    ("unit", "factor"), [("nm", 10), ("pm", 0.01), ("micron", 1e4), ("\\u00B5m", 1e4), ("angstrom", 1), ("\\u00C5", 1)]
)
def test_imagej_units(unit, factor, tmp_path):
    path = tmp_path / "a.tif"
    resolution = (factor / 0.3, factor / 0.3)
    tifffile.imwrite(path, IMAGE, imagej=True, resolution=resolution, metadata={"unit": unit})
    (image,) = read(path)
    assert image.pixel_size == pytest.approx((0.3, 0.3), rel=1e-4)


@pytest.mark.parametrize("unit", ["inch", "cm", "pixel"])
def test_imagej_units_of_no_specimen(unit, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", IMAGE, imagej=True, resolution=(72, 72), metadata={"unit": unit})
    assert read(tmp_path / "a.tif")[0].pixel_size is None


def test_imagej_axes_are_not_exchanged(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, IMAGE, imagej=True, resolution=(10.0, 5.0), metadata={"unit": "angstrom"})
    (image,) = read(path)
    assert image.shape == (48, 20)  # y is 0.2 A per pixel, x 0.1 A
    assert image.pixel_size == pytest.approx((0.1, 0.1))


def test_an_imagej_stack_keeps_its_time(tmp_path):
    path = tmp_path / "film.tif"
    stack = np.stack([IMAGE, IMAGE // 2, IMAGE // 3])
    tifffile.imwrite(path, stack, imagej=True, resolution=(50, 50), metadata={"unit": "nm", "axes": "TYX", "finterval": 0.4})
    (image,) = read(path)
    assert (image.shape, image.frame_time_s) == ((3, 24, 20), 0.4)
    assert image.pixel_size == pytest.approx((0.2, 0.2))


def test_pages_of_one_size_are_a_stack(tmp_path):
    path = tmp_path / "pages.tif"
    tifffile.imwrite(path, np.stack([IMAGE] * 4), photometric="minisblack")
    assert read(path)[0].shape == (4, 24, 20)


def test_a_float_tiff_comes_back_unchanged(tmp_path):
    path = tmp_path / "own.tif"
    data = np.random.default_rng(0).normal(size=(33, 21)).astype(np.float32)
    make.write(path, data)
    (image,) = read(path)
    np.testing.assert_array_equal(image.data, data)
    assert image.pixel_size == pytest.approx((0.2, 0.2), rel=1e-5)
    assert image.unit_in_file == "nm"


def test_an_atomap_lattice_is_columns(tmp_path):
    import h5py

    path = tmp_path / "lattice.hdf5"
    with h5py.File(path, "w") as file:
        file.attrs["atom_lattice_type"] = "Atom_Lattice"
        file["A_sublattice/atom_positions"] = np.zeros((3, 2))
        file["image_data"] = np.zeros((4, 4))
    with pytest.raises(NoImageError, match="Atomap lattice, which holds column positions and no micrograph; open it as columns"):
        read(path)


@pytest.mark.parametrize(
    ("units", "reason"), [("1/nm", "a reciprocal length"), ("mrad", "an angle"), ("eV", "an energy"), ("s", "a time")]
)
def test_other_spaces_are_refused_by_name(units, reason, tmp_path):
    path = tmp_path / "pattern.hspy"
    make.write_hspy(path, [IMAGE], ["x"], units=units)
    with pytest.raises(NoImageError, match=rf'pattern.hspy: its axis "y" is in {units}, {reason}'):
        read(path)


def test_spectra_with_one_signal_axis_are_refused(tmp_path):
    import h5py

    path = tmp_path / "lines.hspy"
    make.write_hspy(path, [IMAGE], ["x"])
    with h5py.File(path, "r+") as file:
        file["Experiments/x/axis-0"].attrs["navigate"] = True
    with pytest.raises(NoImageError, match="spectra or profiles"):
        read(path)


@pytest.mark.parametrize(("units", "seconds"), [("s", 0.02), ("ms", 2e-5), ("nm", None)])
def test_frame_time(units, seconds, tmp_path):
    import h5py

    path = tmp_path / "film.hspy"
    make.write_hspy(path, [np.stack([IMAGE] * 3)], ["x"])
    with h5py.File(path, "r+") as file:
        file["Experiments/x/axis-0"].attrs["units"] = units
    (image,) = read(path)
    assert image.frame_time_s == (None if seconds is None else pytest.approx(seconds))


def test_other_datasets_are_left_out_with_a_note(tmp_path):
    path = tmp_path / "session.hspy"
    make.write_hspy(path, [IMAGE, IMAGE.astype(complex), np.zeros(9)], ["HAADF", "DPC", "spectrum"])
    images = read(path)
    assert [image.modality for image in images] == ["haadf"]
    left = [note for note in images[0].notes if "left out" in note]
    assert len(left) == 2
    assert any('"DPC" was left out: its data are complex' in note for note in left)


def test_too_large_to_resample_is_refused_with_the_numbers(tmp_path):
    import h5py

    path = tmp_path / "wide.hspy"
    make.write_sparse(path, (8192, 4096))
    with h5py.File(path, "r+") as file:
        file["Experiments/__unnamed__/axis-1"].attrs["scale"] = 0.1
    with pytest.raises(NoImageError, match=r"not square, 0\.2 x 1 Å \(y, x\).*\(8192, 20480\).*scale or crop it first"):
        read(path)


def test_a_second_try_without_spectra(tmp_path, monkeypatch):
    seen = []

    class Plugin:
        @staticmethod
        def file_reader(_name, **options):
            seen.append(options)
            if "select_type" not in options:
                raise ImportError("no sparse")
            return [{"data": IMAGE, "axes": make.axes(IMAGE.shape), "metadata": {}, "original_metadata": {}}]

    monkeypatch.setattr(rosetta.importlib, "import_module", lambda _name: Plugin)
    path = tmp_path / "velox.emd"
    make.write(tmp_path / "a.hspy", IMAGE)
    (tmp_path / "a.hspy").rename(path)
    assert read(path)[0].shape == IMAGE.shape
    assert seen == [{"lazy": True}, {"lazy": True, "select_type": "images"}]


def test_a_damaged_blockfile_fails_at_once(tmp_path):
    path = tmp_path / "cube.blo"
    make.write(path, np.zeros((2, 3, 8, 8), np.uint8))
    raw = bytearray(path.read_bytes())
    raw[18:26] = b"\xff\x7f" * 4
    path.write_bytes(raw)
    with pytest.raises(UnreadableFileError, match=r"^cube\.blo"):
        read(path)


RIPPLE = {
    "width": 20,
    "height": 24,
    "depth": 1,
    "offset": 0,
    "data-length": 1,
    "data-type": "unsigned",
    "byte-order": "dont-care",
}


def ripple(path, **told):
    lines = [f"{key}\t{value}" for key, value in {"key": "value", **RIPPLE, "record-by": "dont-care", **told}.items()]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_ripple_file_needs_its_pixels(tmp_path):
    path = ripple(tmp_path / "scan.rpl")
    with pytest.raises(
        UnreadableFileError, match=r"scan\.rpl: its pixels are in scan\.raw, which is not beside it; put both files"
    ):
        read(path)
    IMAGE.tofile(tmp_path / "scan.raw")
    np.testing.assert_array_equal(read(path)[0].data, IMAGE)
    with pytest.raises(UnreadableFileError, match=r"scan\.raw: these are bare pixels; open scan\.rpl"):
        read(tmp_path / "scan.raw")


def test_energies_of_a_ripple_file_are_no_frames(tmp_path):
    path = ripple(tmp_path / "scan.rpl", depth=5, **{"record-by": "image", "depth-units": "eV", "depth-scale": 10})
    np.stack([IMAGE] * 5).tofile(tmp_path / "scan.raw")
    with pytest.raises(NoImageError, match=r"it is a spectrum image, shape \(5, 24, 20\)"):
        read(path)
