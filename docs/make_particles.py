"""Draw the pictures of docs/particles.md: ``python docs/make_particles.py``. Everything in them is simulated by the plugin.

The figure of the scores is drawn by ``python benchmarks/particles.py --own 100 --figures docs/gallery``.
"""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from make_gallery import saved

from napari_atomseg.core.columns import ATOM_COUNT
from napari_atomseg.workflows import draw_sample, locate

MODEL = "hrtem-particles"
FOCI = ("−170 Å", "−40 Å", "90 Å")


def series() -> None:
    """The three images of the sample, and the atoms that are counted in them."""
    image, _ = draw_sample("gold-series")
    found = locate(image, model=MODEL, series=True)
    figure, axes = plt.subplots(1, 4, figsize=(13, 3.6), layout="constrained")
    for axis, plane, focus in zip(axes, image.data, FOCI, strict=False):
        axis.imshow(plane, cmap="gray")
        axis.set_title(focus)
    axes[3].imshow(image.data[1], cmap="gray", alpha=0.5)
    y, x = found.positions.T
    counts = found.features[ATOM_COUNT].to_numpy()
    axes[3].scatter(x, y, s=70, c=counts, cmap="viridis")
    for number, place in zip(counts, found.positions, strict=True):
        axes[3].text(place[1], place[0], f"{number}", ha="center", va="center", fontsize=6, color="w")
    axes[3].set_title("atoms counted")
    for axis in axes:
        axis.axis("off")
    saved(figure, "particles_series")


if __name__ == "__main__":
    series()
