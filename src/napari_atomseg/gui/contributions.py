"""Every hook that the manifest names. Light to import; whatever is heavy is imported inside.

A file that cannot be read never becomes an exception in the viewer: one sentence says what is wrong, no layer is
added, nothing else is disturbed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_atomseg.core.errors import AtomsegError, AtomsegWarning, ColumnsFileError, MissingCalibrationError, NoImageError

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_atomseg.core.columns import Columns
    from napari_atomseg.gui.layers.conversion import LayerData

STRUCTURE = "structure"
"""As in the module of structures, which is too heavy to be imported here."""
NOTHING: list[Any] = [(None,)]
"""What tells napari that a file was dealt with and gives no layer."""
TABLES = (".csv",)
MAYBE_TABLES = (".hdf5", ".h5")
"""Atomap keeps its lattices in files with the same suffix as images."""


def on_activate(context: Any) -> None:
    """First use of the plugin in a session: let calibrated files be opened, and saved again, by it."""
    from napari_atomseg.gui.preferences import prefer_our_reader, prefer_our_writers

    prefer_our_reader()
    prefer_our_writers()


def get_reader(path: str | Sequence[str]) -> Callable[[str | Sequence[str]], list[Any]] | None:
    """Reader of npe2; looks at nothing but the suffix."""
    return open_files


def open_files(path: str | Sequence[str]) -> list[Any]:
    """Layers of one or several files; a sentence for each that cannot be opened."""
    from napari.utils.notifications import show_error

    paths = [path] if isinstance(path, (str, Path)) else list(path)
    layers: list[Any] = []
    for one in paths:
        try:
            layers += open_one(Path(one))
        except AtomsegError as error:
            show_error(str(error))
            _tell_in_full(str(error))
    _dress_viewer()
    if layers:
        kinds = [_ours(layer[1]).get("kind") for layer in layers if len(layer) > 1]
        _lead_to_panel(STRUCTURE in kinds)
    return layers or NOTHING


def _tell_in_full(sentence: str) -> None:
    """Show a sentence in the foot of the panel too: napari's own messages are cut after a few words."""
    import napari

    from napari_atomseg.gui.foot import tell

    viewer = napari.current_viewer()
    if viewer is not None:
        tell(viewer, sentence)


def _lead_to_panel(has_structure: bool) -> None:
    """Open the panel for a structure, which is of no use without it; for an image say once where it is."""
    import napari
    from napari.utils.notifications import show_info

    from napari_atomseg.gui.foot import has_panel
    from napari_atomseg.gui.preferences import PLUGIN
    from napari_atomseg.gui.settings import recall, remember

    viewer = napari.current_viewer()
    if viewer is None or has_panel(viewer):
        return
    if has_structure:
        viewer.window.add_plugin_dock_widget(PLUGIN, "AtomSeg")
    elif not recall("panel_named"):
        remember("panel_named", True)
        show_info("The AtomSeg panel, which finds atomic columns, is in the menu Plugins > AtomSeg.")


def open_one(path: Path) -> list[Any]:
    """Layers of one file.

    Raises
    ------
    AtomsegError
        If neither this plugin nor, for the formats that it shares with it, napari itself can read the file.
    """
    from napari_atomseg.workflows import is_structure_file

    suffix = path.suffix.lower()
    if suffix in TABLES:
        return _columns_or_napari(path)
    if is_structure_file(path):
        return [_structure_layer(path)]
    try:
        return _image_layers(path)
    except AtomsegError as error:
        if suffix in MAYBE_TABLES and isinstance(error, NoImageError):
            return _columns_or_give_up(path, error)
        return _napari_itself(path, error)


def _image_layers(path: Path) -> list[Any]:
    from napari_atomseg.gui.layers.conversion import image_layer_data
    from napari_atomseg.workflows import read

    # The last layer lies on top and is the one that the panel chooses: that most likely meant, which is read first; of several
    # detectors of one scan the annular dark field of the highest angles.
    found = read(path)
    raw = [one for one in found if found and one.shape == found[0].shape]
    haadf = [one for one in raw if one.modality == "haadf"]
    first = haadf[0] if haadf and found[0].modality not in ("", "haadf") else found[0] if found else None
    others = [one for one in found if one is not first]
    return [image_layer_data(micrograph) for micrograph in (*reversed(others), *([first] if first is not None else []))]


def _structure_layer(path: Path) -> LayerData:
    from napari_atomseg.gui.layers.structures import structure_layer_data
    from napari_atomseg.workflows import read_structure

    return structure_layer_data(read_structure(path), path.stem)


