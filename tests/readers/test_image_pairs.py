import numpy as np
import pytest
from drawn_pairs import draw_pair, draw_pairs, save_pairs

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.readers.image_pairs import ImagePair, common_pixel_size, read_pairs
from napari_atomseg.writers.micrograph_tiff import write_tiff

GOOD = np.ones((6, 5))


def test_archives_come_back_in_order(tmp_path):
    pairs = draw_pairs(3, pixel_size=0.1)
    found = read_pairs(save_pairs(tmp_path, pairs))
    assert [pair.name for pair in found] == ["drawn_0.npz", "drawn_1.npz", "drawn_2.npz"]
    np.testing.assert_array_equal(found[2].multislice, pairs[2].multislice)
    assert common_pixel_size(found) == 0.1


def test_pictures_find_their_partners(tmp_path):
    pair = draw_pair(0)
    for role in ("convolution", "multislice"):
        image = Micrograph(data=getattr(pair, role).astype(np.float32), pixel_size=(0.1, 0.1))
        write_tiff(image, tmp_path / f"one_{role}.tif")
    (found,) = read_pairs(tmp_path)
    assert found.name == "one"
    assert found.pixel_size == pytest.approx(0.1)
    assert found.convolution.dtype == np.float64
    np.testing.assert_allclose(found.convolution, pair.convolution, rtol=1e-6)


def test_a_missing_partner_is_named(tmp_path):
    write_tiff(Micrograph(data=np.ones((20, 20), np.float32)), tmp_path / "one_multislice.tif")
    with pytest.raises(AtomsegError, match=r"one_convolution\.tif is missing"):
        read_pairs(tmp_path)


def test_pictures_of_two_pixel_sizes_are_refused(tmp_path):
    for role, size in (("convolution", 0.1), ("multislice", 0.2)):
        write_tiff(Micrograph(data=np.ones((20, 20), np.float32), pixel_size=(size, size)), tmp_path / f"one_{role}.tif")
    with pytest.raises(AtomsegError, match="on one grid"):
        read_pairs(tmp_path)


def test_a_stack_is_no_pair(tmp_path):
    write_tiff(Micrograph(data=np.ones((20, 20), np.float32)), tmp_path / "one_multislice.tif")
    write_tiff(Micrograph(data=np.ones((3, 20, 20), np.float32)), tmp_path / "one_convolution.tif")
    with pytest.raises(AtomsegError, match="more than one image"):
        read_pairs(tmp_path)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"convolution": GOOD}, "no array multislice"),
        ({"convolution": GOOD, "multislice": GOOD.T}, "6 x 5 px and multislice 5 x 6 px"),
        ({"convolution": GOOD, "multislice": GOOD * np.nan}, "multislice has pixels that are not finite"),
        ({"convolution": GOOD[None], "multislice": GOOD}, "give one image"),
        ({"convolution": GOOD * 1j, "multislice": GOOD}, "real numbers"),
        ({"convolution": GOOD, "multislice": GOOD, "pixel_size": 0.0}, "above zero"),
        ({"convolution": GOOD, "multislice": GOOD, "pixel_size": "x"}, "no number"),
        ({"convolution": GOOD, "multislice": GOOD, "pixel_size": [0.1, 0.2]}, "not square"),
        ({"convolution": GOOD, "multislice": GOOD, "pixel_size": [0.1, 0.1, 0.1]}, "one number"),
    ],
)
def test_bad_archives_are_named(tmp_path, arrays, said):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(AtomsegError, match=said) as error:
        read_pairs(tmp_path)
    assert str(error.value).startswith("bad.npz: ")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"text"])
def test_damaged_archives_are_named(tmp_path, content):
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(AtomsegError, match=r"bad\.npz: it cannot be read"):
        read_pairs(tmp_path)


def test_objects_are_never_unpickled(tmp_path):
    np.savez(tmp_path / "bad.npz", convolution=np.array([{}], dtype=object), multislice=GOOD)
    with pytest.raises(AtomsegError, match="cannot be read"):
        read_pairs(tmp_path)


def test_folders_without_pairs_are_refused(tmp_path):
    with pytest.raises(AtomsegError, match="no pairs in it"):
        read_pairs(tmp_path)
    with pytest.raises(AtomsegError, match="does not exist"):
        read_pairs(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(AtomsegError, match="is a file"):
        read_pairs(tmp_path / "file")


def test_pixel_sizes_have_to_agree():
    pairs = [ImagePair(name=str(size), convolution=GOOD, multislice=GOOD, pixel_size=size) for size in (None, 0.1, 0.2)]
    assert common_pixel_size(pairs[:1]) is None
    with pytest.raises(AtomsegError, match=r"0\.2: the pixel size is 0\.2 Å, and 0\.1 Å in 0\.1"):
        common_pixel_size(pairs)
