from dataclasses import replace

import numpy as np
import pytest
from shared_files import shared

from napari_atomseg.analysis.frame_sites import sites_of_frames
from napari_atomseg.analysis.intensities.components import weighed
from napari_atomseg.analysis.intensities.counting import count_atoms, count_in_time
from napari_atomseg.analysis.intensities.library import read_library
from napari_atomseg.analysis.intensities.mixture import fit_mixture, gathered
from napari_atomseg.analysis.intensities.params import IntensityParams
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import run


def drawn(columns, scatter, relative=0.0, most=12, seed=0, least=1):
    rng = np.random.default_rng(seed)
    atoms = rng.integers(least, most + 1, columns)
    return atoms, atoms * (1 + relative * rng.normal(size=columns)) + scatter * rng.normal(size=columns)


def counted(values, std=None, library=None, **params):
    std = np.full(len(values), np.nan) if std is None else std
    return run(count_atoms(values, std, IntensityParams(**params), library))


@pytest.mark.parametrize("seed", range(4))
def test_narrow_counts_are_found_by_the_completed_likelihood(seed):
    atoms, values = drawn(300, 0.15, seed=seed)
    found = counted(values)
    assert found.choice.criterion == "icl"
    assert len(found.mixture.means) == 12
    assert np.mean(found.count == atoms) >= 0.99


@pytest.mark.parametrize("seed", range(3))
def test_overlapping_counts_are_as_good_as_they_can_be(seed):
    atoms, values = drawn(600, 0.3, relative=0.03, seed=seed)
    found = counted(values)
    means = np.arange(1, 13)
    sigmas = np.hypot(0.3, 0.03 * means)
    best = 1 + np.argmin(((values[:, None] - means) / sigmas) ** 2 / 2 + np.log(sigmas), axis=1)
    assert np.mean(found.count == atoms) > np.mean(best == atoms) - 0.03
    assert found.probability.mean() == pytest.approx(np.mean(found.count == atoms), abs=0.06)


def test_few_columns_are_said_to_be_few():
    _, values = drawn(100, 0.3, seed=3)
    found = counted(values)
    assert any("the probability of that number is" in said for said in found.verdicts)
    assert 0 < found.choice.probability < 1


def test_steps_that_change_with_the_thickness():
    rng = np.random.default_rng(0)
    atoms = rng.integers(1, 11, 500)
    true = 1.2 * atoms - 0.035 * atoms**2
    found = counted(true + rng.normal(0, 0.05, 500), steps="smooth", most_components=14)
    assert np.mean(found.count == atoms) > 0.99
    free = counted(true + rng.normal(0, 0.05, 500), steps="free", components=10, most_components=10)
    assert np.mean(free.count == atoms) > 0.98


def test_a_specimen_without_thin_columns_is_counted_from_its_steps():
    atoms, values = drawn(400, 0.1, most=9, least=4)
    assert np.mean(counted(values).count == atoms) > 0.99
    assert counted(values, least_atoms=2).count.min() == 2
    assert any("off by one" in said for said in counted(values + 0.45).verdicts)


def test_a_library_gives_the_counts(tmp_path):
    library = np.array([0.02, 0.05, 0.08, 0.12, 0.15])
    (tmp_path / "library.csv").write_text("atoms,cross-section\n" + "".join(f"{k + 1},{v}\n" for k, v in enumerate(library)))
    assert read_library(tmp_path / "library.csv") == pytest.approx(library)
    rng = np.random.default_rng(0)
    atoms = rng.integers(1, 6, 200)
    found = counted(library[atoms - 1] + rng.normal(0, 0.003, 200), library=library)
    assert np.mean(found.count == atoms) > 0.99
    assert any("one scale" in said for said in counted(100 * library[atoms - 1], library=library).verdicts)


def test_the_library_of_statstem_is_read():
    library = read_library(shared("statstem/LibraryPt.txt"))
    assert len(library) == 20
    assert library[[0, -1]] == pytest.approx([0.019248, 0.52183])


