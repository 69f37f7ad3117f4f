"""Endless examples for networks that count the atoms of columns: focal series of particles, single images, and class maps.

Example n of a recipe and a seed is always the same, as for :mod:`.examples`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from napari_atomseg.imaging.hrtem import periodic_potential, phase_object
from napari_atomseg.imaging.linear_adf import batch_columns
from napari_atomseg.inference.beam_normalisation import WIDTH, beam_normalised
from napari_atomseg.synthesis.recipe import Recipe, draw_record
from napari_atomseg.synthesis.record import Record
from napari_atomseg.synthesis.render_hrtem import class_maps, foci_of
from napari_atomseg.training.examples import Examples
from napari_atomseg.training.microscopes import CALIBRATION, photographs
from napari_atomseg.training.particle_waves import PERIOD, ParticleWave, particle_wave

COLUMN_LABEL_WIDTH = 0.5
"""Standard deviation of the labels, Angstrom; columns along [110] of gold are 2.5 Å apart."""
FIRST, BATCHES_EACH, PARTICLES = 200, 2, 1500
"""Particles that a run begins with, batches after which one more comes, and the most that a run learns from: drawing one takes as
long as learning from it for a while. Each is shown in eight positions, through lenses without end."""
ALONE = 0.3
"""Share of the examples with a single image, in the middle of the series' places; the others are missing."""
MIDDLE_ALONE = 0.5
"""Share of these with the focus of the middle of a series; the others have one of all of the series' range."""
FARTHEST_ALONE = 200.0
"""Largest defocus, over or under, of a single image, Angstrom."""
EMPHASIS = 8.0
"""What a pixel in the middle of a column has to say, in units of that of the background."""
MISPLACED = 0.08
"""Standard deviation of what registration leaves of the shift between the images of a series, Angstrom along each axis."""
FILM = 0.08
"""Share of the particles that lie on a film of carbon."""
FILMS, FILM_DENSITY, CARBON, CARBON_MOTION = 32, (0.2, 3.0), 6, 0.1
"""Films that are drawn; their range of atoms per square Angstrom, 1 for each 10 Å of thickness; atomic number; its motion."""
DRAWN = 400
"""Records over which foci are averaged."""
ROOM = 4.0
"""Up to so many Angstrom the middle of the particle is off the middle of the image, along each axis."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ParticleExamples(Examples):
    """A batch to learn from; images have shape (B, F, Y, X), targets (B, K + 1, Y, X) with the background last.

    Attributes
    ----------
    heights : tuple of ndarray of int, shape (N,)
        Atoms of the columns at `positions`.
    dose : ndarray, shape (B,), e/A2
        Of all images together.
    alone : ndarray of bool, shape (B,)
        Which examples are single images.
    tilt : ndarray, shape (B,), degrees
        Angle between the zone axis and the beam.
    """

    heights: tuple[np.ndarray, ...]
    dose: np.ndarray
    alone: np.ndarray
    tilt: np.ndarray


def draw_particle_examples(
    recipe: Recipe, seed: int, number: int, batch: int, patch: int, native: float = 0.2
) -> ParticleExamples:
    """Batch `number` of an endless stream.

    Parameters
    ----------
    recipe : Recipe
        Of focal series of particles.
    seed, number : int
    batch : int
        Examples.
    patch : int, px
        Side.
    native : float, Angstrom
        Pixel size of the network.
    """
    rng = np.random.default_rng([seed, number, 0xA70])
    records, alone, drawn = _chosen(recipe, seed, number, batch, patch, rng)
    made = [_placed(one, record, patch, native, rng) for one, record in zip(drawn, records, strict=True)]
    foci = len(foci_of(draw_record(recipe, 0, patch)))
    seen = [_images(wave, record, foci, patch, native, rng) for (wave, _), record in zip(made, records, strict=True)]
    images, corners = [image for image, _ in seen], [corner for _, corner in seen]
    places = [wave.positions - corner for (wave, _), corner in zip(made, corners, strict=True)]
    inside = [np.all((one > -3) & (one < patch + 2), axis=1) for one in places]
    places = [one[which] for one, which in zip(places, inside, strict=True)]
    heights = [wave.heights[which] for (wave, _), which in zip(made, inside, strict=True)]
    columns = batch_columns(
        [torch.from_numpy(one) for one in places], [torch.from_numpy(one) for one in heights], [0.0] * batch, "cpu"
    )
    targets = class_maps(columns, (patch, patch), COLUMN_LABEL_WIDTH / native, recipe.classes)
    return ParticleExamples(
        image=beam_normalised(torch.stack(images), WIDTH / native),
        targets=targets,
        asked=1 + (EMPHASIS - 1) * (1 - targets[:, -1:]),
        positions=tuple(places),
        doubtful=tuple(np.zeros((0, 2)) for _ in places),
        heights=tuple(np.minimum(one, recipe.classes) for one in heights),
        dose=np.array([float(record.dose or 0.0) * len(record.imaging["foci"]) for record in records]),
        alone=alone,
        tilt=np.array([tilt for _, tilt in made]),
    )


def compute_ahead(recipe: Recipe, seed: int, number: int, batch: int, patch: int, native: float = 0.2) -> Iterator[None]:
    """Compute the waves of a batch one after the other, so that drawing it takes no time; stops in between when asked to.

    Parameters
    ----------
    recipe, seed, number, batch, patch, native
        As for :func:`draw_particle_examples`.
    """
    records, _, drawn = _chosen(recipe, seed, number, batch, patch, np.random.default_rng([seed, number, 0xA70]))
    for one, record in zip(drawn, records, strict=True):
        particle_wave(one.specimen, float(record.imaging["lens"]["energy"]), native)
        yield


def _chosen(
    recipe: Recipe, seed: int, number: int, batch: int, patch: int, rng: np.random.Generator
) -> tuple[list[Record], np.ndarray, list[Record]]:
    """Records of the images of a batch, which of them are single ones, and the records of their particles."""
    first = (seed * 2**20 + number) * batch
    records = [draw_record(recipe, (first + row) % 2**62, patch) for row in range(batch)]
    alone = rng.uniform(size=batch) < ALONE
    records = [_single(record, rng) if one else record for record, one in zip(records, alone, strict=True)]
    known = min(PARTICLES, FIRST + number // BATCHES_EACH)
    # A seed has particles of its own, so that those of validation are never learnt from.
    return records, alone, [draw_record(recipe, seed * PARTICLES + int(rng.integers(known)), patch) for _ in records]


def usual_foci(recipe: Recipe) -> tuple[float, ...]:
    """Mean defocus of the images of a recipe's series, against the middle one, to 10 Å.

    Parameters
    ----------
    recipe : Recipe
    """
    foci = np.mean([foci_of(draw_record(recipe, number)) for number in range(DRAWN)], axis=0)
    return tuple(float(round(step, -1)) for step in foci - foci[len(foci) // 2])


def _single(record: Record, rng: np.random.Generator) -> Record:
    """A record of one image, that of the middle of the series or one at any focus."""
    lens = dict(record.imaging["lens"])
    if rng.uniform() > MIDDLE_ALONE:
        lens["defocus"] = float(rng.uniform(-FARTHEST_ALONE, FARTHEST_ALONE))
    return replace(record, imaging={**record.imaging, "lens": lens, "foci": [0.0]})


def _placed(drawn: Record, record: Record, patch: int, native: float, rng: np.random.Generator) -> tuple[ParticleWave, float]:
    """A particle, turned, mirrored, on pixels that are larger or smaller than they are said to be, shifted by parts of one.

    It may lie on a film; and its tilt in degrees.
    """
    energy = float(record.imaging["lens"]["energy"])
    kept = particle_wave(drawn.specimen, energy, native).moved(int(rng.integers(4)), bool(rng.integers(2)))
    side = kept.wave.shape[-1]
    if rng.uniform() < FILM:
        screen = _film(int(rng.integers(FILMS)), side, native, energy)
        screen = torch.roll(screen, (int(rng.integers(side)), int(rng.integers(side))), (0, 1))
        kept = replace(kept, wave=kept.wave * screen)
    shift = rng.uniform(-0.5, 0.5, 2)
    kept = kept.on_pixels(round(side * (1 + rng.uniform(-CALIBRATION, CALIBRATION))))
    tilt = float(np.degrees(np.hypot(drawn.specimen.get("tilt_y", 0.0), drawn.specimen.get("tilt_x", 0.0))))
    return replace(kept, wave=_shifted(kept.wave, shift), positions=kept.positions + shift), tilt


def _shifted(periodic: Tensor, shift: np.ndarray) -> Tensor:
    """A periodic image or wave (Y, X), moved by a shift in px, (y, x)."""
    y, x = (torch.fft.fftfreq(side) * float(step) for side, step in zip(periodic.shape, shift, strict=True))
    moved = torch.fft.ifft2(torch.fft.fft2(periodic) * torch.exp(-2j * torch.pi * (y[:, None] + x)))
    return moved if periodic.is_complex() else moved.real


@lru_cache(maxsize=2 * FILMS)
def _film(number: int, side: int, native: float, energy: float) -> Tensor:
    """Transmission of a film of amorphous carbon, complex64, shape (S, S), periodic: a thin phase object."""
    rng = np.random.default_rng([number, 0xF17])
    count = int(rng.uniform(*FILM_DENSITY) * (side * native) ** 2)
    atoms = batch_columns(
        [torch.from_numpy(rng.uniform(0, side, (count, 2)))], [torch.ones(count)], [CARBON_MOTION / native], "cpu"
    )
    potential = periodic_potential(atoms, torch.full((count,), CARBON), (side, side), native)
    return phase_object(potential - potential.mean(), [energy])[0]


def _images(
    wave: ParticleWave, record: Record, places: int, patch: int, native: float, rng: np.random.Generator
) -> tuple[Tensor, np.ndarray]:
    """Images (F, P, P) of one particle, those that are missing zero, and the first pixel of the field that they show."""
    taken, _ = photographs(wave.wave[None], [record], [PERIOD / wave.wave.shape[-1]], rng)
    side, count = taken.shape[-1], taken.shape[1]
    off = ROOM / native
    corner = np.clip(np.rint((side - patch) / 2 + rng.uniform(-off, off, 2)), 0, side - patch).astype(int)
    strayed = rng.normal(0, MISPLACED / native, (count, 2)) * (np.arange(count) != count // 2)[:, None]
    shown = [_shifted(plane, shift) for plane, shift in zip(taken[0], strayed, strict=True)]
    part = torch.stack(shown)[:, corner[0] : corner[0] + patch, corner[1] : corner[1] + patch]
    if count > 1:
        return part, corner
    images = torch.zeros(places, patch, patch)
    images[places // 2] = part[0]
    return images, corner
