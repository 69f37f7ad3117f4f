"""Which pixel size a network is told."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from spots import draw, square_lattice
from torch import nn

from napari_atomseg.core.errors import MissingCalibrationError
from napari_atomseg.core.jobs import run
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.inference import pixel_size as module
from napari_atomseg.inference.frame_maps import frame_maps
from napari_atomseg.inference.params import NetworkParams
from napari_atomseg.inference.pixel_size import STEP, USUAL_WIDTH, estimated_size, resolve_pixel_size
from napari_atomseg.networks.card import ModelCard, ModelError
from napari_atomseg.networks.zoo import Model, load_model
from napari_atomseg.synthesis.samples import draw_sample

FACTOR = 1.3
"""By which an estimate may be off."""


class Fond(nn.Module):
    """Surest of columns, one at each bright pixel, at one width of them."""

    multiple, reach = 1, 0

    def __init__(self, width_px):
        super().__init__()
        self.width_px = nn.Parameter(torch.tensor(width_px))

    def forward(self, image):
        seen = torch.nn.functional.unfold(image, 3, padding=1).amax(1).reshape(image.shape)
        slope = (image[..., 1:] - image[..., :-1]).abs().amax() / (image.amax() - image.amin())
        # A Gaussian of height 1 is nowhere steeper than exp(-1/2) / width.
        width = np.exp(-0.5) / slope
        fit = torch.exp(-0.5 * (torch.log(width / self.width_px) / 0.1) ** 2)
        columns = torch.where((image == seen) & (image > 0.5), 1.0, 0.0)
        y, x = torch.meshgrid(*(torch.arange(-4.0, 5.0),) * 2, indexing="ij")
        drawn = torch.nn.functional.conv2d(columns, torch.exp(-0.5 * (y**2 + x**2))[None, None], padding=4)
        belief = torch.logit((drawn * (0.3 + 0.65 * fit)).clamp(1e-5, 0.99))
        return torch.cat([belief, belief, image, image, image], dim=1)


def fond_of(width_angstrom, **values):
    card = ModelCard(name="by hand", **values)
    return Model(card, Fond(width_angstrom / card.native_sampling).eval())


def of_width(width_px, side=256):
    shape = (side, side)
    return Micrograph(data=draw(square_lattice(shape, 7 * width_px), width_px, shape).astype(np.float32))


def told(micrograph, model=None, index=0, **params):
    return run(resolve_pixel_size(micrograph, index, model, NetworkParams(**params)))


def test_a_size_set_by_hand_goes_before_that_of_the_file():
    known = Micrograph(data=np.zeros((40, 40)), pixel_size=(0.1, 0.12))
    found = told(known, pixel_size=0.2)
    assert (found.size, found.source) == ((0.2, 0.2), "set by hand")


@pytest.mark.parametrize(("source", "words"), [("a line", "a line"), ("", "the file")])
def test_the_size_of_the_file_goes_before_an_estimate(source, words):
    found = told(Micrograph(data=np.zeros((40, 40)), pixel_size=(0.1, 0.12), pixel_size_source=source))
    assert (found.size, found.source) == ((0.1, 0.12), words)


@pytest.mark.parametrize("kind", ["zeros", "white noise", "tiny"])
def test_where_nothing_tells_the_size_it_is_asked_for(kind, rng):
    data = {"zeros": np.zeros((64, 64)), "white noise": rng.normal(size=(256, 256)), "tiny": np.ones((6, 6))}[kind]
    with pytest.raises(MissingCalibrationError, match="set it by hand"):
        told(Micrograph(data=data, name="unknown"))


def test_columns_of_the_usual_width_tell_the_size():
    found = told(of_width(4.0), fond_of(USUAL_WIDTH))
    assert found.size[0] == found.size[1] == pytest.approx(USUAL_WIDTH / 4.0, rel=0.05)
    assert found.source.startswith("estimated from columns that are 3.9 px wide")


@pytest.mark.parametrize("factor", [1 / STEP, STEP])
def test_the_network_chooses_the_neighbouring_size_at_which_it_is_surest(factor):
    found = told(of_width(4.0), fond_of(factor * USUAL_WIDTH))
    assert found.size[0] == pytest.approx(factor * USUAL_WIDTH / 4.0, rel=0.05)


def test_a_network_that_is_sure_of_nothing_leaves_the_first_estimate():
    found = told(of_width(4.0), fond_of(50.0))
    assert found.size[0] == pytest.approx(USUAL_WIDTH / 4.0, rel=0.05)


@pytest.mark.parametrize(("largest_angstrom", "factor"), [(0.3, 1.0), (0.5, STEP)])
def test_sizes_out_of_the_models_range_are_not_chosen(largest_angstrom, factor):
    found = told(of_width(1.75), fond_of(STEP * USUAL_WIDTH, sampling_range=(0.02, largest_angstrom)))
    assert found.size[0] == pytest.approx(factor * USUAL_WIDTH / 1.75, rel=0.07)


def test_an_estimate_that_does_not_fit_the_model_is_not_said_of_the_image():
    """The image has no pixel size: what is out of the model's range is the estimate."""
    params = NetworkParams(straighten=False)
    model = fond_of(USUAL_WIDTH, sampling_range=(0.02, 0.1))
    for known, words in (
        (None, r"\(the image gives no pixel size; this one was estimated from columns that are"),
        ((0.2, 0.2), ""),
    ):
        micrograph = replace(of_width(2.4), pixel_size=known)
        size = told(micrograph, model)
        with pytest.raises(ModelError, match="knows images of 2 pm/px to 10 pm/px.*" + words) as caught:
            run(frame_maps(micrograph.frame(), model, ("columns",), params, size))
        assert ("estimated" in str(caught.value)) == (known is None)


def test_only_an_estimate_is_called_one():
    for source, estimated in (("estimated from columns that are 3.9 px wide", True), ("the file", False), ("set by hand", False)):
        found = estimated_size({"network": {"pixel_size_angstrom": [0.1, 0.12], "pixel_size_source": source}})
        assert (found is not None) == estimated
    assert found is None
    assert estimated_size({}) is None


def test_the_frame_that_is_asked_about_tells():
    data = np.stack([of_width(3.0).data, of_width(5.0).data])
    for index, width_px in enumerate((3.0, 5.0)):
        assert told(Micrograph(data=data), fond_of(USUAL_WIDTH), index).size[0] == pytest.approx(USUAL_WIDTH / width_px, rel=0.05)


@pytest.fixture(scope="module")
def shipped():
    return load_model("adf-columns")


@pytest.mark.parametrize("name", ["perovskite", "dumbbells", "nanoparticle"])
def test_the_shipped_model_tells_the_size_of_a_sample_that_lost_it(name, shipped, monkeypatch):
    monkeypatch.setattr(module, "ASKED_SIDE", 384)
    micrograph, _ = draw_sample(name)
    true = micrograph.require_pixel_size()[0]
    found = told(micrograph.calibrated(None, ""), shipped)
    assert true / FACTOR < found.size[0] < true * FACTOR
    assert found.source.startswith("estimated")