def _columns_or_napari(path: Path) -> list[Any]:
    from napari_atomseg.readers.columns_table import is_columns_table

    if path.is_file() and is_columns_table(path):
        return [_columns_layer(path)]
    error = ColumnsFileError(f"{path.name} holds no table of columns: a header with x and y (or y_px and x_px) is needed.")
    return _napari_itself(path, error)


def _columns_or_give_up(path: Path, error: AtomsegError) -> list[Any]:
    try:
        return [_columns_layer(path)]
    except ColumnsFileError:
        raise error from None


def _columns_layer(path: Path) -> LayerData:
    from napari.utils.notifications import show_warning

    from napari_atomseg.gui.documents.results import reservations
    from napari_atomseg.gui.layers.conversion import pixel_size_of, points_layer_data, to_micrograph

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AtomsegWarning)
        columns = _read_columns(path)
    image = matching_image(columns)
    for said in (*(str(item.message) for item in caught), *reservations(columns, to_micrograph(image) if image else None)):
        show_warning(f"{path.name}: {said.removeprefix(f'{path.name}: ')}")
    if image is not None and columns.pixel_size is None:
        columns = with_pixel_size(columns, pixel_size_of(image))
    return points_layer_data(columns, image, f"{image.name if image is not None else path.stem} | columns")


def _read_columns(path: Path) -> Columns:
    """Columns of a table; lengths are turned by the pixel size of the only image where the table gives none."""
    from napari_atomseg.gui.layers.conversion import to_micrograph
    from napari_atomseg.workflows import read_columns

    try:
        return read_columns(path)
    except MissingCalibrationError:
        image = matching_image(None)
        micrograph = to_micrograph(image) if image is not None else None
        if micrograph is None or micrograph.pixel_size is None:
            raise
        return read_columns(path, None, micrograph.pixel_size, micrograph.pixel_size_source)


def with_pixel_size(columns: Columns, pixel_size: tuple[float, float] | None) -> Columns:
    """The same columns on an image's calibration."""
    from dataclasses import replace

    return replace(columns, pixel_size=pixel_size)


def matching_image(columns: Columns | None) -> Image | None:
    """The image of the current viewer that columns, if known, belong to: by name, else by shape, else the only one."""
    import napari

    from napari_atomseg.gui.layers.conversion import usable_image

    viewer = napari.current_viewer()
    images = [layer for layer in viewer.layers if usable_image(layer)] if viewer is not None else []
    if columns is None:
        return images[0] if len(images) == 1 else None
    named = [image for image in images if image.name == columns.image_name]
    shaped = [image for image in images if columns.image_shape and tuple(image.data.shape) == tuple(columns.image_shape)]
    for candidates in (named, shaped):
        if candidates:
            return candidates[-1]
    return images[0] if len(images) == 1 and columns.image_shape is None else None


def _napari_itself(path: Path, error: AtomsegError) -> list[Any]:
    """What napari's own reader makes of a file that is no micrograph (a colour picture stack, a table of shapes)."""
    from napari_atomseg.gui.preferences import napari_reads

    if not (path.is_file() and path.stat().st_size and napari_reads(path)):
        raise error
    try:
        from napari_builtins.io import napari_get_reader

        reader = napari_get_reader(str(path))
        layers = [one for one in reader(str(path)) if _can_be_shown(one)] if reader is not None else []
    except Exception:  # noqa: BLE001  # whatever napari's readers raise, ours has the better sentence
        layers = []
    if not layers:
        raise error
    return layers


def _can_be_shown(layer: Any) -> bool:
    """False for a line of numbers, which napari's reader takes for an image and its viewer then refuses."""
    kind = layer[2] if len(layer) > 2 else "image"
    return kind != "image" or getattr(layer[0], "ndim", 2) > 1


def _dress_viewer() -> None:
    """Turn the scale bar on, once for each viewer."""
    import napari

    viewer = napari.current_viewer()
    if viewer is not None:
        from napari_atomseg.gui.preferences import show_scale_bar_once

        show_scale_bar_once(viewer)


