import numpy as np
import pytest
import torch
from agreement import assert_agree

from napari_atomseg.imaging.hrtem import image_focal_series, image_waves, phase_object, projected_potential, render_hrtem
from napari_atomseg.imaging.linear_adf import batch_columns, field_of
from napari_atomseg.imaging.lobato import scattering_factor
from napari_atomseg.imaging.scattering import POTENTIAL_PER_FACTOR
from napari_atomseg.optics.ctf import CtfParams, transfer_function
from napari_atomseg.optics.electron import interaction_constant

LENS = CtfParams(energy=80e3, defocus=90, Cs=-1e5, focal_spread=30, angular_spread=0.2)


def carbon(counts=(12, 7), seed=0, width=0.5):
    rng = np.random.default_rng(seed)
    return batch_columns([rng.uniform(0, 48, (n, 2)) for n in counts], [np.ones(n) for n in counts], [width] * len(counts))


def sixes(atoms):
    return torch.full((len(atoms.positions),), 6)


def test_potential_integrates_to_the_scattering_factors():
    atoms = batch_columns([[(10.2, 20.7), (30.0, 12.5)]], [[1.0, 2.0]], [0.5])
    potential = projected_potential(atoms, torch.tensor([6, 79]), (48, 48), 0.15)
    zero = torch.zeros(1)
    expected = POTENTIAL_PER_FACTOR * float(scattering_factor(6, zero) + 2 * scattering_factor(79, zero))
    assert potential.shape == (1, *field_of((48, 48)))
    assert float(potential.sum()) * 0.15**2 == pytest.approx(expected, rel=1e-4)


def test_potential_agrees_with_abtem():
    abtem = pytest.importorskip("abtem")
    from ase import Atoms

    # On pixels, since abTEM shares an atom between its four neighbours.
    side = 64 * 0.15
    theirs = abtem.Potential(
        Atoms("AuC", [(3.15, 5.4, 1), (6.0, 2.25, 1)], cell=(side, side, 2)), gpts=64, slice_thickness=2, projection="infinite"
    ).build(lazy=False)  # fmt: skip
    theirs = np.asarray(theirs.array).sum(0).T
    atoms = batch_columns([[(36, 21), (15, 40)]], [[1.0, 1.0]], [0.0])
    # A field of 64 pixels of which 48 are the image.
    ours = projected_potential(atoms, torch.tensor([79, 6]), (48, 48), 0.15, padding=1 / 3)[0].numpy()
    assert ours.shape == theirs.shape
    ours, theirs = ours - ours.mean(), theirs - theirs.mean()
    # abTEM cuts the corners beyond its antialiasing aperture, so the comparison is within it.
    k = np.fft.fftfreq(64, 0.15)
    inside = np.hypot(k[:, None], k[None, :]) < 0.6 * k.max()
    ours, theirs = np.fft.fft2(ours)[inside], np.fft.fft2(theirs)[inside]
    assert np.abs(ours - theirs).max() < 2e-3 * np.abs(theirs).max()


def test_exit_waves_agree_with_abtem():
    abtem = pytest.importorskip("abtem")
    atoms = carbon((30,))
    waves = phase_object(3 * projected_potential(atoms, sixes(atoms), (48, 48), 0.15), [80e3])
    theirs = abtem.Waves(waves[0].numpy().T.copy(), energy=80e3, sampling=0.15)
    ctf = abtem.CTF(
        energy=80e3, aberration_coefficients={"defocus": 90, "Cs": -1e5}, focal_spread=30, angular_spread=0.2, semiangle_cutoff=60
    )  # fmt: skip
    theirs = np.asarray(theirs.apply_ctf(ctf).intensity().array).T
    lens = CtfParams(energy=80e3, defocus=90, Cs=-1e5, focal_spread=30, angular_spread=0.2, semiangle=60)
    ours = image_waves(waves, [lens], 0.15)[0, 0].numpy()
    assert ours.std() > 0.05
    assert np.abs(ours - theirs).max() < 1e-3


