"""The examples of the most used functions run and give what they show."""

import doctest

import pytest

from napari_atomseg import workflows
from napari_atomseg.core.quantities import format_pixel_size, parse_length
from napari_atomseg.optics.electron import wavelength
from napari_atomseg.specimens.direction import parse_zone_axis

SHOWN = {
    **{
        name: getattr(workflows, name)
        for name in ("compare", "estimate_lattice", "locate", "read", "refine", "simulate", "transfer")
    },
    **{one.__name__: one for one in (format_pixel_size, parse_length, parse_zone_axis, wavelength)},
}


@pytest.mark.parametrize("name", SHOWN)
def test_an_example_gives_what_it_shows(name):
    example = doctest.DocTestParser().get_doctest(SHOWN[name].__doc__, {name: SHOWN[name]}, name, None, None)
    assert example.examples, f"{name} has no example"
    found = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example)
    assert found.failed == 0
