"""From a dropped structure to its images, in the real window."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import HANGING, add_image, drop, micrograph, open_panel, wait_until_idle
from napari.layers import Image
from qtpy.QtWidgets import QApplication, QWidget

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress
from napari_atomseg.gui.layers.structures import is_structure, method_of, simulated_of
from napari_atomseg.specimens.clusters import ClusterParams, cluster
from napari_atomseg.specimens.library import crystal
from napari_atomseg.workflows import (
    AcquisitionParams,
    ConvolutionParams,
    CutParams,
    DetectorParams,
    MultisliceParams,
    StemParams,
    fit_correction,
    make_pairs,
    read,
    simulate,
    write_correction,
)

CHEAP = MultisliceParams(configurations=0, slice_thickness=4.0, scan_step=0.5)


@pytest.fixture
def sto(tmp_path):
    path = tmp_path / "sto.cif"
    crystal("SrTiO3").write(path)
    return path


@pytest.fixture
def simulate_page(panel):
    page = panel.pages["Simulate"]
    page.cut.set_value(CutParams(thickness=8, width_y=12, width_x=10))
    page.pixel.set_value(0.2)
    page.detector.set_value(DetectorParams(inner_angle=40, outer_angle=80))
    page.multislice.set_value(CHEAP)
    return page


@pytest.fixture
def shown(qtbot, viewer, simulate_page, sto):
    """A dropped crystal with its convolution."""
    drop(viewer, sto)
    wait_for_layer(qtbot, viewer, "sto | convolution")
    return viewer.layers["sto"]


def test_a_structure_lies_beside_the_image_and_its_simulation_under_it(viewer, simulate_page, sto, qtbot):
    image = add_image(viewer)
    drop(viewer, sto)
    structure = next(layer for layer in viewer.layers if is_structure(layer))
    qtbot.waitUntil(lambda: simulated_of(viewer, structure, "convolution") is not None, timeout=HANGING)
    simulated = simulated_of(viewer, structure, "convolution")
    assert simulated.extent.world[0][-1] > image.extent.world[1][-1]
    np.testing.assert_allclose(simulated.translate, structure.translate)
    camera, width = viewer.scene.camera, viewer.canvas.size[1]
    right = camera.center[-1] + width / camera.zoom / 2
    assert right > structure.extent.world[1][-1]
    assert camera.center[-1] - width / camera.zoom / 2 < image.extent.world[0][-1]
    # Another image that is wider does not cover it either.
    wider = add_image(viewer, np.zeros((50, 900), np.float32), "wider")
    assert simulated.extent.world[0][-1] > wider.extent.world[1][-1]
    np.testing.assert_allclose(simulated.translate, structure.translate)


def wait_for_layer(qtbot, viewer, name, timeout=HANGING):
    qtbot.waitUntil(lambda: name in [layer.name for layer in viewer.layers], timeout=timeout)


def settle(qtbot, viewer, page):
    """Let the live convolution end."""
    qtbot.wait(400)
    QApplication.processEvents()


def test_a_dropped_crystal_is_shown_with_its_convolution(viewer, panel, shown, simulate_page):
    assert is_structure(shown)
    assert panel.page is simulate_page
    image = viewer.layers["sto | convolution"]
    assert image.data.shape == (60, 50)
    assert tuple(image.scale) == pytest.approx((0.02, 0.02))
    assert [str(unit) for unit in shown.units] == ["nanometer"] * 2
    assert set(shown.features["element"]) == {"Sr", "Ti", "O"}
    assert viewer.layers.index(image) < viewer.layers.index(shown)
    assert "Sr" in simulate_page.structure.legend.text()
    brightest = np.unravel_index(np.argmax(image.data[10:50, 10:40]), (40, 30)) + np.array([10, 10])
    strontium = shown.data[shown.features["element"] == "Sr"]
    assert np.min(np.linalg.norm(strontium - brightest * 0.2, axis=1)) < 0.15


def test_another_zone_axis_changes_both(qtbot, viewer, shown, simulate_page):
    before = viewer.layers["sto | convolution"].data.copy()
    atoms = len(shown.data)
    simulate_page.structure.zone.setCurrentText("1,1,0")
    qtbot.waitUntil(lambda: not np.array_equal(before, viewer.layers["sto | convolution"].data), timeout=HANGING)
    assert len(shown.data) != atoms
    assert [layer.name for layer in viewer.layers].count("sto | convolution") == 1


def test_a_wrong_zone_axis_is_a_sentence_and_the_window_lives(qtbot, viewer, panel, shown, simulate_page):
    simulate_page.structure.zone.setCurrentText("0,0,0")
    qtbot.wait(400)
    assert "zone axis is [0 0 0]" in panel.status.text()
    assert "zone axis" in simulate_page.why_not()
    assert not panel.run_button.isEnabled()
    simulate_page.structure.zone.setCurrentText("1,1,1")
    assert simulate_page.why_not() == ""


def test_multislice_shows_what_there_is_and_ends(qtbot, viewer, panel, shown, simulate_page):
    simulate_page.method.setCurrentText("multislice")
    seen = []
    viewer.layers.events.inserted.connect(lambda event: seen.append(event.value.name))
    panel.run_button.click()
    wait_until_idle(qtbot, panel)
    assert "sto | multislice" in [layer.name for layer in viewer.layers]
    assert "sto | multislice so far" not in [layer.name for layer in viewer.layers]
    image = viewer.layers["sto | multislice"]
    assert image.data.shape == (60, 50)
    assert np.isfinite(image.data).all()
    assert "multislice" in panel.status.text()
    panel.run_button.click()
    wait_until_idle(qtbot, panel)
    assert [layer.name for layer in viewer.layers].count("sto | multislice") == 1


def test_cancel_in_the_middle_leaves_what_there_is(qtbot, viewer, panel, shown, simulate_page):
    simulate_page.method.setCurrentText("multislice")
    simulate_page.multislice.set_value(MultisliceParams(configurations=40, slice_thickness=1.0))
    panel.run_button.click()
    wait_for_layer(qtbot, viewer, "sto | multislice so far", timeout=HANGING)
    partial = viewer.layers["sto | multislice so far"]
    assert partial.data.ndim == 2
    panel.cancel_button.click()
    assert not panel.busy
    assert "cancelled" in panel.status.text()
    assert "nothing was changed" not in panel.status.text()
    assert partial.name in panel.status.text()
    viewer.layers.remove(partial)
    assert panel.run_button.isEnabled()


def test_the_cost_stands_beside_the_button(qtbot, shown, simulate_page):
    simulate_page.method.setCurrentText("multislice")
    qtbot.waitUntil(lambda: "GB" in simulate_page.cost.text(), timeout=HANGING)
    assert simulate_page.cost.text().startswith("About ")


def test_the_experiment_stays_the_image_and_lends_its_grid(qtbot, viewer, panel, simulate_page, files, sto):
    drop(viewer, files.tif)
    drop(viewer, sto)
    wait_for_layer(qtbot, viewer, "sto | convolution")
    assert panel.image is viewer.layers["lattice"]
    simulate_page.as_image.setChecked(True)
    qtbot.waitUntil(lambda: viewer.layers["sto | convolution"].data.shape == (160, 160), timeout=HANGING)
    assert tuple(viewer.layers["sto | convolution"].scale) == pytest.approx(tuple(viewer.layers["lattice"].scale))


def test_the_structure_turns_to_the_image(qtbot, viewer, panel, shown, simulate_page):
    crystal_params = simulate_page.params()
    turned = replace(
        crystal_params,
        cut=replace(crystal_params.cut, zone_axis="1,1,0", rotation_deg=21, width_y=24, width_x=24),
        stem=StemParams(),
    )
    add_image(viewer, simulate(crystal("SrTiO3"), turned).data, "turned")
    simulate_page.structure.zone.setCurrentText("1,1,0")
    simulate_page.turn.turn_to_image()
    wait_until_idle(qtbot, panel)
    assert simulate_page.turn.form.value().rotation_deg == pytest.approx(21, abs=1)
    assert "turned by" in panel.status.text()


def test_a_particle_is_built_and_recorded(qtbot, viewer, panel, simulate_page):
    atoms = cluster(ClusterParams(diameter=10))
    atoms.info = {"name": "Pt55"}
    simulate_page.structure.add(atoms)
    wait_for_layer(qtbot, viewer, "Pt55 | convolution")
    settle(qtbot, viewer, simulate_page)
    simulate_page.recording.form.set_value(AcquisitionParams(dose=1e4, jitter_x=0.1))
    simulate_page.recording.record()
    noisy = viewer.layers["Pt55 | convolution | recorded"]
    clean = viewer.layers["Pt55 | convolution"]
    assert noisy.data.shape == clean.data.shape
    assert not np.array_equal(noisy.data, clean.data)
    simulate_page.recording.record()
    assert [layer.name for layer in viewer.layers].count("Pt55 | convolution | recorded") == 1


def test_hrtem_series(qtbot, viewer, panel, shown, simulate_page):
    simulate_page.method.setCurrentText("hrtem")
    assert not simulate_page.detector.isVisibleTo(simulate_page)
    simulate_page.tem.findChild(object, "images").setValue(2)
    panel.run_button.click()
    wait_until_idle(qtbot, panel)
    assert viewer.layers["sto | hrtem"].data.shape == (2, 60, 50)


def test_a_correction_is_used_and_its_doubts_are_told(qtbot, viewer, panel, shown, simulate_page, tmp_path):
    simulate_page.method.setCurrentText("corrected")
    assert simulate_page.correction.text() == "The one that fits"
    made = make_pairs(crystal("SrTiO3"), simulate_page.params(), number=3)
    pairs = [replace(one, told={**one.told, "composition": {"Pt": 1.0}}) for one in made]
    write_correction(fit_correction(pairs), tmp_path / "c.json")
    simulate_page.correction.choose(str(tmp_path / "c.json"))
    assert simulate_page.correction.text() == "c.json"
    panel.run_button.click()
    wait_until_idle(qtbot, panel)
    assert "sto | corrected" not in viewer.layers
    assert "knows nothing of" in panel.status.text()
    simulate_page.correction.menu().actions()[-1].setChecked(True)
    panel.run_button.click()
    wait_until_idle(qtbot, panel)
    assert method_of(viewer.layers["sto | corrected"]) == "corrected"
    assert "knows nothing of" in panel.status.text()


def test_pairs_tell_their_cost_first_and_are_kept_when_the_fit_fails(qtbot, panel, shown, simulate_page, tmp_path, monkeypatch):
    from napari_atomseg.gui.pages.simulate import correction

    def steps(atoms, params, *, keep):
        keep.mkdir()
        (keep / "00.npz").write_bytes(b"")
        yield Progress(1, 2, "pair 1 of 2")
        raise AtomsegError("the fit has no solution")

    monkeypatch.setattr(correction, "pairs_cost", lambda *_: SimpleNamespace(seconds=720, memory_bytes=1.2e9))
    monkeypatch.setattr(correction.correction_for, "steps", steps)
    simulate_page.correction.make(str(tmp_path / "sto.json"))
    wait_until_idle(qtbot, panel)
    assert "about 12 min and 1.2 GB" in panel.offer.sentence.text()
    assert not list(tmp_path.glob("*_pairs"))
    panel.offer.accept.click()
    wait_until_idle(qtbot, panel)
    assert "the fit has no solution" in panel.status.text()
    assert f"1 pair is kept in {tmp_path / 'sto_pairs'}" in panel.status.text()


def test_simulated_images_are_saved_with_their_pixel_size(viewer, shown, tmp_path):
    viewer.layers["sto | convolution"].save(str(tmp_path / "sim.tif"), plugin="napari-atomseg")
    assert read(tmp_path / "sim.tif")[0].pixel_size == pytest.approx((0.2, 0.2))


def test_without_a_structure_the_page_says_what_to_do(panel, simulate_page):
    panel.pages.turn_to_title("Simulate")
    assert not simulate_page.controls.isVisibleTo(simulate_page)
    assert "Drop a structure" in simulate_page.empty.text()
    assert not panel.run_button.isEnabled()


def test_a_bad_structure_is_one_sentence(viewer, simulate_page, tmp_path, notices):
    path = tmp_path / "bad.cif"
    path.write_text("data_nothing\n")
    drop(viewer, path)
    assert not viewer.layers
    assert any("bad.cif" in text for text in notices())


def test_structures_and_columns_do_not_meet(viewer, panel, shown):
    assert panel.documents.session is None
    image = viewer.add_image(micrograph().data, name="other")
    assert isinstance(image, Image)
    assert simulated_of(viewer, shown, "convolution") is viewer.layers["sto | convolution"]


def test_closing_during_a_run_ends_cleanly(qtbot, viewer, panel, shown, simulate_page):
    simulate_page.method.setCurrentText("multislice")
    simulate_page.multislice.set_value(MultisliceParams(configurations=40, slice_thickness=1.0))
    panel.run_button.click()
    qtbot.wait(1500)
    assert panel.busy
    viewer.window.remove_dock_widget("all")
    QApplication.processEvents()
    assert open_panel(viewer) is not panel


def visible(form, name):
    return form.findChild(QWidget, name).isVisibleTo(form)


def test_only_what_the_method_depends_on_is_shown(shown, simulate_page):
    page = simulate_page
    page.multislice.set_value(replace(CHEAP, configurations=2))
    seen = {}
    for method in ("convolution", "multislice", "hrtem"):
        page.method.setCurrentText(method)
        seen[method] = {name for name in ("energy", "semiangle", "defocus", "Cs", "source_size") if visible(page.stem, name)}
        seen[method] |= {name for name in ("thermal",) if visible(page.turn, name)}
    assert seen["convolution"] == {"energy", "semiangle"}
    assert seen["multislice"] == {"energy", "semiangle", "defocus", "Cs", "source_size", "thermal"}
    assert seen["hrtem"] == {"energy", "thermal"}
    page.method.setCurrentText("convolution")
    page.convolution.set_value(ConvolutionParams(psf="probe"))
    page.refresh()
    assert visible(page.stem, "defocus")
    assert not visible(page.convolution, "sigma")
    assert page.params().stem == page.stem.value()


def test_what_was_read_is_shown_and_follows_the_repetition(shown, simulate_page):
    told = simulate_page.structure.legend.text()
    assert "SrTiO3, 5 atoms, 5.12 g/cm³, 3.905 × 3.905 × 3.905 Å, repeated along a, b, c" in told
    line = simulate_page.cut.findChild(QWidget, "repeat")
    line.setText("2,2,1")
    line.editingFinished.emit()
    assert "not repeated" in simulate_page.structure.legend.text()
    assert not visible(simulate_page.cut, "thickness")
    line.setText("twice")
    line.editingFinished.emit()
    assert "auto, none, or three numbers" in simulate_page.why_not()
    line.setText("auto")
    line.editingFinished.emit()
    assert simulate_page.why_not() == ""


def test_a_dropped_monolayer_says_why_it_ends(qtbot, viewer, simulate_page, tmp_path):
    path = tmp_path / "sheet.vasp"
    crystal("MoS2").write(path)
    drop(viewer, path)
    wait_for_layer(qtbot, viewer, "sheet | convolution")
    assert "empty slab of 16.9 Å along c" in simulate_page.structure.legend.text()
    assert not visible(simulate_page.cut, "thickness")
