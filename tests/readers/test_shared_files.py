"""Every real file at hand against what is known of it; skipped where the files are not."""

from __future__ import annotations

import pytest
from shared_files import shared

from napari_atomseg.core.errors import NoImageError
from napari_atomseg.readers.registry import describe, read

PM = 0.01
NM = 10.0
UM = 1e4

# path: (shapes, dtype, pixel size in Angstrom or None, modality)
EXPECTED = {
    "formats/128x128-TEM_search.emi": ([(128, 128)], "int32", 5.26121 * NM, "hrtem"),
    "formats/128x128-TEM_search_1.ser": ([(128, 128)], "int32", 5.26121 * NM, ""),
    "formats/JEOL-SightX-TEM-mag-dummy.tif": ([(556, 556)], "uint16", 1.82079 * NM, "hrtem"),
    "formats/ncem_After_HAADF_130mm_1.ser": ([(1024, 1024)], "uint16", 3.27036 * NM, "haadf"),
    "formats/ncem_float32_nonSquare_diffPixelSize.dm3": ([(64, 640)], "float32", 2.0, ""),
    "formats/ncem_float32_nonSquare_diffPixelSize.dm4": ([(64, 640)], "float32", 2.0, ""),
    "formats/ncem_temp.mrc": ([(3, 128, 128)], "float32", 0.2 * NM, ""),
    "formats/ncem_velox_Ceta_Imaging_Micro.emd": ([(512, 512)], "int16", 3.13884 * NM, "hrtem"),
    "formats/ncem_velox_STEM_4det_Micro.emd": ([(128, 128)] * 4, "uint16", 0.0873708 * UM, "haadf"),
    "formats/rsciio_2D_test-1.dm4": ([(2, 2)], "int16", None, ""),
    "formats/rsciio_FEI_HAADF_UK.dm3": ([(4, 16)], "uint16", 0.00550607 * UM, "haadf"),
    "formats/rsciio_HAADFscan.mrc": ([(16, 16)], "uint16", 5.67913 * NM, "haadf"),
    "formats/rsciio_View000_0000000.img": ([(512, 512)], "uint8", 0.00869141 * UM, ""),
    "formats/rsciio_imageJ_no_scale.tif": ([(68, 68)], "float32", None, ""),
    "formats/rsciio_jpg_no_exif_tags.jpg": ([(182, 255)], "uint8", None, ""),
    "formats/rsciio_ncem_example_image.emd": ([(3, 3)], "int32", None, ""),
    "formats/rsciio_olympus_SIS.tif": ([(101, 112)] * 2, "uint16", 0.23928, ""),
    "formats/rsciio_saved_with_DM.tif": ([(68, 68)], "int32", 0.168675 * UM, ""),
    "formats/rsciio_saved_with_imageJ.tif": ([(68, 68)], "float32", 0.168675 * UM, ""),
    "formats/rsciio_stackbuilder_imagestack.dm3": ([(3, 2, 16)], "uint32", 0.0599829 * UM, ""),
    "formats/rsciio_test_STEM_image.dm3": ([(68, 68)], "uint32", 0.248538 * NM, ""),
    "formats/rsciio_velox_tem_stack.emd": ([(2, 3, 3)], "int16", 8.17288 * PM, "hrtem"),
    "labelled/021_HAADF_15nm_Sample_PtNC_21Oct20.tif": ([(512, 512)], "uint32", 0.029297 * NM, "haadf"),
    "labelled/034_HAADF_15nm_Sample_PtNC_20Oct20.tif": ([(512, 512)], "uint32", 0.029297 * NM, "haadf"),
    "labelled/045_HAADF_15nm_Sample_PtNC_20Oct20.tif": ([(512, 512)], "uint32", 0.029297 * NM, "haadf"),
    "labelled/066_HAADF_15nm_Sample_PtNC_21Oct20.tif": ([(512, 512)], "uint32", 0.029297 * NM, "haadf"),
    "labelled/091_HAADF_15nm_Sample_PtNC_21Oct20.tif": ([(512, 512)], "uint32", 0.029297 * NM, "haadf"),
    "labelled/Ptporph10.tif": ([(512, 512)], "uint16", None, ""),
    "labelled/bpy_crop1.png": ([(512, 512)], "uint8", None, ""),
    "labelled/bpy_crop19.tif": ([(512, 512)], "uint16", None, ""),
    "micrographs/11133.png": ([(256, 256)], "uint8", None, ""),
    "micrographs/12028.png": ([(256, 256)], "uint8", None, ""),
    "micrographs/16_STOimage_1.ser": ([(1024, 1024)], "uint16", 10.0127 * PM, ""),
    "micrographs/BTO_crystal_1.dm4": ([(413, 469)], "float32", 29.66 * PM, ""),
    "micrographs/Grain_boundry_gold_512px.png": ([(512, 512)], "uint8", None, ""),
    "micrographs/MoS2_stem_Exp-000-2.npy": ([(512, 512)], "float64", 9 / 512 * NM, ""),
    "micrographs/Si110_5nmX25us_03_none_none.png": ([(512, 512)], "uint8", None, ""),
    "micrographs/asn_02_8nm_1024px_16us_linesync_none_none.png": ([(1024, 1024)], "uint8", None, ""),
    "micrographs/asn_03_8frameStack_512px_16us_nosync_series000_none_none.png": ([(512, 512)], "uint8", None, ""),
    "micrographs/asn_04_aligned_blind6_none_crop.png": ([(672, 396)], "uint8", None, ""),
    "micrographs/hrstem_example.ser": ([(1024, 1024)], "uint16", 52.4072 * PM, ""),
    "micrographs/ios_tem-12.png": ([(512, 512)], "uint8", None, ""),
    "micrographs/test_ABF_cropped.hdf5": ([(400, 380)], "float16", None, "abf"),
    "micrographs/test_ADF_cropped.hdf5": ([(400, 380)], "float16", None, "adf"),
}
REFUSED = {
    "formats/rsciio_example2_v3.1.hspy": "1/nm, a reciprocal length",
    "formats/rsciio_signal1d_ZipStore.zspy": "spectra or profiles",
    "formats/rsciio_test2.blo": r"four-dimensional \(2, 3, 5, 5\)",
    "labelled/Ptporph10.csv": "a table and not an image",
    "labelled/hpai_pairs.csv": "a table and not an image",
    "micrographs/MoS2_stem_Exp-000-2.json": "a JSON file and not an image",
}


