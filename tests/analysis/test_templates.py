"""Structures around columns: crystals, a dislocation, a decahedron and grains of graphene, and known strain."""

import numpy as np
import pytest
from ase.build import bulk
from ase.cluster import Decahedron

from napari_atomseg.analysis.lattice.column_cell import column_cell
from napari_atomseg.analysis.measurement import Setting
from napari_atomseg.analysis.template_measurement import measure_templates
from napari_atomseg.analysis.templates import LIBRARY, match_templates
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import run
from napari_atomseg.specimens.library import library_cell
from napari_atomseg.specimens.projection import Projection, columns_of

NAMES = np.array([*(one.name for one in LIBRARY), "none"], dtype=object)
CRYSTALS = {
    "fcc [110]": (lambda: bulk("Al", cubic=True), (1, 1, 0)),
    "square": (lambda: bulk("Al", cubic=True), (0, 0, 1)),
    "hexagonal": (lambda: bulk("Al", cubic=True), (1, 1, 1)),
    "bcc [110]": (lambda: bulk("Fe", cubic=True), (1, 1, 0)),
    "hcp [11-20]": (lambda: bulk("Mg"), (1, 0, 0)),
    "graphene": (lambda: bulk("Mg"), (0, 0, 1)),
}


def turned(places, angle):
    """Places (y, x) turned clockwise on the screen, about the origin."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return places @ np.array([[cosine, -sine], [sine, cosine]])


def field(basis, sites, half, angle=0.0):
    """Places of a lattice in a square about the origin."""
    reach = int(4 * half / np.hypot(*basis.T).min()) + 2
    cells = np.stack(np.mgrid[-reach : reach + 1, -reach : reach + 1], -1).reshape(-1, 1, 2)
    places = turned((cells + sites).reshape(-1, 2) @ basis, angle)
    return places[np.abs(places).max(axis=1) < half]


def names_of(places, std=np.nan):
    found = match_templates(places, np.full(places.shape, std))
    return NAMES[found.template], found


@pytest.mark.parametrize("name", CRYSTALS)
def test_a_crystal_is_known_by_its_neighbours(name):
    build, zone = CRYSTALS[name]
    cell = column_cell(build(), zone)
    places = field(cell.basis, cell.sites, 25, 0.2)
    noisy = places + np.random.default_rng(1).normal(0, 0.03, places.shape)
    names, found = names_of(noisy, 0.03)
    inner = np.abs(places).max(axis=1) < 18
    assert np.mean(names[inner] == name) > 0.995
    assert found.match[inner].min() > 0.85


def test_strain_rotation_and_their_errors_come_back():
    cell = column_cell(bulk("Al", cubic=True), (0, 0, 1))
    places = field(cell.basis, cell.sites, 40)
    inner = np.abs(places).max(axis=1) < 33
    # Half of the image is strained, which is told against the mean size of both.
    shear = np.where(places[:, 1] > 0, 0.02, 0.0)
    moved = places + np.stack([shear * places[:, 1] / 2, shear * places[:, 0] / 2], axis=1)
    far = np.abs(places[:, 1]) > 5
    truth = shear / 2
    moved = turned(moved, 0.1)
    rng, pulls, turns = np.random.default_rng(3), [], []
    for _ in range(20):
        _, found = names_of(moved + rng.normal(0, 0.02, moved.shape), 0.02)
        good = inner & far & (found.template >= 0)
        # Pure shear at a turn of 0.1 rad: xx and yy take sin(0.2) of it, xy cos(0.2).
        pulls.append((found.strain[good, 2] - truth[good] * np.cos(0.2)) / found.strain_std[good, 2])
        turns.append((found.rotation[good] - 0.1) / found.rotation_std[good])
    assert np.mean(np.abs(np.concatenate(pulls)) < 1) == pytest.approx(0.68, abs=0.05)
    assert np.mean(np.abs(np.concatenate(turns)) < 1) == pytest.approx(0.68, abs=0.05)


def test_an_edge_dislocation_is_a_core_in_a_crystal():
    cell = column_cell(bulk("Al", cubic=True), (1, 1, 0))
    # Along a close-packed row, whose period is the Burgers vector in projection.
    row = min((step @ cell.basis for step in np.array([(1, 0), (0, 1), (1, 1), (1, -1)])), key=lambda v: np.hypot(*v))
    places = turned(field(cell.basis, cell.sites, 45), -np.arctan2(*row))
    b, nu = np.hypot(*row), 0.345
    y, x = places.T - np.array([[0.31], [0.17]])
    square = x**2 + y**2
    along = b / (2 * np.pi) * (np.arctan2(y, x) + x * y / (2 * (1 - nu) * square))
    across = -b / (2 * np.pi) * ((1 - 2 * nu) / (4 * (1 - nu)) * np.log(square) + (x**2 - y**2) / (4 * (1 - nu) * square))
    names, _ = names_of(places + np.stack([across, along], axis=1))
    distance = np.sqrt(square)
    assert np.mean(names[distance < 2.5] != "fcc [110]") > 0.6
    assert np.mean(names[(distance > 10) & (np.abs(places).max(axis=1) < 33)] == "fcc [110]") > 0.99


def test_a_decahedron_has_five_twin_boundaries():
    atoms = Decahedron("Pt", 9, 5, 0)
    places = columns_of(Projection(positions=atoms.positions[:, :2], numbers=atoms.numbers)).positions
    names, _ = names_of(places)
    from_axis = places - places[np.argmin(np.hypot(*(places - places.mean(axis=0)).T))]
    radius = np.hypot(*from_axis.T)
    inside = radius < 0.6 * radius.max()
    twins = inside & (names == "hcp [11-20]")
    angle = np.sort(np.mod(np.degrees(np.arctan2(*from_axis[twins].T)), 72))
    assert twins.sum() >= 10
    assert np.ptp(angle) < 4 or np.ptp(np.sort(np.mod(angle + 36, 72))) < 4
    assert np.mean(names[inside & ~twins] == "fcc [110]") > 0.9
    assert names[np.argmin(radius)] not in ("fcc [110]", "hcp [11-20]")


def test_grains_of_graphene_are_told_apart_by_their_rotation():
    cell = library_cell("graphene")
    left, right = field(cell.basis, cell.sites, 30, 0.0), field(cell.basis, cell.sites, 30, np.radians(17))
    places = np.concatenate([left[left[:, 1] < -0.4], right[right[:, 1] > 0.4]])
    names, found = names_of(places)
    inner = np.abs(places).max(axis=1) < 24
    far = inner & (np.abs(places[:, 1]) > 4)
    assert np.mean(names[far] == "graphene") == 1
    apart = np.median(found.rotation[far & (places[:, 1] > 0)]) - np.median(found.rotation[far & (places[:, 1] < 0)])
    assert np.mod(np.degrees(apart), 60) == pytest.approx(17, abs=0.5)
    assert np.mean(names[inner & (np.abs(places[:, 1]) < 1.3)] == "none") > 0.6


def test_what_is_no_crystal_matches_nothing_and_few_columns_are_refused():
    places = np.random.default_rng(0).uniform(0, 100, (800, 2))
    names, _ = names_of(places)
    assert np.mean(names == "none") > 0.99
    setting = Setting(shape=(100, 100), size=(1.0, 1.0))
    with pytest.raises(AtomsegError, match="at least 7 columns"):
        run(measure_templates(Columns(positions=places[:5]), setting))
    some = Columns(positions=np.concatenate([places, [[np.nan, 3.0]]]))
    found = run(measure_templates(some, setting))
    assert found.columns.features["template"].iloc[-1] == ""
    assert sum(found.numbers["templates"].values()) == 800
