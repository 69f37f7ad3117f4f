"""Pages and docks by their contract: what each has, and that another one needs a line in a list and nothing else."""

import inspect

import pytest
from conftest import add_image, open_panel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QPushButton

from napari_atomseg.gui.contract import Page
from napari_atomseg.gui.docks.listed import DOCKS
from napari_atomseg.gui.pages.listed import PAGES
from napari_atomseg.gui.shell import panel as panel_module
from napari_atomseg.gui.shell import panel_menu

MEMBERS = {name for name, _ in inspect.getmembers(Page) if not name.startswith("_")} | set(Page.__annotations__)


class Counting(QLabel):
    """A page as small as it can be."""

    title, tip = "Count", "Count what happens."
    run_text, run_tip = "Count", "One more."

    def __init__(self, host):
        super().__init__()
        self.host, self.heard = host, []

    @property
    def links(self):
        return {"count": self.run}

    def run(self):
        self.heard.append("run")
        self.host.say('Once more? <a href="count">count</a>')

    def why_not(self):
        return "" if self.host.image is not None else "Open an image first."

    def refresh(self):
        self.heard.append("refresh")

    def settle(self):
        self.heard.append("settle")

    def on_image(self):
        self.heard.append("image")

    def on_calibrated(self):
        self.heard.append("calibrated")


class Saying(QLabel):
    """A dock as small as it can be."""

    title, tip = "Saying", "Say something."

    def __init__(self, host):
        super().__init__(f"{host.viewer.title} is open")


@pytest.mark.parametrize("kind", PAGES, ids=lambda kind: kind.title)
def test_every_page_keeps_the_contract(panel, kind):
    page = next(one for one in panel.pages if isinstance(one, kind))
    assert not {name for name in MEMBERS if not hasattr(page, name)}
    assert kind.tip.endswith(".")
    assert isinstance(page.why_not(), str)
    assert all(callable(action) for action in page.links.values())


def test_no_two_pages_know_the_same_link(panel):
    links = [link for page in panel.pages for link in page.links]
    assert len(links) == len(set(links))


@pytest.mark.parametrize("kind", DOCKS, ids=lambda kind: kind.title)
def test_every_dock_opens_once_and_comes_to_the_front(viewer, panel, kind):
    assert panel.dock(kind) is None
    dock = panel.open_dock(kind)
    assert panel.open_dock(kind) is dock is panel.dock(kind)
    assert kind.title in viewer.window.dock_widgets


def test_another_page_needs_one_line(viewer, monkeypatch, qtbot):
    monkeypatch.setattr(panel_module, "PAGES", (*PAGES, Counting))
    panel = open_panel(viewer)
    page = panel.pages["Count"]
    qtbot.mouseClick(panel.findChild(QPushButton, "page_Count"), Qt.MouseButton.LeftButton)
    assert panel.page is page
    assert panel.run_button.text() == "Count"
    assert panel.run_button.toolTip() == "Open an image first."
    image = add_image(viewer)
    panel.run_button.click()
    panel.follow_link("count")
    panel.image_bar.calibrate_image(image, (0.3, 0.3), "a test")
    assert {"image", "settle", "calibrated"} <= set(page.heard)
    assert page.heard.count("run") == 2


def test_another_dock_needs_one_line(viewer, monkeypatch):
    monkeypatch.setattr(panel_menu, "DOCKS", (*DOCKS, Saying))
    panel = open_panel(viewer)
    entry = next(action for action in panel.image_bar.menu.actions() if action.text() == "Saying")
    entry.trigger()
    assert panel.dock(Saying).text().endswith("is open")
