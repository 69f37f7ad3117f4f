"""Exit waves by our own slices against those of abTEM, and what holds for any wave."""

import numpy as np
import torch
from ase import Atoms

from napari_atomseg.imaging.hrtem import image_waves
from napari_atomseg.imaging.multislice.exit_wave import multislice_exit_wave
from napari_atomseg.imaging.sliced_wave import sliced_wave
from napari_atomseg.optics.ctf import CtfParams
from napari_atomseg.specimens.projection import Projection

FIELD, SIZE, ENERGY = 12.8, 0.05, 300e3


def gold(atoms, thermal=0.0):
    """Two columns of gold, of so many atoms each and half of that."""
    heights = np.concatenate([2.88 * np.arange(atoms), 2.88 * np.arange(atoms // 2)])
    places = np.repeat([[5.0, 5.2], [8.1, 7.3]], [atoms, atoms // 2], axis=0)
    number = len(places)
    return Projection(
        positions=places,
        numbers=np.full(number, 79),
        heights=heights,
        thermal=np.full(number, thermal),
        field=(FIELD, FIELD),
    )


def test_images_are_those_of_abtem():
    atoms = gold(8)
    ours = sliced_wave(atoms, ENERGY, SIZE, 1.0)
    structure = Atoms(
        numbers=atoms.numbers,
        positions=np.c_[atoms.positions[:, ::-1], atoms.heights],
        cell=[FIELD, FIELD, atoms.heights.max() + 2],
    )
    theirs = torch.from_numpy(multislice_exit_wave(structure, ENERGY, SIZE, 1.0).wave)
    lens = CtfParams(energy=ENERGY, defocus=-130, Cs=-1.5e5, focal_spread=30)
    one, two = (image_waves(wave[None], [lens], SIZE)[0, 0].numpy() for wave in (ours, theirs))
    assert np.corrcoef(one.ravel(), two.ravel())[0, 1] > 0.99
    # abTEM's projected potentials are not quite those of atoms between grid points.
    assert np.sqrt(np.mean((one - two) ** 2)) < 0.15 * two.std()


def test_nothing_leaves_the_wave_alone_and_a_specimen_takes_no_electrons():
    nothing = Projection(positions=np.zeros((0, 2)), numbers=np.zeros(0, int), field=(FIELD, FIELD))
    assert torch.allclose(sliced_wave(nothing, ENERGY, 0.1), torch.ones(128, 128, dtype=torch.complex64))
    left = sliced_wave(gold(6, thermal=0.08), ENERGY, SIZE).abs().square().mean()
    assert 0.97 < left <= 1.0001
