import numpy as np
import pytest

from napari_atomseg.localise.detection.tiles import tiles_of


@pytest.mark.parametrize("shape", [(1, 1), (100, 37), (1024, 1024), (1500, 2600)])
def test_cores_cover_every_pixel_once_and_lie_in_their_windows(shape):
    seen = np.zeros(shape, int)
    for tile in tiles_of(shape, 512, 20):
        (top, bottom), (left, right) = tile.core
        seen[top:bottom, left:right] += 1
        rows, columns = tile.window
        assert max(0, top - 20) == rows.start
        assert min(shape[1], right + 20) == columns.stop
    assert (seen == 1).all()
