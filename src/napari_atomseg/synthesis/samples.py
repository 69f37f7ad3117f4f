"""Sample micrographs that the plugin draws itself, each with its true columns; the same every time.

Made to try the plugin on, and drawn in a fraction of a second; not meant for comparison with experiment, and not for
training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.core.quantities import Angstrom
from napari_atomseg.imaging.column_image import render_cloud, render_columns
from napari_atomseg.specimens.scenes import Scene, dumbbells, nanoparticle, perovskite
from napari_atomseg.synthesis.edge_film import EDGE_FILM, draw_edge_film
from napari_atomseg.synthesis.graphene_samples import GRAPHENE_SAMPLES, draw_graphene
from napari_atomseg.synthesis.particle_samples import PARTICLE_SAMPLES, draw_particle
from napari_atomseg.synthesis.series_samples import SERIES_SAMPLES, draw_series

SAMPLES = {
    "perovskite": "SrTiO3 [001], HAADF, with vacancies",
    "nanoparticle": "Platinum particle [110] at the edge of a carbon film, HAADF",
    "dumbbells": "Silicon [110], HAADF, 1.36 Å dumbbells with row jitter",
    **GRAPHENE_SAMPLES,
    **PARTICLE_SAMPLES,
    **SERIES_SAMPLES,
    **EDGE_FILM,
}
"""Name and title of every sample."""

_FWHM_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))
_TAIL_SHARE, _TAIL_WIDTH = 0.22, 2.6
"""Part of a column's intensity in the wide tail, and how much wider that is than the core."""


@dataclass(frozen=True, kw_only=True)
class _Setting:
    """How one sample is recorded in a STEM.

    Lengths are in Angstrom: `pixel_size`, `fwhm` of a column (probe, source and thermal motion together) and the rms
    `jitter`, which is correlated over `correlation` lines. The `brightest` column sends that fraction of the electrons
    at its centre to the detector; `dark` is the fraction that reaches it without a specimen. `dose` is in e/A2, `energy` in eV.
    """

    scene: Callable[[Angstrom, np.random.Generator], Scene]
    seed: int
    pixels: int
    pixel_size: float
    fwhm: float
    jitter: float
    correlation: float
    brightest: float
    dark: float
    dose: float
    energy: float


_SETTINGS = {
    "perovskite": _Setting(
        scene=perovskite, seed=11, pixels=1024, pixel_size=0.1, fwhm=1.05, jitter=0.05, correlation=4,
        brightest=0.16, dark=0.002, dose=6e4, energy=300e3,
    ),
    "nanoparticle": _Setting(
        scene=nanoparticle, seed=12, pixels=768, pixel_size=0.11, fwhm=1.10, jitter=0.05, correlation=3,
        brightest=0.15, dark=0.001, dose=5e4, energy=200e3,
    ),
    "dumbbells": _Setting(
        scene=dumbbells, seed=13, pixels=512, pixel_size=0.0977, fwhm=0.95, jitter=0.10, correlation=2,
        brightest=0.06, dark=0.002, dose=8e4, energy=200e3,
    ),
}  # fmt: skip