@pytest.mark.parametrize("text", ["", "a,b\nc,d\n", "1,2,3\n", "0.3\n0.2\n", "1 0.1\n3 0.2\n", "0.1\nx\n"])
def test_what_is_no_library_is_refused(tmp_path, text):
    (tmp_path / "no.txt").write_text(text)
    with pytest.raises(AtomsegError, match=r"no\.txt"):
        read_library(tmp_path / "no.txt")


def test_what_cannot_be_counted_is_told():
    with pytest.raises(AtomsegError, match="at least 12"):
        counted(np.arange(1.0, 6))
    with pytest.raises(AtomsegError, match="most cross-sections are negative"):
        counted(-np.arange(1.0, 60))
    one = counted(np.random.default_rng(0).normal(5, 0.1, 100))
    assert np.isnan(one.count).all()
    assert any("one count only" in said for said in one.verdicts)
    _, values = drawn(300, 0.1)
    values[:3] = -1
    values[3] = 40
    found = counted(values)
    assert np.isnan(found.count[:4]).all()
    assert any("negative" in said for said in found.verdicts)
    assert any("far from those of any count" in said for said in found.verdicts)
    assert any("is yours" in said for said in counted(values, components=5).verdicts)


def test_bins_change_nothing():
    _, values = drawn(4000, 0.25)
    start = np.arange(1.0, 13)[None]
    exact = fit_mixture(gathered(values[:900]), start, steps="equal", growing=True)
    assert exact.count == 900
    binned = fit_mixture(gathered(values), start, steps="equal", growing=True)
    assert binned.count == 4000
    assert binned.means[[0, -1]] == pytest.approx([1, 12], abs=0.05)
    assert binned.weights.sum() == pytest.approx(1)


def test_frames_speak_for_each_other():
    rng = np.random.default_rng(0)
    atoms = np.repeat(rng.integers(1, 10, 150)[:, None], 5, axis=1)
    atoms[:8, 2:] += 2
    values = (atoms + rng.normal(0, 0.3, atoms.shape)).ravel()
    frame, site = np.tile(np.arange(5), 150), np.repeat(np.arange(150), 5)
    nothing = np.full(len(values), np.nan)
    alone = counted(values)
    together = count_in_time(values, nothing, frame, site, alone)
    still = np.diff(atoms, axis=1) == 0

    def changes(found):
        return np.diff(found.count.reshape(-1, 5), axis=1) != 0

    assert np.sum(changes(together) & still) * 8 <= np.sum(changes(alone) & still)
    assert np.sum(changes(together) & ~still) >= 7
    assert np.mean(together.count == atoms.ravel()) > np.mean(alone.count == atoms.ravel())


def test_columns_of_frames_are_found_again_after_drift():
    places = 10.0 * np.stack(np.mgrid[1:7, 1:7], axis=-1).reshape(-1, 2)
    first, second = np.array([2.5, -1.5]), np.array([3.5, 0.5])
    frames = [places, places[::-1] + first, np.delete(places, 4, axis=0) + second]
    columns = Columns(positions=np.concatenate(frames), frame=np.repeat([0, 1, 2], [36, 36, 35]))
    site = sites_of_frames(columns)
    assert site[:36].tolist() == list(range(36))
    assert site[36:72].tolist() == list(range(35, -1, -1))
    assert site[72:].tolist() == [one for one in range(36) if one != 4]


def test_what_is_known_beforehand_speaks_against_steps_that_miss_zero_and_widths_beyond_the_errors():
    values = gathered(np.repeat(np.arange(1.0, 5), 20) + np.tile([-0.1, 0.1], 40))
    likely = fit_mixture(values, np.arange(1.0, 5)[None], steps="library", growing=False)
    assert weighed(likely, likely.base).doubt == pytest.approx(0, abs=1e-6)
    assert weighed(likely, 0.0).doubt == pytest.approx(0, abs=1e-6)
    wide, off = weighed(likely, likely.base / 2), weighed(replace(likely, means=likely.means + 0.3), likely.base)
    assert wide.doubt > 1
    assert off.doubt > 1
    assert wide.bic == pytest.approx(likely.bic + 2 * wide.doubt)
    assert off.icl == pytest.approx(likely.icl + 2 * off.doubt)
    assert off.aic == pytest.approx(likely.aic + 2 * off.doubt)
