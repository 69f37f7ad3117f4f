"""Long work in a thread: Cancel, errors, results that find their image, a window that closes in the middle."""

import threading
import time
import warnings

import numpy as np
from conftest import HANGING, add_image, drop, lattice, nearest, open_panel, truth
from qtpy.QtCore import QThreadPool
from qtpy.QtWidgets import QApplication

from napari_atomseg.core.errors import AtomsegError, AtomsegWarning
from napari_atomseg.core.jobs import Progress
from napari_atomseg.gui.docks.diffractogram import DiffractogramDock


def endless(started=None):
    while True:
        if started is not None:
            started.set()
        time.sleep(0.01)
        yield Progress(0, 0, "turning")


def failing(error):
    yield Progress(1, 2, "half")
    raise error


def running_threads():
    return QThreadPool.globalInstance().activeThreadCount()


def test_cancel_on_a_large_image_leaves_everything_as_it_was(viewer, page, panel, qtbot):
    add_image(viewer, np.tile(lattice(256), (8, 8)), "large")
    for wait in (0, 300):
        page.find()
        qtbot.wait(wait)
        assert panel.busy
        panel.cancel_button.click()
        qtbot.waitUntil(lambda: not panel.busy, timeout=HANGING)
        assert [layer.name for layer in viewer.layers] == ["large"]
        assert "nothing was changed" in panel.status.text()
        assert panel.run_button.isEnabled()
        assert not panel.cancel_button.isEnabled()


def test_a_cancelled_job_takes_no_step_more(viewer, panel, qtbot):
    """One step may be under way when Cancel is pressed."""
    made, over = [], threading.Event()

    def counting():
        try:
            while True:
                made.append(1)
                time.sleep(0.01)
                yield Progress(0, 0, "turning")
        finally:
            over.set()

    panel.start(counting(), print, "Turning")
    qtbot.waitUntil(lambda: len(made) > 3, timeout=HANGING)
    before = len(made)
    panel.cancel_button.click()
    assert not panel.busy
    # Not the threads of all: a job of an earlier test may still be in its last step.
    qtbot.waitUntil(over.is_set, timeout=HANGING)
    assert len(made) <= before + 1


def test_cancel_of_refine_changes_nothing(viewer, page, panel, qtbot, idle):
    from napari_atomseg.core.columns import Columns
    from napari_atomseg.gui.documents.results import show_columns

    image = add_image(viewer, np.tile(lattice(224), (9, 9)), "large")
    tiles = [np.add(truth(224), (224 * y, 224 * x)) for y in range(9) for x in range(9)]
    session, _ = show_columns(viewer, image, Columns(positions=np.concatenate(tiles)))
    page._host.documents.watch(session)
    before = session.columns
    page.refine()
    qtbot.wait(300)
    assert panel.busy
    panel.cancel_button.click()
    qtbot.waitUntil(lambda: not panel.busy, timeout=HANGING)
    assert session.columns is before
    assert not session.can_undo


def test_window_stays_alive_while_finding(viewer, page, panel, qtbot):
    add_image(viewer, np.tile(lattice(256), (6, 6)), "large")
    page.find()
    turns = 0
    while panel.busy and turns < 200:
        QApplication.processEvents()
        turns += 1
        time.sleep(0.002)
    assert turns > 20
    assert panel.progress.isVisibleTo(panel) or not panel.busy
    panel.cancel()
    qtbot.waitUntil(lambda: not panel.busy, timeout=HANGING)


def test_second_start_is_refused_and_says_why(viewer, panel, qtbot):
    add_image(viewer)
    panel.start(endless(), print, "Turning")
    work = panel.jobs.work
    assert not panel.run_button.isEnabled()
    assert "running" in panel.run_button.toolTip()
    panel.start(endless(), print, "Again")
    assert panel.jobs.work is work
    panel.cancel()
    qtbot.waitUntil(lambda: not panel.busy, timeout=HANGING)


def test_refine_is_off_while_a_job_runs(panel, page, found, qtbot):
    panel.start(endless(), print, "Turning")
    assert not page.refine_button.isEnabled()
    assert "running" in page.refine_button.toolTip()
    panel.cancel_button.click()
    assert page.refine_button.isEnabled()


def test_own_error_is_one_sentence(viewer, panel, qtbot, notices):
    panel.start(failing(AtomsegError("The file has gone.")), print, "Reading")
    qtbot.waitUntil(lambda: not panel.busy, timeout=HANGING)
    assert panel.status.text() == "The file has gone."
    assert notices() == ["The file has gone."]


