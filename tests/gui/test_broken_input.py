"""Files that cannot be opened: one sentence, no exception, nothing disturbed."""

import numpy as np
import pytest
from conftest import add_image, drop, lattice
from shared_files import shared


def whole(files, suffix):
    return files.of(suffix, stem="victim").read_bytes()


def truncated(files, suffix):
    data = whole(files, suffix)
    return data[: len(data) // 3]


def random_bytes(files, suffix):
    return np.random.default_rng(0).bytes(5000)


def empty(files, suffix):
    return b""


def spectrum(files, suffix):
    from make_files import write

    path = files.folder / f"other{suffix}"
    write(path, np.arange(50, dtype=np.float32))
    return path.read_bytes()


def reciprocal(files, suffix):
    from make_files import write_hspy

    path = files.folder / "reciprocal.hspy"
    write_hspy(path, [lattice(32)], [""], units="1/nm")
    return path.read_bytes()


ALSO_NAPARI = "png npy csv blo zspy h5 mib"
CASES = [
    (truncated, "mrc hspy dm3 emd ser tif"),
    (random_bytes, f"mrc hspy dm3 emd ser tif {ALSO_NAPARI}"),
    (empty, f"mrc hspy dm3 emd ser tif {ALSO_NAPARI}"),
    (spectrum, "hspy npy"),
]


@pytest.mark.parametrize(("kind", "suffixes"), CASES, ids=[kind.__name__ for kind, _ in CASES])
def test_broken_file_is_one_sentence(viewer, panel, files, notices, kind, suffixes):
    image = add_image(viewer)
    for suffix in suffixes.split():
        path = files.folder / f"broken.{suffix}"
        path.write_bytes(kind(files, f".{suffix}"))
        before = len(notices())
        drop(viewer, path)
        assert list(viewer.layers) == [image], suffix
        said = notices()[before:]
        assert len(said) == 1, (suffix, said)
        assert path.name in said[0]
        assert "\n" not in said[0].strip()
        assert panel.image is image
        assert panel.run_button.isEnabled()


@pytest.mark.parametrize("suffix", [".mrc", ".tif", ".hspy", ".npy"])
def test_wrong_suffix_opens_or_is_one_sentence(viewer, panel, files, notices, suffix):
    path = files.folder / f"wrong{suffix}"
    path.write_bytes(whole(files, ".ser"))
    drop(viewer, path)
    assert len(viewer.layers) + len(notices()) == 1
    assert all(path.name in text for text in notices())


def test_four_dimensional_file_is_one_sentence(viewer, panel, files, notices):
    drop(viewer, files.of(".hspy", data=np.zeros((2, 3, 16, 16), np.float32), stem="cube"))
    assert len(viewer.layers) + len(notices()) >= 1
    assert all("cube.hspy" in text for text in notices())


def test_reciprocal_image_is_no_length(viewer, panel, files, notices):
    path = files.folder / "pattern.hspy"
    path.write_bytes(reciprocal(files, ".hspy"))
    drop(viewer, path)
    for layer in viewer.layers:
        assert str(layer.units[0]) == "pixel"
    assert viewer.layers.units is not None or not viewer.layers


def test_good_file_among_broken_ones(viewer, panel, files, notices):
    broken = files.folder / "broken.mrc"
    broken.write_bytes(b"nothing")
    drop(viewer, broken, files.tif)
    assert [layer.name for layer in viewer.layers] == ["lattice"]
    assert len(notices()) == 1


NAMES = ("formats", "micrographs")


@pytest.mark.slow
@pytest.mark.parametrize("folder", NAMES)
def test_every_shared_file_can_be_dropped(viewer, panel, notices, folder, qtbot):
    for path in sorted(shared(folder).iterdir()):
        if path.suffix in (".json",):
            continue
        before = len(notices())
        drop(viewer, path)
        errors = [text for text in notices()[before:] if path.name in text]
        assert viewer.layers or errors, path.name
        assert all("Traceback" not in text for text in notices()[before:]), path.name
        viewer.layers.clear()