def write_columns(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Writer of npe2 for a Points layer: CSV with JSON beside it, or extended xyz by suffix; other points are left to napari.

    Parameters
    ----------
    path : str
        Where to, as the user chose it.
    data : ndarray, shape (N, 2) or (N, 3)
        Of the layer.
    attributes : dict
        Of the layer, as napari gives them to writers.
    """
    from napari.layers import Points

    from napari_atomseg.gui.layers.conversion import to_columns
    from napari_atomseg.sessions.saving import write_table

    if "columns" not in _ours(attributes):
        return _by_napari(path, data, attributes, "points")
    # Only what the constructor takes; the rest of the state is the layer's look.
    kept = {name: attributes[name] for name in ("features", "scale", "units", "metadata", "name") if name in attributes}
    return [str(written) for written in write_table(to_columns(Points(data, **kept)), Path(path))]


def write_image(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Writer of npe2 for an Image layer: float32 TIFF that carries the pixel size; pictures in colour are left to napari.

    Parameters
    ----------
    path : str
        Where to, as the user chose it.
    data : array, shape (Y, X) or (T, Y, X)
        Of the layer.
    attributes : dict
        Of the layer, as napari gives them to writers.
    """
    from napari.layers import Image

    from napari_atomseg.gui.layers.conversion import pixel_size_of, to_micrograph, usable_image
    from napari_atomseg.sessions.saving import with_suffix
    from napari_atomseg.writers.micrograph_tiff import write_tiff

    if attributes.get("rgb") or attributes.get("multiscale"):
        return _by_napari(path, data, attributes, "image")
    kept = {name: attributes[name] for name in ("scale", "units", "metadata", "name") if name in attributes}
    image = Image(data, **kept)
    if not usable_image(image) or (pixel_size_of(image) is None and not _ours(attributes)):
        return _by_napari(path, data, attributes, "image")
    return [str(write_tiff(to_micrograph(image), with_suffix(Path(path), (".tif", ".tiff"))))]


def write_folder(path: str, layers: list[Any]) -> list[str]:
    """Writer of npe2 for several layers: each into a file of its own in one folder, with its pixel size where it has one."""
    from napari_atomseg.sessions.saving import safe_name

    folder = Path(path)
    folder.mkdir(exist_ok=True)
    written: list[str] = []
    taken: set[str] = set()
    for data, attributes, kind in layers:
        name = safe_name(str(attributes.get("name", kind)))
        number = next(number for number in range(1, len(layers) + 1) if _numbered(name, number) not in taken)
        taken.add(_numbered(name, number))
        target = str(folder / _numbered(name, number))
        if kind == "image":
            written += write_image(f"{target}.tif", data, attributes)
        elif kind == "points":
            written += write_columns(f"{target}.csv", data, attributes)
        else:
            written += _by_napari(target, data, attributes, kind)
    return written


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}_{number}"


def _ours(attributes: dict[str, Any]) -> dict[str, Any]:
    from napari_atomseg.gui.layers.conversion import KEY

    ours = attributes.get("metadata", {}).get(KEY)
    return ours if isinstance(ours, dict) else {}


def _by_napari(path: str, data: Any, attributes: dict[str, Any], kind: str) -> list[str]:
    """What napari's own writer makes of a layer that says nothing of a micrograph."""
    import npe2

    return npe2.write(path=path, layer_data=[(data, attributes, kind)], plugin_name="napari.")


def sample_perovskite() -> list[LayerData]:
    """Simulated HAADF image of a perovskite with vacancies."""
    return sample("perovskite")


def sample_nanoparticle() -> list[LayerData]:
    """Simulated HAADF image of a platinum particle on carbon."""
    return sample("nanoparticle")


def sample_dumbbells() -> list[LayerData]:
    """Simulated HAADF image of silicon dumbbells."""
    return sample("dumbbells")


def sample_graphene_bright() -> list[LayerData]:
    """Simulated HRTEM image of graphene with defects, bright atoms."""
    return sample("graphene-bright")


def sample_graphene_dark() -> list[LayerData]:
    """Simulated HRTEM image of graphene with defects, dark atoms."""
    return sample("graphene-dark")


def sample_gold_series() -> list[LayerData]:
    """Simulated focal series of a gold particle."""
    return sample("gold-series")


def sample_gold_film() -> list[LayerData]:
    """Simulated film of a gold particle whose surface changes."""
    return sample("gold-film")


def sample_fast_scan() -> list[LayerData]:
    """Simulated series of fast HAADF frames with drift and jitter."""
    return sample("fast-scan")


def sample_edge_film() -> list[LayerData]:
    """Simulated film of the edge of a crystal whose atoms come, go and hop."""
    return sample("edge-film")


def sample(name: str) -> list[LayerData]:
    """Layers of a sample that the plugin simulates itself."""
    from napari_atomseg.gui.layers.conversion import image_layer_data
    from napari_atomseg.workflows import draw_sample

    micrograph, _ = draw_sample(name)
    _dress_viewer()
    return [image_layer_data(micrograph)]
