"""Write the electron scattering factors of Lobato and Van Dyck (2014) as the package's own small table.

The numbers are those of the paper, read from the copy that abTEM (GPL-3.0) carries; run it again to see that nothing changed.
"""

import json
from pathlib import Path

import abtem
from ase.data import atomic_numbers

TARGET = Path(__file__).parents[1] / "src/napari_atomseg/imaging/lobato2014.json"


def main() -> None:
    """Rows 0 to 102 belong to Z = 1 to 103; a in Angstrom, b in square Angstrom."""
    source = Path(abtem.__file__).parent / "parametrizations/data/lobato.json"
    factors = sorted(json.loads(source.read_text()).items(), key=lambda item: atomic_numbers[item[0]])
    lines = ",\n".join(f'{{"symbol": "{symbol}", "a": {json.dumps(a)}, "b": {json.dumps(b)}}}' for symbol, (a, b) in factors)
    TARGET.write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
