import pytest

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.optics.electron import interaction_constant, wavelength


# Kirkland (2020), Table 2.1 and Eq. 5.6; sigma in rad/(V A).
@pytest.mark.parametrize(
    ("energy", "length", "sigma"), [(80e3, 0.041757, 1.00871e-3), (200e3, 0.025079, 0.728840e-3), (300e3, 0.019687, 0.652617e-3)]
)
def test_wavelength_and_interaction_constant(energy, length, sigma):
    assert wavelength(energy) == pytest.approx(length, abs=1e-6)
    assert interaction_constant(energy) == pytest.approx(sigma, rel=1e-4)


def test_slow_electron_is_not_relativistic():
    # h / sqrt(2 m e V): 12.2643 A at 1 V.
    assert wavelength(1.0) == pytest.approx(12.2643, rel=1e-5)


def test_no_energy_is_an_error():
    with pytest.raises(AtomsegError, match="positive"):
        wavelength(0)
