"""Exit waves of structure files, for recipes with a specimen of kind ``exit_wave``.

``python tools/make_exit_waves.py waves/ --energy 300000 --pixel-size 0.1 structure.cif ...`` repeats the cell of each file, which
has to have right angles, to at least `--side` Angstrom in x and y, and writes `--snapshots` waves of it with the beam along z.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from ase.io import read

from napari_atomseg.imaging.exit_waves import write_exit_wave
from napari_atomseg.imaging.multislice.exit_wave import multislice_exit_wave


def main() -> None:
    """Write the waves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("structures", nargs="+", type=Path)
    parser.add_argument("--energy", type=float, default=300e3, help="eV")
    parser.add_argument("--pixel-size", type=float, default=0.1, help="Angstrom")
    parser.add_argument("--side", type=float, default=50.0, help="Angstrom")
    parser.add_argument("--thickness", type=float, default=0.0, help="Angstrom, at least so many cells along the beam")
    parser.add_argument("--thermal", type=float, default=0.08, help="Angstrom, root mean square displacement along one axis")
    parser.add_argument("--snapshots", type=int, default=1, help="of the thermal motion")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    for path in given.structures:
        atoms = read(path)
        lengths = np.maximum(atoms.cell.lengths(), 1e-3)
        needed = np.array([given.side, given.side, given.thickness])
        block = atoms.repeat(tuple(np.maximum(1, np.ceil(needed / lengths)).astype(int)))
        for seed in range(given.snapshots):
            wave = multislice_exit_wave(block, given.energy, given.pixel_size, thermal=given.thermal, seed=seed)
            write_exit_wave(given.folder / f"{path.stem}_{seed}", wave)


if __name__ == "__main__":
    main()
