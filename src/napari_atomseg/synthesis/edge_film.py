"""A sample film that the plugin draws itself: atoms at the edge of a gold crystal that come, go and hop, with known truth."""

from __future__ import annotations

import numpy as np
import pandas as pd

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.imaging.column_image import render_columns

EDGE_FILM = {"edge-film": "Gold [001], HAADF, 60 frames of an edge whose atoms come, go and hop"}
FRAMES, PIXELS, PIXEL_SIZE, FRAME_TIME, ENERGY, SEED = 60, 160, 0.2, 0.25, 300e3, 33
"""Frames; pixels of a side; Å; s; eV; seed of the film."""
SPACING, EDGE, ROWS = 2.04, 13.0, 2
"""Distance of columns in Å, of the fixed edge from the top in Å, and rows beyond it where atoms come and go."""
SIGMA, HEIGHT, DARK, ATOMS = 0.5, 12.0, 0.6, 2
"""Width of a column in Å, electrons at its top and where there is none, and its atoms."""
FILLED, COMES, GOES, HOPS = (0.6, 0.15), 0.01, 0.015, 0.05
"""Share of each row that is filled at first; probabilities a frame of an empty site, of an atom, and of an atom beside an empty
site."""
DRIFT, WANDERING = (0.03, 0.05), 0.04
"""Drift from frame to frame in Å, along (y, x) and at random."""


def draw_edge_film() -> tuple[Micrograph, Columns]:
    """The film in counted electrons, and the columns that stand in each of its frames.

    Returns
    -------
    micrograph : Micrograph
        Shape (T, Y, X), float32.
    columns : Columns
        True positions, with the number `site` of the place, the same in all frames.
    """
    rng = np.random.default_rng(SEED)
    steps = np.array(DRIFT) + WANDERING * rng.normal(size=(FRAMES - 1, 2))
    drift = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
    sites, row = _sites()
    present = course(sites, row, rng)
    sigma = SIGMA / PIXEL_SIZE
    places = [(sites + one) / PIXEL_SIZE - 0.5 for one in drift]
    volume = HEIGHT * 2 * np.pi * sigma**2
    frames = [
        rng.poisson(DARK + render_columns(at[here], np.full(here.sum(), volume), sigma, (PIXELS, PIXELS)))
        for at, here in zip(places, present, strict=True)
    ]
    micrograph = Micrograph(
        data=np.array(frames, np.float32),
        pixel_size=(PIXEL_SIZE, PIXEL_SIZE),
        pixel_size_source="the simulation",
        name="edge-film",
        modality="haadf",
        energy=ENERGY,
        frame_time_s=FRAME_TIME,
        notes=("simulated: drawn by the plugin, not recorded",),
    )
    return micrograph, _true_columns(places, present, micrograph)


def _sites() -> tuple[np.ndarray, np.ndarray]:
    """Places (S, 2) in Å where columns may stand, and the row beyond the edge, from 1; 0 for those that always stand."""
    reach = PIXELS * PIXEL_SIZE
    along = np.arange(-3, int(reach / SPACING) + 3) * SPACING + 0.4
    across = EDGE + np.arange(-ROWS, int((reach - EDGE) / SPACING) + 2) * SPACING
    y, x = np.meshgrid(across, along, indexing="ij")
    beyond = np.clip(np.rint((EDGE - y) / SPACING), 0, None).astype(int)
    return np.column_stack([y.ravel(), x.ravel()]), beyond.ravel()


def course(sites: np.ndarray, row: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Which sites are filled in which frame, of bool, shape (T, S).

    Parameters
    ----------
    sites : ndarray, shape (S, 2), Å
    row : ndarray of int, shape (S,)
        Beyond the edge; sites of row 0 are always filled.
    rng : Generator
    """
    share = np.array([1.0, *FILLED])[row]
    here = rng.random(len(sites)) < share
    frames = [here]
    apart = np.hypot(*(sites[:, None] - sites[None]).transpose(2, 0, 1))
    beside = (apart > 0) & (apart < 1.1 * SPACING)
    for _ in range(FRAMES - 1):
        here = here.copy()
        for site in np.flatnonzero(row > 0):
            room = np.flatnonzero(beside[site] & ~here & (row > 0))
            if here[site] and len(room) and rng.random() < HOPS:
                here[site], here[rng.choice(room)] = False, True
            elif rng.random() < (GOES if here[site] else COMES * share[site]):
                here[site] = not here[site]
        frames.append(here)
    return np.array(frames)


def _true_columns(places: list[np.ndarray], present: np.ndarray, micrograph: Micrograph) -> Columns:
    everywhere = np.concatenate(places)
    inside = np.all((everywhere >= 0) & (everywhere <= PIXELS - 1), axis=1) & present.ravel()
    count = len(places[0])
    sigma = SIGMA / PIXEL_SIZE
    features = pd.DataFrame({"site": np.tile(np.arange(count), len(places))[inside], "intensity": HEIGHT})
    return Columns(
        positions=everywhere[inside],
        frame=np.repeat(np.arange(len(places)), count)[inside],
        features=features.assign(
            element="Au",
            sublattice="Au",
            atom_count=ATOMS,
            occupancy=1.0,
            sigma_px=sigma,
            sigma_minor_px=sigma,
            confidence=1.0,
            origin="imported",
        ),
        pixel_size=micrograph.pixel_size,
        image_shape=micrograph.shape,
        provenance={"image": {"name": micrograph.name}, "pixel_size_source": "the simulation", "model": "truth"},
    )
