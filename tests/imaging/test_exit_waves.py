"""Exit waves in files, and those of abTEM against the phase object where both are right: one layer of graphene."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.imaging.exit_waves import ExitWave, read_exit_wave, write_exit_wave
from napari_atomseg.imaging.hrtem import image_waves, phase_object, projected_potential
from napari_atomseg.imaging.linear_adf import batch_columns
from napari_atomseg.imaging.multislice.exit_wave import multislice_exit_wave
from napari_atomseg.optics.ctf import CtfParams
from napari_atomseg.specimens.projection import Projection

SIZE, ENERGY = 0.12, 80e3


@pytest.fixture(scope="module")
def layer():
    """The exit wave of graphene, 144 x 144 pixels."""
    pytest.importorskip("abtem")
    # 1.4 % longer than it is along y, for 144 pixels.
    sites = [(0, 0, 0.5), (0, 1 / 3, 0.5), (0.5, 0.5, 0.5), (0.5, 5 / 6, 0.5)]
    sheet = Atoms("C4", scaled_positions=sites, cell=(2.46, 4.32, 2), pbc=True).repeat((7, 4, 1))
    return multislice_exit_wave(sheet, ENERGY, SIZE, slice_thickness=0.1)


def phase_object_of(wave: ExitWave) -> torch.Tensor:
    atoms = wave.atoms
    # A field of 144 pixels of which 96 are the "image", with a periodic room of 24 around it.
    pixels = np.mod(atoms.positions / SIZE + 24.5, 144) - 24.5
    batch = batch_columns([torch.from_numpy(pixels)], [torch.from_numpy(atoms.counts)], [0.0])
    potential = projected_potential(batch, torch.from_numpy(atoms.numbers), (96, 96), SIZE, padding=0.5)
    assert tuple(potential.shape[1:]) == wave.wave.shape
    return phase_object(potential, [ENERGY])[0]


def test_one_layer_is_a_phase_object(layer):
    assert layer.wave.shape == (144, 144)
    assert len(layer.atoms) == 112
    k = np.fft.fftfreq(144, SIZE)
    # abTEM's waves end at 2/3 of the Nyquist frequency.
    inside = np.hypot(k[:, None], k[None, :]) < 0.6 * k.max()
    theirs, ours = (np.fft.fft2(np.asarray(wave) - 1) * inside for wave in (layer.wave, phase_object_of(layer)))
    assert np.linalg.norm(theirs - ours) < 0.05 * np.linalg.norm(ours)


def test_the_same_lens_makes_the_same_image_of_both(layer):
    lens = CtfParams(energy=ENERGY, defocus=-60, Cs=-1e5, focal_spread=30)
    waves = torch.stack([torch.from_numpy(layer.wave), phase_object_of(layer)])
    theirs, ours = image_waves(waves, [lens] * 2, SIZE)[:, 0].flatten(1).numpy()
    assert theirs.std() > 0.02
    assert np.corrcoef(theirs, ours)[0, 1] > 0.9999
    assert theirs.std() == pytest.approx(ours.std(), rel=0.01)


def test_thick_crystals_are_no_phase_objects(layer):
    stack = Atoms("Au4", scaled_positions=[(0, 0, 0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)], cell=(4.08,) * 3, pbc=True)
    wave = multislice_exit_wave(stack.repeat((3, 3, 8)), 300e3, 0.085)
    assert np.ptp(np.abs(wave.wave)) > 0.5
    # The rest is scattered beyond the frequencies of the calculation.
    assert 0.85 < np.mean(np.abs(wave.wave) ** 2) < 1.001
    assert np.ptp(wave.atoms.heights) == pytest.approx(7.5 * 4.08)


def test_the_same_seed_gives_the_same_snapshot_of_thermal_motion():
    pytest.importorskip("abtem")
    cell = Atoms("Si", cell=(4, 5, 3), positions=[(1, 1, 1)], pbc=True)
    motions = ((0, 0), (0.1, 1), (0.1, 1), (0.1, 2))
    still, first, again, other = (multislice_exit_wave(cell, 2e5, 0.1, thermal=width, seed=seed).wave for width, seed in motions)
    assert still.shape == (50, 40)
    assert np.array_equal(first, again)
    assert not np.allclose(first, other, atol=1e-3)
    assert not np.allclose(first, still, atol=1e-3)


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        (Atoms(cell=(10, 10, 10)), "got 0"),
        (Atoms("C"), "right angles"),
        (Atoms("C", cell=[(10, 2, 0), (0, 10, 0), (0, 0, 10)]), "right angles"),
        (Atoms("C", cell=(0.9, 10, 10)), "repeat the cell"),
    ],
)
def test_cells_that_have_no_pixels_are_refused(atoms, message):
    pytest.importorskip("abtem")
    with pytest.raises(AtomsegError, match=message):
        multislice_exit_wave(atoms, 2e5, 0.1)


def some(rng: np.random.Generator) -> ExitWave:
    """A wave that peaks at its atoms."""
    places = rng.uniform(1, 5, (5, 2))
    y, x = np.mgrid[:60, :80] * 0.1
    phase = sum(np.exp(-((y - place[0]) ** 2 + (x - place[1]) ** 2) / 0.02) for place in places)
    atoms = Projection(positions=places, numbers=np.arange(5) + 6, heights=np.arange(5.0), field=(6.0, 8.0))
    return ExitWave(wave=np.exp(1j * phase).astype(np.complex64), pixel_size=0.1, energy=2e5, atoms=atoms)


def test_waves_come_back_from_their_files(tmp_path, rng):
    given = some(rng)
    write_exit_wave(tmp_path / "wave", given)
    found = read_exit_wave(tmp_path / "wave.npz")
    assert np.array_equal(found.wave, given.wave)
    assert (found.pixel_size, found.energy, found.atoms.field) == (0.1, 2e5, (6.0, 8.0))
    for name in ("positions", "numbers", "heights"):
        assert np.array_equal(getattr(found.atoms, name), getattr(given.atoms, name))


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
@pytest.mark.parametrize("mirrored", [False, True])
def test_atoms_turn_with_their_wave(rng, quarters, mirrored):
    turned = some(rng).turned(quarters, mirrored)
    phase = np.angle(turned.wave)
    assert phase.shape == ((60, 80) if quarters % 2 == 0 else (80, 60))
    for y, x in np.round(turned.atoms.positions / 0.1).astype(int):
        assert phase[y, x] > 0.8


@pytest.mark.parametrize(
    "change", [{"wave": np.ones((20, 20))}, {"wave": np.ones(400, complex)}, {"pixel_size": -1.0}, {"energy": np.nan}]
)
def test_files_that_hold_no_wave_are_refused(tmp_path, rng, change):
    write_exit_wave(tmp_path / "wave.npz", some(rng))
    with np.load(tmp_path / "wave.npz") as arrays:
        values = {name: arrays[name] for name in arrays.files}
    np.savez(tmp_path / "wave.npz", **{**values, **change})
    with pytest.raises(AtomsegError, match="not an exit wave"):
        read_exit_wave(tmp_path / "wave.npz")


def test_what_is_no_file_of_arrays_is_refused_and_nothing_in_it_is_run(tmp_path):
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "objects.npz", wave=np.array([{"a": 1}], dtype=object))
    np.savez(tmp_path / "other.npz", wave=np.ones((20, 20), complex))
    for name in ("text.npz", "objects.npz", "other.npz", "none.npz"):
        with pytest.raises(AtomsegError, match="not an exit wave"):
            read_exit_wave(tmp_path / name)
