"""Samples of a gold particle in a TEM, drawn by the plugin: a focal series, and a film of adatoms that come and go."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.specimens.nanoparticles import ParticleParams, particle_with_columns
from napari_atomseg.specimens.projection import Projection

SERIES, FILM = "gold-series", "gold-film"
PARTICLE_SAMPLES = {
    SERIES: "Gold particle [110], HRTEM at 300 kV, focal series of three: atoms to be counted",
    FILM: "Gold particle [110], HRTEM at 300 kV, 24 frames at 310 e/Å²: columns at the surface come and go",
}
FIELD, PIXEL_SIZE, ENERGY, SEED = 30.0, 0.12, 300e3, 4
"""Å, Å, eV; the seed of the particle and of the electrons."""
PARTICLE = ParticleParams(radius=8.0, adatoms=0.15, temperature=0.4, tilt_y=0.004, turn=0.35)
FOCI = (-170.0, -40.0, 90.0)
"""Å, positive for underfocus; those of Madsen et al., Adv. Theory Simul. 1 (2018) 1800037, section 4."""
DOSE, FILM_DOSE, FILM_DEFOCUS = 1e4, 310.0, -100.0
"""Of each image of the series and of the film, e/Å2; Å."""
FRAMES, FRAME_TIME = 24, 0.4
"""Of the film, and s between them."""
RESTLESS, LEAST_ATOMS, CHANCE = 2, 2, 0.15
"""Columns that come and go, their atoms at least, and their chance to do so at each frame."""
CS, FOCAL_SPREAD = -1.5e5, 28.0
"""Å."""


def draw_particle(name: str) -> tuple[Micrograph, Columns]:
    """A sample in counted electrons, and its columns with their atoms; those of the film in every frame.

    Parameters
    ----------
    name : str
        One of :data:`PARTICLE_SAMPLES`.

    Returns
    -------
    micrograph : Micrograph
        Shape (F, Y, X), float32.
    columns : Columns
        Of the series in frame 0.
    """
    rng = np.random.default_rng([SEED, 1])
    atoms, column, present, planes = _scene(name)
    series = name == SERIES
    dose = DOSE if series else FILM_DOSE
    micrograph = Micrograph(
        data=_recorded(planes, dose, rng),
        pixel_size=(PIXEL_SIZE, PIXEL_SIZE),
        pixel_size_source="the simulation",
        name=name,
        modality="hrtem",
        energy=ENERGY,
        dose=dose,
        frame_time_s=None if series else FRAME_TIME,
        notes=("simulated: drawn by the plugin, not recorded",),
    )
    return micrograph, _true_columns(atoms, column, present, micrograph)


@lru_cache(maxsize=2)
def _scene(name: str) -> tuple[Projection, np.ndarray, np.ndarray, np.ndarray]:
    """Atoms, the column of each, which columns are there in which frame, and the images of the beam, not yet counted."""
    rng = np.random.default_rng(SEED)
    atoms, column = particle_with_columns(PARTICLE, (FIELD, FIELD), rng)
    if name == SERIES:
        present = np.ones((1, int(column.max()) + 1), bool)
        return atoms, column, present, _planes(atoms, column, present, FOCI)
    present = _presence(atoms, column, rng)
    return atoms, column, present, _planes(atoms, column, present, (FILM_DEFOCUS,))


def _presence(atoms: Projection, column: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Which columns are there in which frame, shape (T, N): a few low ones far out come and go."""
    count = np.bincount(column)
    off = np.hypot(*(_centres(atoms, column) - FIELD / 2).T)
    chosen = np.argsort(np.where((count >= LEAST_ATOMS) & (count <= LEAST_ATOMS + 1), -off, 0))[:RESTLESS]
    present = np.ones((FRAMES, len(count)), bool)
    for one in chosen:
        present[:, one] = np.cumsum(rng.uniform(size=FRAMES) < CHANCE) % 2 == 0
    return present


def _planes(atoms: Projection, column: np.ndarray, present: np.ndarray, foci: tuple[float, ...]) -> np.ndarray:
    """Intensity in parts of the beam, one plane for each focus of each frame, shape (F, Y, X)."""
    # Imported late, because torch takes seconds to load.
    import torch

    from napari_atomseg.imaging.hrtem import image_focal_series
    from napari_atomseg.imaging.sliced_wave import sliced_wave
    from napari_atomseg.optics.ctf import CtfParams

    states, which = np.unique(present, axis=0, return_inverse=True)
    lens = CtfParams(energy=ENERGY, Cs=CS, focal_spread=FOCAL_SPREAD)
    found = []
    for state in states:
        wave = sliced_wave(atoms.select(state[column]), ENERGY, PIXEL_SIZE)
        found.append(image_focal_series(wave[None], [lens], foci, PIXEL_SIZE)[0])
    return torch.cat([found[one] for one in np.ravel(which)]).numpy()


def _recorded(planes: np.ndarray, dose: float, rng: np.random.Generator) -> np.ndarray:
    """Counted electrons behind a camera, float32, of the shape of the planes."""
    import torch

    from napari_atomseg.optics.detector import MtfParams, apply_mtf

    counts = torch.from_numpy(rng.poisson(np.clip(planes, 0, None) * dose * PIXEL_SIZE**2)).float()
    camera = MtfParams(model="rational", floor=0.05, knee=0.4, steepness=2.5)
    return apply_mtf(counts[:, None], [camera] * len(counts))[:, 0].numpy().astype(np.float32)


def _centres(atoms: Projection, column: np.ndarray) -> np.ndarray:
    """Means of the atoms of every column, shape (N, 2), Å."""
    number = np.bincount(column)
    return np.stack([np.bincount(column, atoms.positions[:, axis]) / number for axis in (0, 1)], axis=1)


def _true_columns(atoms: Projection, column: np.ndarray, present: np.ndarray, micrograph: Micrograph) -> Columns:
    frame, which = np.nonzero(present)
    number = len(which)
    columns = Columns(
        positions=_centres(atoms, column)[which] / PIXEL_SIZE,
        frame=frame,
        pixel_size=micrograph.pixel_size,
        image_shape=micrograph.shape,
        provenance={"image": {"name": micrograph.name}, "pixel_size_source": "the simulation", "model": "truth"},
    )
    return columns.with_features(
        confidence=np.ones(number),
        origin=np.full(number, "imported"),
        element=np.full(number, "Au"),
        sublattice=np.zeros(number, int),
        atom_count=np.bincount(column)[which],
        occupancy=np.ones(number),
    )
