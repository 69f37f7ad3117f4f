"""``make-exit-waves`` writes waves that recipes can image, of any cell."""

import numpy as np
import pytest
import torch
from ase.build import bulk
from ase.cluster import Octahedron
from commands import call

from napari_atomseg.imaging.exit_waves import read_exit_wave
from napari_atomseg.synthesis.recipe import draw_record, recipe_from
from napari_atomseg.synthesis.render import render

pytest.importorskip("abtem")


@pytest.fixture
def primitive(tmp_path):
    """Gold in its primitive cell, which has no right angle."""
    path = tmp_path / "gold.cif"
    bulk("Au").write(path)
    return path


def waves(folder, *arguments):
    assert call("make-exit-waves", *arguments, "-o", folder, "--pixel-size", "0.2A", "--quiet") == 0
    return [read_exit_wave(path) for path in sorted(folder.glob("*.npz"))]


def test_a_crystal_along_a_zone_axis_is_periodic(primitive, tmp_path):
    first, second = waves(
        tmp_path / "waves", primitive, "--zone-axis", "1,1,0", "--field", "15A", "--thickness", "6A", "--snapshots", 2
    )
    assert not np.array_equal(first.wave, second.wave)
    np.testing.assert_array_equal(first.atoms.positions, second.atoms.positions)
    height, width = (side * first.pixel_size for side in first.wave.shape)
    assert min(height, width) >= 15
    assert len(first.atoms) / (height * width * 6) == pytest.approx(4 / 4.08**3, rel=0.2)
    assert np.angle(first.wave).std() > 0.1


@pytest.mark.parametrize("option", [("--tilt-y", "40"), ("--rotation", "20")])
def test_what_has_no_period_is_cut_and_ends_in_vacuum(primitive, tmp_path, option):
    (found,) = waves(tmp_path / "waves", primitive, "--field", "12A", "--thickness", "5A", *option)
    assert min(found.wave.shape) * 0.2 >= 12 + 20
    places = found.atoms.positions
    assert places.min() > 0.9
    assert (places.max(axis=0) < np.array(found.wave.shape) * 0.2 - 0.9).all()


def test_particles_are_imaged_by_recipes(tmp_path):
    path = tmp_path / "particle.xyz"
    Octahedron("Au", 5, 1).write(path)
    folder = tmp_path / "waves"
    (found,) = waves(folder, path, "--energy", "300000")
    values = {
        "name": "own",
        "modality": "tem",
        "image": {"size": 64, "pixel_size": 0.2},
        "specimens": [{"kind": "exit_wave", "folder": str(folder)}],
        "imaging": {"lens": {"energy": 300000, "defocus": 60}, "foci": [0]},
        "dose": 1e4,
    }
    assert len(found.atoms) == len(Octahedron("Au", 5, 1))
    image = render([draw_record(recipe_from(values, "own"), 1)], ()).image
    assert bool(torch.isfinite(image).all())
    assert float(image.std()) > 0


def test_nothing_is_overwritten_unasked(primitive, tmp_path, capsys):
    folder = tmp_path / "waves"
    waves(folder, primitive, "--field", "8A", "--thickness", "3A")
    assert call("make-exit-waves", primitive, "-o", folder, "--field", "8A") == 1
    assert "gold_0.npz" in capsys.readouterr().err
