"""Images of exit waves from a folder: those of the lens on the whole wave, with the atoms where the wave has them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from agreement import AFTER_MANY, assert_agree

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.imaging.exit_waves import ExitWave, write_exit_wave
from napari_atomseg.imaging.hrtem import phase_object, projected_potential
from napari_atomseg.imaging.linear_adf import batch_columns
from napari_atomseg.specimens.projection import Projection
from napari_atomseg.synthesis.exit_wave_specimens import cut_exit_wave
from napari_atomseg.synthesis.recipe import draw_record, recipe_from
from napari_atomseg.synthesis.render import render

SIZE, ENERGY = 0.12, 80e3


def wave_of(places: np.ndarray) -> np.ndarray:
    """Phase object of silicon atoms at places in Angstrom, 144 x 144 px: an image of 96 with a periodic room of 24 around."""
    pixels = np.mod(places / SIZE + 24.5, 144) - 24.5
    batch = batch_columns([torch.from_numpy(pixels)], [torch.ones(len(places))], [0.6])
    potential = projected_potential(batch, torch.full((len(places),), 14), (96, 96), SIZE, padding=0.5)
    return phase_object(potential, [ENERGY])[0].numpy()


@pytest.fixture
def folder(tmp_path):
    """Two waves of silicon atoms at some distance of each other."""
    for seed in range(2):
        grid = np.stack(np.mgrid[:4, :4], -1).reshape(-1, 2) * 4.2 + 1.5
        places = grid + np.random.default_rng(seed).uniform(-0.8, 0.8, grid.shape)
        atoms = Projection(positions=places, numbers=np.full(16, 14), field=(144 * SIZE,) * 2)
        wave = ExitWave(wave=wave_of(places), pixel_size=SIZE, energy=ENERGY, atoms=atoms)
        write_exit_wave(tmp_path / f"wave_{seed}", wave)
    return tmp_path


def recipe(folder, **change):
    return recipe_from(
        {
            "name": "waves",
            "modality": "tem",
            "image": {"size": 64, "pixel_size": SIZE},
            "specimens": [{"kind": "exit_wave", "folder": str(folder)}],
            "imaging": {"lens": {"energy": ENERGY, "defocus": 50.0, "focal_spread": 40.0}, "foci": [0, 30]},
            "dose": 1e4,
            **change,
        },
        "waves",
    )


def test_atoms_are_dark_where_the_truth_has_them_in_every_turn_and_place(folder):
    seen = set()
    for seed in range(12):
        record = draw_record(recipe(folder), seed)
        batch = render([record], ("noise_free", "gaussian"))
        assert batch.image.shape == (1, 2, 64, 64)
        plane = batch.image[0, 0].numpy()
        positions = np.round(batch.positions[0]).astype(int)
        inside = positions[np.all((positions >= 0) & (positions < 64), axis=1)]
        assert all(plane[y, x] < 0.93 * np.median(plane) for y, x in inside)
        seen.add(cut_exit_wave(record).corner)
        again = render([record, draw_record(recipe(folder), seed + 1)], ()).image
        assert_agree(batch.image[0], again[0], AFTER_MANY)
    assert len(seen) > 8


def test_an_image_is_that_of_the_phase_object_it_was_made_of(folder):
    # All of the wave, so that nothing but turn and mirror is left.
    imaging = {"lens": {"energy": ENERGY, "defocus": 50.0}}
    record = draw_record(recipe(folder, image={"size": 144, "pixel_size": SIZE}, imaging=imaging), 3)
    cut = cut_exit_wave(record)
    assert cut.corner == (0, 0)
    assert np.abs(wave_of(cut.atoms.positions) - cut.whole.wave).max() < 1e-3
    assert float(render([record], ()).image[0, 0].mean()) == pytest.approx(1e4 * SIZE**2, rel=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": {"size": 200, "pixel_size": SIZE}}, "too few"),
        ({"image": {"size": 64, "pixel_size": 0.1}}, "0.12 Å/px and the recipe asks for 0.1"),
        ({"imaging": {"lens": {"energy": 300e3}}}, "80000 eV and the lens one for 300000"),
        ({"specimens": [{"kind": "exit_wave", "folder": "nowhere"}]}, "no such folder"),
        ({"specimens": [{"kind": "exit_wave"}]}, "needs a folder"),
        ({"specimens": [{"kind": "exit_wave", "folder": ".", "size": 3}]}, "needs a folder"),
        ({"imaging": {"probe": {}}, "peak": 10}, "lens"),
    ],
)
def test_waves_that_do_not_fit_are_refused(folder, change, message):
    with pytest.raises(AtomsegError, match=message):
        render([draw_record(recipe(folder, **change), 1)])


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(AtomsegError, match="holds no exit waves"):
        render([draw_record(recipe(tmp_path), 1)])


def test_imaging_waves_loads_no_multislice_program(folder):
    values = {
        "name": "waves",
        "image": {"size": 64, "pixel_size": SIZE},
        "specimens": [{"kind": "exit_wave", "folder": str(folder)}],
        "imaging": {"lens": {"energy": ENERGY}},
        "dose": 100.0,
    }
    code = (
        "import sys; from napari_atomseg.synthesis.recipe import draw_record, recipe_from; "
        "from napari_atomseg.synthesis.render import render; "
        f"render([draw_record(recipe_from({values!r}, 'waves'), 1)]); "
        "assert not {'abtem', 'napari', 'qtpy', 'skimage', 'rsciio'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
