"""Imposed octahedral tilts come back in every cell within their errors; what no octahedra are has none."""

import numpy as np
import pandas as pd
import pytest

from napari_atomseg.analysis.lattice_measurement import measure_lattices
from napari_atomseg.analysis.measurement import Setting
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.jobs import run

A, PX, CELLS = 3.9, 0.1, 10


def perovskite(tilt=0.0, noise=0.02, seed=0, turn=0.1, antiphase=False, anions=True):
    """Columns along [001] with a tilt in degrees, in phase along the beam or not, and the tilt about each column."""
    rng = np.random.default_rng(seed)
    cells = np.stack(np.mgrid[:CELLS, :CELLS], -1).reshape(-1, 2)
    sign = (-1.0) ** cells.sum(axis=1)
    # Of layers turned in opposite senses only the mean place of a column is seen.
    shift = 0 * sign if antiphase else sign * np.tan(np.radians(tilt)) * A / 2
    centre = (cells + 0.5) * A
    right = centre + np.stack([shift, 0 * sign + A / 2], axis=1)
    below = centre + np.stack([0 * sign + A / 2, -shift], axis=1)
    parts = [cells * A, centre, right, below] if anions else [cells * A, centre]
    places, kind = np.concatenate(parts), np.repeat(range(len(parts)), len(cells))
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    places = places @ matrix.T
    places += 8 - places.min(axis=0) + rng.normal(0, noise, places.shape)
    height = np.array([1, 0.7, 0.3, 0.3])[kind] * (1 + 0.03 * rng.normal(size=len(kind)))
    features = pd.DataFrame({"intensity": height, "y_std_px": noise / PX, "x_std_px": noise / PX})
    truth = np.full(len(kind), np.nan)
    truth[kind == 1] = 0 if antiphase else tilt * sign
    return Columns(positions=places / PX, features=features, pixel_size=(PX, PX)), truth


def measured(columns):
    found = run(measure_lattices(columns, Setting(shape=(600, 600), size=(PX, PX), asked=("cells",))))
    return found, found.numbers["lattices"][0]


@pytest.mark.parametrize("tilt", [2.0, 5.0, 12.0])
def test_tilts_that_alternate_from_cell_to_cell_come_back_within_their_errors(tilt):
    pulls, alternating = [], []
    for seed in range(12):
        columns, truth = perovskite(tilt, seed=seed)
        found, numbers = measured(columns)
        table = found.columns.features
        pulls.append(((table["tilt_deg"] - truth) / table["tilt_deg_std"]).to_numpy())
        assert np.isfinite(pulls[-1][np.isfinite(truth)]).mean() > 0.8
        octahedra = numbers["octahedra"]
        alternating.append((octahedra["tilt_alternating_deg"] - tilt) / octahedra["tilt_alternating_deg_std"])
    pulls = np.concatenate(pulls)
    assert np.mean(np.abs(pulls[np.isfinite(pulls)]) < 1) == pytest.approx(0.68, abs=0.05)
    assert 0.5 < np.sqrt(np.mean(np.square(alternating))) < 1.6


def test_each_cell_has_the_tilt_of_its_octahedron_with_alternating_sign():
    columns, _ = perovskite(2.0)
    cells = measured(columns)[0].tables["cells"]
    known = cells[cells["tilt_deg"].notna()]
    assert len(known) > 60
    parity = 1 - 2 * ((known["site_u"] + known["site_v"]) % 2)
    assert abs(np.mean(parity * known["tilt_deg"])) == pytest.approx(2.0, abs=0.2)


def test_antiphase_tilts_leave_the_centres_of_columns_and_are_not_seen():
    columns, _ = perovskite(8.0, antiphase=True)
    octahedra = measured(columns)[1]["octahedra"]
    assert octahedra["tilt_alternating_deg"] < 3 * octahedra["tilt_alternating_deg_std"]


def test_a_turned_lattice_is_no_tilt_and_without_anions_there_is_none():
    octahedra = measured(perovskite(0.0, turn=0.3)[0])[1]["octahedra"]
    assert abs(octahedra["tilt_mean_deg"]) < 0.2
    found, numbers = measured(perovskite(anions=False)[0])
    assert "octahedra" not in numbers
    assert found.tables["cells"]["tilt_deg"].isna().all()
