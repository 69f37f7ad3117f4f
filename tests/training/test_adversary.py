from dataclasses import replace

import pytest
import torch

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import run
from napari_atomseg.networks.architectures.unet import UnetParams
from napari_atomseg.synthesis.recipe import read_recipe
from napari_atomseg.training import adversary, checkpoint, lessons
from napari_atomseg.training.fit import fit
from napari_atomseg.training.params import TrainParams

SMALL = UnetParams(width=4, depth=2, stem=2, row_context=0, conditions=6)
SHORT = TrainParams(steps=4, batch=4, patch=32, validate_every=4, warm_up=2, adversarial=0.1)


@pytest.fixture
def few_scenes(monkeypatch):
    monkeypatch.setattr(lessons, "BATCHES", 1)
    monkeypatch.setattr(lessons, "BATCH", 2)


def images(rng, count=4, side=64):
    """Recorded, restored (too smooth), and true images."""
    true = torch.from_numpy(rng.normal(size=(count, 1, side, side))).float()
    smooth = torch.nn.functional.avg_pool2d(true, 5, stride=1, padding=2)
    return true + torch.randn_like(true), smooth, true


def test_a_discriminator_learns_to_tell_true_from_smooth(rng):
    rival = adversary.begin(1, "cpu")
    recorded, smooth, true = images(rng)
    losses = [adversary.teach(rival, recorded, smooth, true, 5e-3) for _ in range(12)]
    assert losses[-1] < 0.3 * losses[0]


def test_a_network_is_taught_to_look_true(rng):
    rival = adversary.begin(1, "cpu")
    recorded, smooth, true = images(rng)
    for _ in range(12):
        adversary.teach(rival, recorded, smooth, true, 5e-3)
    assert adversary.verdict_loss(rival, recorded, true, true) < adversary.verdict_loss(rival, recorded, smooth, true)
    found = smooth.clone().requires_grad_()
    adversary.verdict_loss(rival, recorded, found, true).backward()
    assert found.grad is not None
    assert float(found.grad.abs().sum()) > 0


def test_teaching_the_network_leaves_the_discriminator_alone(rng):
    rival = adversary.begin(1, "cpu")
    recorded, smooth, true = images(rng)
    found = smooth.clone().requires_grad_()
    adversary.verdict_loss(rival, recorded, found, true).backward()
    assert all(parameter.grad is None for parameter in rival.network.parameters())
    assert all(parameter.requires_grad for parameter in rival.network.parameters())


def test_a_run_with_a_discriminator_goes_on_as_if_it_had_not_stopped(tmp_path, few_scenes):
    recipe = read_recipe("restore")
    whole = run(fit(recipe, SMALL, SHORT, tmp_path / "whole", workers=0))
    steps = fit(recipe, SMALL, SHORT, tmp_path / "broken", workers=0)
    while next(steps).done < 2:
        pass
    steps.close()
    resumed = run(fit(recipe, SMALL, SHORT, tmp_path / "broken", workers=0, resume=True))
    for name, value in whole.items():
        torch.testing.assert_close(value, resumed[name])
    first, second = (checkpoint.load(tmp_path / name).adversary for name in ("whole", "broken"))
    assert first.keys() == second.keys()
    assert any(name.startswith(adversary.MOMENTS) for name in first)
    for name, value in first.items():
        torch.testing.assert_close(value, second[name])


def test_the_discriminator_changes_what_is_learnt(tmp_path, few_scenes):
    recipe = read_recipe("restore")
    with_it, without = (
        run(fit(recipe, SMALL, replace(SHORT, adversarial=weight), tmp_path / str(weight), workers=0)) for weight in (0.1, 0.0)
    )
    assert any(not torch.allclose(value, without[name]) for name, value in with_it.items() if value.is_floating_point())
    assert not checkpoint.load(tmp_path / "0.0").adversary


def test_networks_that_do_not_restore_have_no_use_for_it(tmp_path):
    with pytest.raises(AtomsegError, match="leave out --adversarial"):
        run(fit(read_recipe("columns_stem"), SMALL, SHORT, tmp_path))
