import pytest
import torch

from napari_atomseg.noise.row_line import RowLineParams, row_line


def test_a_piece_becomes_its_mean_times_a_factor():
    image = torch.rand(1, 1, 40, 50) + 1
    out = row_line(image, [RowLineParams(lines=1, longest=20)], [4])
    changed = (out != image)[0, 0]
    rows = changed.any(1).nonzero()[:, 0]
    assert len(rows) == 1
    piece = changed[rows[0]].nonzero()[:, 0]
    assert len(piece) <= 20
    assert torch.equal(piece, torch.arange(int(piece[0]), int(piece[-1]) + 1))
    values = out[0, 0, rows[0], piece]
    assert (values == values[0]).all()
    assert 0.5 <= float(values[0] / image[0, 0, rows[0], piece].mean()) <= 1.5


def test_factors_and_lengths_cover_their_ranges():
    image = torch.ones(1, 1, 4000, 64)
    out = row_line(image, [RowLineParams(lines=1000, longest=10, lowest=0.8, highest=0.9)], [1])[0, 0]
    changed = out < 1
    # Pieces in one row, and pieces at its end, are the exception.
    assert int(changed.sum(1).max()) <= 30
    assert 0.75 * 5.5 * 1000 < int(changed.sum()) < 5.5 * 1000
    single = out[changed]
    assert float(single.max()) <= 0.9
    assert float(single.median()) == pytest.approx(0.85, abs=0.01)
