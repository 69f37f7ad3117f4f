"""Multislice images against abTEM itself, closed forms and each other; all cells are tiny."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms

from napari_atomseg.core.errors import AtomsegError, AtomsegWarning
from napari_atomseg.core.jobs import run
from napari_atomseg.core.params import fields_of
from napari_atomseg.imaging.detectors import DetectorParams
from napari_atomseg.imaging.multislice.image import MultisliceImage
from napari_atomseg.imaging.multislice.params import MultisliceParams
from napari_atomseg.imaging.multislice.plan import plan_image
from napari_atomseg.imaging.multislice.scan_grid import interpolation_matrix, nyquist_step, scan_axis
from napari_atomseg.imaging.multislice.scan_image import multislice_image, tiled
from napari_atomseg.optics.electron import wavelength
from napari_atomseg.optics.probe import ProbeParams

abtem = pytest.importorskip("abtem")
CELL = 3.905
PROBE = ProbeParams(energy=200e3, semiangle=21)
RING = DetectorParams(inner_angle=40, outer_angle=90)
DISC = DetectorParams(kind="bright_field", outer_angle=15)


def titanate(height: int = 1) -> Atoms:
    sites = [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)]
    return Atoms("SrTiO3", scaled_positions=sites, cell=[CELL] * 3, pbc=(True, True, False)).repeat((1, 1, height))


def particle() -> Atoms:
    """A few gold atoms in a field of 10 A, on no points of any grid."""
    places = [(4.1, 4.3, 1.1), (6.53, 4.47, 1.2), (5.31, 6.27, 1.0), (5.4, 5.1, 3.3), (4.13, 4.36, 3.7)]
    return Atoms("Au5", positions=places, cell=(10, 9, 5), pbc=False)


def still(**options) -> MultisliceParams:
    return MultisliceParams(**{"configurations": 0, "device": "cpu", **options})


def image(atoms, probe=PROBE, detector=RING, params=None, pixel_size=0.25) -> MultisliceImage:
    return run(multislice_image(atoms, probe, detector, params or still(), pixel_size))


def unexplained(found: np.ndarray, true: np.ndarray) -> float:
    """1 - R2."""
    return float(((found - true) ** 2).sum() / ((true - true.mean()) ** 2).sum())


@pytest.fixture(scope="module")
def whole():
    """A still cell by the full scheme."""
    return image(titanate(), params=still(scheme="full"))


@pytest.mark.parametrize("lens", [{}, {"defocus": 30.0, "Cs": 1e5, "astigmatism": 20.0, "astigmatism_angle": 0.4, "coma": 500.0}])
def test_a_still_cell_is_what_a_script_with_abtem_gives(lens):
    probe = ProbeParams(energy=200e3, semiangle=21, **lens)
    params = still(scheme="full", projection="abtem")
    plan = plan_image(titanate(), probe, RING, params, 0.25)
    block = titanate().repeat((plan.windows_x.repeats, plan.windows_y.repeats, 1))
    potential = abtem.Potential(
        block, gpts=(plan.windows_x.gpts, plan.windows_y.gpts), slice_thickness=2, parametrization="lobato", projection="infinite"
    ).build(lazy=False)  # fmt: skip
    theirs = abtem.Probe(energy=200e3, semiangle_cutoff=21, aberrations=lens)
    theirs.grid.match(potential)
    scan = abtem.GridScan((0, 0), (CELL, CELL), gpts=(plan.columns.count, plan.rows.count), endpoint=False)
    measured = theirs.scan(potential, scan=scan, detectors=abtem.AnnularDetector(40, 90), max_batch=16, lazy=False)
    expected = np.asarray(measured.interpolate(gpts=(plan.columns.pixels, plan.rows.pixels)).array).T
    found = image(titanate(), probe, RING, params)
    assert found.image.dtype == np.float32
    assert found.pixel_size == pytest.approx((CELL / 16, CELL / 16))
    assert np.abs(found.image - expected).max() < 1e-5 * expected.max()


@pytest.mark.slow
def test_tiles_are_the_whole():
    true = image(particle(), params=still(scheme="full", margin=7, scan_step=1.5))
    found = image(particle(), params=still(tile=3, scan_step=1.5))
    assert found.image.shape == true.image.shape == (36, 40)
    assert unexplained(found.image, true.image) < 1e-4


def test_where_the_grid_lies_does_not_matter():
    # Half a point of the grid; with abTEM's projection this changes the brightest column by a third.
    def brightest(**options):
        places = (titanate(), titanate())
        half = CELL * 4 / plan_image(titanate(), PROBE, RING, still(scheme="full"), 0.25).windows_x.gpts / 2
        places[1].positions[:, :2] += half
        return [image(atoms, params=still(scheme="full", **options), pixel_size=half).image.max() for atoms in places]

    first, second = brightest()
    assert second == pytest.approx(first, rel=1e-3)
    first, second = brightest(projection="abtem")
    assert abs(second - first) > 0.1 * first


def test_atoms_and_images_move_together():
    lens = ProbeParams(energy=200e3, semiangle=21, source_size=1.0)
    params = still(scan_step=0.5)
    first = image(particle(), lens, params=params).image
    moved = particle()
    moved.positions[:, :2] += (0.5, -1.0)
    second = image(moved, lens, params=params).image
    assert np.abs(np.roll(first, (-4, 2), (0, 1)) - second)[6:-6, 6:-6].max() < 0.01 * first.max()
    peak = np.unravel_index(first.argmax(), first.shape)
    assert np.hypot(peak[0] * 0.25 - 4.33, peak[1] * 0.25 - 4.12) < 0.3


def test_a_period_moves_round():
    whole = titanate()
    moved = titanate()
    moved.positions[:, 0] += CELL / 2
    first, second = image(whole, params=still(scheme="full")).image, image(moved, params=still(scheme="full")).image
    assert np.abs(np.roll(first, 8, axis=1) - second).max() < 2e-3 * first.max()


def test_a_period_in_tiles():
    # 19.5 A, which are cut into windows, and the cell in one window.
    lens = ProbeParams(energy=200e3, semiangle=21, source_size=1.2)
    small, large = titanate(), titanate().repeat((5, 1, 1))
    params = still(scan_step=0.49, margin=6)
    assert len(plan_image(large, lens, RING, params, 0.25).windows_x.origins) > 1
    found = image(large, lens, params=params, pixel_size=CELL / 16).image
    assert found.shape == (16, 80)
    assert unexplained(found, tiled(image(small, lens, params=params, pixel_size=CELL / 16).image, (1, 5))) < 1e-3


def test_nothing_is_seen_in_vacuum_and_no_electron_is_lost():
    lonely = Atoms("C", positions=[(2, 2, 1)], cell=(14, 14, 2), pbc=False)
    dark, bright = (
        image(lonely, pixel_size=0.5).image,
        image(lonely, detector=DetectorParams(kind="bright_field", outer_angle=39)),
    )
    assert np.abs(dark[20:, 20:]).max() < 1e-6
    assert np.abs(bright.image[40:, 40:] - 1).max() < 1e-4


def test_parts_of_the_beam_do_not_exceed_it(whole):
    bright = image(titanate(), detector=DetectorParams(kind="bright_field", outer_angle=40), params=still(scheme="full"))
    total = bright.image + whole.image
    assert whole.image.min() > 0
    assert total.max() < 1 + 1e-5
    assert total.min() > 0.9


def test_segments_add_up_to_the_ring(whole):
    parts = image(
        titanate(), detector=DetectorParams(kind="segmented", inner_angle=40, outer_angle=90), params=still(scheme="full")
    )
    assert parts.image.shape == (4, 16, 16)
    assert parts.image.sum(axis=0) == pytest.approx(whole.image, rel=1e-4)


def test_the_source_blurs(whole):
    soft = image(titanate(), ProbeParams(energy=200e3, semiangle=21, source_size=0.9), params=still(scheme="full"))
    assert soft.image.max() < 0.7 * whole.image.max()
    assert soft.image.mean() == pytest.approx(whole.image.mean(), rel=0.02)


def test_prism_without_interpolation_is_multislice(whole):
    found = image(titanate(), params=still(scheme="prism", interpolation=1))
    assert np.abs(found.image - whole.image).max() < 1e-4 * whole.image.max()


def test_prism_in_whole_cells_is_near(whole):
    found = image(titanate(), params=still(scheme="prism", interpolation=2))
    assert found.notes == ()
    assert unexplained(found.image, whole.image) < 5e-3


def test_prism_warns_where_probes_see_wrong_columns():
    tall = Atoms("Au", positions=[(5, 5, 148.0)], cell=(10, 10, 150), pbc=False)
    plan = plan_image(tall, PROBE, RING, still(scheme="prism", interpolation=4), 0.25)
    assert "tens of per cent" in plan.notes[0]
    assert plan_image(tall, PROBE, RING, still(scheme="prism", interpolation=1), 0.25).notes == ()
    small = Atoms("C", positions=[(1, 1, 18.0)], cell=(3, 3, 20), pbc=False)
    with pytest.warns(AtomsegWarning, match="tens of per cent"):
        found = image(small, params=still(scheme="prism", interpolation=16, slice_thickness=20.0))
    assert found.notes


def test_snapshots_come_back_with_their_seed():
    atoms = particle()
    atoms.arrays["thermal"] = np.full(len(atoms), 0.1)
    params = {"configurations": 2, "scan_step": 2.0}
    first, again, other = (image(atoms, params=still(**params, seed=seed)).image for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other, rtol=1e-2)


def test_atoms_that_do_not_move_are_still():
    atoms = particle()
    atoms.arrays["thermal"] = np.zeros(len(atoms))
    frozen = image(atoms, params=still(configurations=1, scan_step=1.2)).image
    assert np.allclose(frozen, image(atoms, params=still(scan_step=1.2)).image, atol=1e-8)


def test_progress_shows_the_image_and_stops():
    steps = multislice_image(particle(), PROBE, RING, still(tile=3), 0.25)
    first = next(step for step in steps if step.done > 0)
    assert 0 < first.done < first.total
    assert np.isnan(first.partial).any()
    later = [next(steps) for _ in range(12)][-1]
    assert np.isnan(later.partial).sum() < first.partial.size
    assert later.partial.shape == (round(9 / later.step[0]) + 1, round(10 / later.step[1]) + 1)
    steps.close()
    with pytest.raises(StopIteration):
        next(steps)


def test_progress_ends_at_its_total():
    *_, last = multislice_image(particle(), PROBE, RING, still(tile=5, scan_step=1.2), 0.25)
    assert last.done == last.total
    assert np.isfinite(last.partial).all()


def test_nyquist_step():
    assert nyquist_step(PROBE) == pytest.approx(wavelength(200e3) / (4 * 0.021))
    blurred = ProbeParams(energy=200e3, semiangle=24.5, source_size=0.88)
    assert nyquist_step(blurred) == pytest.approx(1 / 3, rel=0.01)


@pytest.mark.parametrize("periodic", [True, False])
def test_pixels_between_probes(periodic):
    axis = scan_axis(8.0, periodic, 0.4, 0.17, 0.0, padded=True)
    waves = (0.5, 0.875) if periodic else (0.51, 0.83)

    def scene(x):
        return sum(np.cos(2 * np.pi * one * x + one) for one in waves) + 2

    pixels = np.arange(axis.pixels) * axis.pixel_size
    found = interpolation_matrix(axis, 0.0) @ scene(axis.probes)
    assert np.abs(found - scene(pixels)).max() < (1e-9 if periodic else 0.05)
    assert axis.pixel_size == (pytest.approx(8 / 47) if periodic else 0.17)
    assert interpolation_matrix(axis, 1.0).sum(axis=1) == pytest.approx(1)


def test_tiled(rng):
    cell = rng.random((2, 3, 4))
    assert tiled(cell, (2, 3)).shape == (2, 6, 12)
    assert np.array_equal(tiled(cell[0], (2, 1))[3:], cell[0])


def test_params_are_documented():
    assert all(field.help for field in fields_of(MultisliceParams))


def test_errors_come_at_once():
    with pytest.raises(AtomsegError, match="no atoms"):
        image(Atoms(cell=(5, 5, 5)))
