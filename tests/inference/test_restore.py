from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_atomseg.core.jobs import run
from napari_atomseg.inference import network_tiles
from napari_atomseg.inference.restore import kinds_of, restore_plane, spread_plane
from napari_atomseg.networks import half_precision
from napari_atomseg.networks.architectures.cgrdn import Cgrdn, CgrdnParams
from napari_atomseg.networks.card import RESTORATION, WHOLE, ModelCard, ModelError
from napari_atomseg.networks.outputs import RESTORED
from napari_atomseg.networks.zoo import Model

KINDS = ("hrstem", "lrstem")


def made(conditions=2, periodic=False):
    torch.manual_seed(1)
    params = CgrdnParams(features=8, growth=4, layers=2, blocks=1, groups=2, conditions=conditions, periodic=periodic)
    card = ModelCard(name="untrained", task=RESTORATION, normalisation=WHOLE, modality=", ".join(KINDS), network=vars(params))
    return Model(card, Cgrdn(params, (RESTORED,)).eval())


@pytest.fixture(autouse=True)
def _32_bits(monkeypatch):
    """With sixteen, what is the same differs by rounding."""
    monkeypatch.setattr(half_precision, "half_is_fast", lambda device: False)


@pytest.fixture(scope="module")
def model():
    return made()


@pytest.fixture
def image(rng):
    return rng.poisson(20, (75, 110)).astype(np.float32)


def test_tiles_give_what_the_whole_gives(model, image, monkeypatch):
    whole = run(restore_plane(model, image))
    monkeypatch.setattr(network_tiles, "WHOLE", 10)
    monkeypatch.setattr(network_tiles, "TILE", 24)
    assert run(restore_plane(model, image)) == pytest.approx(whole, rel=1e-4)


def test_what_repeats_is_that_of_the_whole_image(rng, monkeypatch):
    hearing = made(periodic=True)
    y, x = np.mgrid[:96, :120] * 2 * np.pi / 9.3
    crystal = rng.poisson(20 + 5 * np.cos(y) * np.cos(x)).astype(np.float32)
    whole = run(restore_plane(hearing, crystal, "hrstem"))
    assert run(restore_plane(hearing, 3 * crystal + 500, "hrstem")) == pytest.approx(3 * whole + 500, rel=1e-4)
    region = np.zeros(crystal.shape, bool)
    region[40:50, 70:90] = True
    assert run(restore_plane(hearing, crystal, "hrstem", region=region))[region] == pytest.approx(whole[region], rel=1e-4)
    monkeypatch.setattr(network_tiles, "WHOLE", 10)
    monkeypatch.setattr(network_tiles, "TILE", 24)
    assert run(restore_plane(hearing, crystal, "hrstem")) == pytest.approx(whole, rel=1e-4)
    monkeypatch.setattr("napari_atomseg.inference.restore.periodic_plane", lambda image, scanned: np.zeros_like(image))
    assert np.abs(run(restore_plane(hearing, crystal, "hrstem")) - whole).max() > 1e-3


@pytest.mark.parametrize(
    ("kind", "told", "scanned"), [("hrstem", None, True), ("hrtem", None, False), ("", None, True), ("", False, False)]
)
def test_what_repeats_is_found_as_the_image_was_recorded(monkeypatch, image, kind, told, scanned):
    asked = []

    def seen(plane, rows):
        asked.append(rows)
        return np.zeros_like(plane)

    monkeypatch.setattr("napari_atomseg.inference.restore.periodic_plane", seen)
    model = made(periodic=True)
    model = replace(model, card=replace(model.card, modality="hrstem, hrtem"))
    run(restore_plane(model, image, kind, scanned=told))
    assert asked == [scanned]
    run(spread_plane(model, image, kind, scanned=told))
    assert set(asked) == {scanned}


def test_gain_and_offset_go_straight_through(model, image):
    plain = run(restore_plane(model, image))
    assert run(restore_plane(model, 3 * image + 500)) == pytest.approx(3 * plain + 500, rel=1e-4)


def test_a_network_that_takes_nothing_off_gives_the_image_back(image):
    model = made()
    torch.nn.init.zeros_(model.network.leave.weight)
    torch.nn.init.zeros_(model.network.leave.bias)
    assert run(restore_plane(model, image)) == pytest.approx(image, rel=1e-5)
    hot = image.copy()
    hot[10, 10] = 1e6
    cut = run(restore_plane(model, hot))
    assert cut[10, 10] < 200
    assert np.delete(cut.ravel(), 10 * 110 + 10) == pytest.approx(np.delete(image.ravel(), 10 * 110 + 10), rel=1e-4)


def test_sixteen_bits_change_little(model, image, monkeypatch):
    exact = run(restore_plane(model, image))
    monkeypatch.setattr(half_precision, "half_is_fast", lambda device: True)
    rounded = run(restore_plane(model, image))
    assert rounded.dtype == np.float32
    assert np.std(rounded - exact) < 0.02 * np.std(exact - image)


def test_the_kind_is_told_to_the_network(model, image):
    plain, stem, other = (run(restore_plane(model, image, kind)) for kind in ("", *KINDS))
    assert np.abs(stem - plain).max() > 1e-4
    assert np.abs(stem - other).max() > 1e-4


def test_what_is_not_finite_stays_so_and_harms_nothing_far_away(model, image):
    holed = image.copy()
    holed[0, :5] = np.nan
    restored = run(restore_plane(model, holed))
    assert np.isnan(restored[0, :5]).all()
    assert np.isfinite(restored).sum() == image.size - 5
    assert np.isnan(run(restore_plane(model, np.full((40, 40), np.nan)))).all()


def test_an_even_image_stays_even_in_the_mean(model):
    assert np.isfinite(run(restore_plane(model, np.full((40, 41), 7.0)))).all()


def test_what_cannot_be_done_is_refused(model, image):
    with pytest.raises(ModelError, match='no images "hrsem"; it knows hrstem, lrstem'):
        run(restore_plane(model, image, "hrsem"))
    with pytest.raises(ModelError, match="only hrstem, lrstem"):
        run(restore_plane(made(conditions=0), image, "hrsem"))
    with pytest.raises(ModelError, match="does not restore"):
        kinds_of(Model(ModelCard(name="other"), model.network))


def test_a_region_is_restored_as_the_whole_image_would_be(model, image):
    whole = run(restore_plane(model, image))
    region = np.zeros(image.shape, bool)
    region[40:51, 61:80] = True
    part = run(restore_plane(model, image, region=region))
    assert part[region] == pytest.approx(whole[region], rel=1e-4)
    assert np.isnan(part[~region]).all()


def test_the_spread_is_zero_where_the_network_says_the_same_however_it_looks(model, image):
    sure = made()
    torch.nn.init.zeros_(sure.network.leave.weight)
    torch.nn.init.zeros_(sure.network.leave.bias)
    assert run(spread_plane(sure, image, "hrstem")) == pytest.approx(np.zeros(image.shape), abs=1e-3)
    unsure = run(spread_plane(model, image, "hrstem"))
    answers = [run(restore_plane(model, image[::order], kind))[::order] for order in (1, -1) for kind in ("hrstem", "")]
    assert unsure == pytest.approx(np.std(answers, axis=0, ddof=1), rel=1e-3, abs=1e-3)
