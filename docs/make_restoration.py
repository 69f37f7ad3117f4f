"""Draw the picture of docs/restoration.md: ``python docs/make_restoration.py``. Its scenes are drawn by the plugin's recipes."""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from make_gallery import saved

from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.synthesis.recipe import draw_record, read_recipe
from napari_atomseg.synthesis.render import render
from napari_atomseg.workflows import RestorationParams, restore

SIDE, SEED = 256, 2**42
KINDS = ("hrstem", "hrtem", "hrsem", "lrstem", "lrtem", "lrsem")


def scene(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A recorded image and its scene."""
    made = render([draw_record(read_recipe(kind), SEED + seed, SIDE)], ("noise_free",))
    return made.image[0, 0].numpy(), made.labels["noise_free"][0, 0].numpy()


def restored() -> None:
    """One image of each kind: recorded, restored, true."""
    figure, rows = plt.subplots(len(KINDS), 3, figsize=(7.5, 15), layout="constrained")
    for row, kind in zip(rows, KINDS, strict=True):
        noisy, true = scene(kind, 3)
        params = RestorationParams(modality=kind)  # type: ignore[arg-type]
        found = np.asarray(restore(Micrograph(data=noisy, name=kind), params=params).data)
        for axes, image, title in zip(row, (noisy, found, true), (kind, "restored", "true"), strict=True):
            axes.imshow(image, cmap="gray", vmin=np.quantile(image, 0.003), vmax=np.quantile(image, 0.997))
            axes.set_title(title, fontsize=9)
            axes.axis("off")
    saved(figure, "restoration")


if __name__ == "__main__":
    restored()
