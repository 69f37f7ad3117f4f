"""DigitalMicrograph 5: tags in HDF5."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from napari_atomseg.core.errors import NoImageError, UnreadableFileError
from napari_atomseg.readers.registry import read

IMAGE = (np.arange(24 * 20).reshape(24, 20) % 251).astype(np.uint16)


def write(path, images, thumbnail=True):
    """Images as ``(name, data, scales, unit, tags)``, scales counted from the fastest axis; a thumbnail first."""
    small = ("", np.full((6, 5), 0x00302010, np.uint32), (0.05, 0.05), "nm", {})
    with h5py.File(path, "w") as file:
        for number, (name, data, scales, unit, tags) in enumerate([small, *images] if thumbnail else images):
            group = file.create_group(f"ImageList/[{number}]")
            group.attrs["Name"] = np.bytes_(name)
            data_group = group.create_group("ImageData")
            data_group.attrs["DataType"] = 23 if data.dtype == np.uint32 else 10
            data_group["Data"] = data
            for axis, scale in enumerate(scales):
                told = data_group.create_group(f"Calibrations/Dimension/[{axis}]")
                told.attrs.update(Origin=0.0, Scale=scale, Units=np.bytes_(unit))
            for place, attributes in tags.items():
                group.create_group(f"ImageTags/{place}").attrs.update(attributes)
        if thumbnail:
            file.create_group("Thumbnails/[0]").attrs["ImageIndex"] = 0
    return path


def test_the_image_and_not_its_thumbnail(tmp_path):
    tags = {"Microscope Info": {"Voltage": 3e5, "Illumination Mode": np.bytes_("STEM")}}
    (image,) = read(write(tmp_path / "a.dm5", [("HAADF", IMAGE, (0.0125, 0.0125), "nm", tags)]))
    np.testing.assert_array_equal(image.data, IMAGE)
    assert image.pixel_size == pytest.approx((0.125, 0.125))
    assert (image.unit_in_file, image.modality, image.energy, image.notes) == ("nm", "haadf", 3e5, ())


def test_axes_are_counted_from_the_fastest(tmp_path):
    (image,) = read(write(tmp_path / "a.dm5", [("", IMAGE, (0.0125, 0.025), "nm", {})]))
    assert image.shape == (48, 20)


def test_several_images_and_a_number_above_nine(tmp_path):
    images = [(f"n{number}", IMAGE + number, (0.01, 0.01), "nm", {}) for number in range(12)]
    found = read(write(tmp_path / "a.dm5", images, thumbnail=False))
    assert [int(image.data[0, 0]) for image in found] == list(range(12))


def test_without_a_unit_there_is_no_size(tmp_path):
    (image,) = read(write(tmp_path / "a.dm5", [("", IMAGE, (1.0, 1.0), "", {})]))
    assert (image.pixel_size, image.notes) == (None, ("the file gives no pixel size",))


def test_a_spectrum_image_is_refused(tmp_path):
    cube = np.stack([IMAGE] * 7)
    for number, (unit, tags) in enumerate((("eV", {}), ("", {"Meta Data": {"Format": np.bytes_("Spectrum image")}}))):
        path = write(tmp_path / f"{number}.dm5", [("EELS", cube, (1.0, 1.0, 0.5), unit, tags)])
        with pytest.raises(NoImageError, match=r"spectrum image|spectra or profiles"):
            read(path)


def test_only_a_thumbnail_is_better_than_nothing(tmp_path):
    (image,) = read(write(tmp_path / "a.dm5", []))
    assert image.data == pytest.approx(np.full((6, 5), 0.299 * 0x30 + 0.587 * 0x20 + 0.114 * 0x10))


def test_other_hdf5_files_under_its_name_are_told(tmp_path):
    with h5py.File(tmp_path / "a.dm5", "w") as file:
        file["x"] = IMAGE
    with pytest.raises(UnreadableFileError, match=r"a\.dm5: it has no list of images"):
        read(tmp_path / "a.dm5")
