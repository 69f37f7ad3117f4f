"""Draw the pictures of docs/hrtem.md: ``python docs/make_hrtem.py``. Everything in them is simulated by the plugin."""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from make_gallery import saved

from napari_atomseg.core.jobs import run
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.imaging.hrtem import image_waves, periodic_potential, phase_object
from napari_atomseg.imaging.linear_adf import batch_columns
from napari_atomseg.inference.detection.structures import recognised
from napari_atomseg.inference.params import NetworkParams
from napari_atomseg.inference.predict import predict
from napari_atomseg.networks.zoo import load_model
from napari_atomseg.optics.ctf import CtfParams
from napari_atomseg.specimens.defected_graphene import DefectedGrapheneParams, defected_graphene
from napari_atomseg.synthesis.recipe import read_recipe
from napari_atomseg.training.structure_examples import draw_structure_examples
from napari_atomseg.workflows import locate, measure

MODEL = "hrtem-graphene"
SIDE, SIZE = 300, 0.13
COLOURS = {5: "tab:blue", 6: "0.6", 7: "tab:orange", 8: "tab:red"}


def scene(defocus: float, dose: float = 12000.0) -> Micrograph:
    """Defected graphene with an edge at 80 kV, its atoms bright or dark."""
    rng = np.random.default_rng(12)
    params = DefectedGrapheneParams(vacancies=2, divacancies=1, rotations=3, holes=1, hole_radius=5, periodic=True)
    atoms = defected_graphene((SIDE * SIZE, SIDE * SIZE), params, rng).positions
    batch = batch_columns([torch.from_numpy(atoms / SIZE)], [torch.ones(len(atoms))], [0.08 / SIZE], "cpu")
    wave = phase_object(periodic_potential(batch, torch.full((len(atoms),), 6), (SIDE, SIDE), SIZE), [80e3])
    lens = CtfParams(energy=80e3, defocus=defocus, Cs=-1e5, focal_spread=30, astigmatism=8)
    clean = image_waves(wave, [lens], SIZE)[0, 0].numpy()
    counts = rng.poisson(clean * dose * SIZE**2).astype(np.float32)
    return Micrograph(data=counts, pixel_size=(SIZE, SIZE), pixel_size_source="simulated", name="graphene", modality="hrtem")


def contrasts() -> None:
    """Bright and dark atoms, found alike, and the polygons between them."""
    figure, rows = plt.subplots(2, 2, figsize=(11, 11), layout="constrained")
    for axes, defocus in zip(rows, (-75.0, 40.0), strict=True):
        image = scene(defocus)
        found = measure(image, locate(image, model=MODEL))
        for axis in axes:
            axis.imshow(image.data, cmap="gray")
            axis.axis("off")
        y, x = found.columns.positions.T
        axes[1].scatter(x, y, s=4, c="yellow")
        for ring in found.tables["rings"].itertuples():
            corners = found.columns.positions[[int(one) for one in ring.atoms.split()]]
            if ring.size != 6:
                axes[1].fill(corners[:, 1], corners[:, 0], alpha=0.5, color=COLOURS.get(ring.size, "tab:purple"))
        counts = ", ".join(f"{found.numbers[f'rings_of_{size}']} of {size}" for size in COLOURS)
        axes[0].set_title(f"defocus {defocus:g} Å", fontsize=9)
        axes[1].set_title(f"{len(found.columns)} atoms; rings: {counts}", fontsize=9)
    saved(figure, "hrtem_contrasts")


def interpretation() -> None:
    """Image, background map, segments, and what is kept of them."""
    image, model = scene(40.0, 6000.0), load_model(MODEL)
    prediction = run(predict(model, image.data, image.pixel_size))
    found = recognised(prediction, model.card, NetworkParams())
    part = (slice(40, 130), slice(40, 130))
    shuffled = np.random.default_rng(0).permutation(found.segments.max() + 1)
    colours = np.where(found.segments > 0, shuffled[found.segments] % 19 + 1, 0)
    figure, axes = plt.subplots(1, 4, figsize=(16, 4.2), layout="constrained")
    shown = (
        (prediction.image, "gray", "locally normalised image"),
        (prediction.maps["background"], "gray", "probability of the background"),
        (colours, "tab20", "segments"),
        (prediction.maps["structure"], "gray", "probability of an atom, and atoms"),
    )
    for axis, (values, colour, title) in zip(axes, shown, strict=True):
        axis.imshow(values[part], cmap=colour)
        axis.set_title(title, fontsize=9)
        axis.axis("off")
    y, x = found.positions.T - 40
    inside = (y > 0) & (y < 89) & (x > 0) & (x < 89)
    axes[3].scatter(x[inside], y[inside], s=6, c="red")
    saved(figure, "hrtem_interpretation")


def examples() -> None:
    """What the network learns from."""
    drawn = draw_structure_examples(read_recipe(MODEL), 0, 1, 6, 160)
    figure, rows = plt.subplots(2, 6, figsize=(15, 5.2), layout="constrained")
    for column in range(6):
        rows[0, column].imshow(drawn.image[column, 0], cmap="gray")
        rows[0, column].set_title(f"an atom's signal to noise: {drawn.snr[column]:.1f}", fontsize=8)
        rows[1, column].imshow(drawn.targets[column, 0] * drawn.asked[column, 0], cmap="gray")
        for row in (0, 1):
            rows[row, column].axis("off")
    saved(figure, "hrtem_examples")


if __name__ == "__main__":
    torch.set_num_threads(1)
    contrasts()
    interpretation()
    examples()
