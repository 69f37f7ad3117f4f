"""Which columns the page works on as images are chosen and layers come, go and are clicked."""

import numpy as np
import pytest
from conftest import add_image

from napari_atomseg.core.columns import Columns
from napari_atomseg.gui.documents.results import show_columns
from napari_atomseg.gui.pages.columns.followed_document import image_of

PLACES = np.array([[20.0, 20.0], [40.0, 60.0]])


def add_columns(viewer, image):
    """Columns of an image in a layer of their own, moved by hand so that no others take their place."""
    found = Columns(positions=PLACES, pixel_size=(0.2, 0.2), image_shape=image.data.shape)
    session, _ = show_columns(viewer, image, found)
    session.layer.data = PLACES + 1
    return session


@pytest.fixture
def image(viewer, panel):
    return add_image(viewer)


@pytest.fixture
def documents(viewer, image):
    """Two documents of the image, the second one newer."""
    made = add_columns(viewer, image), add_columns(viewer, image)
    assert made[0] is not made[1]
    return made


def test_the_columns_that_are_clicked_are_worked_on(viewer, panel, page, image, documents):
    for session in documents:
        viewer.layers.selection.active = session.layer
        assert page.session is session
    viewer.layers.selection.active = image
    assert page.session is documents[1]


def test_another_image_brings_its_newest_columns(viewer, panel, page, image, documents):
    viewer.layers.selection.active = documents[0].layer
    other = add_image(viewer, name="other")
    panel.choose_image(other)
    assert page.session is None
    panel.choose_image(image)
    assert page.session is documents[1]


def test_where_the_columns_are_removed_the_newest_of_the_image_follow(viewer, page, documents):
    viewer.layers.remove(documents[1].layer)
    assert page.session is documents[0]
    viewer.layers.remove(documents[0].layer)
    assert page.session is None
    assert not page.save_button.isEnabled()


def test_columns_outlive_their_image(viewer, page, image, documents):
    assert image_of(viewer, documents[1]) is image
    viewer.layers.selection.active = documents[1].layer
    viewer.layers.remove(image)
    assert image_of(viewer, documents[1]) is None
    assert image_of(viewer, None) is None
    assert page.session is documents[1]
    assert page.save_button.isEnabled()
    assert not page.refine_button.isEnabled()


def test_every_document_of_the_image_follows_its_calibration(viewer, panel, image, documents):
    other = add_columns(viewer, add_image(viewer, name="other"))
    panel.choose_image(image)
    panel.set_pixel_size((0.3, 0.3), "typed")
    assert [session.columns.pixel_size for session in documents] == [(0.3, 0.3)] * 2
    assert other.columns.pixel_size == pytest.approx((0.2, 0.2))
