"""One page on an analysis: pictures, numbers with errors, parameters, where all comes from, and a sentence for a paper."""

from __future__ import annotations

import base64
from collections.abc import Generator, Mapping, Sequence
from html import escape
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from napari_atomseg.analysis.lattice_numbers import plus_minus
from napari_atomseg.analysis.measurement import Measurement
from napari_atomseg.analysis.params import MeasureParams
from napari_atomseg.core.columns import DISPLACEMENT, GRAIN, POLAR, STRAIN, SUBLATTICE, TEMPLATE, TILT, Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, job
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.plots.colour_wheel import ColourWheel, full_colour
from napari_atomseg.plots.column_picture import ArrowPicture, ColumnPicture
from napari_atomseg.plots.columns_plot import ColumnsHistogram
from napari_atomseg.plots.picture import ON_WHITE, Plot, figure_of
from napari_atomseg.plots.quantity import quantity_of
from napari_atomseg.writers.atomic import replacing

PICTURE_PX, PLOT_PX, WHEEL_PX = (420, 454), (420, 200), (420, 90)
_SCALE = 2  # pixels of a picture for each px of its size
_MOST_VALUES = 60  # entries of a list that are written out
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 14px/1.45 system-ui, sans-serif; max-width: 900px; margin: 2em auto; padding: 0 1em; color: #111; }}
h1 {{ font-size: 1.5em; }} h2 {{ font-size: 1.15em; margin-top: 1.6em; }}
figure {{ display: inline-block; margin: 0 8px 8px 0; width: 420px; vertical-align: top; }}
figure img {{ width: 100%; }} figcaption {{ font-size: 0.9em; color: #444; }}
table {{ border-collapse: collapse; }} td, th {{ padding: 2px 12px 2px 0; text-align: left; vertical-align: top; }}
.said {{ background: #fff4d6; padding: 6px 10px; }} blockquote {{ background: #f2f2f2; padding: 8px 12px; margin: 0; }}
code {{ font-size: 0.9em; overflow-wrap: anywhere; }}
</style></head><body>
<h1>{title}</h1>
{body}
</body></html>
"""


@job
def report(micrograph: Micrograph, found: Measurement, path: Path | str, *, frame: int = 0) -> Generator[Progress, None, Path]:
    """Write one page (HTML, with its pictures inside) on what was measured.

    Parameters
    ----------
    micrograph : Micrograph
        That the columns belong to.
    found : Measurement
        Of :func:`napari_atomseg.workflows.measuring.measure`.
    path : Path or str
        ``.html``.
    frame : int
        Whose pictures are drawn.

    Returns
    -------
    Path
        The file, whole or not at all.

    Raises
    ------
    AtomsegError
        If the suffix is another one, or the file cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() not in (".html", ".htm"):
        raise AtomsegError(f"{target.name}: a report is a page; give it the suffix .html")
    rows = np.flatnonzero(found.columns.frame == frame)
    columns = found.columns.select(rows)
    image = np.asarray(micrograph.frame(frame), np.float32)
    figures = []
    plots = _plots(image, columns)
    for done, (caption, drawn) in enumerate(plots):
        yield Progress(done, len(plots), "drawing")
        pictures = "".join(f'<img alt="{escape(caption)}" src="data:image/png;base64,{_png(*one)}">' for one in drawn)
        figures.append(f"<figure>{pictures}<figcaption>{escape(caption)}</figcaption></figure>")
    numbers = _of_frame(found.numbers, frame)
    body = [
        f"<p>{escape(found.summary[:1].upper() + found.summary[1:])}.</p>" if found.summary else "",
        *(f'<p class="said">{escape(said[:1].upper() + said[1:])}.</p>' for said in numbers.get("verdicts", ())),
        "<h2>Numbers</h2>" + _lattices(numbers) + _means(columns),
        "<h2>Pictures</h2>" + "".join(figures),
        f"<h2>For the methods section</h2><blockquote>{escape(methods_sentence(found))}</blockquote>",
        "<h2>Where it comes from</h2>" + _table(_flat(_provenance(found.columns))),
    ]
    page = _PAGE.format(title=escape(f"{micrograph.name}: columns measured"), body="\n".join(body))
    with replacing(target, AtomsegError) as part:
        part.write_text(page, encoding="utf-8")
    return target


def methods_sentence(found: Measurement) -> str:
    """What was done, for the methods section of a paper.

    Parameters
    ----------
    found : Measurement
    """
    said, columns = found.columns.provenance, found.columns
    finder = "the classical finder" if said.get("model") == "classical" else f"the network {said.get('model')}"
    text = f"{len(columns):,} atomic columns were located"
    text += f" with {finder}" if said.get("model") else ""
    if said.get("refinement"):
        fit = said["refinement"]
        noise = " (Poisson likelihood)" if fit.get("likelihood") == "poisson" else ""
        text += f" and their positions refined by fits of two-dimensional Gaussians to the raw image{noise}"
    params = _params(said)
    what = said.get("measured", {}).get("what", ())
    parts = []
    numbers = _of_frame(found.numbers, 0)
    first = next(iter(numbers.get("lattices", ())), None)
    if first is not None:
        sides = " and ".join(
            f"{side} = {plus_minus(first[f'{side}_angstrom'], first[f'{side}_angstrom_std'])} Å" for side in "ab"
        )
        parts.append(f"a lattice fitted to sublattice {params.sublattice} gave {sides}")
    if "strain" in what:
        against = first["reference"]["structure"] if first is not None and "reference" in first else "the mean of each grain"
        parts.append(
            f"strain and rotation were obtained by local least squares over a radius of {params.window:g} cells on sublattice "
            f"{params.sublattice}, with {against} as reference"
        )
    if "polarisation" in what:
        parts.append("polar displacements were measured from the centroid of the neighbours on the other sublattice")
    if "displacement" in what:
        parts.append("displacements were measured from the lattice that fits each grain")
    if first is not None and "octahedra" in first:
        parts.append("octahedral tilts were measured against the lines between the centres of neighbouring octahedra")
    if "templates" in what:
        parts.append("local structures were assigned by templates of nearest neighbours (Madsen et al.)")
    text += "; " + "; ".join(parts) if parts else ""
    return f"{text} (napari-atomseg {version('napari-atomseg')}). Errors are one standard deviation."


def _params(provenance: Mapping[str, Any]) -> MeasureParams:
    """How it was measured, from the last step that did."""
    steps = [one for one in provenance.get("steps", ()) if one.get("step") == "measure"]
    return MeasureParams(**steps[-1].get("measuring", {})) if steps else MeasureParams()


_Shown = tuple[str, list[tuple[Plot, tuple[int, int]]]]


def _plots(image: np.ndarray, columns: Columns) -> list[_Shown]:
    """Captions, and what is drawn above each."""
    return [*_kinds(image, columns), *_arrows(image, columns), *_values(image, columns)]


def _kinds(image: np.ndarray, columns: Columns) -> Generator[_Shown, None, None]:
    """Grains, sublattices and local structures."""
    table, places = columns.features, columns.positions
    if GRAIN in table and table[GRAIN].max() > 0:
        picture = ColumnPicture(image, places, table[GRAIN].to_numpy(float), "grain (columns)", kinds=True)
        yield "Grains; none: on no lattice, as at boundaries.", [(picture, PICTURE_PX)]
    if SUBLATTICE in table:
        picture = ColumnPicture(image, places, table[SUBLATTICE].to_numpy(float), "sublattice (columns)", kinds=True)
        yield "Sublattices, 0 the brightest.", [(picture, PICTURE_PX)]
    if TEMPLATE in table:
        names, kind = np.unique(table[TEMPLATE].astype(str), return_inverse=True)
        picture = ColumnPicture(image, places, kind.astype(float), "local structure (columns)", kinds=True)
        yield ", ".join(f"{row} {name}" for row, name in enumerate(names)), [(picture, PICTURE_PX)]


def _arrows(image: np.ndarray, columns: Columns) -> Generator[_Shown, None, None]:
    """Polarisation and displacement, with the wheel of their colours."""
    table = columns.features
    against = _params(columns.provenance).sublattice
    for title, names in (("polarisation", POLAR), ("displacement", DISPLACEMENT)):
        if names[0] in table and table[names[0]].notna().any():
            vectors = table[list(names)].to_numpy(float)
            if title == "polarisation":
                # Seen from their neighbours, these point the other way.
                vectors = np.where((table[SUBLATTICE] == against).to_numpy()[:, None], np.nan, vectors)
            wheel = ColourWheel(title, f"{full_colour(vectors) * 100:.3g} pm")
            picture = ArrowPicture(image, columns.positions, vectors)
            yield f"{title.capitalize()} of the columns.", [(picture, PICTURE_PX), (wheel, WHEEL_PX)]


def _values(image: np.ndarray, columns: Columns) -> Generator[_Shown, None, None]:
    """Strain, rotation and tilt with their histograms."""
    for name in (*STRAIN, TILT):
        if name in columns.features and columns.features[name].notna().any():
            values = columns.features[name].to_numpy(float)
            picture = ColumnPicture(image, columns.positions, values, quantity_of(name))
            spread = ColumnsHistogram(values, quantity_of(name))
            yield f"{quantity_of(name).capitalize()}.", [(picture, PICTURE_PX), (spread, PLOT_PX)]


def _png(plot: Plot, size: tuple[int, int]) -> str:
    stream = BytesIO()
    figure_of(plot, size, ON_WHITE).savefig(stream, format="png", dpi=72 * _SCALE)
    return base64.b64encode(stream.getvalue()).decode()


def _of_frame(numbers: Mapping[str, Any], frame: int) -> Mapping[str, Any]:
    frames = numbers.get("frames")
    return numbers if frames is None else next((one for one in frames if one.get("frame") == frame), {})


def _lattices(numbers: Mapping[str, Any]) -> str:
    rows = []
    for one in numbers.get("lattices", ()):
        kinds = ", ".join(f"{kind['sublattice']} {kind.get('atoms', '')}".strip() for kind in one["sublattices"])
        sides = [f"{plus_minus(one[f'{side}_angstrom'], one[f'{side}_angstrom_std'])}" for side in "ab"]
        angle = plus_minus(one["angle_deg"], one["angle_deg_std"])
        tilt = one.get("octahedra")
        turned = "" if tilt is None else plus_minus(tilt["tilt_alternating_deg"], tilt["tilt_alternating_deg_std"] or np.nan)
        rows.append((str(one["grain"]), f"{one['columns']:,}", *sides, angle, kinds, turned))
    if not rows:
        return ""
    return _table(rows, ("grain", "columns", "a, Å", "b, Å", "angle, °", "sublattices", "octahedral tilt, °"))


def _means(columns: Columns) -> str:
    """Median, spread and usual error of each measured feature."""
    table = columns.features
    rows = []
    for name in table.columns:
        if f"{name}_std" in table and table[name].notna().any():
            known = table[name].dropna().to_numpy(float)
            error = table[f"{name}_std"].dropna().to_numpy(float)
            usual = f"{np.median(error):.3g}" if len(error) else ""
            rows.append((quantity_of(name), f"{len(known):,}", f"{np.median(known):.4g}", f"{np.std(known):.3g}", usual))
    if not rows:
        return ""
    return _table(rows, ("of the columns", "known", "median", "standard deviation", "usual error of one"))


def _provenance(columns: Columns) -> dict[str, Any]:
    """What of the provenance is not among the numbers."""
    return {key: value for key, value in columns.provenance.items() if key != "measured"} | {"version": version("napari-atomseg")}


def _flat(value: Any, name: str = "") -> list[tuple[str, str]]:
    """Nested values as pairs of a path and a text."""
    if isinstance(value, Mapping):
        return [pair for key, one in value.items() for pair in _flat(one, f"{name}.{key}" if name else str(key))]
    if isinstance(value, (list, tuple)) and any(isinstance(one, (Mapping, list, tuple)) for one in value):
        return [pair for row, one in enumerate(value[:_MOST_VALUES]) for pair in _flat(one, f"{name} {row + 1}")]
    return [(name, str(value))]


def _table(rows: Sequence[Sequence[str]], heads: Sequence[str] = ()) -> str:
    top = f"<tr>{''.join(f'<th>{escape(head)}</th>' for head in heads)}</tr>" if heads else ""
    lines = "".join(f"<tr>{''.join(f'<td>{escape(one)}</td>' for one in row)}</tr>" for row in rows)
    return f"<table>{top}{lines}</table>"
