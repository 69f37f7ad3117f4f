"""Networks that recognise structures in TEM images, as finders on the page "Columns"."""

import pytest
from conftest import nearest
from structures_at_hand import PLACES, SIZE, save_structures, spotted


@pytest.fixture
def found(viewer, private_settings, monkeypatch, panel, page, idle, rng):
    """Structures of an image, one of them faint."""
    save_structures(private_settings / "models", monkeypatch)
    panel.pages["Networks"].models.refresh_button.click()
    image = spotted(rng, faint=0.55)
    viewer.add_image(image.data, name="sheet", scale=(SIZE, SIZE), units="angstrom")
    page.finder.model.choose("structures")
    page.find()
    idle(panel)
    assert page.session is not None, panel.status.text()
    return page.session


def test_they_are_a_document_with_classes(found):
    assert nearest(found.columns.positions, PLACES[:2]).max() < 1.5
    assert set(found.columns.features["class"]) == {2}
    assert found.columns.provenance["model"] == "structures"


def test_the_confidence_moves_them_live(found, page):
    counts = []
    for value in (0.06, 0.5, 0.98):
        page.finder.least.setValue(value)
        counts.append(len(found.columns))
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]
    page.finder.least.setValue(0.06)
    assert nearest(found.columns.positions, PLACES).max() < 1.5
