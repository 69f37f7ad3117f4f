"""Networks for tests of the window: a tiny one of random weights on disk, and one made by hand that sees bright columns."""

import torch
from torch import nn

from napari_atomseg.networks import zoo
from napari_atomseg.networks.architectures.unet import Unet, UnetParams
from napari_atomseg.networks.card import ModelCard

TINY = {"width": 4, "depth": 2, "stem": 2, "row_context": 0}
NATIVE = 0.2


def save_tiny(folder, name="tiny", **values):
    """A model of random weights in a folder of models; gives its folder."""
    torch.manual_seed(0)
    values = {"about": "Random weights, for tests.", **values}
    card = ModelCard(name=name, network=TINY, native_sampling=NATIVE, **values)
    zoo.save_model(card, Unet(UnetParams(**TINY)).state_dict(), folder)
    return folder / name


class Bright(nn.Module):
    """Takes a pixel for a column as far as it is bright."""

    multiple, reach = 1, 0

    def forward(self, image):
        belief = torch.logit((image * 0.97).clamp(1e-4, 0.99) ** 1.5)
        return torch.cat([belief, belief, image, image, image], dim=1)


def see_brightness(monkeypatch):
    """Let every model of the list see by brightness, whatever its weights."""
    from napari_atomseg.inference import cached_model
    from napari_atomseg.workflows import model_cards

    def bright(name, device):
        return zoo.Model(model_cards()[name], Bright().eval())

    monkeypatch.setattr(cached_model, "cached_model", bright)