def draw_sample(name: str) -> tuple[Micrograph, Columns]:
    """A sample image in counted electrons, and the columns that it was made from.

    Parameters
    ----------
    name : str
        One of :data:`SAMPLES`.

    Returns
    -------
    micrograph : Micrograph
        Shape (Y, X), of a series (T, Y, X), float32.
    columns : Columns
        The true positions of all columns whose centre lies in the image, with `intensity` (expected electrons per
        pixel at the top of the column; of a STEM only), `element`, `sublattice`, `atom_count` and `occupancy`.

    Raises
    ------
    AtomsegError
        If there is no such sample.
    """
    if name not in SAMPLES:
        raise AtomsegError(f'there is no sample "{name}"; choose one of {", ".join(SAMPLES)}')
    if name in GRAPHENE_SAMPLES:
        return draw_graphene(name)
    if name in PARTICLE_SAMPLES:
        return draw_particle(name)
    if name in SERIES_SAMPLES:
        return draw_series(name)
    if name in EDGE_FILM:
        return draw_edge_film()
    setting = _SETTINGS[name]
    rng = np.random.default_rng(setting.seed)
    scene = setting.scene(setting.pixels * setting.pixel_size, rng)
    shape = (setting.pixels, setting.pixels)
    heights, expected = _expose(scene, setting, shape)
    micrograph = Micrograph(
        data=_record(expected, setting, rng),
        pixel_size=(setting.pixel_size, setting.pixel_size),
        pixel_size_source="the simulation",
        name=name,
        modality="haadf",
        energy=setting.energy,
        dose=setting.dose,
        notes=("simulated: drawn by the plugin, not recorded",),
    )
    return micrograph, _true_columns(scene, heights, setting, micrograph)


def _expose(scene: Scene, setting: _Setting, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Expected height of every column, shape (N,), and electrons of every pixel, shape (Y, X)."""
    from napari_atomseg.noise.counting import electrons_per_pixel

    positions = _pixels(scene.positions, setting)
    sigma = setting.fwhm / _FWHM_PER_SIGMA / setting.pixel_size
    beam = electrons_per_pixel(setting.dose, setting.pixel_size)
    core = render_columns(positions, (1 - _TAIL_SHARE) * scene.scattering, sigma, shape)
    tail = render_columns(positions, _TAIL_SHARE * scene.scattering, _TAIL_WIDTH * sigma, shape)
    columns = core + tail
    scale = beam * setting.brightest / columns.max()
    expected = scale * columns + beam * setting.dark
    if len(scene.support):
        expected += scale * render_cloud(_pixels(scene.support, setting), scene.support_scattering, sigma, shape)
    return scale * (1 - _TAIL_SHARE) * scene.scattering / (2 * np.pi * sigma**2), expected


def _record(expected: np.ndarray, setting: _Setting, rng: np.random.Generator) -> np.ndarray:
    """Counted electrons of jittered lines, shape (Y, X), from the expected electrons."""
    # Imported late, because torch takes seconds to load.
    import torch

    from napari_atomseg.noise.compose import apply
    from napari_atomseg.noise.counting import CountingParams
    from napari_atomseg.noise.scan_jitter import ScanJitterParams

    phi = float(np.exp(-1 / setting.correlation))
    sigma = setting.jitter / setting.pixel_size * float(np.sqrt(1 - phi**2))
    jitter_seed, counting_seed = rng.integers(2**63, size=2).tolist()
    image = torch.from_numpy(expected.astype(np.float32))[None, None]
    steps = [
        ("scan_jitter", ScanJitterParams(sigma_x=sigma, phi_x=phi), jitter_seed),
        ("counting", CountingParams(dose_scale=1.0), counting_seed),
    ]
    return apply(image, [steps])[0, 0].numpy()


def _pixels(positions: np.ndarray, setting: _Setting) -> np.ndarray:
    """Positions in px; the corner of the field of view is the corner of the first pixel, half a pixel off its centre."""
    return positions / setting.pixel_size - 0.5


def _true_columns(scene: Scene, heights: np.ndarray, setting: _Setting, micrograph: Micrograph) -> Columns:
    positions = _pixels(scene.positions, setting)
    sigma = setting.fwhm / _FWHM_PER_SIGMA / setting.pixel_size
    columns = Columns(
        positions=positions,
        features=scene.table.assign(intensity=heights, sigma_px=sigma, sigma_minor_px=sigma, confidence=1.0, origin="imported"),
        pixel_size=micrograph.pixel_size,
        image_shape=micrograph.shape,
        provenance={"image": {"name": micrograph.name}, "pixel_size_source": "the simulation", "model": "truth"},
    )
    return columns.select(np.all((positions >= 0) & (positions <= setting.pixels - 1), axis=1))
