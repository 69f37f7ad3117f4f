"""Small files of each format, made on the spot; 0.2 A per pixel where the format can say so."""

from __future__ import annotations

import importlib
import struct
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

UNITS = "nm"
SCALE = 0.02


def axes(shape, units=UNITS, scale=SCALE):
    names = ["w", "z", "y", "x"][-len(shape) :] if len(shape) <= 4 else [f"a{i}" for i in range(len(shape))]
    count = len(shape)
    return [
        {
            "name": name, "units": units, "scale": scale, "offset": 0.0, "size": size,
            "navigate": index < count - 2, "index_in_array": index, "_type": "UniformDataAxis", "is_binned": False,
        }
        for index, (name, size) in enumerate(zip(names, shape, strict=True))
    ]  # fmt: skip


def signal(data, title="", **kwargs):
    return {
        "data": data,
        "axes": axes(data.shape, **kwargs),
        "metadata": {"General": {"title": title}, "Signal": {"signal_type": ""}},
        "original_metadata": {},
        "learning_results": {},
        "attributes": {"_lazy": False, "ragged": False},
        "package": "",
        "package_version": "",
        "tmp_parameters": {},
        "models": {},
    }


def by_rosetta(plugin):
    def write_one(path, data):
        importlib.import_module(f"rsciio.{plugin}").file_writer(str(path), signal(data))

    return write_one


def write_hspy(path, images, titles, **kwargs):
    """Several signals in one HyperSpy file, as `rsciio.hspy` lays them out."""
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs.update(file_format="HyperSpy", file_format_version="3.3")
        for index, (image, title) in enumerate(zip(images, titles, strict=True)):
            group = file.create_group(f"Experiments/{title or '__unnamed__'}{index or ''}")
            group["data"] = image
            for number, axis in enumerate(axes(image.shape, **kwargs)):
                axis_group = group.create_group(f"axis-{number}")
                axis_group.attrs.update({key: value for key, value in axis.items() if value is not None})
            group.create_group("metadata/General").attrs["title"] = title
            group.create_group("metadata/Signal").attrs["signal_type"] = ""
            group.create_group("original_metadata")


def write_zspy(path, data):
    """A zarr store as `rsciio.zspy` lays it out; its own writer does not run with zarr 3."""
    import zarr

    root = zarr.open_group(path, mode="w", zarr_format=2)
    root.attrs.update(file_format="ZSpy", file_format_version="3.3")
    group = root.create_group("Experiments/image")
    group.create_array("data", data=data)
    for number, axis in enumerate(axes(data.shape)):
        group.create_group(f"axis-{number}").attrs.update(axis)
    group.create_group("metadata/General").attrs["title"] = ""
    group.create_group("metadata/Signal").attrs["signal_type"] = ""
    group.create_group("original_metadata")


def write_mrc(path, data):
    """An MRC 2000 file: a header of 1024 bytes, then the pixels."""
    if data.dtype == np.uint8:
        data = data.astype(np.uint16)
    mode = {"int16": 1, "float32": 2, "uint16": 6}[data.dtype.name]
    shape = (1,) * (3 - data.ndim) + data.shape
    header = bytearray(1024)
    struct.pack_into("<3i", header, 0, *shape[::-1])
    struct.pack_into("<i", header, 12, mode)
    struct.pack_into("<3i", header, 28, *shape[::-1])
    struct.pack_into("<3f", header, 40, *(size * 10 * SCALE for size in shape[::-1]))
    struct.pack_into("<3i", header, 64, 1, 2, 3)
    header[208:212] = b"MAP "
    Path(path).write_bytes(bytes(header) + data.tobytes())


def write_ser(path, data):
    """A TIA series of one image of bytes, laid out as its published description has it."""
    one_dimension = struct.pack("<IddIII", 1, 0.0, 1.0, 0, 0, 0)
    head = struct.pack("<HHHIIII", 0x4949, 0x0197, 0x0210, 0x4122, 0x4152, 1, 1)
    array = len(head) + 8 + len(one_dimension)
    start = array + 8
    along = struct.pack("<ddI", 0.0, SCALE * 1e-9, 0)
    element = along + along + struct.pack("<HII", 1, data.shape[1], data.shape[0]) + np.ascontiguousarray(data[::-1]).tobytes()
    offsets = struct.pack("<IIII", array, 1, start, start + len(element))
    parts = (head, offsets[:8], one_dimension, offsets[8:], element, struct.pack("<HHI", 0x4152, 0, 0))
    Path(path).write_bytes(b"".join(parts))