@pytest.mark.parametrize("name", EXPECTED)
def test_file_is_read_as_known(name):
    shapes, dtype, size, modality = EXPECTED[name]
    path = shared(name)
    images = read(path)
    assert [image.shape for image in images] == shapes
    first = describe(images[0])
    assert (first["dtype"], first["modality"]) == (dtype, modality)
    if size is None:
        assert first["pixel_size_angstrom"] is None
        assert first["notes"]
    else:
        assert first["pixel_size_angstrom"] == pytest.approx([size, size], rel=2e-4)
    assert images[0].name.startswith(path.stem)
    assert images[0].path == path


@pytest.mark.parametrize("name", REFUSED)
def test_file_is_refused_by_name(name):
    path = shared(name)
    with pytest.raises(NoImageError, match=REFUSED[name]) as caught:
        read(path)
    assert str(caught.value).startswith(path.name)


def test_every_file_here_is_known():
    folder = shared("formats").parent
    there = {f"{part}/{path.name}" for part in ("formats", "micrographs", "labelled") for path in (folder / part).iterdir()}
    assert {name for name in there - EXPECTED.keys() - REFUSED.keys() if not name.endswith("_Results.csv")} <= {
        "labelled/bpy_crop1.csv",
        "labelled/bpy_crop19.csv",
    }


def test_what_the_files_say_besides():
    stack = read(shared("formats/rsciio_velox_tem_stack.emd"))[0]
    assert (stack.energy, stack.frame_time_s) == (300e3, 0.8)
    assert stack.metadata["summary"]["detector"] == "BM-Ceta"
    scan = read(shared("formats/rsciio_test_STEM_image.dm3"))[0]
    assert scan.metadata["summary"]["dwell_time_us"] == pytest.approx(3.5)
    assert scan.energy == 200e3
    assert read(shared("formats/128x128-TEM_search.emi"))[0].energy == 200e3
    sidecar = read(shared("micrographs/MoS2_stem_Exp-000-2.npy"))[0]
    assert (sidecar.energy, sidecar.pixel_size_source) == (60e3, "MoS2_stem_Exp-000-2.json")


def test_detectors_are_told_apart():
    images = read(shared("formats/ncem_velox_STEM_4det_Micro.emd"))
    assert [image.modality for image in images] == ["haadf", "adf", "bf", "adf"]
    assert [image.name.rpartition(" | ")[2] for image in images] == ["HAADF", "DF2", "BF", "DF4"]
    assert read(images[0].path, dataset=2)[0].name == images[2].name


def test_different_units_per_axis_are_said():
    image = read(shared("formats/ncem_float32_nonSquare_diffPixelSize.dm3"))[0]
    assert image.unit_in_file == "A x nm"
    assert "the pixels were 2 x 10 Å (y, x); resampled from 64 x 128 to 64 x 640" in image.notes[0]


def test_a_number_without_a_unit_is_a_note():
    image = read(shared("micrographs/test_ADF_cropped.hdf5"))[0]
    assert "the file says 0.009326 without a unit; if that is nm, the pixel size is 9.326 pm" in image.notes


FRACTIONS = (0.001, 0.02, 0.3, 0.7)


@pytest.mark.parametrize("name", [name for name in EXPECTED if name.startswith("formats") and "olympus" not in name])
def test_a_truncated_file_is_one_sentence(name, tmp_path):
    raw = shared(name).read_bytes()
    broken = tmp_path / name.rpartition("/")[2]
    for fraction in FRACTIONS:
        broken.write_bytes(raw[: int(len(raw) * fraction)])
        if broken.name == "rsciio_saved_with_DM.tif" and fraction == 0.7:
            continue  # its pixels come first and are whole
        with pytest.raises(Exception, match=r"^[^\n]+$") as caught:
            read(broken)
        assert caught.type.__module__ == "napari_atomseg.core.errors"
        assert str(caught.value).startswith(broken.name)
