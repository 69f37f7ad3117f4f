"""``run``: recorded steps on other images, whatever becomes of single ones."""

import json

import numpy as np
import pandas as pd
import pytest
from spots import draw, square_lattice

SHAPE = (100, 110)


@pytest.fixture
def images(tmp_path):
    """Three images, the second of which is none."""
    paths = [tmp_path / name for name in ("a.npy", "broken.npy", "c.npy")]
    for seed, path in enumerate(paths):
        rng = np.random.default_rng(seed)
        true = square_lattice(SHAPE, 16, margin=10) + rng.normal(0, 0.4, 2)
        np.save(path, (draw(true, 2.2, SHAPE) + rng.normal(0, 2, SHAPE)).astype(np.float32))
    paths[1].write_bytes(b"no image")
    return paths


def test_each_image_is_done_or_said_to_fail(call, images, tmp_path):
    options = ("--model", "classical", "--contrast", "0.4", "--no-refine", "--pixel-size", "0.1A")
    assert call("locate", images[0], "-o", tmp_path / "found.csv", *options)[0] == 0
    assert call("refine", tmp_path / "found.csv", images[0], "-o", tmp_path / "a.csv", "--width", "each")[0] == 0
    for path in (images[0], images[2]):
        call("locate", path, "-o", tmp_path / "hand.csv", *options, "--force")
        call("refine", tmp_path / "hand.csv", path, "-o", tmp_path / f"hand_{path.stem}.csv", "--width", "each")
    status, said, complaints = call("run", tmp_path / "a.json", *images, "-o", tmp_path / "again/", "--pixel-size", "0.1A")
    assert status == 1
    assert "a.npy" in said
    assert "c.npy" in said
    (line,) = [line for line in complaints.splitlines() if not line.startswith("note:")]
    assert "broken.npy" in line
    assert sorted(path.name for path in (tmp_path / "again").iterdir()) == ["a.csv", "a.json", "c.csv", "c.json"]
    for name in ("a", "c"):
        tables = [pd.read_csv(tmp_path / path) for path in (f"again/{name}.csv", f"hand_{name}.csv")]
        assert len(tables[0]) > 20
        np.testing.assert_allclose(*(table[["y_px", "x_px"]] for table in tables), atol=1e-6)


def test_what_is_no_record_is_wrong_use(call, images, tmp_path):
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"model": "classical"}))
    status, _, complaints = call("run", other, images[0], "-o", tmp_path / "out.csv")
    assert status == 2
    assert "no recorded steps" in " ".join(complaints.split())
    assert not (tmp_path / "out.csv").exists()
