import pytest
import torch

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.tasks import TASKS
from napari_atomseg.networks.outputs import COLUMN_OUTPUTS
from napari_atomseg.training.losses import LOSSES

MAPS = sum(output.unit == "probability" for output in COLUMN_OUTPUTS)
"""Channels of probability come first."""


@pytest.fixture
def targets():
    torch.manual_seed(0)
    return torch.rand(2, len(TASKS), 16, 16)


def perfect(targets):
    return torch.cat([torch.logit(targets[:, :MAPS], 1e-6), targets[:, MAPS:]], dim=1)


@pytest.mark.parametrize("name", LOSSES)
def test_truth_is_the_lowest_point(name, targets):
    asked = torch.ones(2, 1, 16, 16)
    best = LOSSES[name](perfect(targets), targets, asked)
    for _ in range(5):
        other = perfect(targets) + 0.1 * torch.randn_like(targets)
        assert LOSSES[name](other, targets, asked) > best


@pytest.mark.parametrize("name", LOSSES)
def test_where_nothing_is_asked_maps_may_say_what_they_like(name, targets):
    asked = torch.ones(2, 1, 16, 16)
    asked[..., :8] = 0
    given = perfect(targets)
    other = given.clone()
    other[:, :MAPS, :, :8] += 3
    torch.testing.assert_close(LOSSES[name](given, targets, asked), LOSSES[name](other, targets, asked))


def test_chi_square_is_that_of_the_paper():
    # One pixel with label 1 and one with 0, both 0.5 off: 0.25 / 1.1 and 0.25 / 0.1, halved; the largest label is 1.
    targets = torch.zeros(1, len(TASKS), 1, 2)
    targets[:, 0, 0, 0] = 1.0
    found = torch.zeros_like(targets)
    found[:, 1] = -50.0
    value = LOSSES["chi_square"](found, targets, torch.ones(1, 1, 1, 2))
    assert float(value) == pytest.approx((0.25 / 1.1 + 0.25 / 0.1) / 2, rel=1e-5)


def test_a_decibel_counts_the_same_in_bright_and_dim_images(targets):
    asked = torch.ones(2, 1, 16, 16)
    noise = torch.zeros_like(targets)
    noise[:, MAPS:] = torch.randn_like(noise[:, MAPS:])
    steps = []
    for size in (0.3, 3.0):
        one = LOSSES["likelihood"](perfect(targets) + size * noise, targets, asked)
        two = LOSSES["likelihood"](perfect(targets) + 2 * size * noise, targets, asked)
        steps.append(float(two - one))
    assert steps[0] == pytest.approx(steps[1], rel=1e-3)


def test_chi_square_as_printed_takes_labels_as_they_are():
    targets = torch.full((1, 1, 1, 2), 0.5)
    targets[..., 0] = 1.0
    mask = (COLUMN_OUTPUTS[0],)
    found = torch.zeros_like(targets)
    # 0.5 off where the label is 1, and exact where it is 0.5; the largest label is 1.
    asked = torch.ones(1, 1, 1, 2)
    assert float(LOSSES["printed_chi_square"](found, targets, asked, mask)) == pytest.approx(0.25 / 1.1 / 2, rel=1e-5)
    assert float(LOSSES["chi_square"](found, targets, asked, mask)) == pytest.approx(0.25 / 0.55 / 2, rel=0.1)
    with pytest.raises(AtomsegError, match="nowhere below zero"):
        LOSSES["printed_chi_square"](found, targets - 1, asked, mask)
