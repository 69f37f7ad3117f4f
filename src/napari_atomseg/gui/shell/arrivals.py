"""What happens when a layer arrives: a new image is seen whole, what it hides is put away, what was assumed of it is said."""

from __future__ import annotations

import html
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Layer
from qtpy.QtCore import QObject

from napari_atomseg.gui.layers.conversion import pixel_size_of, source_of, to_micrograph, usable_image
from napari_atomseg.gui.layers.fitting_view import corners_of, fit_view
from napari_atomseg.gui.layers.structures import is_structure, method_of, simulations_of, structures_in
from napari_atomseg.gui.shell.image_bar import lies_on

if TYPE_CHECKING:
    from napari_atomseg.gui.shell.frame import Frame

GAP = 0.04
"""Room between an image and a structure beside it, in widths of the image."""


class Arrivals(QObject):
    """Follows the viewer's layer list.

    Parameters
    ----------
    panel : Frame
    """

    def __init__(self, panel: Frame) -> None:
        super().__init__(panel)
        self._panel, self._viewer = panel, panel.viewer
        self._hidden: weakref.WeakKeyDictionary[Image, list[weakref.ref[Layer]]] = weakref.WeakKeyDictionary()
        self._even: weakref.WeakKeyDictionary[Image, float] = weakref.WeakKeyDictionary()
        self._viewer.layers.events.inserted.connect(self._on_inserted)
        self._viewer.layers.events.removed.connect(self._even_out)
        panel.image_bar.calibrated.connect(self._even_out)
        panel.image_bar.calibrated.connect(self._lay_structures_beside)
        panel.image_bar.picked.connect(self.show)

    def _on_inserted(self, event: Any) -> None:
        layer = event.value
        if not isinstance(layer, Image):
            if is_structure(layer):
                self._even_out()
                self._lay_structures_beside()
                self._show_whole()
            return
        if not usable_image(layer):
            # A map in colours that we made is no image to work on, and no mistake.
            if source_of(layer) is None:
                self._panel.show_error(unusable_sentence(layer))
            return
        if source_of(layer) is None and not method_of(layer):
            self._put_others_away(layer)
            self._even_out()
            self._lay_structures_beside()
            self._show_whole()
            self._say_notes(layer)

    def show(self, image: Image) -> None:
        """Show an image that was put away, with all that was seen on it, in place of the one in view."""
        for known in self._hidden.pop(image, []):
            layer = known()
            if layer is not None and layer in self._viewer.layers:
                layer.visible = True
        image.visible = True
        self._put_others_away(image)
        self._lay_structures_beside()

    def _put_others_away(self, image: Image) -> None:
        """Hide the other recorded images with what lies on them; choosing one of them shows it again."""
        for other in self._recorded():
            if other is image or not other.visible:
                continue
            company = [layer for layer in self._viewer.layers if layer.visible and (layer is other or belongs_to(layer, other))]
            self._hidden[other] = [weakref.ref(layer) for layer in company]
            for layer in company:
                layer.visible = False

    def _recorded(self) -> list[Image]:
        layers = self._viewer.layers
        return [layer for layer in layers if usable_image(layer) and source_of(layer) is None and not method_of(layer)]

    def _in_view(self) -> list[Image]:
        return [image for image in self._recorded() if image.visible]

    def _show_whole(self) -> None:
        """Fit the view to the recorded image and to the structures beside it."""
        layers = [*self._in_view(), *(layer for layer in structures_in(self._viewer) if layer.visible and len(layer.data))]
        if layers:
            fit_view(self._viewer, *layers)
            self._panel.take_as_fitted(*layers)

    def _lay_structures_beside(self, event: Any = None) -> None:
        """Lay structures and what was simulated of them to the right of the recorded image, which they would cover."""
        images = self._in_view()
        if not images:
            return
        first, last = corners_of(*images)
        gap, edge = GAP * (last[1] - first[1]), last[1]
        for structure in structures_in(self._viewer):
            if len(structure.data) == 0:
                continue
            company = (structure, *simulations_of(self._viewer, structure))
            for layer in company:
                layer.translate = (*layer.translate[:-2], first[0], edge + gap)
            edge = corners_of(*company)[1][1]

    def _say_notes(self, layer: Image) -> None:
        notes = to_micrograph(layer).notes
        if notes and not self._panel.busy:
            self._panel.show_error(f"{layer.name}: {'; '.join(notes)}.")

    def _even_out(self, event: Any = None) -> None:
        """Draw images without a pixel size as large as a calibrated one: in pixels and in nm, one of them would be a dot."""
        images = self._recorded()
        widths = [float(one.data.shape[-1] * one.scale[-1]) for one in images if pixel_size_of(one) is not None]
        widths += [float(one.extent.world[1][-1] - one.extent.world[0][-1]) for one in self._viewer.layers if is_structure(one)]
        for image in images:
            known = (1.0, self._even.get(image, 1.0))
            ours = any(np.allclose(image.scale[-2:], one, rtol=1e-9) for one in known)
            if pixel_size_of(image) is not None or not ours:
                continue  # calibrated, or a hand has given it a scale of its own
            step = widths[-1] / image.data.shape[-1] if widths and widths[-1] > 0 else 1.0
            if step != image.scale[-1]:
                company = [layer for layer in self._viewer.layers if lies_on(layer, image)]
                self._even[image] = step
                for layer in (image, *company):
                    layer.scale = (*layer.scale[:-2], step, step)


def belongs_to(layer: Layer, image: Image) -> bool:
    """True for what was found in an image or made from it."""
    from napari_atomseg.gui.documents.editing import has_session, session_of

    return source_of(layer) is image or (has_session(layer) and session_of(layer).image is image)


def unusable_sentence(layer: Image) -> str:
    """Why the panel cannot work on an image, and what can be done."""
    if layer.rgb:
        return f"{layer.name} is shown in colours; open its file with AtomSeg (menu ☰, Open files) to get it in grey."
    if layer.multiscale:
        return f"{layer.name} is a pyramid of several resolutions; the panel works on images and stacks. Open one level of it."
    sizes = " x ".join(str(length) for length in layer.data.shape)
    return (
        f"{layer.name} has {layer.ndim} dimensions ({sizes}); the panel works on images and stacks of images. "
        "Open or extract the images that are meant, as one stack."
    )


def folder_sentence(path: Path) -> str:
    """What to say of a dropped folder."""
    return (
        f"{html.escape(path.name)} is a folder: drop the files in it, all at once if you like. "
        "napari's File > Open Folder opens its images as one stack, without their calibration."
    )
