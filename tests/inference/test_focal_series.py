"""What makes a stack a focal series: number and order of its images, their steps, and where they lie."""

import pytest

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.inference.focal_series import foci_from, order_of, require_series
from napari_atomseg.networks.card import BEAM, ModelCard

CARD = ModelCard(name="counter", network={"images": 3}, normalisation=BEAM, foci=(-130.0, 0.0, 130.0))


def test_images_are_ordered_from_overfocus_to_underfocus():
    assert foci_from("-170, -40, 90") == (-170, -40, 90)
    assert order_of((-170, -40, 90), CARD) == [0, 1, 2]
    assert order_of((90, -40, -170), CARD) == [2, 1, 0]
    assert order_of((-40, -170, 90), CARD) == [1, 0, 2]


@pytest.mark.parametrize(
    ("text", "says"),
    [("a, b, c", "numbers in Å separated by commas"), ("1,1,2", "a focus of its own"), ("nan,1,2", "focus of its")],
)
def test_foci_that_make_no_sense_are_refused(text, says):
    with pytest.raises(AtomsegError, match=says):
        foci_from(text)


def test_steps_that_the_network_does_not_know_are_refused():
    with pytest.raises(AtomsegError, match=r"20 and 20 Å of defocus apart, .* knows steps of 130 and 130"):
        order_of((-20, 0, 20), CARD)
    with pytest.raises(AtomsegError, match="2 foci were given"):
        order_of((-20, 0), CARD)


def test_what_is_no_series_is_refused_in_a_sentence():
    require_series(3, CARD)
    with pytest.raises(
        AtomsegError, match=r"holds one image, and the network counter takes a focal series of 3.*without --series"
    ):
        require_series(1, CARD)
    with pytest.raises(AtomsegError, match="holds 5 images"):
        require_series(5, CARD)
