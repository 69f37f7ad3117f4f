"""A network of structures for tests, that sees by brightness, and an image for it."""

import numpy as np
import torch

from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.networks import zoo
from napari_atomseg.networks.architectures import architecture_of, build_network
from napari_atomseg.networks.architectures.fusionnet import FusionNetParams
from napari_atomseg.networks.card import LOCAL, ModelCard
from napari_atomseg.networks.outputs import structure_outputs

SHAPE, SIZE = (90, 110), 0.1
PLACES = np.array([[30.0, 40.0], [60.0, 55.0], [30.0, 70.0]])
"""From left to right, px."""
FAINT = 2
"""The one that is not as bright."""


class Bright(torch.nn.Module):
    """Takes what is bright for a structure of the second class."""

    multiple, reach = 1, 0

    def forward(self, images):
        image = images.mean(dim=1, keepdim=True)
        nothing = torch.full_like(image, -20.0)
        return torch.cat([nothing, (2 * (image - 1)).clamp(max=4), torch.zeros_like(image)], dim=1)


def save_structures(folder, monkeypatch, name="structures", images=1):
    """A model of structures in a folder of models, which for the rest of the test sees by brightness; gives its name."""
    params, outputs = FusionNetParams(width=4, levels=1, images=images), structure_outputs(2)
    card = ModelCard(
        name=name,
        task="structures",
        architecture=architecture_of(params),
        network={"width": 4, "levels": 1, "images": images},
        outputs=outputs,
        native_sampling=0.2,
        sampling_range=(0.01, 0.25),
        column_width=0.35,
        normalisation=LOCAL,
        modality="HRTEM",
    )
    zoo.save_model(card, build_network(params, outputs).state_dict(), folder)
    monkeypatch.setattr(zoo, "build", lambda _: Bright())
    monkeypatch.setattr(zoo, "_fill", lambda *_: None)
    return name


def spotted(rng, faint=1.0):
    """An image of three spots, the last one fainter."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    heights = np.ones(len(PLACES))
    heights[FAINT] = faint
    spots = sum(h * np.exp(-((y - p[0]) ** 2 + (x - p[1]) ** 2) / (2 * 3.5**2)) for p, h in zip(PLACES, heights, strict=True))
    data = (100 + 50 * spots + rng.normal(0, 1, SHAPE)).astype(np.float32)
    return Micrograph(data=data, pixel_size=(SIZE, SIZE), pixel_size_source="typed", name="sheet", modality="hrtem")
