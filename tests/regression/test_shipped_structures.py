"""What the network of graphene that comes with the plugin does, on sheets that it never saw."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree
from shared_files import shared

from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.imaging.hrtem import image_waves, periodic_potential, phase_object
from napari_atomseg.imaging.linear_adf import batch_columns
from napari_atomseg.networks.zoo import load_model
from napari_atomseg.optics.ctf import CtfParams
from napari_atomseg.specimens.defected_graphene import DefectedGrapheneParams, defected_graphene
from napari_atomseg.workflows import finder_choice, locate, measure

MODEL, SIDE, SIZE = "hrtem-graphene", 280, 0.14
LENSES = {
    "bright atoms": CtfParams(energy=80e3, defocus=-75, Cs=-1e5, focal_spread=30, astigmatism=8),
    "dark atoms": CtfParams(energy=80e3, defocus=40, Cs=-1e5, focal_spread=30, astigmatism=8),
}


def sheet(seed=3, **given):
    """Positions of the atoms, Angstrom, in a field that repeats itself."""
    params = DefectedGrapheneParams(periodic=True, **given)
    return defected_graphene((SIDE * SIZE, SIDE * SIZE), params, np.random.default_rng(seed)).positions


def photograph(atoms, lens, dose=20_000, seed=1):
    batch = batch_columns([torch.from_numpy(atoms / SIZE)], [torch.ones(len(atoms))], [0.08 / SIZE], "cpu")
    wave = phase_object(periodic_potential(batch, torch.full((len(atoms),), 6), (SIDE, SIDE), SIZE), [lens.energy])
    clean = image_waves(wave, [lens], SIZE)[0, 0].numpy()
    counts = np.random.default_rng(seed).poisson(clean * dose * SIZE**2).astype(np.float32)
    return Micrograph(data=counts, pixel_size=(SIZE, SIZE), pixel_size_source="simulated", name="sheet", modality="hrtem")


def shares(found, atoms):
    """Recall and precision, 2 A from the border, matches nearer than 0.35 A."""
    high = SIDE * SIZE - 2

    def inner(places):
        return places[np.all((places > 2) & (places < high), axis=1)]

    right = cKDTree(found).query(inner(atoms))[0] < 0.35
    true = cKDTree(atoms).query(inner(found))[0] < 0.35
    return right.mean(), true.mean()


@pytest.mark.parametrize("name", LENSES)
def test_atoms_are_found_whatever_their_contrast(name):
    atoms = sheet(vacancies=2, rotations=1)
    image = photograph(atoms, LENSES[name])
    found = locate(image)
    assert MODEL in finder_choice(found)
    recall, precision = shares(found.positions * SIZE, atoms)
    assert recall > 0.98
    assert precision > 0.98
    assert np.sign(np.median(found.features["intensity"])) == (1 if name == "bright atoms" else -1)


def test_a_perfect_sheet_has_hexagons_and_bonds_alike():
    found = locate(photograph(sheet(), LENSES["bright atoms"]), model=MODEL)
    numbers = measure(photograph(sheet(), LENSES["bright atoms"]), found).numbers
    assert numbers["rings_of_6"] > 200
    assert numbers["rings_of_5"] + numbers["rings_of_7"] <= 4
    assert numbers["bond_length_spread_angstrom"] < 0.1


@pytest.mark.parametrize("dose", [100, 20_000])
def test_nothing_is_found_where_nothing_is(dose):
    counts = np.random.default_rng(0).poisson(dose * SIZE**2, (SIDE, SIDE)).astype(np.float32)
    assert len(locate(Micrograph(data=counts, pixel_size=(SIZE, SIZE)), model=MODEL)) <= 1


def test_its_card_says_what_it_is():
    card = load_model(MODEL).card
    assert (card.task, card.modality, card.recipe) == ("structures", "HRTEM", "hrtem-graphene")
    assert card.column_width <= 0.4
    assert card.scores


def test_dirty_graphene_of_another_simulator():
    stored = np.load(shared("truth/graphene_contaminated.npz"))
    size, side = float(stored["sampling"]), stored["image"].shape[0]
    found = locate(Micrograph(data=stored["image"], pixel_size=(size, size)), model=MODEL).positions
    true = stored["positions"]
    dirt = cKDTree(np.argwhere(stored["density"] >= 1.3))

    def clean(places):
        inside = np.all((places > 2 / size) & (places < side - 1 - 2 / size), axis=1)
        return places[inside & (dirt.query(places)[0] * size > 3)]

    assert (cKDTree(found).query(clean(true))[0] * size < 0.35).mean() >= 0.99
    assert (cKDTree(true).query(clean(found))[0] * size < 0.35).mean() >= 0.99
