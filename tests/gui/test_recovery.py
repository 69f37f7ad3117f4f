"""Unsaved edits: kept, offered again, asked about."""

import numpy as np
import pytest
from conftest import HANGING, add_image, drop, open_panel
from qtpy.QtCore import QEvent
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QApplication, QMessageBox

from napari_atomseg.gui import filing, recovery
from napari_atomseg.gui.panel import CloseGuard

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


def kept_files():
    return sorted(path.name for path in recovery.folder().glob("*.csv"))


def guarded(panel, event):
    """Whether one of the guards of the panel's window holds a close up."""
    return panel._guard.eventFilter(panel.window(), event)


def test_edits_are_kept_offered_and_restored(viewer, page, panel, found, files, idle):
    found.layer.remove([0])
    assert page.filing._timer.isActive()
    page.filing.keep()
    assert len(kept_files()) == 1
    edited = found.columns.positions
    viewer.layers.clear()
    drop(viewer, files.tif)
    assert "Unsaved edits" in panel.status.text()
    page.follow_link("recover")
    session = page.session
    np.testing.assert_allclose(session.columns.positions, edited)
    assert session.unsaved
    assert len(session.deleted) == 1
    assert session.image is viewer.layers["lattice"]


def test_recovery_file_comes_by_itself(monkeypatch, page, found, qtbot):
    page.filing._timer.setInterval(50)
    found.layer.remove([0])
    qtbot.waitUntil(lambda: len(kept_files()) == 1, timeout=HANGING)
    assert filing.RECOVERY_DELAY_MS <= 5000


def test_saving_removes_the_recovery_file(page, found, files):
    found.layer.remove([0])
    page.filing.keep()
    assert kept_files()
    assert page.save(str(files.folder / "out.csv"))
    assert not kept_files()
    assert not list(recovery.folder().iterdir())
    page.filing.keep()
    assert not kept_files()


def test_throwing_away(viewer, page, panel, found, files):
    found.layer.remove([0])
    page.filing.keep()
    viewer.layers.clear()
    drop(viewer, files.tif)
    page.follow_link("forget")
    assert not kept_files()


def test_undone_edits_leave_no_recovery_file(page, found):
    found.layer.remove([0])
    page.filing.keep()
    assert kept_files()
    found.undo()
    page.filing.keep()
    assert not kept_files()


def test_untouched_result_is_not_kept(page, found):
    page.filing.keep()
    assert not kept_files()


def test_damaged_recovery_file_is_survived(viewer, page, panel, found, files):
    found.layer.remove([0])
    page.filing.keep()
    (path,) = recovery.folder().glob("*.csv")
    path.write_bytes(b"\x00\xff not a table")
    viewer.layers.clear()
    drop(viewer, files.tif)
    assert viewer.layers
    assert "Unsaved" not in panel.status.text()


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
    page.filing.keep()
    assert not guarded(panel, SpontaneousClose())
    assert not kept_files()


def test_save_on_close(panel, page, found, asked, files, monkeypatch):
    _, answer = asked
    answer["is"] = BUTTONS.Save
    found.layer.remove([0])
    target = files.folder / "closing.csv"
    monkeypatch.setattr(filing.QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    assert not guarded(panel, SpontaneousClose())
    assert target.is_file()


def test_save_on_close_given_up_keeps_the_window(panel, found, asked, monkeypatch):
    _, answer = asked
    answer["is"] = BUTTONS.Save
    found.layer.remove([0])
    monkeypatch.setattr(filing.QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    assert guarded(panel, SpontaneousClose())


def test_close_by_program_is_never_held_up(panel, found, asked):
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
    assert again.columns_page.session is found
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
    page.filing.keep()
    viewer.layers.clear()
    add_image(viewer)
    assert "Unsaved" not in panel.status.text()
