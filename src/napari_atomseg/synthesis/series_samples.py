"""A sample series that the plugin draws itself: fast frames of a perovskite, with drift and jitter of their lines."""

from __future__ import annotations

import numpy as np

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.imaging.column_image import render_columns
from napari_atomseg.specimens.scenes import Scene, perovskite

SERIES_SAMPLES = {"fast-scan": "SrTiO3 [001], HAADF, 40 fast frames with drift and jitter"}
FRAMES, PIXELS, PIXEL_SIZE, FRAME_TIME, ENERGY, SEED = 40, 192, 0.2, 0.08, 300e3, 21
"""Frames; pixels of a side; Å; s; eV; seed of the crystal, its drift and the electrons."""
SIGMA, BRIGHTEST, DARK = 0.5, 30.0, 1.0
"""Width of a column in Å, electrons at the top of the brightest one, and where there is none."""
STEADY, WANDERING, JITTER, CORRELATION = (0.06, -0.04), 0.06, 0.10, 3.0
"""Drift from frame to frame in Å, along (y, x) and at random; rms jitter of the lines in Å, and over how many lines it lasts."""


def draw_series(name: str) -> tuple[Micrograph, Columns]:
    """The sample series in counted electrons, and its columns in every frame.

    Parameters
    ----------
    name : str
        One of :data:`SERIES_SAMPLES`.

    Returns
    -------
    micrograph : Micrograph
        Shape (T, Y, X), float32.
    columns : Columns
        The true positions of all columns in each frame, without the jitter of its lines.
    """
    rng = np.random.default_rng(SEED)
    steps = np.array(STEADY) + WANDERING * rng.normal(size=(FRAMES - 1, 2))
    drift = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
    margin = float(np.abs(drift).max()) + 5
    scene = perovskite(PIXELS * PIXEL_SIZE + 2 * margin, rng)
    places = [(scene.positions - margin + one) / PIXEL_SIZE - 0.5 for one in drift]
    micrograph = Micrograph(
        data=_recorded(np.array([_expected(scene, one) for one in places], np.float32), rng),
        pixel_size=(PIXEL_SIZE, PIXEL_SIZE),
        pixel_size_source="the simulation",
        name=name,
        modality="haadf",
        energy=ENERGY,
        frame_time_s=FRAME_TIME,
        notes=("simulated: drawn by the plugin, not recorded",),
    )
    return micrograph, _true_columns(scene, places, micrograph)


def _expected(scene: Scene, places: np.ndarray) -> np.ndarray:
    """Electrons expected in each pixel, shape (Y, X)."""
    sigma = SIGMA / PIXEL_SIZE
    heights = BRIGHTEST * scene.scattering / scene.scattering.max()
    return DARK + render_columns(places, heights * 2 * np.pi * sigma**2, sigma, (PIXELS, PIXELS))


def _recorded(expected: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Counted electrons of jittered lines, shape (T, Y, X)."""
    # Imported late, because torch takes seconds to load.
    import torch

    from napari_atomseg.noise.compose import apply
    from napari_atomseg.noise.counting import CountingParams
    from napari_atomseg.noise.scan_jitter import ScanJitterParams

    phi = float(np.exp(-1 / CORRELATION))
    jitter = ScanJitterParams(sigma_x=JITTER / PIXEL_SIZE * float(np.sqrt(1 - phi**2)), phi_x=phi)
    seeds = rng.integers(2**63, size=(len(expected), 2)).tolist()
    steps = [[("scan_jitter", jitter, one), ("counting", CountingParams(dose_scale=1.0), two)] for one, two in seeds]
    return np.asarray(apply(torch.from_numpy(expected)[:, None], steps)[:, 0].numpy())


def _true_columns(scene: Scene, places: list[np.ndarray], micrograph: Micrograph) -> Columns:
    everywhere = np.concatenate(places)
    inside = np.all((everywhere >= 0) & (everywhere <= PIXELS - 1), axis=1)
    rows = np.tile(np.arange(len(scene.positions)), len(places))[inside]
    sigma = SIGMA / PIXEL_SIZE
    return Columns(
        positions=everywhere[inside],
        frame=np.repeat(np.arange(len(places)), len(scene.positions))[inside],
        features=scene.table.iloc[rows].assign(sigma_px=sigma, sigma_minor_px=sigma, confidence=1.0, origin="imported"),
        pixel_size=micrograph.pixel_size,
        image_shape=micrograph.shape,
        provenance={"image": {"name": micrograph.name}, "pixel_size_source": "the simulation", "model": "truth"},
    )
