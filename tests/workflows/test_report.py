"""The page on an analysis: whole, with everything in it, and nothing from elsewhere."""

import re

import numpy as np
import pandas as pd
import pytest

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.workflows import measure, report

A, PX = 3.9, 0.2


@pytest.fixture(scope="module")
def measured():
    cells = np.stack(np.mgrid[1:9, 1:9], -1).reshape(-1, 2) * A
    places = np.concatenate([cells, cells + np.array([A / 2, A / 2 + 0.15])])
    places = places + np.random.default_rng(0).normal(0, 0.01, places.shape)
    height = np.repeat([1.0, 0.5], len(cells))
    features = pd.DataFrame({"intensity": height, "y_std_px": 0.01 / PX, "x_std_px": 0.01 / PX})
    image = Micrograph(data=np.zeros((200, 200), np.float32), pixel_size=(PX, PX), name="film <1>")
    columns = Columns(positions=places / PX, features=features, pixel_size=(PX, PX))
    return image, measure(image, columns, what=("strain", "polarisation"))


def test_the_page_holds_pictures_numbers_parameters_and_origin(measured, tmp_path):
    image, found = measured
    text = report(image, found, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "film &lt;1&gt;" in text
    # Nothing is loaded from elsewhere.
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert text.count("<figure>") == 6
    assert "3.9" in re.search(r"a, Å.*?</table>", text, re.S).group()
    assert "usual error of one" in text
    assert "steps 1.measuring.window" in text
    assert "least squares over a radius of 2.5 cells on sublattice 0" in text
    assert not list(tmp_path.glob(".*"))


def test_a_report_has_the_suffix_of_a_page(measured, tmp_path):
    with pytest.raises(AtomsegError, match=r"\.html"):
        report(*measured, tmp_path / "page.pdf")
    assert not list(tmp_path.iterdir())