def write_dm3(path, data):
    """The fewest tags that make a DigitalMicrograph 3 file of one image of bytes."""

    def tag(name, kind, value):
        return struct.pack(">BH", 21, len(name)) + name.encode() + b"%%%%" + struct.pack(">II", 1, kind) + value

    def group(name, *members):
        return struct.pack(">BH", 20, len(name)) + name.encode() + struct.pack(">BBI", 0, 0, len(members)) + b"".join(members)

    def text(name, value):
        raw = value.encode("utf-16-le")
        return struct.pack(">BH", 21, len(name)) + name.encode() + b"%%%%" + struct.pack(">4I", 3, 20, 4, len(value)) + raw

    def number(name, value):
        return tag(name, 3, struct.pack("<i", value))

    def real(name, value):
        return tag(name, 6, struct.pack("<f", value))

    pixels = struct.pack(">BH", 21, 4) + b"Data%%%%" + struct.pack(">4I", 3, 20, 10, data.size) + data.tobytes()
    axis = group("", real("Origin", 0.0), real("Scale", SCALE), text("Units", UNITS))
    calibrations = group("Calibrations", group("Dimension", axis, axis))
    sizes = group("Dimensions", number("", data.shape[1]), number("", data.shape[0]))
    data_group = group("ImageData", calibrations, pixels, number("DataType", 6), sizes, number("PixelDepth", 1))
    image = group("", data_group, group("ImageTags", number("Source", 0)), text("Name", ""))
    thumbnails = group("ImageSourceList", group("", number("ImageRef", 0)))
    body = struct.pack(">BBI", 0, 0, 2) + group("ImageList", image) + thumbnails
    Path(path).write_bytes(struct.pack(">III", 3, len(body), 1) + body + bytes(8))


def write_tiff(path, data):
    """As this project writes images: ImageJ's tags, with resolution and unit."""
    if data.dtype not in (np.uint8, np.uint16, np.float32):
        data = data.astype(np.float32)
    resolution = (1 / SCALE, 1 / SCALE)
    tifffile.imwrite(path, data, imagej=True, resolution=resolution, metadata={"unit": UNITS, "axes": "TYX"[-data.ndim :]})


WRITERS = {
    ".hspy": lambda path, data: write_hspy(path, [data], [""]),
    ".zspy": write_zspy,
    ".emd": by_rosetta("emd"),
    ".mrc": write_mrc,
    ".ser": write_ser,
    ".dm3": write_dm3,
    ".tif": write_tiff,
    ".tiff": write_tiff,
    ".png": lambda path, data: Image.fromarray(data).save(path),
    ".bmp": lambda path, data: Image.fromarray(data).save(path),
    ".npy": np.save,
    ".unf": lambda path, data: by_rosetta("semper")(path, data.astype(np.int16)),
    ".prz": lambda path, data: by_rosetta("pantarhei")(path, data.astype(np.float32)),
}
CALIBRATED = {".dm3", ".hspy", ".zspy", ".emd", ".mrc", ".ser", ".tif", ".tiff", ".unf"}  # .prz hides it in a pickle


def write(path, data):
    suffix = Path(path).suffix.lower()
    if suffix == ".blo":
        cube = signal(data, scale=1.0)
        for axis in cube["axes"][2:]:
            axis.update(units="cm", scale=0.016)
        importlib.import_module("rsciio.blockfile").file_writer(str(path), cube)
    else:
        WRITERS[suffix](path, data)


def write_sparse(path, shape):
    """A file of uint16 zeros whose pixels take no room on disk."""
    if Path(path).suffix == ".npy":
        np.lib.format.open_memmap(path, mode="w+", dtype=np.uint16, shape=shape)
        return
    import h5py

    write_hspy(path, [np.zeros((2, 2), np.uint16)], [""])
    with h5py.File(path, "r+") as file:
        group = file["Experiments/__unnamed__"]
        del group["data"]
        group.create_dataset("data", shape=shape, dtype=np.uint16, chunks=(512, 512))
        for number in (0, 1):
            group[f"axis-{number}"].attrs["size"] = shape[number]