def test_unforeseen_error_is_one_sentence_with_details(viewer, panel, qtbot, notices):
    panel.start(failing(ZeroDivisionError("oh")), print, "Dividing")
    qtbot.waitUntil(lambda: not panel.busy, timeout=HANGING)
    assert "ZeroDivisionError" in panel.status.text()
    assert "Traceback" not in panel.status.text()
    assert "details" in panel.status.text()
    assert "Traceback" in panel.jobs.held["failure"][1]
    assert len(notices()) == 1


def test_error_text_of_a_program_is_shown_as_text(viewer, panel, qtbot, notices):
    panel.start(failing(ValueError("<array> & <a> list")), print, "Working")
    qtbot.waitUntil(lambda: not panel.busy, timeout=HANGING)
    assert "&lt;array&gt;" in panel.status.text()


def test_result_lands_on_its_image(viewer, page, panel, idle):
    first = add_image(viewer, name="first")
    page.find()
    second = add_image(viewer, lattice(seed=8), "second")
    assert panel.image is second
    idle(panel)
    points = viewer.layers["first | columns"]
    assert nearest(points.data, truth()).max() < 1
    from napari_atomseg.gui.documents.editing import session_of

    assert session_of(points).image is first


def test_result_survives_the_removal_of_its_image(viewer, page, panel, idle, files):
    image = add_image(viewer, name="gone")
    page.find()
    viewer.layers.remove(image)
    idle(panel)
    (points,) = viewer.layers
    np.testing.assert_allclose(points.scale, image.scale)
    assert points.units == image.units
    assert "unforeseen" not in panel.status.text()
    assert page.save(str(files.folder / "gone.csv"))
    image = None


def test_image_removed_after_the_columns_were_found(viewer, page, panel, found, files):
    viewer.layers.remove("lattice")
    viewer.layers.selection.active = found.layer
    assert page.session is found
    assert page.save(str(files.folder / "kept.csv"))
    assert not page.refine_button.isEnabled()
    assert page.refine_button.toolTip()
    found.layer.add([20.2, 20.2])
    assert found.columns.features["origin"].iloc[-1] == "manual"
    found.undo()


def test_points_removed_during_refine(viewer, page, panel, found, idle):
    page.refine()
    viewer.layers.remove(found.layer)
    idle(panel)
    assert [layer.name for layer in viewer.layers] == ["lattice"]
    assert "unforeseen" not in panel.status.text()


def test_closing_the_window_in_the_middle(make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    panel = open_panel(viewer)
    started = threading.Event()
    panel.start(endless(started), print, "Turning")
    assert started.wait(HANGING / 1000)
    stop = panel.jobs.work._stop
    del panel
    viewer.close()
    QApplication.processEvents()
    assert stop.is_set()
    qtbot.waitUntil(lambda: not running_threads(), timeout=HANGING)


def test_closing_the_window_while_finding(make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    panel = open_panel(viewer)
    add_image(viewer, np.tile(lattice(256), (6, 6)), "large")
    panel.pages["Columns"].find()
    panel.open_dock(DiffractogramDock)
    qtbot.wait(400)
    del panel
    viewer.close()
    qtbot.waitUntil(lambda: not running_threads(), timeout=HANGING)


def test_closing_the_window_while_a_file_is_looked_into(make_napari_viewer, files, qtbot):
    from napari.settings import get_settings

    get_settings().plugins.extension2reader = {"*.tif": "napari"}
    viewer = make_napari_viewer()
    open_panel(viewer)
    drop(viewer, files.tif)
    viewer.close()
    qtbot.waitUntil(lambda: not running_threads(), timeout=HANGING)


def test_letting_go_of_what_has_ended_long_ago_is_harmless(qtbot):
    from PyQt6 import sip

    from napari_atomseg.gui.jobs.workers import Work

    work = Work(iter_once())
    with qtbot.waitSignal(work.ended, timeout=HANGING):
        work.start()
    # Its thread says once more that it has ended, after `ended`.
    qtbot.waitUntil(lambda: not running_threads(), timeout=HANGING)
    sip.delete(work._worker.signals)
    work.abandon()


def iter_once():
    yield Progress(1, 1, "done")
    return 7


def test_a_warning_of_ours_is_shown_once(panel, idle, notices):
    def warning():
        warnings.warn("the pixel size is odd", AtomsegWarning, stacklevel=1)
        warnings.warn("somebody else's trouble", UserWarning, stacklevel=1)
        yield Progress(1, 1, "done")

    panel.start(warning(), print, "Warning")
    idle(panel)
    assert notices().count("the pixel size is odd") == 1
