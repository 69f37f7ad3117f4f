"""Unsaved edits: kept, offered again, asked about."""

import numpy as np
import pytest
from conftest import HANGING, add_image, drop, open_panel
from qtpy.QtCore import QEvent
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QApplication, QFileDialog, QMessageBox

from napari_atomseg.gui.documents import document_store
from napari_atomseg.gui.documents.recovery_folder import recovery_folder
from napari_atomseg.gui.shell.panel import CloseGuard

BUTTONS = QMessageBox.StandardButton


class SpontaneousClose(QCloseEvent):
    """As it comes from the window system; Qt lets nobody else set that mark."""

    def spontaneous(self):
        return True


@pytest.fixture
def asked(monkeypatch):
    """What the guard asks, and the answer that it gets."""
    calls = []
    answer = {"is": BUTTONS.Cancel}

    def ask(panel, layers):
        calls.append([layer.name for layer in layers])
        return answer["is"]

    monkeypatch.setattr(CloseGuard, "ask", staticmethod(ask))
    return calls, answer


def kept_files(page=None):
    if page is not None:
        page.store.keep()
        page.store.wait()
    return sorted(path.name for path in recovery_folder().glob("*.npz"))


def guarded(panel, event):
    """Whether one of the guards of the panel's window holds a close up."""
    return panel._guard.eventFilter(panel.window(), event)


def test_edits_are_kept_offered_and_restored(viewer, page, panel, found, files, idle):
    found.layer.remove([0])
    assert page.store._timer.isActive()
    assert len(kept_files(page)) == 1
    edited = found.columns.positions
    viewer.layers.clear()
    drop(viewer, files.tif)
    assert not panel.offer.isHidden()
    assert "Unsaved edits" in panel.offer.sentence.text()
    panel.offer.accept.click()
    session = page.session
    np.testing.assert_allclose(session.columns.positions, edited)
    assert session.unsaved
    assert len(session.deleted) == 1
    assert session.image is viewer.layers["lattice"]


def test_recovery_file_comes_by_itself(monkeypatch, page, found, qtbot):
    page.store._timer.setInterval(50)
    found.layer.remove([0])
    qtbot.waitUntil(lambda: len(kept_files()) == 1, timeout=HANGING)
    assert document_store.RECOVERY_DELAY_MS <= 5000


def test_saving_removes_the_recovery_file(page, found, files):
    found.layer.remove([0])
    assert kept_files(page)
    assert page.save(str(files.folder / "out.csv"))
    assert not kept_files()
    assert not list(recovery_folder().iterdir())
    assert not kept_files(page)


def test_throwing_away(viewer, page, panel, found, files):
    found.layer.remove([0])
    assert kept_files(page)
    viewer.layers.clear()
    drop(viewer, files.tif)
    panel.offer.refuse.click()
    assert not kept_files()


def test_undone_edits_leave_no_recovery_file(page, found):
    found.layer.remove([0])
    assert kept_files(page)
    found.undo()
    assert not kept_files(page)


def test_untouched_result_is_not_kept(page, found):
    assert not kept_files(page)


def test_damaged_recovery_file_is_survived(viewer, page, panel, found, files):
    found.layer.remove([0])
    viewer.layers.clear()
    page.store.wait()
    (path,) = recovery_folder().glob("*.npz")
    path.write_bytes(b"\x00\xff not a table")
    drop(viewer, files.tif)
    assert viewer.layers
    assert panel.offer.isHidden()


def test_close_asks_about_unsaved_edits(panel, found, asked):
    calls, _ = asked
    assert not guarded(panel, SpontaneousClose())
    assert calls == []
    found.layer.remove([0])
    event = SpontaneousClose()
    assert guarded(panel, event)
    assert calls == [["lattice | columns"]]
    assert not event.isAccepted()


def test_discard_lets_the_window_close_and_forgets(panel, page, found, asked):
    _, answer = asked
    answer["is"] = BUTTONS.Discard
    found.layer.remove([0])
    assert kept_files(page)
    assert not guarded(panel, SpontaneousClose())
    assert not kept_files()


def test_save_on_close(panel, page, found, asked, files, monkeypatch):
    _, answer = asked
    answer["is"] = BUTTONS.Save
    found.layer.remove([0])
    target = files.folder / "closing.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    assert not guarded(panel, SpontaneousClose())
    assert target.is_file()


def test_save_on_close_given_up_keeps_the_window(panel, found, asked, monkeypatch):
    _, answer = asked
    answer["is"] = BUTTONS.Save
    found.layer.remove([0])
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    assert guarded(panel, SpontaneousClose())


def test_close_by_program_of_a_window_that_nobody_sees_is_never_held_up(panel, found, asked):
    found.layer.remove([0])
    assert not guarded(panel, QCloseEvent())
    assert not guarded(panel, QEvent(QEvent.Type.Resize))
    assert asked[0] == []


