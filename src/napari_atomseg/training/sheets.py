"""Thin specimens to learn structures from: drawn once, kept, and shown turned, mirrored and shifted each time.

A sheet repeats itself with its field, so that a shift brings nothing new to its border and a lens needs no room around it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from napari_atomseg.analysis.rings import BOND_REACH
from napari_atomseg.imaging.hrtem import periodic_potential
from napari_atomseg.imaging.linear_adf import ColumnBatch, batch_columns, render_gaussians
from napari_atomseg.specimens.defected_graphene import thinned
from napari_atomseg.specimens.projection import Projection
from napari_atomseg.synthesis.labels import circular_mask
from napari_atomseg.synthesis.recipe import Recipe, draw_record
from napari_atomseg.synthesis.render_hrtem import class_maps
from napari_atomseg.synthesis.specimen_kinds import specimen
from napari_atomseg.training.taught import CRYSTAL, SHEET_KINDS

LABEL_WIDTH = 0.35
"""Standard deviation of the labels, Angstrom. The paper's 1 A would add up to 1.55 between atoms 1.42 A apart, and leave the
background no minima."""
BOND = 1.42
"""Of graphene, Angstrom."""
SURFACE = 1.0
"""Atoms higher than this above the sheet are dirt on it, Angstrom."""
DIRT_SPREAD, DIRT_LIMIT = 1.5, 0.15
"""Where dirt smoothed over so many Angstrom is denser than so many atoms per square Angstrom, nothing is asked."""
VACANT_EMPHASIS, ABOUT_VACANT = 8.0, 1.0
"""What lies so near to where a neighbour is missing, Angstrom, has so many times the say: such places are few, and a network that
fills every gap is hardly ever wrong."""
EMPHASIS, ABOUT_DEFECT = 2.0, 1.6
"""The same about defects of every kind."""
BENT = 10.0
"""Angles between bonds that differ by more degrees than this from 120 are those of pentagons and heptagons."""
SHORTEST_BOND = 1.1
"""Atoms nearer than this across the border of the repeated field are one, Angstrom."""
EDGE = 4.0
"""Atoms so near to the border are painted on the other side too, Angstrom."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sheet:
    """A specimen that repeats itself, and what is to be seen in it.

    Attributes
    ----------
    potential : Tensor, shape (S, S), V Å
    targets : Tensor, shape (K + 1, S, S)
        Class maps, the background last.
    asked : Tensor, shape (1, S, S)
        0 where dirt hides what is beneath, 1 elsewhere, more about defects.
    positions : ndarray, shape (N, 2), px, (y, x)
        Structures.
    """

    potential: Tensor
    targets: Tensor
    asked: Tensor
    positions: np.ndarray

    def moved(self, turns: int, mirrored: bool, shift: tuple[int, int]) -> Sheet:
        """The same turned counter-clockwise by quarters, then mirrored left to right, then shifted by whole pixels.

        Parameters
        ----------
        turns : int
            Quarters.
        mirrored : bool
        shift : tuple of int, px, (y, x)
            Positive is down and to the right; what leaves the field comes in at the other side.

        Returns
        -------
        Sheet
        """
        side = self.potential.shape[-1]

        def grid(values: Tensor) -> Tensor:
            turned = torch.rot90(values, turns, (-2, -1))
            return torch.roll(turned.flip(-1) if mirrored else turned, shift, (-2, -1))

        y, x = self.positions.T
        for _ in range(turns % 4):
            y, x = side - 1 - x, y
        places = np.stack([y, side - 1 - x if mirrored else x], axis=1) + np.array(shift)
        return Sheet(
            potential=grid(self.potential),
            targets=grid(self.targets),
            asked=grid(self.asked),
            # Half a pixel of the border belongs to either side.
            positions=(places + 0.5) % side - 0.5,
        )


def sheet(recipe: Recipe, number: int, side: int, native: float) -> Sheet:
    """One sheet of a recipe, always the same.

    Parameters
    ----------
    recipe : Recipe
    number : int
        The same number gives the same sheet.
    side : int, px
    native : float, Å
        Pixel size; the sheet repeats itself after side times native.

    Returns
    -------
    Sheet
    """
    given = json.dumps(draw_record(recipe, number, side).specimen)
    return _kept(given, side, native, recipe.classes)


@lru_cache(maxsize=4096)
def _kept(given: str, side: int, native: float, classes: int) -> Sheet:
    field = side * native
    kind = json.loads(given)
    atoms = _repeated(specimen(kind, (field, field)), field)
    known = kind["kind"] in SHEET_KINDS
    mine = (atoms.heights < SURFACE) & known
    shape = (side, side)
    whole = _columns(atoms, native)
    sheet_atoms = _with_border(atoms.select(mine), field)
    seen = _columns(sheet_atoms, native)
    emphasis = _emphasis(sheet_atoms.positions, kind["kind"], shape, native)
    dirt = _columns(_with_border(replace(atoms, thermal=np.full(len(atoms), DIRT_SPREAD)).select(~mine), field), native)
    density = render_gaussians(dirt, shape, integrate=False)[0] / native**2
    return Sheet(
        potential=periodic_potential(whole, torch.from_numpy(atoms.numbers), shape, native)[0],
        targets=class_maps(seen, shape, LABEL_WIDTH / native, classes)[0],
        asked=(density < DIRT_LIMIT).float() * emphasis if known else torch.ones(1, *shape),
        positions=atoms.positions[mine] / native,
    )


