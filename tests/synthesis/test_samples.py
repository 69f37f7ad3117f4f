import numpy as np
import pytest
from scipy.spatial import cKDTree

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.synthesis.samples import SAMPLES, draw_sample
from napari_atomseg.workflows import locate

SCANNED = [name for name in SAMPLES if not name.startswith(("graphene", "gold"))]
SINGLE_SCANS = [name for name in SCANNED if name not in ("fast-scan", "edge-film")]


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_is_a_counted_image_with_true_columns(name):
    micrograph, columns = draw_sample(name)
    assert micrograph.data.dtype == np.float32
    # The camera of a TEM blurs what it counts.
    assert np.array_equal(micrograph.data, np.rint(micrograph.data)) == (name in SCANNED)
    assert micrograph.pixel_size == columns.pixel_size
    assert columns.image_shape == micrograph.shape
    assert len(columns) > (50 if name == "gold-series" else 300)
    assert (columns.positions >= 0).all()
    assert (columns.positions <= np.array(micrograph.shape[-2:]) - 1).all()
    assert {"element", "sublattice", "atom_count", "occupancy"} <= set(columns.features)


@pytest.mark.parametrize("name", SINGLE_SCANS)
def test_columns_are_bright_where_they_are_said_to_be(name):
    micrograph, columns = draw_sample(name)
    y, x = np.rint(columns.positions).astype(int).T
    assert micrograph.data[y, x].mean() > 2 * micrograph.data.mean()
    # Tails of the neighbours and the support add to the height of a column, and nothing takes from it.
    height = columns.features["intensity"].to_numpy()
    assert 1 < micrograph.data[y, x].mean() / height.mean() < 1.8


def test_frames_of_the_series_drift_as_its_columns_do():
    micrograph, columns = draw_sample("fast-scan")
    assert micrograph.frames == 40
    assert micrograph.frame_time_s == 0.08

    def height(frame, columns_of):
        y, x = np.rint(columns.of_frame(columns_of).positions).astype(int).T
        return micrograph.frame(frame)[y, x].mean() / micrograph.frame(frame).mean()

    assert min(height(frame, frame) for frame in (0, 20, 39)) > 1.5
    # The columns of the first frame have left their places.
    assert height(39, 0) < 0.8 * height(39, 39)


def test_atoms_of_the_film_come_go_and_hop_at_the_edge_only():
    micrograph, columns = draw_sample("edge-film")
    frames = columns.features.groupby("site")["sigma_px"].size()
    assert micrograph.frames == 60
    # Sites near the sides of the image leave it with the drift.
    inner = [site for site, rows in columns.features.groupby("site").indices.items() if np.ptp(columns.positions[rows, 1]) < 130]
    assert (frames[inner] == 60).sum() > 100
    assert ((frames[inner] > 3) & (frames[inner] < 50)).sum() > 10
    first, last = (set(columns.of_frame(frame).features["site"]) for frame in (0, 59))
    assert first - last
    assert last - first
    y, x = np.rint(columns.of_frame(59).positions).astype(int).T
    assert micrograph.frame(59)[y, x].mean() > 3 * micrograph.frame(59).mean()


@pytest.mark.parametrize(("name", "sign"), [("graphene-bright", 1), ("graphene-dark", -1)])
def test_atoms_of_graphene_are_bright_or_dark_as_they_are_said_to_be(name, sign):
    micrograph, atoms = draw_sample(name)
    y, x = np.rint(atoms.positions).astype(int).T
    assert sign * (micrograph.data[y, x].mean() / micrograph.data.mean() - 1) > 0.02
    found = locate(micrograph)
    assert found.provenance["model"] == "hrtem-graphene"
    distance, _ = cKDTree(found.positions).query(atoms.positions)
    inside = np.all((atoms.positions > 16) & (atoms.positions < 495), axis=1)
    # Two lengths of a bond are 24 px.
    assert (distance[inside] < 3).mean() > 0.95


def test_columns_at_the_surface_of_a_particle_come_and_go():
    micrograph, columns = draw_sample("gold-film")
    assert micrograph.frames == 24
    there = np.bincount(columns.frame, minlength=24)
    assert 0 < there.max() - there.min() <= 2
    assert np.count_nonzero(np.diff(there)) >= 2
    series, _ = draw_sample("gold-series")
    assert series.shape == (3, *micrograph.shape[1:])
    # A lens moves intensity about and takes none of it.
    assert np.ptp(series.data.mean(axis=(1, 2))) < 0.01 * series.data.mean()


@pytest.mark.parametrize("name", SAMPLES)
def test_same_sample_every_time(name):
    (first, true), (second, again) = draw_sample(name), draw_sample(name)
    assert np.array_equal(first.data, second.data)
    assert np.array_equal(true.positions, again.positions)


def test_unknown_sample():
    with pytest.raises(AtomsegError, match="perovskite, nanoparticle, dumbbells"):
        draw_sample("graphite")
