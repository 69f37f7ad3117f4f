"""Draw the picture of docs/counting.md: ``python docs/make_counting.py``.

False and missed changes of the number of atoms over five frames, of counts from each frame for itself and of a hidden Markov
model that lets frames speak for each other, against the probability of a change that is asked for.
"""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from make_gallery import saved

from napari_atomseg.analysis.hidden_markov import forward_backward, learn_hopping
from napari_atomseg.analysis.intensities.counting import count_frames
from napari_atomseg.analysis.intensities.params import IntensityParams
from napari_atomseg.core.jobs import run

COLUMNS, FRAMES, MOST, SCATTER, RATE, TRIALS = 117, 5, 12, 0.35, 0.01, 30


def film(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """True counts and cross-sections in steps, (columns, frames)."""
    atoms = rng.integers(1, MOST + 1, (COLUMNS, 1)) * np.ones((1, FRAMES), int)
    for frame in range(1, FRAMES):
        moves = (rng.random(COLUMNS) < RATE) * rng.choice([-1, 1], COLUMNS)
        atoms[:, frame] = np.clip(atoms[:, frame - 1] + moves, 1, MOST)
    return atoms, atoms + SCATTER * rng.normal(size=atoms.shape)


def beliefs(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probability of a change between neighbouring frames: each frame for itself, and together."""
    error = np.full(values.size, SCATTER)
    place, site = np.tile(np.arange(FRAMES), COLUMNS), np.repeat(np.arange(COLUMNS), FRAMES)
    mixture = run(count_frames(values.ravel(), error, place, site, IntensityParams())).mixture
    alone = mixture.probabilities(values.ravel(), error).reshape(COLUMNS, FRAMES, -1)
    emission = -0.5 * ((values[..., None] - mixture.means) / mixture.sigmas) ** 2 - np.log(mixture.sigmas)
    transition, _, _ = learn_hopping(emission, mixture.weights)
    return 1 - (alone[:, 1:] * alone[:, :-1]).sum(axis=2), forward_backward(emission, transition, mixture.weights).changes


def main() -> None:
    """Draw and write."""
    rng = np.random.default_rng(2)
    moved, alone, together = [], [], []
    for _ in range(TRIALS):
        atoms, values = film(rng)
        for kept, found in zip((alone, together), beliefs(values), strict=True):
            kept.append(found.ravel())
        moved.append((np.diff(atoms, axis=1) != 0).ravel())
    true = np.concatenate(moved)
    figure, axes = plt.subplots(figsize=(5.2, 3.4), dpi=110, layout="constrained")
    for found, name, style in ((alone, "each frame for itself", "--"), (together, "frames together (hidden Markov model)", "-")):
        belief = np.concatenate(found)
        levels = np.linspace(0.005, 0.995, 199)
        false = [np.sum((belief > level) & ~true) for level in levels]
        missed = [np.sum((belief <= level) & true) / true.sum() for level in levels]
        axes.semilogy(100 * np.array(missed), np.maximum(false, 0.5), style, label=name)
    axes.set(xlabel="changes missed, %", ylabel=f"false changes in {true.size:,}", xlim=(0, 100))
    axes.legend(frameon=False)
    saved(figure, "counting_frames")


if __name__ == "__main__":
    main()
