"""HDF5 files that lack something, or mean other units than they write."""

from __future__ import annotations

import h5py
import make_files as make
import numpy as np
import pytest

from napari_atomseg.core.errors import NoImageError, UnreadableFileError
from napari_atomseg.readers.registry import read

IMAGE = (np.arange(24 * 20).reshape(24, 20) % 251).astype(np.float32)


def prismatic(path, step, rx, unit="[n_m]"):
    """A simulation as Prismatic lays it out: its first dimension runs along x."""
    with h5py.File(path, "w") as file:
        top = file.create_group("4DSTEM_simulation")
        top.attrs.update(emd_group_type=2, version_major=0, version_minor=5)
        group = top.create_group("data/realslices/annular_detector_depth0000")
        group.attrs.update(emd_group_type=1, depth=1, metadata=0)
        group["realslice"] = IMAGE.T
        for number, name in ((1, "R_x"), (2, "R_y")):
            axis = group.create_dataset(f"dim{number}", data=np.arange(IMAGE.T.shape[number - 1]) * step + step / 2)
            axis.attrs.update(name=np.bytes_(name), units=np.bytes_(unit))
        said = top.create_group("metadata/metadata_0/original/simulation_parameters")
        said.attrs.update({} if rx is None else {"rx": rx, "ry": rx})
    return path


@pytest.mark.parametrize(
    ("step", "rx", "size", "noted"),
    [
        (0.25, 0.25, 0.25, "as its own pixel size in the file confirms"),
        (0.11, 0.11, 0.11, "as its own pixel size in the file confirms"),
        (0.25, None, 0.25, "Prismatic writes n_m and means Å"),
        (0.025, 0.25, 0.25, ""),
    ],
)
def test_prismatic_means_angstrom(step, rx, size, noted, tmp_path):
    (image,) = read(prismatic(tmp_path / "a.emd", step, rx))
    np.testing.assert_array_equal(image.data, IMAGE)
    assert image.pixel_size == pytest.approx((size, size))
    assert any(noted in note for note in image.notes) if noted else image.notes == ()


def test_other_emd_files_mean_what_they_write(tmp_path):
    make.write(tmp_path / "a.emd", IMAGE)
    assert read(tmp_path / "a.emd")[0].pixel_size == pytest.approx((0.2, 0.2))


def test_a_broken_link_to_the_data_names_its_file(tmp_path):
    path = tmp_path / "scan_master.h5"
    with h5py.File(path, "w") as file:
        file["entry/data/data_000001"] = h5py.ExternalLink("scan_data_000001.h5", "/entry/data")
    with pytest.raises(
        UnreadableFileError, match=r"its data are in scan_data_000001\.h5, which is not beside it; put both files"
    ):
        read(path)


def test_a_broken_link_beside_a_whole_image_does_no_harm(tmp_path):
    path = tmp_path / "a.hspy"
    make.write(path, IMAGE)
    with h5py.File(path, "r+") as file:
        file["elsewhere"] = h5py.ExternalLink("gone.h5", "/x")
    np.testing.assert_array_equal(read(path)[0].data, IMAGE)


@pytest.mark.parametrize("virtual", [True, False])
def test_a_dataset_kept_elsewhere_is_not_shown_as_zeros(virtual, tmp_path):
    path, other = tmp_path / "a.hspy", tmp_path / "pixels.bin"
    make.write(path, IMAGE)
    with h5py.File(path, "r+") as file:
        group = file["Experiments/__unnamed__"]
        del group["data"]
        if virtual:
            layout = h5py.VirtualLayout(IMAGE.shape, np.float32)
            layout[...] = h5py.VirtualSource(str(other), "data", IMAGE.shape)
            group.create_virtual_dataset("data", layout)
        else:
            group.create_dataset("data", IMAGE.shape, np.float32, external=[(str(other), 0, h5py.h5f.UNLIMITED)])
    other.unlink(missing_ok=True)
    with pytest.raises(UnreadableFileError, match=r"its data are in pixels\.bin, which is not beside it"):
        read(path)


def test_a_filter_that_is_not_installed_is_named(tmp_path, monkeypatch):
    path = tmp_path / "a.hspy"
    make.write(path, IMAGE)
    with h5py.File(path, "r+") as file:
        group = file["Experiments/__unnamed__"]
        del group["data"]
        group.create_dataset("data", data=IMAGE, compression="gzip")
    assert read(path)[0].shape == IMAGE.shape
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda code: False)
    with pytest.raises(UnreadableFileError, match=r"compressed by the HDF5 filter deflate, .* install the package hdf5plugin"):
        read(path)


