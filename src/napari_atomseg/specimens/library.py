"""The crystals that atomic-resolution microscopists meet most, by name (the library of Lin et al., Sci. Rep. 11, 5386 (2021))."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.specimens.zone_axis import ProjectedCell, projected_cell

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A crystal: its asymmetric unit, space group, cell (a, b, c in Angstrom, then angles in degrees) and zone axes."""

    symbols: tuple[str, ...]
    sites: tuple[tuple[float, float, float], ...]
    space_group: int
    cell: tuple[float, float, float, float, float, float]
    zones: tuple[tuple[int, int, int], ...]
    source: str


_CUBIC, _HEXAGONAL = (90.0, 90.0, 90.0), (90.0, 90.0, 120.0)
ENTRIES: dict[str, Entry] = {
    "Pt": Entry(
        symbols=("Pt",), sites=((0, 0, 0),), space_group=225, cell=(3.924, 3.924, 3.924, *_CUBIC),
        zones=((0, 0, 1), (1, 1, 0)), source="Arblaster, Platinum Metals Rev. 41, 12 (1997)",
    ),
    "Au": Entry(
        symbols=("Au",), sites=((0, 0, 0),), space_group=225, cell=(4.078, 4.078, 4.078, *_CUBIC),
        zones=((0, 0, 1), (1, 1, 0)), source="Dutta & Dayal, Phys. Status Solidi 3, 2251 (1963)",
    ),
    "NiO": Entry(
        symbols=("Ni", "O"), sites=((0, 0, 0), (0.5, 0.5, 0.5)), space_group=225, cell=(4.177, 4.177, 4.177, *_CUBIC),
        zones=((0, 0, 1), (1, 1, 0)), source="Sasaki et al., Proc. Jpn. Acad. B 55, 43 (1979)",
    ),
    "SrTiO3": Entry(
        symbols=("Sr", "Ti", "O"), sites=((0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0)), space_group=221,
        cell=(3.905, 3.905, 3.905, *_CUBIC), zones=((0, 0, 1), (1, 1, 0)),
        source="Okazaki & Kawaminami, Mater. Res. Bull. 8, 545 (1973)",
    ),
    "DyScO3": Entry(
        symbols=("Dy", "Sc", "O", "O"),
        sites=((0.9827, 0.0606, 0.25), (0.5, 0, 0), (0.1196, 0.4450, 0.25), (0.6921, 0.3083, 0.0610)),
        space_group=62, cell=(5.4400, 5.7170, 7.9030, *_CUBIC), zones=((1, 1, 0), (0, 0, 1)),
        source="Velickov et al., Z. Kristallogr. 222, 466 (2007), setting Pbnm",
    ),
    "Si": Entry(
        symbols=("Si",), sites=((0, 0, 0),), space_group=227, cell=(5.431, 5.431, 5.431, *_CUBIC),
        zones=((1, 1, 0), (0, 0, 1)), source="Becker et al., Z. Phys. B 48, 17 (1982)",
    ),
    "TiO2": Entry(
        symbols=("Ti", "O"), sites=((0, 0, 0), (0.305, 0.305, 0)), space_group=136, cell=(4.594, 4.594, 2.959, *_CUBIC),
        zones=((0, 0, 1), (1, 0, 0), (1, 1, 0)), source="Baur & Khan, Acta Cryst. B 27, 2133 (1971)",
    ),
    "LiCoO2": Entry(
        symbols=("Li", "Co", "O"), sites=((0, 0, 0.5), (0, 0, 0), (0, 0, 0.2605)), space_group=166,
        cell=(2.816, 2.816, 14.054, *_HEXAGONAL), zones=((0, 1, 0), (1, 0, 0)),
        source="Akimoto et al., J. Solid State Chem. 141, 298 (1998)",
    ),
    "MoS2": Entry(
        symbols=("Mo", "S", "S"), sites=((1 / 3, 2 / 3, 0.5), (2 / 3, 1 / 3, 0.578), (2 / 3, 1 / 3, 0.422)), space_group=1,
        cell=(3.160, 3.160, 20.0, *_HEXAGONAL), zones=((0, 0, 1),),
        source="one layer; Bronsema et al., Z. Anorg. Allg. Chem. 540, 15 (1986)",
    ),
    "graphene": Entry(
        symbols=("C", "C"),
        sites=((1 / 3, 2 / 3, 0.5), (2 / 3, 1 / 3, 0.5)), space_group=1, cell=(2.461, 2.461, 20.0, *_HEXAGONAL),
        zones=((0, 0, 1),), source="one layer of graphite; Trucano & Chen, Nature 258, 136 (1975)",
    ),
}  # fmt: skip
"""By name; the first zone axis is the usual one."""


def crystal(name: str) -> Atoms:
    """Unit cell of a crystal of the library.

    Raises
    ------
    AtomsegError
        If the name is unknown.
    """
    from ase.spacegroup import crystal as build

    entry = ENTRIES.get(name)
    if entry is None:
        raise AtomsegError(f'there is no crystal "{name}" in the library; it has {", ".join(ENTRIES)}')
    if name == "DyScO3":
        # ase knows Pnma; cyclic exchange of the axes makes it the usual setting Pbnm.
        sites = [(y, z, x) for x, y, z in entry.sites]
        a, b, c = entry.cell[:3]
        found = build(entry.symbols, sites, spacegroup=entry.space_group, cellpar=(b, c, a, *_CUBIC))
        order = [2, 0, 1]
        found.set_cell(found.cell.array[order][:, order], scale_atoms=False)
        found.positions = found.positions[:, order]
        return found
    return build(entry.symbols, entry.sites, spacegroup=entry.space_group, cellpar=entry.cell)


@lru_cache(maxsize=64)
def library_cell(name: str, zone: tuple[int, int, int] | None = None) -> ProjectedCell:
    """A crystal of the library along a zone axis, by default its usual one.

    Parameters
    ----------
    name : str
        Of a crystal of the library.
    zone : tuple of int, optional
        Direction [uvw].
    """
    return projected_cell(crystal(name), zone or ENTRIES[name].zones[0])
