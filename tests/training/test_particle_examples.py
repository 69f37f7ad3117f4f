"""What is learnt from when atoms are counted: waves that are kept, class maps that sum to 1, single images among series."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.inference.count_probabilities import honest_probabilities
from napari_atomseg.specimens.nanoparticles import ParticleParams, particle_with_columns
from napari_atomseg.synthesis.recipe import read_recipe
from napari_atomseg.training import count_calibration, particle_examples, particle_waves
from napari_atomseg.training.lessons import lesson_of
from napari_atomseg.training.particle_examples import draw_particle_examples, usual_foci
from napari_atomseg.training.particle_waves import particle_wave

SMALL = {"kind": "particle", "number": 79, "lattice_constant": 4.08, "radius": 4.0, "adatoms": 0.1, "zone": "110", "seed": 5}


@pytest.fixture
def coarse(monkeypatch, tmp_path):
    """Waves of few pixels in a folder of the test."""
    monkeypatch.setattr(particle_waves, "PIXELS", (200,))
    monkeypatch.setattr(particle_waves, "waves_folder", lambda: tmp_path)
    monkeypatch.setattr(particle_examples, "FIRST", 2)
    particle_waves._kept.cache_clear()
    yield tmp_path
    particle_waves._kept.cache_clear()


@pytest.fixture
def small():
    recipe = read_recipe("hrtem-particles")
    return replace(recipe, specimens=({**recipe.specimens[0], "radius": 4.0, "spread": 0.1},))


def test_columns_stay_columns_when_a_particle_is_tilted():
    upright = particle_with_columns(ParticleParams(radius=7), (40, 40), np.random.default_rng(1))
    tilted = particle_with_columns(ParticleParams(radius=7, tilt_x=0.08, tilt_y=0.03), (40, 40), np.random.default_rng(1))
    assert np.array_equal(np.bincount(upright[1]), np.bincount(tilted[1]))
    # Atoms of one column are a step of a / sqrt(2) apart along the beam.
    one = np.sort(upright[0].heights[upright[1] == np.argmax(np.bincount(upright[1]))])
    assert np.allclose(np.diff(one), 4.078 / np.sqrt(2), atol=1e-6)


def test_a_wave_is_computed_once_and_kept(coarse):
    first = particle_wave(SMALL, 3e5, 0.2)
    (file,) = coarse.glob("*.npz")
    written = file.stat().st_mtime_ns
    particle_waves._kept.cache_clear()
    again = particle_wave(SMALL, 3e5, 0.2)
    assert file.stat().st_mtime_ns == written
    assert torch.equal(first.wave, again.wave)
    assert first.wave.shape == (200, 200)
    assert 0.9 < float(first.wave.abs().square().mean()) <= 1.0
    # Far from the particle there is the beam.
    assert float((first.wave[:20, :20] - 1).abs().max()) < 0.1
    assert first.heights.sum() > 20
    turned = first.moved(1, True)
    assert torch.equal(turned.wave, torch.rot90(first.wave, 1, (-2, -1)).flip(-1))
    values = first.wave.abs()[tuple(np.rint(first.positions).astype(int).T)]
    assert torch.allclose(turned.wave.abs()[tuple(np.rint(turned.positions).astype(int).T)], values)


@pytest.mark.parametrize("side", [194, 203, 206])
def test_on_other_pixels_a_wave_is_the_same(coarse, side):
    first = particle_wave(SMALL, 3e5, 0.2)
    other = first.on_pixels(side)
    assert other.wave.shape == (side, side)
    # Means are kept, and what of it a lens lets through comes back.
    assert complex(other.wave.mean()) == pytest.approx(complex(first.wave.mean()), abs=1e-5)
    back, low = (particle_waves._on_pixels(one, 100) for one in (other.wave, first.wave))
    assert float((back - low).abs().max()) < 1e-4
    # Columns are where they were, in parts of the field.
    np.testing.assert_allclose(other.positions / side, first.positions / 200)
    assert other.heights is first.heights


def test_particles_are_larger_or_smaller_than_they_should_be_as_calibrations_are_off(coarse, small):
    batch = draw_particle_examples(small, 4, 0, 12, 140)
    shortest = []
    for places in batch.positions:
        distance = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
        distance[distance == 0] = np.inf
        shortest.append(np.median(distance.min(axis=1)) * 0.2)
    # Columns along [110] are sqrt(3) / (2 sqrt(2)) of a lattice constant from the nearest ones, of a / sqrt(2) or more if tilted.
    lattice = np.array(shortest) * 4 / np.sqrt(6)
    assert 0.95 * 4.04 < lattice.min() < 4.0
    assert 4.16 < lattice.max() < 1.05 * 4.12


def test_other_specimens_have_no_columns_of_one_height(coarse):
    with pytest.raises(AtomsegError, match="counted in specimens of kind particle"):
        particle_wave({**SMALL, "kind": "sheet"}, 3e5, 0.2)


def test_class_maps_sum_to_one_and_single_images_leave_the_others_out(coarse, small, monkeypatch):
    monkeypatch.setattr(particle_examples, "ALONE", 0.5)
    batch = draw_particle_examples(small, 3, 1, 6, 64)
    assert batch.image.shape == (6, 3, 64, 64)
    assert batch.targets.shape == (6, 15, 64, 64)
    assert torch.allclose(batch.targets.sum(dim=1), torch.ones(6, 64, 64), atol=1e-5)
    assert 0 < batch.alone.sum() < 6
    for row in range(6):
        given = batch.image[row].flatten(1).any(dim=1).tolist()
        assert given == ([False, True, False] if batch.alone[row] else [True] * 3)
        inside = np.all((batch.positions[row] > 2) & (batch.positions[row] < 61), axis=1)
        y, x = np.rint(batch.positions[row][inside]).astype(int).T
        seen = batch.targets[row, :-1, y, x].argmax(dim=0).numpy() + 1
        assert np.array_equal(seen, batch.heights[row][inside])
    again = draw_particle_examples(small, 3, 1, 6, 64)
    assert torch.equal(batch.image, again.image)


def test_the_lesson_of_such_a_recipe_counts():
    recipe = read_recipe("hrtem-particles")
    lesson = lesson_of(recipe)
    assert [output.name for output in lesson.outputs][:2] == ["1 atom", "2 atoms"]
    assert len(lesson.outputs) == 15
    assert lesson.network.images == 3
    assert usual_foci(recipe) == (-130, 0, 130)
    with pytest.raises(AtomsegError, match="numbers of atoms from focal series of particles"):
        lesson_of(replace(recipe, classes=1))


def test_another_metal_starts_from_what_gold_has_taught(coarse, small, monkeypatch, tmp_path):
    from napari_atomseg.core.jobs import run
    from napari_atomseg.networks.zoo import load_model
    from napari_atomseg.training import lessons
    from napari_atomseg.training.fit import fit
    from napari_atomseg.training.run_settings import run_settings

    monkeypatch.setattr(lessons, "BATCHES", 1)
    monkeypatch.setattr(lessons, "BATCH", 1)
    silver = replace(small, name="silver", specimens=({**small.specimens[0], "number": 47, "lattice_constant": 4.09},))
    shape, params = run_settings(silver, start_from="hrtem-particles")
    before = load_model("hrtem-particles")
    assert shape.images == before.card.images
    assert params.learning_rate == pytest.approx(5e-4)
    short = replace(params, steps=1, batch=1, patch=64)
    weights = dict(before.network.state_dict())
    after = run(fit(silver, shape, short, tmp_path / "run", workers=0, start_from=weights))
    moved = max(float((after[name].float() - weights[name].float()).abs().max()) for name in weights if "weight" in name)
    assert 0 < moved < 0.01
    assert (tmp_path / "run" / "history.csv").read_text().startswith("step,")


def test_probabilities_are_corrected_until_they_are_honest():
    rng = np.random.default_rng(2)
    honest = rng.dirichlet(np.ones(6), 4000)
    true = 1 + (rng.uniform(size=(4000, 1)) > honest.cumsum(axis=1)).sum(axis=1)
    noise = np.exp(rng.normal(-2, 1, 4000))
    usual = float(np.exp(-2))
    # Too steep; steeper where there is much noise; with a prior for few atoms, the more so the less noise there is.
    wrongs = (
        {"series": 0.5},
        {"series_slope": -0.4},
        {"series_lean": -0.5, "series_lean_slope": 0.3},
        {},
    )
    for wrong in wrongs:
        seen = honest_probabilities(honest, {"usual_noise": usual, **wrong}, "series", noise)
        found = count_calibration.kind_calibration([(seen, true, noise)], "series", usual)
        assert found["series"] == pytest.approx(1 / wrong.get("series", 1.0), rel=0.1)
        assert found["series_slope"] == pytest.approx(-wrong.get("series_slope", 0), abs=0.1)
        assert found["series_lean"] == pytest.approx(-wrong.get("series_lean", 0), abs=0.1)
        assert found["series_lean_slope"] == pytest.approx(-wrong.get("series_lean_slope", 0), abs=0.1)
        again = honest_probabilities(seen, {"usual_noise": usual, **found}, "series", noise)
        assert np.abs(again - honest).mean() < 0.02
    few = count_calibration.kind_calibration([(honest[:9], true[:9], noise[:9])], "single", usual)
    assert few == {"single": 1.0, "single_slope": 0.0, "single_lean": 0.0, "single_lean_slope": 0.0}


def test_waves_that_were_computed_ahead_are_those_of_the_batch(coarse, small):
    steps = particle_examples.compute_ahead(small, 3, 1, 6, 64)
    next(steps)
    assert len(list(coarse.glob("*.npz"))) == 1
    assert len(list(steps)) == 5
    kept = set(coarse.glob("*.npz"))
    draw_particle_examples(small, 3, 1, 6, 64)
    assert set(coarse.glob("*.npz")) == kept
