"""From two micrographs to a comparison and its files, and from an experiment back to the settings of the microscope."""

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from spots import draw

from napari_atomseg.comparison.compare import one_frame
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError, MissingCalibrationError
from napari_atomseg.core.jobs import run
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.imaging.convolution import ConvolutionParams
from napari_atomseg.specimens.clusters import ClusterParams, cluster
from napari_atomseg.specimens.cut_params import CutParams
from napari_atomseg.specimens.library import crystal
from napari_atomseg.workflows import (
    CompareParams,
    SimulationParams,
    StemParams,
    compare,
    fit_simulation,
    line_profile,
    read,
    simulate,
    write_comparison,
)

CELLS = np.stack(np.meshgrid(np.arange(1, 7), np.arange(1, 7), indexing="ij"), -1).reshape(-1, 2) * 3.9
HEIGHTS = np.random.default_rng(2).uniform(80, 120, len(CELLS))


def picture(places=CELLS, pixel=0.2, shape=(140, 135), gain=1.0, offset=0.0, noise=0.0, name="image"):
    data = gain * draw(places / pixel, 0.5 / pixel, shape, HEIGHTS) + offset
    data = data + noise * np.random.default_rng(1).normal(size=shape)
    return Micrograph(data=data.astype(np.float32), pixel_size=(pixel, pixel), name=name)


@pytest.fixture(scope="module")
def pair():
    """A simulation, and an experiment of which one column stands 10 pm aside."""
    moved = CELLS.copy()
    moved[14] += [0.1, 0]
    return picture(pixel=0.15, shape=(200, 190), name="model"), picture(moved, gain=3, offset=25, noise=1, name="recorded")


@pytest.fixture(scope="module")
def compared(pair):
    return compare(*pair, columns=Columns(positions=CELLS / 0.2))


def test_registration_and_intensities(compared, pair):
    assert np.hypot(*compared.shift) < 0.005
    assert abs(compared.rotation_deg) < 0.01
    assert compared.magnification == pytest.approx(1, abs=1e-4)
    assert (compared.gain, compared.offset) == pytest.approx((3, 25), rel=0.01)
    assert compared.simulated.shape == compared.experimental.shape == compared.residual.shape == pair[1].shape
    assert compared.simulated.pixel_size == pair[1].pixel_size
    assert compared.one_minus_r2 < 0.01
    assert compared.frms == pytest.approx(math.sqrt(compared.one_minus_r2))
    assert compared.notes == ()
    difference = compared.experimental.data - compared.simulated.data
    assert np.allclose(compared.residual.data, difference, atol=1e-4, equal_nan=True)


def test_a_column_10_pm_aside_is_told(compared):
    table = compared.columns
    assert list(table)[:3] == ["y_px", "x_px", "intensity_experimental"]
    assert table["dy_pm"][14] == pytest.approx(10, abs=0.7)
    assert abs(table["dx_pm"][14]) < 0.7
    rest = table.drop(14)
    assert rest[["dy_pm", "dx_pm"]].abs().max().max() < 1.5
    assert rest["intensity_difference"].abs().max() < 0.02 * rest["intensity_experimental"].max()


def test_identical_images(pair):
    found = compare(pair[1], pair[1])
    assert found.one_minus_r2 == pytest.approx(0, abs=1e-9)
    assert found.ssim == pytest.approx(1)
    assert found.shift == pytest.approx((0, 0), abs=1e-6)
    assert found.columns is None


def test_a_smaller_simulation_leaves_the_rest_open(pair):
    small = replace(pair[0], data=pair[0].data[60:130, 50:140])
    found = compare(small, pair[1])
    assert found.shift == pytest.approx((60 * 0.15, 50 * 0.15), abs=0.05)
    assert np.isnan(found.residual.data[0]).all()
    assert np.isfinite(found.residual.data[70, 70])


def test_fractions_of_the_beam_are_not_scaled(pair):
    model = replace(pair[0], data=pair[0].data / 1000)
    recorded = replace(pair[1], data=pair[1].data / 1000)
    found = compare(model, recorded, params=CompareParams(intensities="absolute"))
    assert (found.gain, found.offset) == (1, 0)
    assert found.one_minus_r2 > 1
    assert "the best gain and offset would be 2.99" in found.notes[-1]
    with pytest.raises(AtomsegError, match=r"experimental image reaches 40.*between 0 and 1"):
        compare(model, pair[1], params=CompareParams(intensities="absolute"))


def test_a_profile(compared):
    row = CELLS[0, 0] / 0.2
    found = line_profile(compared, (row, 0), (row, 134), width_px=3)
    assert len(found) == 135
    assert found["distance_angstrom"].iloc[-1] == pytest.approx(134 * 0.2)
    assert np.corrcoef(found["experimental"], found["simulated"])[0, 1] > 0.99
    assert line_profile(compared, (0, 5), (4, 5))["experimental"].tolist() == pytest.approx(
        compared.experimental.data[:5, 5].tolist()
    )
    assert np.isnan(line_profile(compared, (-5, 0), (5, 0))["experimental"][0])
    with pytest.raises(AtomsegError, match="two different ends"):
        line_profile(compared, (1, 1), (1, 1))


