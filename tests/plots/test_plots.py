"""Plots as values: what they hold, and that they are drawn in memory and into files without a window."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from napari_atomseg.plots.histogram import edges_of, histogram_of
from napari_atomseg.plots.line_profile import LineProfile
from napari_atomseg.plots.loss_curve import LossCurve
from napari_atomseg.plots.picture import ON_WHITE, figure_of, pixels_of, save_plot

SIZE = (300, 110)


def histogram():
    return histogram_of(np.array([*np.linspace(1, 2, 99), 50.0, np.nan]), "position σ", "pm")


def losses():
    curve = LossCurve()
    for step, value in enumerate((float("nan"), 3.0, 2.0, 1.0)):
        curve = curve.with_value(step, value)
    return curve


def profile():
    distance = np.linspace(0, 10, 50)
    table = {"distance_angstrom": distance, "experimental": np.sin(distance), "simulated": np.full(50, np.nan)}
    return LineProfile(pd.DataFrame(table))


PLOTS = {"histogram": histogram, "losses": losses, "profile": profile}


def test_a_histogram_counts_what_is_known_and_ends_before_the_outlier():
    counted = histogram()
    assert counted.counts.sum() == 100
    assert counted.bin_of[-1] == -1
    assert counted.edges[-1] < 3
    assert counted.bin_of[-2] == len(counted.counts) - 1
    assert counted.marks[0] == pytest.approx(1.505, abs=0.01)
    assert counted.describe(len(counted.counts) - 1).endswith("pm and more")


def test_the_bar_at_a_share_of_the_width():
    counted = histogram()
    assert counted.bar_at(0.0) == 0
    assert counted.bar_at(1.0) == len(counted.counts) - 1
    assert histogram_of(np.zeros(0)).bar_at(0.5) is None


@pytest.mark.parametrize("values", [[], [0.2], [0.2] * 9, [0.0, 0.0], [1e-9, 1.0]])
def test_edges_of_few_or_equal_values(values):
    edges = edges_of(np.array(values))
    assert len(edges) == 0 if not values else (np.diff(edges) > 0).all()


def test_a_loss_that_is_no_number_leaves_no_trace():
    curve = losses()
    assert curve.values == (3.0, 2.0, 1.0)
    assert curve.steps == (1, 2, 3)
    assert curve.smooth[0] == 3.0
    assert 1.0 < curve.smooth[-1] < 3.0


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_is_drawn_in_the_size_that_is_asked_for(name):
    plot = PLOTS[name]()
    pixels = pixels_of(plot, SIZE, ON_WHITE)
    assert pixels.shape == (SIZE[1], SIZE[0], 4)
    assert len(np.unique(pixels.reshape(-1, 4), axis=0)) > 3
    assert pixels_of(plot, SIZE, ON_WHITE, scale=2.0).shape == (2 * SIZE[1], 2 * SIZE[0], 4)


@pytest.mark.parametrize("suffix", [".png", ".svg"])
@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_is_written_to_a_file(name, suffix, tmp_path):
    path = tmp_path / f"plot{suffix}"
    save_plot(PLOTS[name](), path)
    assert path.stat().st_size > 500
    with pytest.raises(OSError, match="nowhere"):
        save_plot(PLOTS[name](), tmp_path / "nowhere" / path.name)


def test_the_axes_of_a_profile_have_names_and_a_legend():
    (axes,) = figure_of(profile(), (640, 300)).axes
    assert axes.get_xlabel() == "distance, Å"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["recorded", "simulated"]


def test_plots_load_matplotlib_only_when_they_are_drawn():
    code = "import sys, napari_atomseg.plots.histogram, napari_atomseg.plots.picture; print('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"
