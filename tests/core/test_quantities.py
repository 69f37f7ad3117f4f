import pytest

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.quantities import angstrom_per, format_length, format_pixel_size, parse_length


@pytest.mark.parametrize(
    ("text", "angstrom"),
    [
        ("0.2", 0.2), ("0.8A", 0.8), ("9.77 pm", 0.0977), ("1.2um", 12000), ("1.2 µm", 12000), ("1.2\u03bcm", 12000),
        ("0.01nm", 0.1), ("1e-3 Å", 1e-3), (" .5 ", 0.5), ("-3nm", -30), ("2 mm", 2e7), ("1\u212b", 1), ("3 NM", 30),
        ("1,2 A", 1.2), ("9,77 pm", 0.0977), ("9.77 pm/px", 0.0977), ("0,126nm per pixel", 1.26), ("0,6", 0.6),
    ],
)  # fmt: skip
def test_lengths_are_understood(text, angstrom):
    assert parse_length(text) == pytest.approx(angstrom)


@pytest.mark.parametrize("text", ["", "A", "5 kg", "1/nm", "3 px", "1,2,3 A", "1,000.5 A", "nan", "1e5e5", "5 mrad", "0.1 cm"])
def test_what_is_no_length_is_refused_with_an_example(text):
    with pytest.raises(AtomsegError, match="write a number and a unit"):
        parse_length(text)


@pytest.mark.parametrize("unit", [None, "", "1/nm", "mrad", "eV", "s", "px", "cm", "Mm"])
def test_what_is_no_unit_of_length_gives_none(unit):
    assert angstrom_per(unit) is None


@pytest.mark.parametrize(
    ("length", "text"), [(0.0977, "9.77 pm"), (2.5, "2.5 Å"), (50, "5 nm"), (12000, "1.2 µm"), (3e7, "3 mm")]
)
def test_lengths_are_written_in_a_handy_unit(length, text):
    assert format_length(length) == text
    assert parse_length(text) == pytest.approx(length)


def test_pixel_sizes_are_written_once_if_equal():
    assert format_pixel_size(None) == "no pixel size"
    assert format_pixel_size((0.1, 0.1)) == "10 pm/px"
    assert format_pixel_size((2.0, 10.0)) == "2 Å x 1 nm per px (y, x)"