def test_files(compared, tmp_path):
    folder = tmp_path / "new"
    paths = write_comparison(compared, folder)
    assert sorted(path.name for path in paths) == [
        "columns.csv", "comparison.json", "comparison.png", "residual.tif", "simulated.tif",
    ]  # fmt: skip
    assert sorted(folder.iterdir()) == sorted(paths)
    assert np.array_equal(read(folder / "residual.tif")[0].data, compared.residual.data, equal_nan=True)
    assert read(folder / "simulated.tif")[0].pixel_size == pytest.approx((0.2, 0.2))
    told = json.loads((folder / "comparison.json").read_text())
    assert told["shift_angstrom"] == pytest.approx(compared.shift)
    assert told["parameters"]["rotation"] is True
    assert len(pd.read_csv(folder / "columns.csv")) == len(CELLS)
    with pytest.raises(AtomsegError, match="would be overwritten"):
        write_comparison(compared, folder)
    write_comparison(replace(compared, ssim=math.nan), folder, force=True)
    assert json.loads((folder / "comparison.json").read_text())["ssim"] is None


def test_refusals(pair):
    model, recorded = pair
    with pytest.raises(MissingCalibrationError, match="pixel size is unknown"):
        compare(replace(model, pixel_size=None), recorded)
    with pytest.raises(MissingCalibrationError, match="pixel size is unknown"):
        compare(model, replace(recorded, pixel_size=None))
    stack = replace(recorded, data=np.stack([recorded.data] * 3))
    with pytest.raises(AtomsegError, match=r"stack of 3 images.*choose a frame"):
        compare(model, stack)
    with pytest.raises(AtomsegError, match="frames 0 to 2, not frame 3"):
        one_frame(stack, 3)
    assert one_frame(stack, 1).shape == recorded.shape
    with pytest.raises(AtomsegError, match="simulated image is 0 everywhere"):
        compare(replace(model, data=0 * model.data), recorded)
    with pytest.raises(AtomsegError, match="a factor of 40"):
        compare(replace(model, pixel_size=(8, 8)), recorded)
    with pytest.raises(AtomsegError, match="several frames"):
        compare(model, recorded, columns=Columns(positions=CELLS[:2] / 0.2, frame=[0, 1]))
    with pytest.raises(AtomsegError, match="largest_scale must lie in"):
        CompareParams(largest_scale=2)


def test_opposite_contrast_is_told(pair):
    found = compare(pair[0], replace(pair[1], data=-pair[1].data))
    assert "opposite" in " ".join(found.notes)


def test_no_columns_are_fine(pair):
    found = compare(*pair, columns=Columns(positions=np.empty((0, 2))))
    assert found.columns is not None
    assert len(found.columns) == 0


LENS = SimulationParams(
    convolution=ConvolutionParams(psf="probe"), pixel_size=0.2, cut=CutParams(thickness=39.05, width_y=15, width_x=13)
)


def recorded_with(stem, scale=1.0):
    image = simulate(crystal("SrTiO3"), replace(LENS, stem=stem))
    noise = np.random.default_rng(5).normal(0, 0.2 * image.data.std(), image.shape)
    return Micrograph(data=(scale * (image.data + noise)).astype(np.float32), pixel_size=image.pixel_size, name="recorded")


@pytest.mark.parametrize(("defocus", "source_size"), [(40, 1.0), (0, 0.65)])
def test_defocus_and_source_size_come_back(defocus, source_size):
    recorded, heard = recorded_with(StemParams(defocus=defocus, source_size=source_size), 4000), []
    found = run(fit_simulation.steps(crystal("SrTiO3"), recorded, LENS), heard.append)
    # One bar that moves from its beginning to its end.
    shares = [one.done / one.total for one in heard]
    assert shares == sorted(shares)
    assert len(set(shares)) > 25
    assert np.diff(shares).max() < 0.3
    lens, uncertainty = found.params.stem, found.uncertainty
    assert abs(lens.source_size - source_size) < 3 * uncertainty["source_size"]
    # The square of the defocus is what the image depends on.
    assert abs(lens.defocus**2 - defocus**2) < 3 * 2 * max(lens.defocus, 1) * uncertainty["defocus"]
    assert uncertainty["source_size"] < 0.1
    assert uncertainty["defocus"] < 15
    assert ("from focus" in " ".join(found.notes)) == (defocus == 0)
    assert found.one_minus_r2 == pytest.approx(0.04, abs=0.005)
    assert found.steps[-1]["one_minus_r2"] <= found.steps[0]["one_minus_r2"]
    assert "sign is not determined" in found.notes[0]


def test_thickness_of_absolute_intensities():
    params = replace(LENS, cut=replace(LENS.cut, thickness=20))
    found = fit_simulation(crystal("SrTiO3"), recorded_with(StemParams()), params, vary=("thickness", "source_size"))
    assert abs(found.params.cut.thickness - 39.05) < 3 * found.uncertainty["thickness"]
    assert found.uncertainty["thickness"] < 1
    assert found.comparison.gain == 1
    with pytest.raises(AtomsegError, match=r"reaches.*between 0 and 1"):
        fit_simulation(crystal("SrTiO3"), recorded_with(StemParams(), 4000), params, vary=("thickness",))


def test_what_cannot_be_fitted():
    image = recorded_with(StemParams())
    with pytest.raises(AtomsegError, match="Cs cannot be fitted; choose among defocus"):
        fit_simulation(crystal("SrTiO3"), image, LENS, vary=("Cs",))
    with pytest.raises(AtomsegError, match="nothing cannot be fitted"):
        fit_simulation(crystal("SrTiO3"), image, LENS, vary=())
    with pytest.raises(AtomsegError, match="only a crystal"):
        fit_simulation(cluster(ClusterParams(diameter=10)), image, LENS, vary=("thickness",))
    with pytest.raises(MissingCalibrationError):
        fit_simulation(crystal("SrTiO3"), replace(image, pixel_size=None), LENS)
