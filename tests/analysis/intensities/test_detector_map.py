import numpy as np
import pytest
from shared_files import shared

from napari_atomseg.analysis.intensities.detector import detector_scale
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.readers.registry import read


def ring(inner=20.0, outer=50.0, level=lambda distance: 1000.0 + 0 * distance):
    y, x = np.mgrid[:128, :128]
    distance = np.hypot(y - 60, x - 66)
    return np.where((distance > inner) & (distance < outer), level(distance), 100.0) + np.random.default_rng(0).normal(
        0, 3, (128, 128)
    )


def test_vacuum_and_full_beam_become_0_and_1():
    scale = detector_scale(ring())
    assert scale.of(np.array([scale.vacuum, scale.full])) == pytest.approx([0, 1])
    assert scale.vacuum == pytest.approx(100, abs=1)
    assert scale.full == pytest.approx(1000, rel=2e-3)
    assert scale.steep == pytest.approx(1, abs=2e-3)


def test_parts_count_by_the_electrons_that_hit_them():
    sloped = ring(level=lambda distance: 500 + 10 * distance)
    even, weighted = detector_scale(sloped), detector_scale(sloped, flux_exponent=3)
    radius = np.linspace(22, 48, 2000)

    def mean(power):
        return np.sum((500 + 10 * radius) * radius ** (1 - power)) / np.sum(radius ** (1 - power))

    assert even.full == pytest.approx(mean(0), rel=0.01)
    assert weighted.full == pytest.approx(mean(3), rel=0.01)
    assert (weighted.full - weighted.vacuum) / (even.full - even.vacuum) == pytest.approx(even.steep)


def test_a_real_detector_is_told_from_its_surroundings():
    scale = detector_scale(read(shared("detector/example_detector_image.hspy"))[0].frame(0))
    assert 1200 < scale.vacuum < 1400
    assert 40_000 < scale.full < 53_000
    assert 0.9 < scale.steep < 1.1


@pytest.mark.parametrize("image", [np.ones((64, 64)), np.random.default_rng(0).normal(0, 1, (64, 64)), np.zeros((3, 8, 8))])
def test_what_shows_no_detector_is_refused(image):
    with pytest.raises(AtomsegError, match="detector image"):
        detector_scale(image)
