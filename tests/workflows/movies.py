"""A small drawn movie whose truth is known."""

import numpy as np

SIDE, SPACING, SIGMA = 72, 12.0, 2.4


def small_movie(frames=24, dose=1.0, seed=0):
    """Frames (T, Y, X) in counts, sites (S, 2) in frame 0's pixels, presence (S, T), drift (T, 2)."""
    rng = np.random.default_rng(seed)
    cells = np.stack(np.meshgrid(np.arange(4), np.arange(4), indexing="ij"), -1).reshape(-1, 2)
    sites = 17.3 + cells @ (SPACING * np.array([[1, 0.08], [-0.05, 1]]))
    present = np.ones((len(sites), frames), bool)
    present[0, frames // 3 : frames // 2] = False
    present[3, : frames // 2] = False
    present[12, 2 * frames // 3 :] = False
    drift = np.cumsum(rng.normal(0, 0.4, (frames, 2)), axis=0)
    drift -= drift[0]
    heights = np.where((cells == 0).any(axis=1) | (cells == 3).any(axis=1), 10.0, 18.0)
    y, x = np.mgrid[:SIDE, :SIDE]
    drawn = []
    for k in range(frames):
        image = np.full((SIDE, SIDE), 2.0)
        for (a, b), height in zip((sites + drift[k])[present[:, k]], heights[present[:, k]], strict=True):
            image += height * np.exp(-((y - a) ** 2 + (x - b) ** 2) / (2 * SIGMA**2))
        drawn.append(rng.poisson(dose * image))
    return np.array(drawn, np.float32), sites, present, drift
