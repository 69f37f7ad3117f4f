"""Numbers are numbers, however people write them."""

from __future__ import annotations

import pytest

from napari_atomseg.core.plain_yaml import parse_yaml


@pytest.mark.parametrize("text", ["1.0e7", "1e7", "1.0e+7", "1E7", "+1.e7", "10000000.0"])
def test_a_number_with_an_exponent_is_a_number(text):
    assert parse_yaml(f"a: {text}") == {"a": 1e7}
    assert parse_yaml(f"a: {{uniform: [-{text.removeprefix('+')}, .5e-3]}}") == {"a": {"uniform": [-1e7, 5e-4]}}


@pytest.mark.parametrize("text", ["e7", "1e7 e/A2", "1.0e7x", "hrtem-1e7", "'1.0e7'"])
def test_words_with_an_exponent_in_them_stay_words(text):
    assert parse_yaml(f"a: {text}") == {"a": text.strip("'")}