def _emphasis(atoms: np.ndarray, kind: str, shape: tuple[int, int], native: float) -> Tensor:
    """More than 1 about atoms short of a neighbour, and in crystals about those whose bonds are bent; shape (1, S, S)."""
    short = short_of_neighbours(atoms)
    broken = short | (bent(atoms) if kind == CRYSTAL else np.zeros(len(atoms), bool))
    # The copies beyond the border lack neighbours because nothing was copied farther out.
    near = np.all((atoms > ABOUT_DEFECT - EDGE) & (atoms < np.array(shape) * native + EDGE - ABOUT_DEFECT), axis=1)
    defects = _discs(atoms[broken & near], ABOUT_DEFECT, shape, native)
    empty = _discs(vacant_sites(atoms, short & near), ABOUT_VACANT, shape, native)
    return torch.maximum(1 + (EMPHASIS - 1) * defects, 1 + (VACANT_EMPHASIS - 1) * empty)


def _discs(places: np.ndarray, radius: float, shape: tuple[int, int], native: float) -> Tensor:
    """1 within a radius of places, all in Angstrom, 0 elsewhere; shape (1, S, S)."""
    centres = batch_columns([torch.from_numpy(places / native)], [torch.ones(len(places))], [0.0], "cpu")
    return circular_mask(centres, shape, [2 * radius / native])[0]


def vacant_sites(atoms: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Where the third neighbour of those of the given atoms is missing that have two.

    Parameters
    ----------
    atoms : ndarray, shape (N, 2), Å, (y, x)
    which : ndarray of bool, shape (N,)
        Atoms that are short of a neighbour.

    Returns
    -------
    ndarray, shape (M, 2), Å, (y, x)
        One bond length away, opposite to the two.
    """
    if len(atoms) < 4:
        return np.zeros((0, 2))
    distance, near = cKDTree(atoms).query(atoms, k=4)
    which = which & (distance[:, 2] <= BOND_REACH)
    along = (atoms[near[which, 1:3]] - atoms[which, None]) / distance[which, 1:3, None]
    return np.asarray(atoms[which] - BOND * along.sum(axis=1))


def short_of_neighbours(atoms: np.ndarray) -> np.ndarray:
    """Atoms with less than three neighbours, shape (N,)."""
    if len(atoms) < 4:
        return np.ones(len(atoms), bool)
    return np.asarray(cKDTree(atoms).query(atoms, k=4)[0][:, 3] > BOND_REACH)


def bent(atoms: np.ndarray) -> np.ndarray:
    """Atoms with an angle between bonds that is far from that of a hexagon, shape (N,)."""
    if len(atoms) < 4:
        return np.zeros(len(atoms), bool)
    apart = atoms[cKDTree(atoms).query(atoms, k=4)[1][:, 1:]] - atoms[:, None]
    along = apart / np.linalg.norm(apart, axis=2, keepdims=True)
    cosines = np.stack([(along[:, one] * along[:, one - 1]).sum(axis=1) for one in range(3)])
    angles = np.degrees(np.arccos(np.clip(cosines, -1, 1)))
    return np.asarray((np.abs(angles - 120) > BENT).any(axis=0))


def _repeated(atoms: Projection, field: float) -> Projection:
    """Atoms of one field, without those that are too near to one of the next."""
    inside = atoms.select(np.all((atoms.positions >= 0) & (atoms.positions < field), axis=1))
    low = inside.heights < SURFACE
    kept = thinned(inside.positions[low], SHORTEST_BOND, np.array([field, field]))
    chosen = ~low
    chosen[low] = np.isin(inside.positions[low], kept).all(axis=1)
    return inside.select(chosen)


def _with_border(atoms: Projection, field: float) -> Projection:
    """Atoms, and those of the next fields that are near to the border."""
    steps = np.stack(np.meshgrid((-1, 0, 1), (-1, 0, 1), indexing="ij"), -1).reshape(-1, 2)
    places = (atoms.positions[:, None] + field * steps).reshape(-1, 2)
    near = np.all((places > -EDGE) & (places < field + EDGE), axis=1)
    return replace(atoms.select(np.repeat(np.arange(len(atoms)), len(steps))[near]), positions=places[near])


def _columns(atoms: Projection, native: float) -> ColumnBatch:
    """Atoms in pixels, from the centre of the first one."""
    return batch_columns(
        [torch.from_numpy(atoms.positions / native)],
        [torch.from_numpy(atoms.counts)],
        [torch.from_numpy(atoms.thermal / native)],
        "cpu",
    )
