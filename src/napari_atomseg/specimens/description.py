"""What a structure is, in numbers: formula, atoms, density, cell and repetition, for whoever has to see that it was read well."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_atomseg.specimens.cif import NOTES
from napari_atomseg.specimens.filling import sites_of
from napari_atomseg.specimens.repetition import AUTO, AXES, EMPTY, Repetition, repetition

if TYPE_CHECKING:
    from ase import Atoms

GRAMS_PER_DALTON, CM3_PER_A3 = 1.66053907e-24, 1e-24


@dataclass(frozen=True, kw_only=True)
class Description:
    """A structure in numbers.

    Attributes
    ----------
    formula : str
        Of all atoms of the cell or particle, in Hill's order, mixed sites by their shares.
    atoms : int
        Number of sites.
    density_g_cm3 : float or None
        Of what is repeated in three dimensions; else nothing.
    cell_angstrom : tuple of float or None
        Lengths of a, b and c; nothing without a cell.
    cell_angles_deg : tuple of float or None
    repeated : tuple of str
        Axes along which it goes on beyond its cell, of a, b and c.
    notes : tuple of str
        What was assumed as it was read.
    """

    formula: str
    atoms: int
    density_g_cm3: float | None
    cell_angstrom: tuple[float, float, float] | None
    cell_angles_deg: tuple[float, float, float] | None
    repeated: tuple[str, ...]
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def describe_structure(structure: Atoms, repeat: str = AUTO) -> Description:
    """What a structure is, and what of it is repeated if that is asked for as in :func:`.repetition.repetition`.

    Parameters
    ----------
    structure : Atoms
    repeat : str
        ``auto``, ``none`` or numbers of cells such as 3,3,1.
    """
    given = repetition(structure, repeat)
    shares = structure.arrays.get("occupancy", np.ones(len(structure)))
    cell = tuple(round(float(value), 6) for value in structure.cell.cellpar()) if structure.cell.rank else None
    density = None
    if all(given.repeated):
        mass = float(structure.get_masses() @ shares) * GRAMS_PER_DALTON
        density = round(mass / (structure.get_volume() * CM3_PER_A3), 4)
    return Description(
        formula=_formula(structure, shares),
        atoms=len(np.unique(sites_of(structure.positions))),
        density_g_cm3=density,
        cell_angstrom=cell[:3] if cell else None,  # type: ignore[arg-type]  # three lengths, then three angles
        cell_angles_deg=cell[3:] if cell else None,  # type: ignore[arg-type]
        repeated=tuple(axis for axis, goes_on in zip(AXES, given.repeated, strict=True) if goes_on),
        notes=tuple(dict.fromkeys((*structure.info.get(NOTES, ()), *_empty_slabs(structure, given)))),
    )


def structure_summary(description: Description) -> str:
    """The same as one line."""
    parts = [description.formula, f"{description.atoms:,} atom{'s' * (description.atoms != 1)}"]
    if description.density_g_cm3 is not None:
        parts.append(f"{description.density_g_cm3:.2f} g/cm³")
    if description.cell_angstrom is not None:
        parts.append(" × ".join(f"{length:.4g}" for length in description.cell_angstrom) + " Å")
    if description.cell_angles_deg is not None and not np.allclose(description.cell_angles_deg, 90, atol=0.01):
        parts.append(", ".join(f"{angle:.4g}" for angle in description.cell_angles_deg) + "°")
    along = f"repeated along {', '.join(description.repeated)}" if description.repeated else "not repeated"
    return ", ".join([*parts, along])


def _formula(structure: Atoms, shares: np.ndarray) -> str:
    """Formula with the metals first, as it is usually written; with shares of atoms as numbers."""
    from ase.formula import Formula

    symbols = structure.get_chemical_symbols()
    if np.allclose(shares, 1):
        return structure.get_chemical_formula("metal")
    counts: dict[str, float] = {}
    for symbol, share in zip(symbols, shares, strict=True):
        counts[symbol] = counts.get(symbol, 0.0) + float(share)
    order = Formula.from_dict(dict.fromkeys(counts, 1)).convert("metal").count()
    return "".join(f"{symbol}{'' if abs(counts[symbol] - 1) < 5e-5 else f'{counts[symbol]:.4g}'}" for symbol in order)


def _empty_slabs(structure: Atoms, given: Repetition) -> list[str]:
    """Why a periodic axis is not repeated."""
    return [
        f"an empty slab of {gap:.1f} Å along {axis}: nothing is repeated along it"
        for axis, gap, goes_on, periodic in zip(AXES, given.empty, given.repeated, structure.pbc, strict=True)
        if periodic and not goes_on and gap >= EMPTY
    ]
