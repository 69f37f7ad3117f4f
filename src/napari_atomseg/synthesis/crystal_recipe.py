"""A recipe for one crystal: the general one with most of its specimens replaced, for fine-tuning a network.

Some of the general specimens and all kinds of images without columns stay, so that the network does not forget them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.specimens.cif import read_crystal
from napari_atomseg.specimens.measured_cell import FAINTEST, measured_cell
from napari_atomseg.specimens.zone_axis import projected_cell
from napari_atomseg.synthesis.recipe import Recipe, read_recipe
from napari_atomseg.synthesis.specimen_kinds import LOW_RESOLUTION

GENERAL = "columns_stem"
OWN_SHARE = 0.8
"""Of the images with columns, those that show the crystal."""
ANY_ANGLE = {"uniform": [-3.1416, 3.1416]}
DISTURBANCES: Mapping[str, Any] = {
    "thickness": {"uniform": [2, 150]},
    "turn": ANY_ANGLE,
    "mistilt": {"normal": [0, 0.006]},
    "mistilt_angle": ANY_ANGLE,
    "vacancies": {"choice": [0, 0, 0.02, 0.06, 0.15]},
    "wedge": {"uniform": [0, 0.8]},
    "wedge_angle": ANY_ANGLE,
    "edge": {"choice": [None, None, None, 0.4, 0.6, 0.8]},
    "edge_angle": ANY_ANGLE,
    "displacement": {"choice": [0, 0.02, 0.06, 0.15]},
    "scale": {"uniform": [0.95, 1.05]},
}
"""What is wrong with the crystal: as in the general recipe, with a tilt, and lengths that are known to 5 %."""


def recipe_of_file(path: Path, zone: tuple[int, int, int]) -> Recipe:
    """Recipe for the crystal of a structure file along the direction [uvw].

    Parameters
    ----------
    path : Path
        Of a crystal.
    zone : tuple of int
        Direction [uvw] along the beam.

    Raises
    ------
    AtomsegError
        If the file holds no crystal, or the zone axis is none.
    """
    projected_cell(read_crystal(path), zone)
    steps = [int(step) for step in zone]
    name = f"{_plain(path.stem)}_{''.join(map(str, steps))}"
    own = {"kind": "crystal", "file": str(path.resolve()), "zone": steps}
    return with_own(own, name, f"{path.name} along [{' '.join(map(str, steps))}]")


def recipe_of_lattice(basis: np.ndarray, sites: np.ndarray, intensities: np.ndarray, name: str = "") -> Recipe:
    """Recipe for a lattice that was measured.

    Parameters
    ----------
    basis : ndarray, shape (2, 2), Angstrom
        One (y, x) in each row.
    sites : ndarray, shape (K, 2)
        In units of the basis.
    intensities : ndarray, shape (K,)
        Of dark columns below zero; not a number where unknown.
    name : str
        Of the image.

    Raises
    ------
    AtomsegError
        If these are no lattice.
    """
    own = {
        "kind": "cell",
        "basis": np.round(_along_x(np.asarray(basis, float)), 5).tolist(),
        "sites": np.round(np.mod(sites, 1.0), 5).tolist(),
        "intensities": np.round(relative(np.asarray(intensities, float)), 4).tolist(),
    }
    measured_cell(own["basis"], own["sites"], own["intensities"])
    return with_own(own, _plain(Path(name).stem) or "lattice", f"the lattice measured in {name or 'an image'}")


def with_own(own: Mapping[str, Any], name: str, about: str, general: str = GENERAL) -> Recipe:
    """The general recipe with a specimen of one's own in most images, and images without columns as often as before.

    Parameters
    ----------
    own : mapping
        A specimen, as a recipe has it.
    name, about : str
        Of the new recipe.
    general : str
        Preset that the rest is from.
    """
    recipe = read_recipe(general)
    weights = np.array([float(kind.get("weight", 1.0)) for kind in recipe.specimens])
    share = weights / weights.sum()
    empty = np.array([kind["kind"] == LOW_RESOLUTION for kind in recipe.specimens])
    own_share = OWN_SHARE * share[~empty].sum()
    share = np.where(empty, share, share * (1 - OWN_SHARE))
    kept = tuple({**kind, "weight": round(float(one), 5)} for kind, one in zip(recipe.specimens, share, strict=True))
    mine = {**own, **DISTURBANCES, "weight": round(float(own_share), 5)}
    return replace(
        recipe,
        name=f"columns_{name}",
        about=f"Columns of {about}, and some of every other kind.",
        specimens=(mine, *kept),
    )


def relative(intensities: np.ndarray) -> np.ndarray:
    """Intensities (K,) in units of the strongest one; unknown ones, and all where that says nothing, are 1."""
    strongest = intensities[np.nanargmax(np.abs(intensities))] if np.isfinite(intensities).any() else 0.0
    if strongest == 0:
        return np.ones(len(intensities))
    return np.clip(np.nan_to_num(intensities / strongest, nan=1.0), FAINTEST, 1.0)


def _along_x(basis: np.ndarray) -> np.ndarray:
    """The basis turned until its first vector points along +x; not mirrored."""
    if basis.shape != (2, 2) or not np.isfinite(basis).all() or not basis[0].any():
        raise AtomsegError(f"a lattice has two vectors in the plane, got {basis.tolist()}")
    sine, cosine = basis[0] / np.hypot(*basis[0])
    return basis @ np.array([[cosine, sine], [-sine, cosine]])


def _plain(name: str) -> str:
    """A name without what file systems and shells stumble over."""
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
