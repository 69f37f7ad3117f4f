import numpy as np
import pytest
import torch
from ase import Atoms

from napari_atomseg.imaging.hrtem import image_waves, periodic_potential, phase_object
from napari_atomseg.imaging.linear_adf import batch_columns
from napari_atomseg.imaging.multislice.exit_wave import multislice_exit_wave
from napari_atomseg.inference.resample import resample
from napari_atomseg.optics.ctf import CtfParams
from napari_atomseg.optics.detector import MtfParams, apply_mtf
from napari_atomseg.specimens.defected_graphene import DefectedGrapheneParams, defected_graphene
from napari_atomseg.synthesis.record import Record
from napari_atomseg.training.microscopes import pictures

SIDE, NATIVE, FIELD = 96, 0.2, 19.2
SLICE = 2.0


@pytest.fixture(scope="module")
def atoms():
    params = DefectedGrapheneParams(vacancies=2, periodic=True)
    return defected_graphene((FIELD, FIELD), params, np.random.default_rng(1)).positions


def potential(atoms, thermal=0.0):
    batch = batch_columns([torch.from_numpy(atoms / NATIVE)], [torch.ones(len(atoms))], [thermal / NATIVE], "cpu")
    return periodic_potential(batch, torch.full((len(atoms),), 6), (SIDE, SIDE), NATIVE)


def record(pixel_size, dose, knee):
    lens = {"energy": 80000, "defocus": 60.0, "Cs": -1e5, "focal_spread": 30.0}
    mtf = {"model": "rational", "floor": 0.05, "knee": knee, "steepness": 2.0}
    return Record(
        recipe="", seed=0, shape=(SIDE, SIDE), pixel_size=pixel_size, specimen={}, imaging={"lens": lens, "mtf": mtf}, dose=dose
    )


@pytest.mark.parametrize(("defocus", "Cs"), [(80.0, 1.5e5), (-100.0, -1e5), (0.0, 0.0), (150.0, 0.0)])
def test_a_sheet_is_a_phase_object(atoms, defocus, Cs):
    """As abTEM's multislice has it, whose wave is that behind the slice."""
    pytest.importorskip("abtem")
    sheet = Atoms(f"C{len(atoms)}", np.insert(atoms[:, ::-1], 2, 1.0, axis=1), cell=[FIELD, FIELD, SLICE], pbc=(1, 1, 0))
    wave = torch.from_numpy(multislice_exit_wave(sheet, 80e3, NATIVE / 2, SLICE).wave)[None]
    lens = CtfParams(energy=80e3, defocus=defocus, Cs=Cs, focal_spread=25, astigmatism=10)
    before = CtfParams(energy=80e3, defocus=defocus - SLICE, Cs=Cs, focal_spread=25, astigmatism=10)
    strict = image_waves(wave, [lens], NATIVE / 2)[0, 0, ::2, ::2]
    ours = image_waves(phase_object(potential(atoms), [80e3]), [before], NATIVE)[0, 0]
    assert float(torch.corrcoef(torch.stack([strict.ravel(), ours.ravel()]))[0, 1]) > 0.998
    assert float(ours.std() / strict.std()) == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize("pixel_size", [0.1, 0.16])
def test_a_camera_of_small_pixels_is_a_transfer_on_large_ones(atoms, pixel_size, monkeypatch):
    """Many electrons, counted in the camera's pixels and resampled, against what is drawn on the network's."""
    monkeypatch.setattr("napari_atomseg.training.microscopes.CALIBRATION", 0.0)
    given = record(pixel_size, 1e9, 0.4)
    drawn, clean = pictures(potential(atoms), [given], NATIVE, np.random.default_rng(0))
    side = round(FIELD / pixel_size)
    spectrum = torch.zeros(side, side, dtype=torch.complex64)
    places = torch.fft.fftfreq(SIDE, 1 / SIDE).round().long() % side
    # Corners of the field stay in place, so centres of pixels of another size lie elsewhere.
    turn = torch.exp(1j * torch.pi * (pixel_size - NATIVE) * torch.fft.fftfreq(SIDE, NATIVE))
    spectrum[places[:, None], places] = torch.fft.fft2(clean[0, 0]) * turn[:, None] * turn
    fine = torch.fft.ifft2(spectrum).real * (side / SIDE) ** 2
    camera = MtfParams(**given.imaging["mtf"])
    expected = resample(apply_mtf(fine[None, None], [camera]), (SIDE, SIDE))[0, 0] * 1e9 * NATIVE**2
    inner = (slice(12, -12), slice(12, -12))
    error = (drawn[0, 0][inner] - expected[inner]).std() / expected[inner].std()
    assert error < 0.05


def test_noise_has_the_variance_of_counting(atoms, monkeypatch):
    monkeypatch.setattr("napari_atomseg.training.microscopes.CALIBRATION", 0.0)
    sharp = record(NATIVE, 1000.0, 1000.0)
    sharp.imaging["mtf"]["floor"] = 1.0
    nothing = torch.zeros(1, SIDE, SIDE)
    drawn, _ = pictures(nothing, [sharp], NATIVE, np.random.default_rng(0))
    assert float(drawn.mean()) == pytest.approx(40, rel=0.02)
    # The cubic kernel passes a part of what is near the limit of the pixels.
    assert 0.3 * 40 < float(drawn.var()) < 1.05 * 40