def test_save_that_fails_is_a_sentence(page, panel, found, files):
    found.layer.remove([0])
    (files.folder / "file").write_text("not a folder")
    assert not page.save(str(files.folder / "file" / "out.csv"))
    assert "out" in panel.status.text()
    assert found.unsaved


def test_panel_closed_with_its_cross_and_opened_again(viewer, page, panel, found, asked):
    """napari's cross takes the dock away; edits stay guarded, and the new panel goes on where the old one was."""
    found.layer.remove([0])
    viewer.window.remove_dock_widget(panel)
    QApplication.processEvents()
    again = open_panel(viewer)
    assert again is not panel
    assert again.image is viewer.layers["lattice"]
    assert again.pages["Columns"].session is found
    count = len(found.columns)
    found.layer.add([40.4, 41.2])
    assert len(found.columns) == count + 1
    guards = (panel._guard, again._guard)
    assert [guard.eventFilter(again.window(), SpontaneousClose()) for guard in guards] == [False, True]
    assert len(asked[0]) == 1
    found.undo()
    assert len(found.columns) == count


def test_edits_with_the_panel_closed_are_still_guarded(viewer, page, panel, found, asked):
    window = panel.window()
    viewer.window.remove_dock_widget(panel)
    QApplication.processEvents()
    found.layer.remove([0])
    assert panel._guard.eventFilter(window, SpontaneousClose())
    assert len(asked[0]) == 1


def test_same_name_from_another_folder_is_another_image(viewer, page, panel, found, files, tmp_path):
    found.layer.remove([0])
    assert kept_files(page)
    viewer.layers.clear()
    add_image(viewer)
    assert panel.offer.isHidden()


# -- by another way to close, by another spelling of the path -----------------------------------------------------------


@pytest.fixture
def shown(make_napari_viewer, files, idle):
    """A window that is seen, with an edited document."""
    viewer = make_napari_viewer(show=True)
    panel = open_panel(viewer)
    drop(viewer, files.tif)
    panel.pages["Columns"].find()
    idle(panel)
    panel.documents.session.layer.remove([0])
    return viewer, panel


@pytest.mark.parametrize("whole", [False, True], ids=["Ctrl+W", "Ctrl+Q"])
def test_closing_by_key_asks(shown, asked, whole):
    viewer, _ = shown
    calls, _ = asked
    window = viewer.window._qt_window
    window.close(quit_app=whole, confirm_need=False)
    assert calls == [["lattice | columns"]]
    assert window.isVisible()
    assert viewer.layers
    window._quit_app = False


def test_edits_survive_a_close_by_program(shown, files, make_napari_viewer):
    """viewer.close() takes the layers away before any window could ask: they are kept, and offered at the next start."""
    viewer, panel = shown
    left = len(panel.documents.session.columns)
    store_now = panel.documents.store
    viewer.close()
    store_now.wait()
    again = make_napari_viewer()
    next_panel = open_panel(again)
    drop(again, files.tif)
    assert f"{left:,} columns" in next_panel.offer.sentence.text()
    next_panel.offer.accept.click()
    assert len(next_panel.documents.session.columns) == left


def test_the_offer_stays_until_it_is_answered(viewer, page, panel, found, files, idle):
    found.layer.remove([0])
    viewer.layers.clear()
    drop(viewer, files.tif)
    panel.say("Something else.")
    assert not panel.offer.isHidden()
    panel.offer.refuse.click()
    assert panel.offer.isHidden()
    assert not kept_files()


@pytest.mark.parametrize("spelling", ["dots", "link"])
def test_the_same_file_by_another_spelling_is_offered_its_edits(viewer, page, panel, found, files, spelling):
    found.layer.remove([0])
    viewer.layers.clear()
    folder = files.folder
    if spelling == "link":
        (folder.parent / "link").symlink_to(folder)
    other = folder / ".." / folder.name / "lattice.tif" if spelling == "dots" else folder.parent / "link" / "lattice.tif"
    drop(viewer, other)
    assert not panel.offer.isHidden()


def test_the_same_file_in_another_folder_is_offered_its_edits(viewer, page, panel, found, files, qtbot):
    found.layer.remove([0])
    assert kept_files(page)
    viewer.layers.clear()
    moved = files.folder.parent / "elsewhere"
    moved.mkdir()
    files.tif.rename(moved / "lattice.tif")
    drop(viewer, moved / "lattice.tif")
    qtbot.waitUntil(lambda: not panel.offer.isHidden(), timeout=HANGING)
    panel.offer.accept.click()
    assert page.session.unsaved
    assert len(kept_files(page)) == 1


def test_another_file_of_the_same_name_is_offered_nothing(viewer, page, panel, found, files, qtbot):
    found.layer.remove([0])
    assert kept_files(page)
    viewer.layers.clear()
    other = files.folder.parent / "elsewhere"
    other.mkdir()
    from conftest import Files, lattice

    drop(viewer, Files(other).calibrated("lattice.tif", lattice(seed=2)))
    qtbot.waitUntil(lambda: not panel.known_files._work, timeout=HANGING)
    assert panel.offer.isHidden()
