from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_atomseg.core.quantities import angstrom_per
from napari_atomseg.readers.calibration import (
    calibrate,
    is_anisotropic,
    other_kind,
    resample_square,
    resampled_shape,
    squared,
)

LENGTHS = {
    "m": 1e10, "mm": 1e7, "um": 1e4, "\u00b5m": 1e4, "\u03bcm": 1e4, "micron": 1e4, "microns": 1e4, "Micron": 1e4,
    "nm": 10, "n_m": 10, "[n_m]": 10, "nanometer": 10, "pm": 0.01, "p_m": 0.01, "fm": 1e-5,
    r"$\AA$": 1, r"\AA": 1, r"$\mu$m": 1e4, r"$\mathrm{nm}$": 10, "nm/px": 10, "Å per pixel": 1,
    "A": 1, "\u00c5": 1, "\u212b": 1, "angstrom": 1, "Angstrom": 1,
}  # fmt: skip


def axis(scale: object, units: object = None) -> dict[str, object]:
    return {"scale": scale, "units": units}


@pytest.mark.parametrize(("unit", "factor"), LENGTHS.items())
def test_every_spelling_of_a_length(unit, factor):
    found = calibrate(axis(0.5 / factor, unit), axis(0.5 / factor, unit))
    assert found.pixel_size == pytest.approx((0.5, 0.5))
    assert found.unit_in_file == unit
    assert found.notes == ()


@pytest.mark.parametrize(
    ("unit", "kind"),
    [
        *(
            (unit, "a reciprocal length")
            for unit in (
                *("1/nm", "1 / nm", "nm^-1", "nm-1", "nm⁻¹", "1/Å", "1/A", "Å^-1", "cycles/nm", "1/px", "lp/mm", "/nm", "per nm"),
                *("$nm^{-1}$", "$A^{-1}$", r"\AA^{-1}", r"$\AA^{-1}$", r"$\mathrm{\AA}^{-1}$", r"$\rm{nm}^{-1}$", "${nm}^{-1}$"),
                *(
                    "nm^(-1)",
                    "nm**-1",
                    "nm −1",
                    "nm^−1",
                    "[n_m^-1]",
                    "k_nm^-1",
                    "q_A^-1",
                    "inverse nm",
                    "inv. Å",
                    "reciprocal nm",
                ),
            )
        ),
        *((unit, "an angle") for unit in ("rad", "mrad", "deg", "°", "µrad", "2th_deg", r"$^\circ$")),
        *((unit, "an energy") for unit in ("eV", "keV", "meV", "KeV")),
        *((unit, "a time") for unit in ("s", "ms", "us", "µs", "seconds", "min")),
    ],
)
def test_what_is_no_length(unit, kind):
    assert other_kind(unit) == kind
    assert calibrate(axis(0.1, unit), axis(0.1, unit)).pixel_size is None


@pytest.mark.parametrize("unit", [*LENGTHS, None, "", "[]", "px", "<undefined>", "foo", "cm"])
def test_lengths_and_nothing_are_no_other_kind(unit):
    assert other_kind(unit) is None


@pytest.mark.parametrize("unit", [None, "", "[]", "px", "pixels", "<undefined>", "None"])
def test_one_without_a_unit_is_no_size(unit):
    found = calibrate(axis(1.0, unit), axis(1, unit))
    assert found.pixel_size is None
    assert found.notes == ("the file gives no pixel size",)


def test_a_number_without_a_unit_is_offered_as_nanometres():
    found = calibrate(axis(0.00932627), axis(0.00932627))
    assert found.pixel_size is None
    assert found.notes == ("the file says 0.009326 without a unit; if that is nm, the pixel size is 9.326 pm",)


@pytest.mark.parametrize("unit", ["cm", "inch", "in"])
def test_a_print_resolution_is_no_size(unit):
    found = calibrate(axis(1 / 300, unit), axis(1 / 300, unit))
    assert found.pixel_size is None
    assert "print" in found.notes[0]


@pytest.mark.parametrize(("unit", "angstrom"), [("cm", 1e8), ("inch", 2.54e8)])
def test_a_resolution_that_no_print_has_is_believed_and_said(unit, angstrom):
    found = calibrate(axis(0.3 / angstrom, unit), axis(0.3 / angstrom, unit))
    assert found.pixel_size == pytest.approx((0.3, 0.3))
    assert "is no print's" in found.notes[0]


def test_a_size_of_one_axis_is_offered_and_not_used():
    for pair, name in (((axis(0.02, "nm"), axis(1.0)), "y"), ((axis(1.0), axis(0.02, "nm")), "x")):
        found = calibrate(*pair)
        assert found.pixel_size is None
        assert f"if the pixels are square, that of {name} is 20 pm" in found.notes[0]


