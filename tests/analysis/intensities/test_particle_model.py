import numpy as np

from napari_atomseg.analysis.intensities.particle_model import particle_model


def test_columns_are_centred_or_stand_on_one_level():
    places = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    counts = np.array([2, np.nan, 3])
    model = particle_model(places, counts, 2.0, "symmetric", "Pt")
    assert model["z_angstrom"].tolist() == [-1, 1, -2, 0, 2]
    assert model["column"].tolist() == [0, 0, 2, 2, 2]
    assert model["x_angstrom"].tolist() == [2, 2, 6, 6, 6]
    assert particle_model(places, counts, 2.0, "flat")["z_angstrom"].tolist() == [0, 2, 0, 2, 4]
