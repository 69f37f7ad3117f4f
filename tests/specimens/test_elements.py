"""Elements as files write them."""

import pytest

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.specimens.elements import candidates, element_of, elements_of_formula


@pytest.mark.parametrize(
    ("text", "element"),
    [
        ("Ni", "Ni"), ("NI", "Ni"), ("ni", "Ni"), ("NI1", "Ni"), ("Ni2+", "Ni"), ("NI2+", "Ni"), ("Ti4+", "Ti"), ("O2-", "O"),
        ("O1-", "O"), ("Fe+3", "Fe"), ("SR1", "Sr"), ("SC", "Sc"), ("PB1A", "Pb"), ("FE", "Fe"), ("CO", "Co"), ("N", "N"),
        ("C1", "C"), ("OA2", "O"), ("OW1", "O"), ("Ow", "O"), ("CB", "C"), ("Cval", "C"), ("Siva", "Si"), ("SIVA", "Si"),
        ("D", "H"), ("D1", "H"), ("DY", "Dy"), ("Wat1", "O"), ("28", "Ni"), ("Y", "Y"), ("YB", "Yb"), ("V3+", "V"),
    ],
)  # fmt: skip
def test_what_a_symbol_stands_for(text, element):
    assert element_of(text).element == element


@pytest.mark.parametrize("text", ["", "Xq", "X", "T1", "M1", "Q", "?", "0", "119", "+2", "Va0"])
def test_what_stands_for_nothing(text):
    if text == "Va0":
        # A vacancy would become vanadium; only the note can tell.
        assert element_of(text).note
        return
    with pytest.raises(AtomsegError, match="names no element"):
        element_of(text)


@pytest.mark.parametrize(
    ("text", "known", "element"),
    [("CO1", {"C", "O"}, "C"), ("CO1", {"Co", "O"}, "Co"), ("CA1", {"C", "N"}, "C"), ("NI", {"Ni"}, "Ni"), ("HO1", {"H"}, "H")],
)
def test_a_formula_tells_which_reading_is_meant(text, known, element):
    found = element_of(text, known)
    assert (found.element, found.fits) == (element, True)


def test_a_formula_may_exclude_every_reading():
    assert not element_of("NI", {"Sr"}).fits
    assert not element_of("B1", {"Sr", "Ti"}).fits


@pytest.mark.parametrize("text", ["Ni", "Ni1", "Ti4+", "O2-", "28", "C12"])
def test_plain_symbols_need_no_word(text):
    assert element_of(text).note == ""


@pytest.mark.parametrize("text", ["NI", "SR1", "D", "ni", "Ow1", "OA"])
def test_symbols_that_could_be_meant_otherwise_are_told(text):
    assert text in element_of(text).note


def test_written_symbols_have_one_reading():
    assert candidates("Co1") == ("Co",)
    assert candidates("CO1") == ("Co", "C")


@pytest.mark.parametrize(
    ("text", "elements"),
    [
        ("Ni O", ("Ni", "O")), ("NI O", ("Ni", "O")), ("'Sr1 Ti1 O3'", ("Sr", "Ti", "O")), ("SrTiO3", ("Sr", "Ti", "O")),
        ("C12 H22 O11", ("C", "H", "O")), ("D2 O", ("H", "O")), ("(Sr0.5 Ba0.5) Ti O3", ("Sr", "Ba", "Ti", "O")), ("Pt", ("Pt",)),
        ("KNbO3", ("K", "Nb", "O")), ("O2", ("O",)), ("NIO", ()), ("?", ()), ("", ()), ("none yet", ()),
    ],
)  # fmt: skip
def test_elements_of_a_formula(text, elements):
    assert elements_of_formula(text) == elements
