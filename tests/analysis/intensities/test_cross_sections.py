import numpy as np
import pytest
from shared_files import shared

from napari_atomseg.analysis.intensities.amplitudes import far_apart, fit_amplitudes
from napari_atomseg.analysis.intensities.cross_sections import cross_sections
from napari_atomseg.analysis.intensities.fitted_field import Shapes
from napari_atomseg.analysis.intensities.params import IntensityParams
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import run

PX = 0.2
SIGMA = 2.6


def lattice(count, spacing=11.0, seed=0):
    along = 8 + spacing * np.arange(count)
    places = np.stack(np.meshgrid(along, along, indexing="ij"), axis=-1).reshape(-1, 2)
    return places + np.random.default_rng(seed).normal(0, 0.3, places.shape)


def drawn(places, heights, major, minor=None, theta=0.0, side=None):
    minor = major if minor is None else minor
    side = side or int(places.max()) + 9
    y, x = np.mgrid[:side, :side]
    image = np.zeros((side, side))
    for (py, px), height in zip(places, heights, strict=True):
        along = (x - px) * np.cos(theta) + (y - py) * np.sin(theta)
        across = (y - py) * np.cos(theta) - (x - px) * np.sin(theta)
        image += height * np.exp(-((along / major) ** 2) / 2 - (across / minor) ** 2 / 2)
    return image


def refined(places, sigma=SIGMA, **more):
    return Columns(positions=places, pixel_size=(PX, PX)).with_features(sigma_px=sigma, fit="ok", **more)


def ramp(side, low=0.3, high=0.6):
    return np.broadcast_to(np.linspace(low, high, side), (side, side))


@pytest.mark.parametrize("background", ["smooth", "local"])
def test_a_ramp_does_not_bias_the_volume(background):
    places = lattice(9)
    heights = np.random.default_rng(1).uniform(0.5, 1.5, len(places))
    image = drawn(places, heights, SIGMA)
    # The refinement's width is a little off, as it is where its background was another one.
    found = run(
        cross_sections(image + ramp(len(image)), refined(places, 1.05 * SIGMA), (PX, PX), IntensityParams(background=background))
    )
    true = 2 * np.pi * SIGMA**2 * heights * PX**2
    assert np.abs(np.median(found.values / true) - 1) < 0.01
    assert np.quantile(np.abs(found.values / true - 1), 0.95) < 0.03


def test_elliptic_columns_have_the_volume_of_both_widths():
    places = lattice(6)
    image = drawn(places, np.ones(len(places)), 3.0, 2.0, 0.5)
    columns = refined(places, 3.0, sigma_minor_px=2.0, theta_rad=0.5)
    found = run(cross_sections(image, columns, (PX, PX), IntensityParams(background="shared")))
    assert found.values == pytest.approx(2 * np.pi * 3.0 * 2.0 * PX**2, rel=2e-3)


def test_columns_of_different_widths_keep_their_own():
    places = lattice(6)
    sigmas = np.random.default_rng(2).uniform(2.2, 3.0, len(places))
    image = sum(drawn([one], [1.0], sigma, side=80) for one, sigma in zip(places, sigmas, strict=True))
    found = run(cross_sections(image, refined(places, 1.03 * sigmas), (PX, PX), IntensityParams(background="shared")))
    assert found.values == pytest.approx(2 * np.pi * sigmas**2 * PX**2, rel=5e-3)


@pytest.mark.parametrize(("background", "own"), [("smooth", False), ("shared", False), ("smooth", True)])
def test_standard_deviations_are_those_of_the_noise(background, own):
    rng = np.random.default_rng(3)
    away = []
    for trial in range(12):
        places = lattice(7, seed=trial)
        heights = rng.uniform(0.5, 1.5, len(places))
        image = drawn(places, heights, SIGMA) + (0.3 if background == "shared" else ramp(int(places.max()) + 9))
        sigma = SIGMA * (rng.uniform(0.99, 1.01, len(places)) if own else 1.0)
        found = run(
            cross_sections(
                rng.poisson(200 * image) / 200, refined(places, sigma), (PX, PX), IntensityParams(background=background)
            )
        )
        away.append((found.values - 2 * np.pi * SIGMA**2 * heights * PX**2) / found.std)
    assert np.mean(np.abs(np.concatenate(away)) < 1) == pytest.approx(0.68, abs=0.05)


def test_standard_deviations_of_groups_are_those_of_each_alone(monkeypatch):
    places = lattice(11)
    image = drawn(places, np.ones(len(places)), SIGMA) + ramp(int(places.max()) + 9)
    image = np.random.default_rng(0).poisson(200 * image) / 200
    shapes = Shapes(positions=places, major=np.full(121, SIGMA), minor=np.full(121, SIGMA), theta=np.zeros(121))
    fitted = run(fit_amplitudes(image, shapes, "smooth"))
    assert len(far_apart(places)) < len(places)
    together = fitted.volume_std()
    monkeypatch.setattr(
        "napari_atomseg.analysis.intensities.amplitudes.far_apart", lambda given: [np.array([row]) for row in range(len(given))]
    )
    assert together == pytest.approx(fitted.volume_std(), rel=0.1)


def test_cells_and_discs_sum_what_lies_above_the_background():
    places = lattice(7, spacing=16.0)
    image = drawn(places, np.ones(len(places)), SIGMA)
    true = 2 * np.pi * SIGMA**2 * PX**2
    given = image + ramp(len(image))
    cells = run(cross_sections(given, refined(places), (PX, PX), IntensityParams(integration="voronoi")))
    assert np.median(cells.values) == pytest.approx(true, rel=0.01)
    discs = run(cross_sections(given, refined(places), (PX, PX), IntensityParams(integration="disc", radius=2 * SIGMA * PX)))
    # Of a Gaussian a disc of two sigmas holds 1 - exp(-2); the next columns add little.
    assert np.median(discs.values) == pytest.approx(true * (1 - np.exp(-2)), rel=0.02)


def test_a_column_that_is_not_in_the_table_is_not_background():
    places = lattice(9)
    image = drawn(places, np.ones(len(places)), SIGMA) + 0.3
    missing = [30, 40, 50]
    there = np.setdiff1d(np.arange(81), missing)
    params = IntensityParams(background="smooth")
    without = run(cross_sections(image, refined(places[there]), (PX, PX), params))
    along = run(cross_sections(image, refined(places[there]), (PX, PX), params, places[missing]))
    true = 2 * np.pi * SIGMA**2 * PX**2
    assert np.abs(along.values / true - 1).max() < 0.01 < np.abs(without.values / true - 1).max()
    assert len(along.values) == len(there)


def test_columns_that_were_not_refined_are_refused():
    with pytest.raises(AtomsegError, match="refine the columns first"):
        run(cross_sections(np.zeros((50, 50)), Columns(positions=lattice(3)), (PX, PX), IntensityParams()))


def test_volumes_of_statstem_on_a_real_particle():
    truth = np.load(shared("truth/statstem_PtIr.npz"))
    size = float(truth["pixel_size_A"])
    coordinates = truth["statstem_coords_A"]
    places = coordinates[:, 1::-1] / size - 1
    columns = Columns(positions=places, pixel_size=(size, size)).with_features(
        sigma_px=truth["statstem_sigma_A"] / size, fit="ok"
    )
    found = run(cross_sections(truth["image"], columns, (size, size), IntensityParams(background="none")))
    ratio = found.values / (2 * np.pi * truth["statstem_sigma_A"] ** 2 * truth["statstem_height"])
    assert np.abs(np.median(ratio) - 1) < 0.03
    assert np.quantile(np.abs(ratio - 1), 0.95) < 0.03
