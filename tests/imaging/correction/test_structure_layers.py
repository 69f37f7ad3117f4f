"""What the atoms tell a correction that their image does not."""

import numpy as np
import pytest
from ase import Atoms

from napari_atomseg.imaging.correction.structure_layers import WIDTHS, StructureOptics, atoms_above, structure_layers
from napari_atomseg.imaging.cross_section import annular_cross_section, phase_cross_section
from napari_atomseg.imaging.multislice.params import MultisliceParams
from napari_atomseg.specimens.cut_params import CutParams
from napari_atomseg.workflows import SimulationParams, StemParams, simulate

OPTICS = StructureOptics(energy=200e3, semiangle=24.0, inner_angle=70.0, outer_angle=150.0)
RING = (200e3, 24.0, 70.0, 150.0)


def test_a_heavy_atom_scatters_as_in_multislice_and_less_than_in_the_first_born_approximation():
    one = Atoms("Pt", positions=[[0, 0, 0]])
    params = SimulationParams(
        method="multislice",
        pixel_size=0.1,
        cut=CutParams(width_y=6, width_x=6),
        stem=StemParams(source_size=1.0),
        multislice=MultisliceParams(configurations=0, scan_step=0.4),
    )
    image = simulate(one, params).data
    assert phase_cross_section(78, *RING) == pytest.approx(image.sum() * 0.01, rel=0.03)
    assert annular_cross_section(78, *RING) == pytest.approx(1.4 * phase_cross_section(78, *RING), rel=0.01)


def test_light_atoms_scatter_as_in_the_first_born_approximation():
    assert phase_cross_section(6, *RING) == pytest.approx(annular_cross_section(6, *RING), rel=5e-3)


def test_atoms_count_those_above_them_in_their_column():
    positions = np.array([[1, 1, 0], [1, 1, 2.0], [1, 1, 4.0], [5, 5, 4.0]])
    above = atoms_above(positions, np.array([50, 25, 50, 50]))
    assert above[0] == pytest.approx([0, 1, 1.5, 0])
    assert above[1] == pytest.approx(above[0])


def test_the_order_along_the_beam_is_seen_and_the_plain_layers_are_sums():
    positions = np.array([[2, 2, 0], [2, 2, 3.0]])
    heavy_first, light_first = (structure_layers(positions, np.array(one), OPTICS, 0.2, (21, 21)) for one in ([78, 8], [8, 78]))
    each = OPTICS.layers // len(WIDTHS)
    assert len(heavy_first) == OPTICS.layers == 21
    for row in (0, each):
        assert heavy_first[row] == pytest.approx(light_first[row])
    # An atom of oxygen hides less of one of platinum than the other way round.
    assert light_first[1].sum() < 0.9 * heavy_first[1].sum()
    whole = sum(phase_cross_section(one, *RING) for one in (8, 78))
    assert heavy_first[0].sum() * 0.04 == pytest.approx(whole, rel=1e-3)


def test_no_atom_lies_above_itself_however_many_there_are(rng):
    positions = rng.uniform(0, 10, (300, 3))
    counted = atoms_above(positions, np.full(300, 50))
    lowest = np.argmin(positions[:, 2])
    assert counted[:, lowest] == pytest.approx(0)
    assert (counted >= 0).all()
