"""TIFF in the dialects of many programs."""

from __future__ import annotations

import types

import numpy as np
import pytest
import tifffile

from napari_atomseg.core.errors import UnreadableFileError
from napari_atomseg.readers.registry import read

IMAGE = (np.arange(24 * 20).reshape(24, 20) * 7 % 4001).astype(np.uint16)
BYTES = (IMAGE % 251).astype(np.uint8)
COLOURS = np.stack([BYTES, BYTES // 2, BYTES // 3], -1)


@pytest.mark.parametrize(
    ("step", "unit"),
    [(0.0125, "nm"), (12.5, "pm"), (0.125, "Å"), (0.125, "\u212b"), (1.25e-5, None), (1.25e-5, "µm"), (1.25e-8, "mm")],
)
def test_ome_sizes(step, unit, tmp_path):
    sizes = {f"PhysicalSize{axis}": step for axis in "XY"} | ({f"PhysicalSize{axis}Unit": unit for axis in "XY"} if unit else {})
    tifffile.imwrite(tmp_path / "a.ome.tif", IMAGE, ome=True, metadata={"axes": "YX", **sizes})
    (image,) = read(tmp_path / "a.ome.tif")
    assert image.pixel_size == pytest.approx((0.125, 0.125), rel=1e-4)
    assert image.unit_in_file == (unit or "µm")
    np.testing.assert_array_equal(image.data, IMAGE)


def test_ome_without_sizes_in_pixels_or_of_one_axis(tmp_path):
    for name, sizes in (
        ("none", {}),
        ("pixel", {"PhysicalSizeX": 1.0, "PhysicalSizeXUnit": "pixel", "PhysicalSizeY": 1.0, "PhysicalSizeYUnit": "pixel"}),
        ("x", {"PhysicalSizeX": 0.0125, "PhysicalSizeXUnit": "nm"}),
    ):
        path = tmp_path / f"{name}.ome.tif"
        tifffile.imwrite(path, IMAGE, ome=True, metadata={"axes": "YX", **sizes})
        (image,) = read(path)
        assert (image.shape, image.pixel_size) == (IMAGE.shape, None)
    assert "if the pixels are square, that of x is 12.5 pm" in image.notes[0]


def test_a_broken_ome_description_costs_the_size_and_not_the_image(tmp_path):
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, IMAGE, ome=True, metadata={"axes": "YX", "PhysicalSizeX": 0.0125, "PhysicalSizeXUnit": "nm"})
    tifffile.tiffcomment(path, tifffile.tiffcomment(path).replace("</Pixels>", "<Pixels>").encode())
    (image,) = read(path)
    np.testing.assert_array_equal(image.data, IMAGE)
    assert (image.pixel_size, image.notes) == (None, ("the file gives no pixel size",))


def test_every_ome_image_has_its_own_size(tmp_path):
    path = tmp_path / "two.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        for data, step in ((IMAGE, 0.0125), (IMAGE[:16], 0.03)):
            sizes = {f"PhysicalSize{axis}{end}": value for axis in "XY" for end, value in (("", step), ("Unit", "nm"))}
            file.write(data, metadata={"axes": "YX", **sizes})
    assert [image.pixel_size[0] for image in read(path)] == pytest.approx([0.125, 0.3])


def test_an_ome_film_has_its_time(tmp_path):
    sizes = {"PhysicalSizeX": 0.0125, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.0125, "PhysicalSizeYUnit": "nm"}
    told = {"axes": "TYX", "TimeIncrement": 40.0, "TimeIncrementUnit": "ms", **sizes}
    tifffile.imwrite(tmp_path / "a.ome.tif", np.stack([IMAGE] * 3), ome=True, metadata=told)
    (image,) = read(tmp_path / "a.ome.tif")
    assert (image.shape, image.frame_time_s) == ((3, 24, 20), pytest.approx(0.04))


def test_an_ome_set_names_the_file_that_is_missing(tmp_path):
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, np.stack([IMAGE] * 2), ome=True, metadata={"axes": "ZYX"})
    described = tifffile.tiffcomment(path)
    other = '<TiffData FirstZ="1" IFD="0"><UUID FileName="b.ome.tif">urn:uuid:1</UUID></TiffData></Pixels>'
    tifffile.tiffcomment(path, described.replace("</Pixels>", other).encode())
    with pytest.raises(UnreadableFileError, match=r"a\.ome\.tif: some of its planes are in b\.ome\.tif, which is not beside it"):
        read(path)


