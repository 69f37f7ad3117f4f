"""Geometric phase analysis of drawn lattices with known strain."""

import numpy as np
import pytest
from spots import draw

from napari_atomseg.analysis.phase_analysis import phase_strain
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.workflows import image_strain

SIDE, CELL = 320, 16.0
BASIS = np.array([[0.0, CELL], [-CELL, 0.0]])
PLACES = CELL * np.stack(np.mgrid[-2:23, -2:23], -1).reshape(-1, 2) + 3.0


def picture(moved):
    return draw(PLACES + moved, 3.0, (SIDE, SIDE))


def test_smooth_strain_and_rotation_come_back_with_the_signs_of_the_screen():
    x = PLACES[:, 1]
    wave = 2 * np.pi / SIDE
    # Strain along x that runs as a cosine, and columns that turn clockwise to the right: down the more, the farther right.
    moved = np.stack([1e-4 * (x - SIDE / 2) ** 2 / 2, 0.01 / wave * np.sin(wave * x)], axis=1)
    found = phase_strain(picture(moved), BASIS)
    inner = np.s_[60:-60, 60:-60]
    columns = np.arange(SIDE)[60:-60]
    truth = 0.01 * np.cos(wave * columns)
    seen = found.strain_xx[inner].mean(axis=0)
    assert seen - seen.mean() == pytest.approx(truth - truth.mean(), abs=1e-3)
    assert np.polyfit(columns, found.rotation_rad[inner].mean(axis=0), 1)[0] == pytest.approx(0.5e-4, rel=0.1)
    assert np.polyfit(columns, found.strain_xy[inner].mean(axis=0), 1)[0] == pytest.approx(0.5e-4, rel=0.1)


def test_it_goes_by_the_lattice_of_the_columns_and_refuses_an_image_of_something_else():
    columns = Columns(positions=PLACES[np.all((PLACES > 0) & (PLACES < SIDE), axis=1)])
    found = image_strain(Micrograph(data=picture(0.0).astype(np.float32)), columns)
    assert np.nanmax(np.abs(found.strain_yy[60:-60, 60:-60])) < 1e-3
    noise = np.random.default_rng(0).normal(size=(SIDE, SIDE))
    with pytest.raises(AtomsegError, match="no two waves"):
        phase_strain(noise, BASIS)
