import numpy as np
import pytest
import torch

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.imaging.lobato import HEAVIEST, scattering_factor
from napari_atomseg.imaging.scattering import POTENTIAL_PER_FACTOR, lobato_factors, rms_radii, scattering_power


def test_table_is_complete():
    a, b = lobato_factors()
    assert a.shape == b.shape == (HEAVIEST, 5)
    assert (b > 0).all()


@pytest.mark.parametrize("number", [1, 6, 14, 79, 92])
def test_agrees_with_abtem(number):
    abtem = pytest.importorskip("abtem")
    from ase.data import chemical_symbols

    symbol = chemical_symbols[number]
    theirs = abtem.parametrizations.LobatoParametrization()
    k = np.linspace(0, 6, 50)
    ours = scattering_factor(number, torch.from_numpy(k**2)).numpy()
    assert ours == pytest.approx(np.asarray(theirs.scattering_factor(symbol)(k**2)), rel=1e-5)
    potential = np.asarray(theirs.projected_scattering_factor(symbol)(k**2))
    assert POTENTIAL_PER_FACTOR * ours == pytest.approx(potential, rel=1e-3)


def test_far_off_it_is_rutherford():
    # f(g) -> Z / (2 pi^2 a_0 g^2), Mott and Bethe without the form factor.
    for number in (6, 29, 79):
        g = 100.0
        factor = float(scattering_factor(number, torch.tensor([g**2], dtype=torch.float64)))
        assert factor * 2 * np.pi**2 * 0.529177 * g**2 == pytest.approx(number, rel=0.02)


def test_radius_is_the_curvature_of_the_transform():
    step = torch.tensor([0.0, 1e-4], dtype=torch.float64)
    for number in (1, 26, 79):
        whole, bent = scattering_factor(number, step)
        squared = (1 - bent / whole) / (np.pi**2 * 1e-4)
        assert float(rms_radii()[number - 1]) == pytest.approx(float(squared) ** 0.5, rel=1e-3)


def test_power_rises_with_the_atomic_number():
    assert (scattering_power(torch.arange(1, 104)).diff() > 0).all()


@pytest.mark.parametrize("number", [0, 104, -3])
def test_no_element_is_an_error(number):
    with pytest.raises(AtomsegError, match="atomic number"):
        scattering_factor(number, torch.zeros(1))
