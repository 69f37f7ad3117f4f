"""Structures as layers: their atoms in projection, coloured by element, and images that were simulated of them."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Layer, Points

from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.gui.layers.conversion import KEY, NM_PER_ANGSTROM, LayerData, image_layer_data
from napari_atomseg.workflows import SimulationParams, projected_atoms

if TYPE_CHECKING:
    from ase import Atoms

STRUCTURE, SIMULATED = "structure", "simulated"
SHARE_OF_RADIUS = 0.5
"""Diameter of a point in covalent radii: small enough for the image to be seen between and around them."""
_made_of: weakref.WeakKeyDictionary[Layer, weakref.ref[Points]] = weakref.WeakKeyDictionary()


def structure_layer_data(atoms: Atoms, name: str, params: SimulationParams | None = None) -> LayerData:
    """What napari needs to show a structure: a Points layer of its atoms along the beam, in nanometres.

    Parameters
    ----------
    atoms : Atoms
    name : str
        Of the new layer.
    params : SimulationParams, optional
        How the structure lies in the microscope.
    """
    params = params or SimulationParams()
    places, numbers = projected_atoms(atoms, params)
    options: dict[str, Any] = {
        "name": name,
        "scale": (NM_PER_ANGSTROM,) * 2,
        "units": ("nm", "nm"),
        "axis_labels": ("y", "x"),
        "border_width": 0.05,
        "border_color": "#202020",
        "opacity": 0.7,
        "metadata": {KEY: {"kind": STRUCTURE, "structure": atoms}},
        **_look(numbers),
    }
    return places, options, "points"


def show_structure(layer: Points, places: np.ndarray, numbers: np.ndarray) -> None:
    """Show the structure of a layer as it now lies in the microscope: places (N, 2) in Angstrom, and atomic numbers.

    Parameters
    ----------
    layer : Points
    places : ndarray, shape (N, 2), Å, (y, x)
    numbers : ndarray of int, shape (N,)
        Atomic numbers.
    """
    look = _look(numbers)
    with layer.events.data.blocker():
        layer.data = places
        layer.features = look["features"]
        layer.size = look["size"]
        layer.face_color = look["face_color"]
        layer.selected_data = set()
    layer.refresh()


def structure_of(layer: Layer) -> Atoms:
    """The structure that a layer shows."""
    return layer.metadata[KEY]["structure"]


def is_structure(layer: Any) -> bool:
    """True for layers of structures."""
    ours = layer.metadata.get(KEY) if isinstance(layer, Points) else None
    return isinstance(ours, dict) and ours.get("kind") == STRUCTURE


def structures_in(viewer: Any) -> list[Points]:
    """Structures in the viewer, lowest first."""
    return [layer for layer in viewer.layers if is_structure(layer)]


def element_colours(numbers: np.ndarray | int) -> np.ndarray:
    """Colours of elements, as in Jmol, shape (N, 3), or (3,) of one."""
    from ase.data.colors import jmol_colors

    return np.asarray(jmol_colors[numbers])


def show_simulated(viewer: Any, structure: Points, kind: str, found: Micrograph) -> Image:
    """Put a simulated image into the viewer, right below its structure, in place of the last one of its kind unless locked.

    Parameters
    ----------
    viewer : napari viewer
    structure : Points
    kind : str
        The method.
    found : Micrograph
    """
    earlier = simulated_of(viewer, structure, kind)
    data, options, _ = image_layer_data(found)
    if earlier is not None and not earlier.locked and earlier.data.shape == np.shape(data):
        earlier.data = data
        earlier.scale, earlier.translate = options["scale"], _place_of(structure, np.ndim(data))
        earlier.metadata = {**options["metadata"], KEY: {**options["metadata"][KEY], "kind": SIMULATED, "method": kind}}
        earlier.contrast_limits_range = earlier.contrast_limits = options["contrast_limits"]
        return earlier
    options["metadata"] = {**options["metadata"], KEY: {**options["metadata"][KEY], "kind": SIMULATED, "method": kind}}
    look = {"name": f"{structure.name} | {kind}", "translate": _place_of(structure, np.ndim(data))}
    layer = Image(data, **{**options, **look})
    visible = True
    if earlier is not None and not earlier.locked:
        visible = earlier.visible
        viewer.layers.remove(earlier)
    layer.visible = visible
    _made_of[layer] = weakref.ref(structure)
    active = viewer.layers.selection.active
    viewer.layers.insert(viewer.layers.index(structure) if structure in viewer.layers else len(viewer.layers), layer)
    viewer.layers.selection.active = active
    return layer


def simulated_of(viewer: Any, structure: Points, kind: str) -> Image | None:
    """The last image of a kind that was simulated of a structure, if it is still there.

    Parameters
    ----------
    viewer : napari viewer
    structure : Points
    kind : str
        Method, such as ``multislice``.
    """
    return next((layer for layer in reversed(simulations_of(viewer, structure)) if method_of(layer) == kind), None)


def simulations_of(viewer: Any, structure: Points) -> list[Image]:
    """Images in the viewer that were simulated of a structure, lowest first."""
    known = [(layer, _made_of.get(layer)) for layer in viewer.layers]
    return [layer for layer, made_of in known if made_of is not None and made_of() is structure]


def method_of(layer: Any) -> str:
    """How an image was simulated; empty for those that were not."""
    ours = layer.metadata.get(KEY) if isinstance(layer, Image) else None
    return str(ours.get("method", "")) if isinstance(ours, dict) and ours.get("kind") == SIMULATED else ""


def simulated_in(viewer: Any) -> list[Image]:
    """Simulated images in the viewer, lowest first."""
    return [layer for layer in viewer.layers if method_of(layer)]


def _place_of(structure: Points, ndim: int) -> tuple[float, ...]:
    """Where an image of a structure lies: under its atoms; a focal series has an axis before those of the structure."""
    return (*(0.0,) * (ndim - 2), *(float(shift) for shift in structure.translate))


def _look(numbers: np.ndarray) -> dict[str, Any]:
    from ase.data import chemical_symbols, covalent_radii

    return {
        "features": {"element": np.array([chemical_symbols[number] for number in numbers])},
        "size": SHARE_OF_RADIUS * covalent_radii[numbers] if len(numbers) else 1.0,
        "face_color": element_colours(numbers) if len(numbers) else "white",
    }
