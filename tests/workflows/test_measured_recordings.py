"""Lattices of real recordings, which are not part of the repository."""

import pytest
from shared_files import shared

from napari_atomseg.specimens.library import crystal
from napari_atomseg.workflows import MeasureParams, locate, measure, read


@pytest.fixture(scope="module")
def structure(tmp_path_factory):
    path = tmp_path_factory.mktemp("structure") / "srtio3.cif"
    crystal("SrTiO3").write(path)
    return str(path)


def test_oxygen_is_a_sublattice_of_the_annular_bright_field_image_and_is_named(structure):
    """Strontium titanate along [110]: find, measure."""
    (image,) = read(shared("micrographs/test_ABF_cropped.hdf5"))
    image = image.calibrated((0.09326, 0.09326), "typed")
    columns = locate(image)
    found = measure(image, columns, what=("sublattices",), params=MeasureParams(structure=structure, zone_axis="1,1,0"))
    lattice = found.numbers["lattices"][0]
    assert [kind["atoms"] for kind in lattice["sublattices"]] == ["Sr O", "Ti", "O2"]
    assert lattice["a_angstrom"] == pytest.approx(3.905 / 2**0.5, rel=0.01)
    assert lattice["b_angstrom"] == pytest.approx(3.905, rel=0.01)
    assert found.numbers["extra_columns"] < 0.05 * len(columns)
