"""What is done to a noiseless image happens in the order of the paper, whatever the order in the recipe."""

from __future__ import annotations

import pytest
import torch

from napari_atomseg.synthesis.scene import build_scene

INVERSION, RESPONSE = ("inversion", {"inverted": True}, 1), ("response", {"exponent": 0.5}, 2)


@pytest.mark.parametrize("steps", [[INVERSION, RESPONSE], [RESPONSE, INVERSION]])
def test_an_inverted_image_is_bent_as_in_equations_23_and_24(steps):
    image = torch.tensor([[[[0.0, 0.36], [0.75, 1.0]]]])
    found = build_scene(image, [steps], [0.1])
    assert found.flatten().tolist() == pytest.approx([1.0, 0.8, 0.5, 0.0])
