"""Sample images of graphene with defects in a TEM, drawn by the plugin, each with its true atoms; the same every time."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.micrograph import Micrograph

GRAPHENE_SAMPLES = {
    "graphene-bright": "Graphene with defects and an edge, HRTEM at 80 kV, overfocus: bright atoms",
    "graphene-dark": "The same graphene, underfocus: dark atoms",
}
DEFOCUS = {"graphene-bright": -60.0, "graphene-dark": 60.0}
"""Å."""
PIXELS, PIXEL_SIZE, ENERGY, DOSE, SEED = 512, 0.12, 80e3, 2e4, 5
"""Pixels of a side, Å, eV, e/Å2; the seed of the sheet and of the electrons."""
SHEET = {
    "kind": "graphene",
    "bond": 1.42,
    "vacancies": 8,
    "divacancies": 4,
    "rotations": 5,
    "holes": 1,
    "hole_radius": 6,
    "grains": 2,
    "edge": 0.9,
    "relaxation": 60,
    "ripple": 0.05,
    "displacement": 0.02,
}


def draw_graphene(name: str) -> tuple[Micrograph, Columns]:
    """A sample image in counted electrons, and its atoms.

    Parameters
    ----------
    name : str
        One of :data:`GRAPHENE_SAMPLES`.

    Returns
    -------
    micrograph : Micrograph
        Shape (Y, X), float32.
    columns : Columns
        The true positions of all atoms in the image.
    """
    # Imported late, because torch takes seconds to load.
    from napari_atomseg.synthesis.recipe import draw_record, recipe_from
    from napari_atomseg.synthesis.render import render

    batch = render([draw_record(recipe_from(_recipe(DEFOCUS[name]), name), SEED)], ())
    micrograph = Micrograph(
        data=batch.image[0, 0].numpy(),
        pixel_size=(PIXEL_SIZE, PIXEL_SIZE),
        pixel_size_source="the simulation",
        name=name,
        modality="hrtem",
        energy=ENERGY,
        dose=DOSE,
        notes=("simulated: drawn by the plugin, not recorded",),
    )
    positions = np.asarray(batch.positions[0], float)
    inside = np.all((positions >= 0) & (positions <= PIXELS - 1), axis=1)
    number = int(inside.sum())
    columns = Columns(
        positions=positions[inside],
        pixel_size=micrograph.pixel_size,
        image_shape=micrograph.shape,
        provenance={"image": {"name": name}, "pixel_size_source": "the simulation", "model": "truth"},
    ).with_features(
        confidence=np.ones(number),
        origin=np.full(number, "imported"),
        element=np.full(number, "C"),
        sublattice=np.zeros(number, int),
        atom_count=np.ones(number, int),
        occupancy=np.ones(number),
    )
    return micrograph, columns


def _recipe(defocus: float) -> dict[str, Any]:
    return {
        "name": "graphene",
        "modality": "tem",
        "image": {"size": PIXELS, "pixel_size": PIXEL_SIZE},
        "specimens": [SHEET],
        "imaging": {
            "lens": {"energy": ENERGY, "defocus": defocus, "Cs": -1e5, "focal_spread": 25},
            "image_spread": 0.1,
            "mtf": {"model": "rational", "floor": 0.05, "knee": 0.5, "steepness": 2.5},
            "foci": [0],
        },
        "dose": DOSE,
        "scene": [],
        "noise": [{"counting": {"probability": 1.0}}],
    }