@pytest.mark.parametrize("unit", ["$A^{-1}$", "$nm^{-1}$", r"$\AA^{-1}$", r"$\mathrm{nm}^{-1}$", "k_A^-1", "nm⁻¹", "1/px"])
def test_reciprocal_units_in_any_dress_are_refused(unit, tmp_path):
    make.write_hspy(tmp_path / "a.hspy", [IMAGE], [""], units=unit, scale=0.1)
    with pytest.raises(NoImageError, match="a reciprocal length, as in a diffraction pattern"):
        read(tmp_path / "a.hspy")


def changed(path, **attributes):
    """One image in a HyperSpy file whose metadata and axes are changed: `signal_type`, or `axis<number>_<key>`."""
    make.write_hspy(path, [np.stack([IMAGE] * 4)], [""], scale=1.0, units="")
    with h5py.File(path, "r+") as file:
        group = file["Experiments/__unnamed__"]
        for name, value in attributes.items():
            if name == "signal_type":
                group["metadata/Signal"].attrs["signal_type"] = value
            else:
                axis, key = name.split("_", 1)
                group[f"axis-{axis[4:]}"].attrs[key] = value
    return path


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"axis0_units": "eV"}, "spectrum image, shape"),
        ({"axis0_units": "keV"}, "spectrum image, shape"),
        ({"axis0_name": "Energy loss"}, "spectrum image, shape"),
        ({"signal_type": "EELS"}, "spectrum image, shape"),
        ({"signal_type": "EDS_TEM"}, "spectrum image, shape"),
        ({"signal_type": "electron_diffraction"}, 'the file calls it "electron_diffraction"'),
        ({"axis1_name": "ky", "axis2_name": "kx"}, "its axes are called ky and kx, as in a diffraction pattern"),
        ({"axis0_navigate": True, "axis1_navigate": True, "axis2_navigate": False}, "spectra or profiles"),
    ],
)
def test_spectra_and_patterns_are_no_stacks_of_images(attributes, said, tmp_path):
    with pytest.raises(NoImageError, match=said):
        read(changed(tmp_path / "a.hspy", **attributes))


def test_other_stacks_stay_stacks(tmp_path):
    for number, attributes in enumerate(({"axis0_units": "s"}, {"axis0_units": "deg"}, {"axis0_units": "nm"}, {})):
        assert read(changed(tmp_path / f"{number}.hspy", **attributes))[0].shape == (4, 24, 20)


def test_very_many_small_frames_raise_a_doubt(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((200, 8, 9)))
    np.save(tmp_path / "b.npy", np.zeros((20, 8, 9)))
    assert "200 frames of 8 x 9 pixels: if these are spectra" in " ".join(read(tmp_path / "a.npy")[0].notes)
    assert "spectra" not in " ".join(read(tmp_path / "b.npy")[0].notes)


def test_maps_of_elements_come_after_detectors(tmp_path):
    titles = ["O", "Sr-L", "Ti Ka map", "HAADF", "BF", "thumbnail", "elastic map"]
    path = tmp_path / "a.hspy"
    make.write_hspy(path, [IMAGE + number for number in range(len(titles))], titles)
    found = read(path)
    order = [titles[int(image.data[0, 0])] for image in found]
    assert order[:2] == ["BF", "HAADF"]  # HyperSpy's own order is by name
    assert set(order[2:6]) == {"O", "Sr-L", "Ti Ka map", "elastic map"}
    assert order[6] == "thumbnail"
    assert "a map of an element or of spectra, not the image" in found[2].notes


@pytest.mark.parametrize("change", ["signal_type", "navigate"])
def test_what_is_left_of_spectra_comes_after_the_image(change, tmp_path):
    path = tmp_path / "a.hspy"
    make.write_hspy(path, [IMAGE, IMAGE + 1], ["a sum", "image"])
    with h5py.File(path, "r+") as file:
        group = next(group for group in file["Experiments"].values() if group["data"][0, 0] == 0)
        if change == "signal_type":
            group["metadata/Signal"].attrs["signal_type"] = "EDS_TEM"
        else:
            group["axis-0"].attrs["navigate"] = group["axis-1"].attrs["navigate"] = True
    assert [int(image.data[0, 0]) for image in read(path)] == [1, 0]