@pytest.mark.parametrize(("unit", "per"), [("CENTIMETER", 1e8), ("INCH", 2.54e8)])
def test_a_resolution_finer_than_any_print_is_the_pixel_size(unit, per, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", IMAGE, resolution=(per / 0.125, per / 0.125), resolutionunit=unit)
    (image,) = read(tmp_path / "a.tif")
    assert image.pixel_size == pytest.approx((0.125, 0.125), rel=1e-4)
    assert "is no print's" in image.notes[0]


def test_a_resolution_of_a_print_is_none(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", IMAGE, resolution=(300, 300), resolutionunit="INCH")
    (image,) = read(tmp_path / "a.tif")
    assert image.pixel_size is None
    assert "a size of a print" in image.notes[0]


def test_a_resolution_without_a_unit_is_offered(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", IMAGE, resolution=(80, 80), resolutionunit="NONE")
    (image,) = read(tmp_path / "a.tif")
    assert (image.pixel_size, image.notes) == (
        None,
        ("the file says 0.0125 without a unit; if that is nm, the pixel size is 12.5 pm",),
    )


@pytest.mark.parametrize("told", [{"unit": "nm"}, {"unit": "nm", "yunit": "pixel"}, {"unit": "micron", "yunit": "pixel"}])
@pytest.mark.parametrize("upright", [False, True])
def test_imagej_calibrated_along_one_axis_is_not_resampled(told, upright, tmp_path):
    resolution = (1, 80) if upright and "yunit" not in told else (80, 1)
    tifffile.imwrite(tmp_path / "a.tif", IMAGE, imagej=True, resolution=resolution, metadata=told)
    (image,) = read(tmp_path / "a.tif")
    assert (image.shape, image.pixel_size, image.pixel_size_source) == (IMAGE.shape, None, "")
    assert "if the pixels are square, that of" in image.notes[0]


def test_imagej_units_may_differ(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", IMAGE, imagej=True, resolution=(80, 8), metadata={"unit": "nm", "yunit": "angstrom"})
    (image,) = read(tmp_path / "a.tif")
    assert image.pixel_size == pytest.approx((0.125, 0.125))


def test_axes_that_differ_too_much_were_never_both_calibrated(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", IMAGE, imagej=True, resolution=(80, 2), metadata={"unit": "nm"})
    (image,) = read(tmp_path / "a.tif")
    assert (image.shape, image.pixel_size) == (IMAGE.shape, None)
    assert "5 Å along y and 12.5 pm along x" in image.notes[0]


def test_pixels_that_are_not_square_in_the_tags_of_digitalmicrograph(tmp_path):
    tags = [
        (65003, "s", 3, "nm", False),
        (65004, "s", 3, "nm", False),
        (65009, "d", 1, 0.0125, False),
        (65010, "d", 1, 0.025, False),
    ]
    tifffile.imwrite(tmp_path / "a.tif", IMAGE, extratags=tags)
    assert read(tmp_path / "a.tif")[0].shape == (48, 20)


def test_pixels_that_are_not_square_in_the_tags_of_fei(tmp_path):
    for number, (section, tag) in enumerate((("Scan", 34682), ("Scan", 34680), ("EScan", 34682))):
        text = f"[{section}]\r\nPixelWidth=1.25e-011\r\nPixelHeight=2.5e-011\r\n"
        path = tmp_path / f"{number}.tif"
        tifffile.imwrite(path, IMAGE, extratags=[(tag, "s", 0, text, True)])
        (image,) = read(path)
        assert image.shape == (48, 20)
        assert image.pixel_size == pytest.approx((0.125, 0.125))


@pytest.mark.parametrize("planar", [True, False])
@pytest.mark.parametrize("samples", [3, 4])
def test_colours_plane_by_plane_are_colours(planar, samples, tmp_path):
    data = np.concatenate([COLOURS, np.full((24, 20, 1), 255, np.uint8)], -1)[..., :samples]
    stored, layout = (np.moveaxis(data, -1, 0), "separate") if planar else (data, "contig")
    extra = ["unassalpha"] if samples == 4 else None
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=layout, extrasamples=extra)
    (image,) = read(tmp_path / "a.tif")
    np.testing.assert_allclose(image.data, COLOURS @ [0.299, 0.587, 0.114], rtol=1e-5)
    assert "a colour picture, turned into its luminance" in image.notes


def pages(path, *written):
    with tifffile.TiffWriter(path) as file:
        for data, options in written:
            file.write(data, **options)
    return path


GREY = {"photometric": "minisblack"}


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ((COLOURS, {"photometric": "rgb"}), "a colour picture"),
        ((np.stack([BYTES] * 3, -1), {"photometric": "rgb"}), "a grey picture saved in colour"),
        ((np.moveaxis(COLOURS, -1, 0), {"photometric": "rgb", "planarconfig": "separate"}), "a colour picture"),
        ((IMAGE[::4, ::4], {**GREY, "subfiletype": 1}), "a smaller version"),
        ((BYTES[::4, ::4], GREY), "a smaller version"),
        ((BYTES, GREY), "an 8-bit copy"),
    ],
)
def test_the_raw_page_comes_first(before, said, tmp_path):
    raw, other = read(pages(tmp_path / "a.tif", before, (IMAGE, GREY)))
    assert (raw.dataset, other.dataset) == (1, 0)
    np.testing.assert_array_equal(raw.data, IMAGE)
    assert any(said in note for note in other.notes)
    assert not any(said in note for note in raw.notes)
    assert read(tmp_path / "a.tif", dataset=0)[0].dataset == 0


def test_pages_of_one_kind_keep_their_order(tmp_path):
    found = read(pages(tmp_path / "a.tif", (IMAGE[:9], GREY), (IMAGE, GREY), (IMAGE[:, :7].astype(np.float32), GREY)))
    assert [image.dataset for image in found] == [0, 1, 2]
    (alone,) = read(pages(tmp_path / "b.tif", (BYTES, {**GREY, "subfiletype": 1})))
    assert alone.shape == BYTES.shape


def test_white_zero_is_said(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", BYTES, photometric="miniswhite")
    (image,) = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.data, BYTES)
    assert "low numbers as white" in image.notes[0]


def test_an_unknown_compression_is_named(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, IMAGE, compression="deflate")
    raw = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        tag = file.pages[0].tags["Compression"]
    raw[tag.valueoffset : tag.valueoffset + 2] = (34676).to_bytes(2, "little")
    path.write_bytes(raw)
    with pytest.raises(
        UnreadableFileError, match=r"a\.tif: its pixels are compressed by .*, or save it without compression"
    ) as caught:
        read(path)
    assert "damaged" not in str(caught.value)


@pytest.mark.parametrize("codec", ["zstd", "jpeg2000", "lerc"])
def test_a_codec_that_is_not_installed_is_named(codec, tmp_path, monkeypatch):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, IMAGE, compression=codec)
    monkeypatch.setattr(tifffile.tifffile, "imagecodecs", types.SimpleNamespace())
    monkeypatch.setattr(tifffile.TIFF, "DECOMPRESSORS", tifffile.tifffile.CompressionCodec(encode=False))
    with pytest.raises(UnreadableFileError, match=r"the package imagecodecs is needed.*; install it"):
        read(path)


def test_colours_of_jpeg_are_colours(tmp_path):
    smooth = np.stack([np.linspace(0, 200, 480).reshape(24, 20)] * 3, -1).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", smooth, photometric="rgb", compression="jpeg")
    (image,) = read(tmp_path / "a.tif")
    assert image.shape == (24, 20)
    np.testing.assert_allclose(image.data, smooth[..., 0], atol=5)


def test_grey_with_transparency_is_grey(tmp_path):
    both = np.stack([IMAGE, IMAGE // 2], -1)
    tifffile.imwrite(tmp_path / "a.tif", both, photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"])
    np.testing.assert_array_equal(read(tmp_path / "a.tif")[0].data, IMAGE)


def test_colours_of_a_print_are_named(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.stack([BYTES] * 4, -1), photometric="separated")
    with pytest.raises(UnreadableFileError, match="CMYK"):
        read(tmp_path / "a.tif")


@pytest.mark.parametrize("kind", ["grey", "fire", "inverted"])
def test_a_palette_is_asked_only_where_it_changes_the_order_of_grey(kind, tmp_path):
    ramp = np.linspace(0, 65535, 256)
    palettes = {"grey": [ramp] * 3, "fire": [ramp, ramp**2 / 65535, 0 * ramp], "inverted": [ramp[::-1]] * 3}
    tifffile.imwrite(tmp_path / "a.tif", BYTES, photometric="palette", colormap=np.array(palettes[kind]).astype(np.uint16))
    (image,) = read(tmp_path / "a.tif")
    expected = 255.0 - BYTES if kind == "inverted" else BYTES
    np.testing.assert_allclose(image.data, expected, atol=0.01)
    assert ("a picture with a palette, turned into its luminance" in image.notes) == (kind == "inverted")
