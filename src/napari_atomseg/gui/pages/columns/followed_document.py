"""Which document the page works on, as images are chosen and layers come, go and are clicked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.layers import Image

from napari_atomseg.gui.documents.editing import ColumnsSession, has_session, session_of
from napari_atomseg.gui.documents.results import adopt, documents_of
from napari_atomseg.gui.layers.conversion import pixel_size_of, to_micrograph
from napari_atomseg.workflows import attach_to_image

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host


def image_of(viewer: Any, session: ColumnsSession | None) -> Image | None:
    """The image of a document, unless it has been removed from the viewer."""
    image = session.image if session is not None else None
    return image if image is not None and image in viewer.layers else None


def follow_image(host: Host) -> None:
    """Work on a document of the chosen image: on the active one if it is of this image or of none, else on the newest."""
    viewer = host.viewer
    documents = documents_of(viewer, host.image)
    active = viewer.layers.selection.active
    if has_session(active) and (active in documents or image_of(viewer, session_of(active)) is None):
        host.documents.watch(session_of(active))
    else:
        host.documents.watch(session_of(documents[-1]) if documents else None)


def follow_active(host: Host) -> None:
    """Work on the layer that was clicked, if it holds columns."""
    session = adopt(host.viewer, host.viewer.layers.selection.active)
    if session is not None:
        host.documents.watch(session)


def follow_layers(host: Host, event: Any = None) -> None:
    """Take in columns that have come; where the document has gone, work on the newest of the chosen image.

    Parameters
    ----------
    host : Host
    event : event of the layer list, optional
        What has changed in it; a layer that was removed can be brought back.
    """
    viewer, documents = host.viewer, host.documents
    for layer in viewer.layers:
        adopt(viewer, layer)
    if event is not None and event.type == "removed":
        documents.store.keep_removed(event.value)
    if documents.session is None:
        return
    try:
        gone = documents.session.layer not in viewer.layers
    except ReferenceError:
        gone = True
    if gone:
        others = documents_of(viewer, host.image)
        documents.watch(session_of(others[-1]) if others else None)


def recalibrate_documents(host: Host) -> None:
    """Give every document of the chosen image the image's pixel size."""
    image = host.image
    for layer in documents_of(host.viewer, image):
        session = session_of(layer)
        if image is not None and session.columns.pixel_size != pixel_size_of(image):
            session.recalibrate(attach_to_image(session.columns, to_micrograph(image), dict(session.columns.provenance)))
