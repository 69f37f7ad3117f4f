"""The form that predicts images which it has not seen."""

import numpy as np
import pytest
from drawn_pairs import draw_pair, draw_pairs

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import run
from napari_atomseg.imaging.correction.selection import candidates, choose_form, leave_one_out
from napari_atomseg.readers.image_pairs import ImagePair
from napari_atomseg.workflows import CorrectionParams, fit_correction

LINE = CorrectionParams(form="paper", side=1, degree=1, log=False)


def test_left_out_images_are_predicted_by_fits_to_the_others():
    pairs = draw_pairs(3)
    found = run(leave_one_out(pairs, LINE))
    squares, scatter = 0.0, np.concatenate([pair.multislice.ravel() for pair in pairs])
    for row, pair in enumerate(pairs):
        others = [other for place, other in enumerate(pairs) if place != row]
        fast, slow = (np.concatenate([getattr(one, role).ravel() for one in others]) for role in ("convolution", "multislice"))
        gain, offset = np.polyfit(fast, slow, 1)
        squares += ((gain * pair.convolution + offset - pair.multislice) ** 2).sum()
    assert found.one_minus_r2 == pytest.approx(squares / ((scatter - scatter.mean()) ** 2).sum(), rel=1e-6)
    assert found.plain >= found.one_minus_r2 * 0.5
    assert found.noise is None


def test_a_line_is_taken_for_a_line(rng):
    images = [draw_pair(seed).convolution for seed in range(3)]
    pairs = [
        ImagePair(name=str(row), convolution=one, multislice=2 * one + 0.1 + rng.normal(0, 0.05, one.shape))
        for row, one in enumerate(images)
    ]
    chosen, score, _ = run(choose_form(pairs, CorrectionParams()))
    assert (chosen.form, chosen.side, chosen.degree) == ("paper", 1, 1)
    assert score.one_minus_r2 < 0.2


def test_surroundings_are_taken_where_they_tell_something():
    chosen, _, _ = run(choose_form(draw_pairs(4), CorrectionParams()))
    assert chosen.form in ("robust", "better")


def test_small_images_have_no_forms_that_need_large_ones():
    pairs = [draw_pair(seed, shape=(14, 14)) for seed in range(2)]
    assert {form.form for form in candidates(pairs, CorrectionParams())} == {"paper"}


def test_a_fit_worse_than_the_convolution_is_not_offered(rng):
    images = [draw_pair(seed).convolution for seed in range(2)]
    # Two images whose surroundings tell the fit of one nothing of the other.
    pairs = [
        ImagePair(name=str(row), convolution=one, multislice=one + 0.3 * rng.normal(0, 1, one.shape))
        for row, one in enumerate(images)
    ]
    with pytest.raises(AtomsegError, match="their convolution alone is as good as"):
        fit_correction(pairs, CorrectionParams(form="paper", pixels=500))


def test_scores_of_images_left_out_are_kept():
    scores = fit_correction(draw_pairs(3), CorrectionParams(repeats=1)).cross_validation
    assert scores.leave_one_out < scores.plain
