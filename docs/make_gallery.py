"""Draw the pictures of docs/synthesis.md: ``python docs/make_gallery.py``. Everything in them is simulated by the plugin."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from scipy.spatial import Voronoi

from napari_atomseg.noise.compose import EFFECTS
from napari_atomseg.specimens.graphene import GrapheneParams, graphene_like, poisson_disc
from napari_atomseg.specimens.library import ENTRIES
from napari_atomseg.specimens.nanoparticles import ParticleParams, particle
from napari_atomseg.specimens.projection import columns_of
from napari_atomseg.synthesis.recipe import draw_record, presets, read_recipe, recipe_from
from napari_atomseg.synthesis.render import LABELS, render

FOLDER = Path(__file__).parent / "gallery"
PROBE = {"energy": 200000, "semiangle": 25.0, "source_size": 0.8}
ALONE = {
    "scan_jitter": {"sigma_x": 0.35, "sigma_y": 0.25, "phi_x": 0.6, "phi_y": 0.6},
    "line_noise": {"sigma": 0.25, "frequency": 0.05},
    "counting": {"dose_scale": 0.1},
    "scintillator": {"dose_scale": 0.1},
    "fast_scan": {"alpha": 25.0, "beta": 4.0, "gamma": 9.0},
    "row_line": {"lines": 12, "longest": 60.0},
    "fixed_pattern": {"sigma": 0.1},
    "dark_current": {"mean": 25.0, "sigma": 8.0, "hot": 0.005},
    "thermal": {"sigma": 15.0},
    "flicker": {"sigma": 15.0},
    "row_reset": {"sigma": 12.0},
    "black_pixels": {"points": 8, "steps": 12},
    "zingers": {"points": 8, "steps": 6, "factor": 2.0},
    "clipping": {"upper": 60.0},
    "quantisation": {"gain": 20.0},
    "blur": {"sigma": 2.0},
}
"""Strengths for the eye; the recipes' are smaller."""


def saved(figure: plt.Figure, name: str) -> None:
    """Write a figure in 256 greys, or in 256 colours if it has any."""
    FOLDER.mkdir(exist_ok=True)
    figure.savefig(FOLDER / f"{name}.png", dpi=80)
    plt.close(figure)
    small(FOLDER / f"{name}.png")


def small(path: Path) -> None:
    """Write a picture again with one byte for each pixel."""
    picture = Image.open(path).convert("RGB")
    red, green, blue = (np.asarray(plane, dtype=int) for plane in picture.split())
    grey = max(np.abs(red - green).max(), np.abs(red - blue).max()) == 0
    (picture.convert("L") if grey else picture.quantize(256)).save(path, optimize=True)


def tiles(pictures: list[tuple[str, np.ndarray]], name: str, across: int, cmap: str = "gray") -> None:
    """One picture of many, each with its title."""
    down = -(-len(pictures) // across)
    figure, axes = plt.subplots(down, across, figsize=(2.1 * across, 2.45 * down), squeeze=False)
    for axis in axes.ravel():
        axis.axis("off")
    for axis, (title, picture) in zip(axes.ravel(), pictures, strict=False):
        axis.imshow(picture, cmap=cmap, interpolation="nearest")
        axis.set_title(title, fontsize=8)
    figure.tight_layout(pad=1.0)
    saved(figure, name)


def plain(specimen: dict, **change: object) -> dict:
    """A recipe of one specimen without any chance in the imaging."""
    return {
        "name": "plain",
        "image": {"size": 128, "pixel_size": 0.16},
        "specimens": [specimen],
        "imaging": {"exponent": 1.7, "probe": PROBE},
        "peak": 100,
        **change,
    }


def library() -> None:
    """Every crystal along every zone axis."""
    pictures = []
    for name, entry in ENTRIES.items():
        for zone in entry.zones:
            recipe = plain({"kind": "crystal", "name": name, "zone": list(zone), "thickness": 40.0, "turn": 0.1})
            image = render([draw_record(recipe_from(recipe, name), 1)], ()).image
            pictures.append((f"{name} [{''.join(map(str, zone))}]", image[0, 0].numpy()))
    tiles(pictures, "library", 6)


def noise() -> None:
    """Every effect alone on one and the same scene."""
    specimen = {"kind": "crystal", "name": "SrTiO3", "zone": [0, 0, 1], "thickness": 60.0, "turn": 0.1}
    scene = [{"pedestal": {"height": 0.2}}]
    pictures = []
    for name in ["none", *(name for name in EFFECTS if name in ALONE)]:
        steps = [] if name == "none" else [{name: ALONE[name]}]
        record = draw_record(recipe_from(plain(specimen, scene=scene, noise=steps), name), 5)
        pictures.append((name.replace("_", " "), render([record], ()).image[0, 0].numpy()))
    tiles(pictures, "noise", 6)


def labels() -> None:
    """An image and its labels, as Fig. 3 of Lin et al."""
    batch = render([draw_record(read_recipe("temimagenet"), 9, 160)])
    pictures = [("image", batch.image[0, 0].numpy())]
    pictures += [(name.replace("_", " "), batch.labels[name][0, 0].numpy()) for name in LABELS]
    tiles(pictures, "labels", 7)


def recipes() -> None:
    """Random images of each recipe."""
    for name in presets():
        recipe = read_recipe(name)
        pictures = []
        for seed in range(24):
            record = draw_record(recipe, seed, 128)
            amount = record.amount.replace(" electrons in the brightest pixel", " e").replace(" electrons a pixel", " e/px")
            kind = record.specimen.get("name", record.specimen["kind"]).replace("low_resolution", "scene")
            title = f"{kind}, {record.pixel_size:.2f} Å/px, {amount}"
            pictures.append((title.replace("_", " "), render([record], ()).image[0, 0].numpy()))
        tiles(pictures, f"recipe_{name}", 8)


def structures() -> None:
    """How sheets and particles come about, as Fig. 4 and 8 of Madsen et al."""
    figure, axes = plt.subplots(2, 4, figsize=(10, 5.2))
    field = (30.0, 30.0)
    seeds = poisson_disc(field, 1.85, np.random.default_rng(2))
    axes[0, 0].scatter(*seeds.T, s=6, c="0.4")
    axes[0, 1].scatter(*Voronoi(seeds).vertices.T, s=6)
    for axis, holes, title in ((axes[0, 2], 0, "relaxed"), (axes[0, 3], 2, "with holes")):
        sheet = graphene_like(field, GrapheneParams(holes=holes, hole_radius=4.0), np.random.default_rng(2))
        axis.scatter(*sheet.positions.T, s=6)
        axis.set_title(title)
    axes[0, 0].set_title("seeds")
    axes[0, 1].set_title("vertices of their cells")
    for axis, (adatoms, temperature) in zip(axes[1], ((0.0, 1.0), (0.1, 0.1), (0.2, 0.5), (0.3, 3.0)), strict=True):
        atoms = particle(ParticleParams(radius=10.0, adatoms=adatoms, temperature=temperature), field, np.random.default_rng(4))
        columns = columns_of(atoms, reach=0.5)
        axis.scatter(columns.positions[:, 1], columns.positions[:, 0], c=columns.counts, s=18, cmap="viridis")
        axis.set_title("bare" if adatoms == 0 else f"{adatoms:.0%} adatoms, T = {temperature:g}")
    for axis in axes.ravel():
        axis.set(xlim=(0, 30), ylim=(30, 0), xticks=[], yticks=[], aspect="equal")
    figure.tight_layout(pad=1.0)
    saved(figure, "structures")


if __name__ == "__main__":
    for draw in (library, noise, labels, recipes, structures):
        draw()
