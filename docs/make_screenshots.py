"""Draw the pictures of the README and the guide: the real window on simulated scenes.

Run it where there is a display, or under Xvfb::

    xvfb-run -a -s "-screen 0 1400x900x24 +extension GLX +render -noreset" .venv/bin/python docs/make_screenshots.py
"""

import tempfile
import time
from pathlib import Path

from qtpy.QtCore import QSettings, QStandardPaths
from qtpy.QtWidgets import QApplication

IMAGES = Path(__file__).parent / "images"


def spin(seconds):
    """Let the window work for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


def wait(panel):
    """Let the window work until the panel's job is done."""
    spin(0.1)
    while panel.busy:
        spin(0.05)
    spin(0.5)


def shoot(viewer, name):
    """Save a picture of the whole window."""
    spin(0.8)
    viewer.screenshot(str(IMAGES / name), canvas_only=False, flash=False)


def main():
    """Make every picture."""
    QStandardPaths.setTestModeEnabled(True)
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, tempfile.mkdtemp())
    from napari_atomseg.gui.launch import make_window
    from napari_atomseg.gui.panel import AtomSegPanel

    IMAGES.mkdir(exist_ok=True)
    viewer = make_window([], "nanoparticle")
    window = viewer.window._qt_window
    window.resize(1280, 760)
    window.show()
    panel = window.findChild(AtomSegPanel)
    wait(panel)
    panel.run_button.click()
    wait(panel)
    panel.columns_page.refine_button.click()
    wait(panel)
    panel.columns_page.colour.setCurrentText("intensity")
    panel.columns_page._colour()
    panel.columns_page.show_table()
    spin(0.5)
    viewer.scene.camera.zoom *= 1.25
    shoot(viewer, "window.png")
    panel.columns_page.table.parent().hide()
    viewer.layers.clear()
    viewer.open_sample("napari-atomseg", "dumbbells")
    wait(panel)
    viewer.reset_view()
    panel.tools.diffractogram()
    spin(1.5)
    shoot(viewer, "diffractogram.png")
    viewer.close()


if __name__ == "__main__":
    main()
