"""Scan rows are straightened from the menu, as one step that can be undone."""

from dataclasses import replace

import numpy as np
from conftest import add_image

from napari_atomseg.core.columns import Columns
from napari_atomseg.gui.documents.results import show_columns

SIDE, SPACING = 22, 16.0


def shaken_columns(rng, size):
    grid = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij"), -1).reshape(-1, 2) * SPACING + 12
    rows = np.repeat(rng.normal(0, size, (SIDE, 2)), SIDE, axis=0)
    positions = grid + rows + rng.normal(0, 0.05, grid.shape)
    return Columns(positions=positions).with_features(
        sigma_px=2.5, intensity=rng.normal(100, 4, len(grid)), fit="ok", y_std_px=0.05, x_std_px=0.05
    )


def opened(panel, viewer, columns):
    image = add_image(viewer, np.random.default_rng(0).poisson(10, (380, 380)).astype(np.float32))
    session, _ = show_columns(viewer, image, replace(columns, image_shape=(380, 380)))
    panel.documents.watch(session)
    return session


def test_displaced_rows_are_straightened_and_come_back(panel, viewer, idle):
    rng = np.random.default_rng(1)
    session = opened(panel, viewer, shaken_columns(rng, 0.6))
    before = session.columns.positions
    panel.menu.straighten()
    idle(panel)
    after = session.columns
    assert "displaced" in panel.status.text()
    assert np.std(after.positions - before) > 0.2
    shift = after.features[["scan_shift_y_px", "scan_shift_x_px"]].to_numpy()
    assert np.allclose(after.positions + shift, before)
    panel.menu.straighten()
    idle(panel)
    assert "already" in panel.status.text()
    session.undo()
    assert np.array_equal(session.columns.positions, before)


def test_still_rows_and_no_columns_are_said_so(panel, viewer, idle):
    panel.menu.straighten()
    assert "first" in panel.status.text()
    session = opened(panel, viewer, shaken_columns(np.random.default_rng(2), 0.0))
    before = session.columns
    panel.menu.straighten()
    idle(panel)
    assert "no displaced rows" in panel.status.text()
    assert session.columns is before