def test_weak_phase_object_limit():
    atoms = carbon((20,))
    potential = 1e-2 * projected_potential(atoms, sixes(atoms), (48, 48), 0.15)
    image = image_waves(phase_object(potential, [80e3]), [LENS], 0.15)[0, 0]
    transfer = transfer_function([LENS], tuple(potential.shape[1:]), 0.15)
    linear = -2 * interaction_constant(80e3) * torch.fft.ifft2(torch.fft.fft2(potential) * transfer.imag).real[0]
    assert float((image - 1 - linear).abs().max()) < 0.02 * float(linear.abs().max())


def test_atoms_are_dark_at_underfocus_and_bright_at_overfocus():
    atoms = batch_columns([[(24.0, 24.0)]] * 2, [[1.0]] * 2, [0.5] * 2)
    lenses = [CtfParams(energy=80e3, defocus=value, focal_spread=40) for value in (50, -50)]
    images = render_hrtem(atoms, sixes(atoms), lenses, (48, 48), 0.15)
    assert images[0, 0, 24, 24] < 0.98
    assert images[1, 0, 24, 24] > 1.02


def test_perfect_lens_shows_no_phase():
    atoms = carbon()
    image = render_hrtem(atoms, sixes(atoms), [CtfParams()] * 2, (48, 48), 0.15)
    assert torch.allclose(image, torch.ones_like(image), atol=1e-4)
    waves = torch.ones(1, 16, 16, dtype=torch.complex64)
    assert torch.allclose(image_waves(waves, [LENS], 0.1), torch.ones(1, 1, 16, 16))


def test_electrons_are_conserved_without_aperture():
    atoms = carbon()
    waves = phase_object(projected_potential(atoms, sixes(atoms), (48, 48), 0.15), [80e3] * 2)
    assert image_waves(waves, [CtfParams(energy=80e3, defocus=100)] * 2, 0.15).mean((1, 2, 3)).tolist() == pytest.approx(
        [1, 1], rel=1e-4
    )


def test_moves_with_the_atoms_by_parts_of_a_pixel():
    # A shift by half a pixel is a phase ramp of the image's transform.
    atoms = [batch_columns([[(24.0 + shift, 30.0)]], [[1.0]], [0.6]) for shift in (0.0, 0.5)]
    still, later = (phase_object(projected_potential(one, sixes(one), (48, 48), 0.15), [80e3]) for one in atoms)
    still, later = (image_waves(one, [LENS], 0.15)[0, 0] for one in (still, later))
    ramp = torch.exp(-2j * torch.pi * torch.fft.fftfreq(len(still)) * 0.5)[:, None]
    moved = torch.fft.ifft2(torch.fft.fft2(still) * ramp).real
    assert float((moved - later).abs().max()) < 1e-3 * float((still - 1).abs().max())


def test_focal_series_and_batch_are_one_by_one():
    atoms = carbon()
    lenses, steps, sizes = [LENS, CtfParams(energy=300e3, Cs=1e4)], (-50.0, 0.0, 70.0), [0.15, 0.1]
    together = render_hrtem(atoms, sixes(atoms), lenses, (48, 50), sizes, steps)
    assert together.shape == (2, 3, 48, 50)
    for n in (0, 1):
        mine = atoms.subset(atoms.sample == n)
        alone = batch_columns([mine.positions], [mine.weights], [mine.widths])
        assert_agree(render_hrtem(alone, sixes(alone), lenses[n : n + 1], (48, 50), sizes[n], steps)[0], together[n])
    waves = phase_object(projected_potential(atoms, sixes(atoms), (48, 50), sizes), [80e3, 300e3])
    series = image_focal_series(waves, lenses, steps, sizes)
    assert_agree(series[:, 1:2], image_waves(waves, lenses, sizes))