def test_axes_that_differ_more_than_any_detector_are_not_believed():
    assert calibrate(axis(0.02, "nm"), axis(0.19, "nm")).pixel_size == pytest.approx((0.2, 1.9))
    found = calibrate(axis(0.0125, "nm"), axis(1.0, "nm"))
    assert found.pixel_size is None
    assert found.notes[0].startswith(
        "the file says 12.5 pm along y and 1 nm along x, so that one of the two axes was not calibrated"
    )


def test_an_unknown_unit_is_named():
    assert '"furlong"' in calibrate(axis(2, "furlong"), axis(2, "furlong")).notes[0]


def test_different_units_are_converted_before_they_are_compared():
    assert calibrate(axis(2.0, "A"), axis(0.2, "nm")).pixel_size == pytest.approx((2, 2))
    found = calibrate(axis(2.0, "A"), axis(1.0, "nm"))
    assert found.pixel_size == pytest.approx((2, 10))
    assert found.unit_in_file == "A x nm"


def test_one_unit_serves_two_equal_axes_only():
    assert calibrate(axis(0.02, "nm"), axis(0.02, None)).pixel_size == pytest.approx((0.2, 0.2))
    assert calibrate(axis(0.02, "nm"), axis(1.0, None)).pixel_size is None
    assert calibrate(axis(0.02, "nm"), axis(0.02, "foo")).pixel_size is None


@pytest.mark.parametrize("scale", [0, math.nan, math.inf, None, "x"])
def test_what_is_no_number_is_no_size(scale):
    assert calibrate(axis(scale, "nm"), axis(scale, "nm")).pixel_size is None


@pytest.mark.parametrize(("scale", "unit"), [(1e-6, "pm"), (1.0, "m"), (11, "mm")])
def test_absurd_sizes_are_not_believed(scale, unit):
    found = calibrate(axis(scale, unit), axis(scale, unit))
    assert found.pixel_size is None
    assert "not believable" in found.notes[0]


def test_a_flipped_axis_has_a_positive_size():
    assert calibrate(axis(-0.02, "nm"), axis(0.02, "nm")).pixel_size == pytest.approx((0.2, 0.2))


def test_axes_given_point_by_point():
    uniform = {"axis": np.arange(5) * 0.03, "units": "nm"}
    assert calibrate(uniform, uniform).pixel_size == pytest.approx((0.3, 0.3))
    bent = {"axis": np.arange(5) ** 2.0, "units": "nm"}
    assert calibrate(bent, bent).pixel_size is None


@given(size=st.floats(1e-3, 1e7), unit=st.sampled_from(sorted(LENGTHS)), skew=st.floats(-0.2, 0.2))
def test_a_size_survives_any_unit(size, unit, skew):
    factor = angstrom_per(unit)
    assert factor is not None
    found = calibrate(axis(size * (1 + skew) / factor, unit), axis(size / factor, unit))
    if found.pixel_size is None:
        assert size * (1 + skew) < 1.001e-3
        return
    assert found.pixel_size == pytest.approx((size * (1 + skew), size))
    if is_anisotropic(found.pixel_size):
        assert abs(skew) >= 0.99e-2
        return
    y, x = squared(found.pixel_size)[0]
    assert (y == x) == (abs(found.pixel_size[0] / found.pixel_size[1] - 1) < 1e-3)


@given(unit=st.text(max_size=12))
def test_no_text_breaks_the_units(unit):
    assert angstrom_per(unit) is None or other_kind(unit) is None
    found = calibrate(axis(0.3, unit), axis(0.3, unit))
    assert (found.pixel_size is None) == bool(found.notes)


def test_almost_square_is_square_in_silence():
    assert squared((0.5070, 0.5071)) == ((pytest.approx(0.50705), pytest.approx(0.50705)), "")


def test_half_a_percent_stays_and_is_said():
    size, note = squared((0.500, 0.5025))
    assert size == (0.500, 0.5025)
    assert "0.5 x 0.5025" in note


def test_resampling_keeps_places_and_says_numbers():
    y, x = np.mgrid[:60, :40]
    # A Gaussian at (30.0, 20.0) px, seen with pixels twice as wide as high.
    centre = ((y + 0.5) * 1.0, (x + 0.5) * 2.0)
    image = np.exp(-((centre[0] - 30.5) ** 2 + (centre[1] - 41.0) ** 2) / 72)
    square, note = resample_square(image, (1.0, 2.0))
    assert square.shape == (60, 80) == resampled_shape(image.shape, (1.0, 2.0))
    assert square.dtype == np.float32
    rows, columns = np.mgrid[:60, :80] + 0.5
    expected = np.exp(-((rows - 30.5) ** 2 + (columns - 41.0) ** 2) / 72)
    np.testing.assert_allclose(square, expected, atol=2e-3)
    assert "1 x 2 Å" in note
    assert "60 x 40 to 60 x 80" in note


def test_resampling_keeps_a_missing_pixel_small():
    image = np.ones((3, 20, 10))
    image[1, 5, 5] = np.nan
    square, _ = resample_square(image, (0.1, 0.3))
    assert square.shape == (3, 20, 30)
    assert np.isnan(square).sum() < 30
