import numpy as np
import pytest
from ase import Atoms

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.imaging import convolution
from napari_atomseg.imaging.convolution import ConvolutionParams, convolve, total_scattering
from napari_atomseg.imaging.cross_section import annular_cross_section, beam_share
from napari_atomseg.imaging.multislice.periodic_image import on_grid
from napari_atomseg.optics.probe import ProbeParams
from napari_atomseg.specimens.cut_params import CutParams
from napari_atomseg.specimens.cutting import cut, period
from napari_atomseg.specimens.library import crystal


def boxed(places, numbers, side=20.0):
    return Atoms(numbers, positions=[[x, y, 1.0] for y, x in places], cell=[side, side, 5], pbc=False)


def test_one_atom_is_the_point_spread_function_wherever_it_lies(rng):
    for place in rng.uniform(6, 14, (5, 2)):
        image = convolve(boxed([place], [79]), ConvolutionParams(sigma=0.4), (0.1, 0.12), (200, 160))
        y, x = np.mgrid[:200, :160] * np.array([0.1, 0.12])[:, None, None]
        expected = 79**1.7 * np.exp(-((y - place[0]) ** 2 + (x - place[1]) ** 2) / 0.32) / (2 * np.pi * 0.16)
        assert np.abs(image - expected).max() < 1e-12 * expected.max()


@pytest.mark.parametrize("psf", ["gaussian", "probe"])
def test_the_sum_is_that_of_the_atoms(psf, rng):
    atoms = boxed(rng.uniform(7, 13, (40, 2)), rng.integers(1, 80, 40))
    image = convolve(atoms, ConvolutionParams(psf=psf), (0.1, 0.1), (200, 200), ProbeParams(energy=200e3, source_size=0.8))
    assert image.sum() * 0.01 == pytest.approx(total_scattering(atoms, 1.7), rel=5e-3 if psf == "probe" else 1e-6)


def test_many_atoms_in_tiles_equal_few_at_once(rng, monkeypatch):
    atoms = boxed(rng.uniform(-3, 23, (300, 2)), rng.integers(1, 80, 300))
    whole = convolve(atoms, ConvolutionParams(), (0.1, 0.1), (200, 170))
    monkeypatch.setattr(convolution, "MOST_AT_ONCE", 9000)
    monkeypatch.setattr(convolution, "TILE", 32)
    monkeypatch.setattr(convolution, "MANY", 10)
    assert np.abs(convolve(atoms, ConvolutionParams(), (0.1, 0.1), (200, 170)) - whole).max() < 1e-10 * whole.max()


def test_a_period_and_the_whole_field_agree():
    params = CutParams(zone_axis="1,1,0", thickness=20, width_y=12, width_x=12)
    one, piece = period(crystal("SrTiO3"), params), cut(crystal("SrTiO3"), params)
    sides = np.diag(one.cell.array)[[1, 0]]
    few = convolve(one, ConvolutionParams(), tuple(sides / [60, 40]), (60, 40))
    field = convolve(piece, ConvolutionParams(), (0.1, 0.1), (120, 120))
    again = on_grid(few, tuple(sides / [60, 40]), 0.1, (120, 120))
    assert np.abs(again - field).max() < 1e-6 * field.max()


@pytest.mark.parametrize("count", [15, 16])
def test_waves_stay_waves_on_any_grid(count):
    y = np.arange(count)
    image = np.cos(2 * np.pi * 3 * y / count + 0.4)[:, None] * np.ones(7)
    fine = on_grid(image, (1.0, 1.0), 0.31, (40, 5))
    assert fine[:, 2] == pytest.approx(np.cos(2 * np.pi * 3 * 0.31 * np.arange(40) / count + 0.4), abs=1e-12)


def test_cross_sections_are_rutherford_like():
    inside = annular_cross_section(6, 200e3, 24, 70, 140)
    assert inside + annular_cross_section(6, 200e3, 24, 140, 200) == pytest.approx(
        annular_cross_section(6, 200e3, 24, 70, 200), rel=1e-3
    )
    # Far out a bare nucleus scatters with Z^2 (Kirkland, section 5.3), screened ones a little less.
    ratio = annular_cross_section(79, 200e3, 0, 150, 200) / annular_cross_section(6, 200e3, 0, 150, 200)
    assert 1.4 < np.log(ratio) / np.log(79 / 6) < 2.0
    share = beam_share(np.array([6, 6]), 1.7, energy=200e3, semiangle=24, inner=70, outer=200)
    assert share * 2 * 6**1.7 == pytest.approx(2 * annular_cross_section(6, 200e3, 24, 70, 200))


def test_what_cannot_be_made_is_refused():
    with pytest.raises(AtomsegError, match="larger pixel"):
        convolve(boxed([[1, 1]], [6]), ConvolutionParams(), (0.1, 0.1), (50_000, 50_000))
    with pytest.raises(AtomsegError, match="needs the lens"):
        convolve(boxed([[1, 1]], [6]), ConvolutionParams(psf="probe"), (0.1, 0.1), (20, 20))
    with pytest.raises(AtomsegError, match="square pixels"):
        convolve(boxed([[1, 1]], [6]), ConvolutionParams(psf="probe"), (0.1, 0.2), (20, 20), ProbeParams())
