"""Make the corrections that come with the program: pairs by multislice, a fit, and a card for each.

``python tools/make_corrections.py [NAME ...] [--pairs DIR]`` makes the pairs of each set in DIR/NAME (by default in the folder
``pairs``), which may be stopped and called again, and writes ``models/corrections/NAME``. All sets take about an hour and a half
on one core.
"""

from __future__ import annotations

import argparse
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_atomseg.cli import main as command
from napari_atomseg.core.jobs import run
from napari_atomseg.readers.image_pairs import read_pairs
from napari_atomseg.simulation.correction_catalogue import FOLDER, write_correction_card
from napari_atomseg.specimens.library import crystal
from napari_atomseg.workflows import fit_correction

HOW = "--scan-step 0.4 --configurations 2 --device cpu"
PARTICLES = (
    '--shapes "icosahedron, cuboctahedron, truncated octahedron, sphere, decahedron" --amorphous "0, 0, 0, 0.6" '
    f'--zones "0,0,1 1,1,0 any 1,1,1" --mistilt 12 {HOW}'
)


@dataclass(frozen=True, kw_only=True)
class Set:
    """A correction to be made.

    Attributes
    ----------
    about : str
    words : str
        Of the command ``make-pairs``.
    crystal : str
        Of the library, whose file is given to it; empty for none.
    """

    about: str
    words: str
    crystal: str = ""


SETS = {
    "fcc-heavy": Set(
        about="Particles of gold and platinum up to 25 Å thick, at 200 kV.",
        words=f'--alloys "Au, Pt" --smallest 14 --largest 26 --number 5 --seed 1 --field 14,24 {PARTICLES}',
    ),
    "fcc-medium": Set(
        about="Particles of palladium and silver up to 25 Å thick, at 200 kV.",
        words=f'--alloys "Pd, Ag" --smallest 14 --largest 24 --number 2 --seed 5 --field 10,24 --slice-thickness 2.5 {PARTICLES}',
    ),
    "fcc-light": Set(
        about="Particles of nickel and copper up to 25 Å thick, at 200 kV.",
        words=f'--alloys "Ni, Cu" --smallest 14 --largest 24 --number 2 --seed 4 --field 10,24 --slice-thickness 2.5 {PARTICLES}',
    ),
    "pt-mo": Set(
        about="Particles of platinum with 5 to 50 % molybdenum up to 25 Å thick, at 200 kV.",
        words=(f'--alloys "Pt0.95Mo0.05, Pt0.5Mo0.5" --smallest 16 --largest 26 --number 4 --seed 2 --field 14,24 {PARTICLES}'),
    ),
    "srtio3": Set(
        about="Strontium titanate along [001], [110] and [111], 7 to 50 Å thick, at 200 kV.",
        words=('--zones "0,0,1 1,1,0 1,1,1" --mistilt 8 --thickness 50 --thinnest 0.15 --number 7 --seed 3 --field 9,9 ' + HOW),
        crystal="SrTiO3",
    ),
}


def pairs_of(name: str, folder: Path) -> str:
    """Make the pairs of a set, as far as they are missing; gives the command."""
    told = SETS[name]
    words = ["make-pairs", *shlex.split(told.words), "-o", str(folder / name)]
    if told.crystal:
        path = folder / f"{told.crystal}.cif"
        crystal(told.crystal).write(path)
        words.insert(1, str(path))
    try:
        command(words)
    except SystemExit as end:
        if end.code and len(read_pairs(folder / name)) < 2:
            raise
    shown = [word if not word.startswith(str(folder)) else Path(word).name for word in words]
    return shlex.join(["napari-atomseg", *shown])


def specimen(told: dict[str, Any], thickness: float) -> str:
    """What a pair shows, in words."""
    what = told.get("structure") or f"{told['composition']} {told['shape']}"
    melted = f", {100 * told['amorphous']:g} % amorphous" if told.get("amorphous") else ""
    return f"{what}{melted}, beam near [{told['zone_axis']}], {thickness:.3g} Å thick"


def main() -> None:
    """Make what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SETS))
    parser.add_argument("--pairs", type=Path, default=Path("pairs"))
    given = parser.parse_args()
    given.pairs.mkdir(exist_ok=True)
    models = Path(__file__).parents[1] / "models" / FOLDER
    models.mkdir(exist_ok=True)
    for name in given.names or SETS:
        made_by = pairs_of(name, given.pairs)
        pairs = read_pairs(given.pairs / name)
        correction = run(fit_correction.steps(pairs))
        shown = [specimen(pair.told["specimen"], pair.told["thickness"]) for pair in pairs]
        fitted_by = f"napari-atomseg fit-correction {name} -o correction.json"
        write_correction_card(correction, models / name, SETS[name].about, [made_by, fitted_by], shown)
        scores = correction.cross_validation
        print(name, correction.params.form, correction.number_of_terms, scores)  # noqa: T201 - a tool that is run by hand


if __name__ == "__main__":
    main()
