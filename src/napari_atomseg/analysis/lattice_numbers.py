"""Lattice constants with their errors, what speaks against a lattice, and both in one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from napari_atomseg.analysis.lattice.indexed import Indexed
from napari_atomseg.analysis.lattice.labels import Labels
from napari_atomseg.analysis.lattice.lattice import Lattice
from napari_atomseg.analysis.lattice.reference import Reference
from napari_atomseg.analysis.lattice.tilts import Octahedra
from napari_atomseg.analysis.measurement import Setting

FEWEST_PX = 12.0
"""Pixels along a cell below which the fits of neighbouring columns disturb each other."""
PM_PER_ANGSTROM = 100.0
_BENT = 0.005  # standard error of a side, relative to it
_SCALE = 0.01  # difference from the structure that is said
_SAME_CELL = 0.02  # relative difference of sides
_MOSTLY = 0.8  # of the columns have to stand on sites


def lattice_numbers(
    lattice: Lattice, grain: Indexed, number: int, reference: Reference | None = None, labels: Labels | None = None
) -> dict[str, Any]:
    """Sides, angle and motif of a lattice, each with one standard deviation; plain values.

    Parameters
    ----------
    lattice : Lattice
    grain : Indexed
        Its columns, with the vectors of one sublattice; an error of the pixel size is not among those given.
    number : int
        Of the grain.
    reference : Reference, optional
        Of a known structure.
    labels : Labels, optional
        Atoms of the sublattices.
    """
    basis, std = grain.basis, grain.basis_std
    length = np.hypot(*basis.T)
    along = basis / length[:, None]
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    length_std = np.sqrt(np.sum((along * std) ** 2, axis=1))
    turn_std = np.sqrt(np.sum((across * std) ** 2, axis=1)) / length
    angle = np.degrees(np.arccos(np.clip(along[0] @ along[1], -1, 1)))
    found: dict[str, Any] = {
        "grain": number,
        "columns": int(np.count_nonzero(lattice.site >= 0)),
        "a_angstrom": float(length[0]),
        "a_angstrom_std": float(length_std[0]),
        "b_angstrom": float(length[1]),
        "b_angstrom_std": float(length_std[1]),
        "angle_deg": float(angle),
        "angle_deg_std": float(np.degrees(np.hypot(*turn_std))),
        "direction_of_a_deg": float(np.degrees(np.arctan2(basis[0, 0], basis[0, 1]))),
        "cell_px": float(np.hypot(*lattice.basis.T).min()),
        "sublattices": [
            {
                "sublattice": row,
                "u": float(place[0]),
                "v": float(place[1]),
                "occupancy": float(lattice.occupancy[row]),
                "intensity": float(lattice.intensity[row]) if np.isfinite(lattice.intensity[row]) else None,
            }
            for row, place in enumerate(lattice.motif)
        ],
    }
    if reference is not None:
        found["reference"] = {
            "structure": reference.name,
            "cells_of_structure_in_cell": reference.multiple,
            "mean_strain_xx": float(reference.strain[1, 1]),
            "mean_strain_yy": float(reference.strain[0, 0]),
            "mean_strain_xy": float(reference.strain[0, 1]),
        }
    if labels is not None:
        for one, atoms in zip(found["sublattices"], labels.contents, strict=True):
            one["atoms"] = atoms
        found["reference"] |= {"columns_not_seen": list(labels.unseen), "sites_rms_angstrom": labels.rms}
    return found


def octahedra_numbers(octahedra: Octahedra) -> dict[str, Any]:
    """Sublattices and tilts of the octahedra of a grain; plain values.

    Parameters
    ----------
    octahedra : Octahedra
    """
    return {
        "centre_sublattices": list(octahedra.centres),
        "anion_sublattices": list(octahedra.anions),
        "octahedra": len(octahedra.rows),
        "tilt_mean_deg": float(np.mean(octahedra.tilt)),
        "tilt_alternating_deg": abs(octahedra.alternating),
        "tilt_alternating_deg_std": octahedra.alternating_std if np.isfinite(octahedra.alternating_std) else None,
    }


def verdicts_of(grains: Sequence[Lattice], numbers: Sequence[Mapping[str, Any]], count: int) -> list[str]:
    """What speaks against the lattices, a sentence each; empty if nothing does.

    Parameters
    ----------
    grains : sequence of Lattice
    numbers : sequence of mapping
        Of :func:`lattice_numbers`, in the same order.
    count : int
        Columns of the image.
    """
    said = []
    if len(grains) > 1:
        said.append(f"several lattices: {len(grains)} grains, each measured by itself")
        said += [f"the cell of grain {which} is that of grain 0, turned by {turn:.1f}°" for which, turn in _turned(numbers)]
    narrow = min(one["cell_px"] for one in numbers)
    if narrow < FEWEST_PX:
        said.append(f"fewer than {FEWEST_PX:.0f} px a cell ({narrow:.1f} px): errors of strain are larger than stated")
    bent = max(max(one["a_angstrom_std"] / one["a_angstrom"], one["b_angstrom_std"] / one["b_angstrom"]) for one in numbers)
    if bent > _BENT:
        said.append(
            f"parts of a lattice differ by {bent:.1%}: it bends, or holds grains turned by a few degrees; its constants are means"
        )
    on = sum(int(one["columns"]) for one in numbers) / max(count, 1)
    if on < _MOSTLY:
        said.append(f"only {on:.0%} of the columns stand on a site of a lattice")
    return said


def verdicts_of_reference(numbers: Sequence[Mapping[str, Any]], setting: Setting, guided: bool) -> list[str]:
    """What lattices say beside that of the structure: scale, drift, and what calibrating by it would do.

    Parameters
    ----------
    numbers : sequence of mapping
        Of :func:`lattice_numbers`.
    setting : Setting
    guided : bool
        Whether the vectors were only found with the structure's cell in mind.
    """
    if not setting.cells:
        return []
    names = " or ".join(cell.name for cell in setting.cells)
    said = []
    if len(setting.cells) > 1:
        said += [f"grain {one['grain']} is {one['reference']['structure']}" for one in numbers if "reference" in one]
    if guided:
        said.append(f"the columns alone do not show this lattice; it was looked for with the cell of {names}")
    others = [str(one["grain"]) for one in numbers if "reference" not in one]
    if others:
        said.append(f"grain {', '.join(others)} is no multiple of {names}; its strain is against its own mean")
    for one in (one for one in numbers[:1] if "reference" in one):
        along_x, along_y, shear = (one["reference"][f"mean_strain_{name}"] for name in ("xx", "yy", "xy"))
        scale, apart, skew = (along_x + along_y) / 2, abs(along_x - along_y), abs(2 * shear)
        if max(abs(scale), apart, skew) < _SCALE:
            continue
        now = np.multiply(setting.size, PM_PER_ANGSTROM)
        y, x = now / (1 + np.array([along_y, along_x]))
        said.append(
            f"against {one['reference']['structure']} lengths are {abs(scale):.1%} too {'large' if scale > 0 else 'small'}, x "
            f"and y differ by {apart:.1%} and their angle by {np.degrees(skew):.1f}° (drift, scan or strain); if the structure "
            f"is right, calibrating by the lattice would make a pixel {y:.3f} pm high and {x:.3f} pm wide in place of "
            f"{now[0]:.3f} and {now[1]:.3f} pm"
        )
    return said


def _turned(numbers: Sequence[Mapping[str, Any]]) -> list[tuple[int, float]]:
    """Grains with the cell of the first one, and by how many degrees they are turned against it, up to its symmetry."""
    first = numbers[0]
    square = abs(first["a_angstrom"] / first["b_angstrom"] - 1) < _SAME_CELL
    period = (
        90.0 if square and abs(first["angle_deg"] - 90) < 2 else 60.0 if square and abs(first["angle_deg"] - 120) < 2 else 180.0
    )
    found = []
    for other in numbers[1:]:
        sides = max(abs(other[side] / first[side] - 1) for side in ("a_angstrom", "b_angstrom"))
        if sides < _SAME_CELL and abs(other["angle_deg"] - first["angle_deg"]) < 2:
            turn = other["direction_of_a_deg"] - first["direction_of_a_deg"]
            found.append((int(other["grain"]), abs(turn - period * round(turn / period))))
    return found


def summary_of(numbers: Mapping[str, Any]) -> str:
    """The lattice with the most columns, and what speaks against it, in one line.

    Parameters
    ----------
    numbers : mapping
        Of one frame.
    """
    first = numbers["lattices"][0]
    sides = ", ".join(f"{name} = {plus_minus(first[f'{name}_angstrom'], first[f'{name}_angstrom_std'])} Å" for name in "ab")
    said = f"lattice: {sides}, angle {plus_minus(first['angle_deg'], first['angle_deg_std'])}°, "
    kinds = len(first["sublattices"])
    said += f"{kinds} sublattice{'s' if kinds > 1 else ''}, {numbers['missing_sites']} sites empty, "
    said += f"{numbers['extra_columns']} columns on no site"
    return "; ".join([said, *numbers["verdicts"]])


def plus_minus(value: float, std: float) -> str:
    """A number and its standard deviation, to two digits of the latter.

    Parameters
    ----------
    value, std : float
        In the same unit.

    Examples
    --------
    >>> plus_minus(3.90512, 0.00123)
    '3.9051 ± 0.0012'
    """
    if not np.isfinite(std) or std <= 0:
        return f"{value:.4g}"
    digits = int(np.clip(1 - np.floor(np.log10(std)), 0, 5))
    return f"{value:.{digits}f} ± {std:.{digits}f}"
