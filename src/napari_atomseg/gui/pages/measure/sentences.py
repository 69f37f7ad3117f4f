"""What was measured, in a few lines of rich text."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from napari_atomseg.workflows import plus_minus

if TYPE_CHECKING:
    from napari_atomseg.workflows import Measurement

MOST_GRAINS = 3
"""Lattices that are described one by one."""
PM_PER_ANGSTROM = 100.0


def described(found: Measurement) -> str:
    """Lattices, polarisation, structures and what speaks against them.

    Parameters
    ----------
    found : Measurement
    """
    numbers = found.numbers
    if "frames" in numbers:
        return escape(found.summary)
    lattices = numbers.get("lattices", ())
    lines = [_lattice(one) for one in lattices[:MOST_GRAINS]]
    if len(lattices) > MOST_GRAINS:
        lines.append(f"and {len(lattices) - MOST_GRAINS} more grains")
    if lattices:
        lines.append(f"{numbers['missing_sites']:,} sites empty, {numbers['extra_columns']:,} columns on no site")
    if "templates" in numbers:
        counts = {name: count for name, count in numbers["templates"].items() if count}
        lines.append(", ".join(f"{count:,} {escape(name)}" for name, count in counts.items()))
    if "cross_sections" in numbers:
        lines += [escape(part) for part in _intensities(numbers)]
    if not lines:
        lines.append(escape(found.summary))
    lines += [
        f"<b>{escape(said[:1].upper() + said[1:])}.</b>"
        for said in (*numbers.get("verdicts", ()), *numbers.get("intensity_verdicts", ()))
    ]
    return "<br>".join(lines)


def _intensities(numbers: Mapping[str, Any]) -> list[str]:
    """Cross-sections, counts, outliers and existence, a line each."""
    sections = numbers["cross_sections"]
    lines = [f"cross-section {plus_minus(sections['median'], sections['median_std'])} {sections['unit']} (median, error of one)"]
    if "counts" in numbers:
        counts = numbers["counts"]
        lines.append(f"{counts['atoms']:,} atoms in {counts['counted']:,} columns, {counts['components']} different counts")
    if "outliers" in numbers:
        found = numbers["outliers"]
        lines.append(f"{found['called']:,} outliers: {found['bright']:,} brighter, {found['dark']:,} darker than their like")
    if "existence" in numbers:
        found = numbers["existence"]
        lines.append(f"{found['expected_columns']:,.1f} of {found['sites']:,} sites filled")
        lines.append(f"faintest column that is seen: {found['faintest_cross_section']:.3g} {found['unit']}")
    return lines


def _lattice(one: Mapping[str, Any]) -> str:
    sides = ", ".join(f"<b>{side}</b> = {plus_minus(one[f'{side}_angstrom'], one[f'{side}_angstrom_std'])} Å" for side in "ab")
    kinds = len(one["sublattices"])
    said = f"{sides}, {plus_minus(one['angle_deg'], one['angle_deg_std'])}°; {one['columns']:,} columns, "
    said += f"{kinds} sublattice{'s' if kinds > 1 else ''}"
    named = [f"{kind['sublattice']} {escape(kind['atoms'])}" for kind in one["sublattices"] if kind.get("atoms")]
    said += f" ({', '.join(named)})" if named else ""
    octahedra = one.get("octahedra")
    if octahedra is not None:
        tilt, error = octahedra["tilt_alternating_deg"], octahedra["tilt_alternating_deg_std"]
        said += f"<br>octahedra turned by {plus_minus(tilt, error if error is not None else float('nan'))}° in turn"
    for polar in one.get("polarisation", ())[1:]:
        said += (
            f"<br>polarisation of sublattice {polar['sublattice']}: {polar['rms_angstrom'] * PM_PER_ANGSTROM:.3g} pm (rms), "
            f"error of one {polar['error_of_one_angstrom'] * PM_PER_ANGSTROM:.2g} pm per axis"
        )
    if "strain_xx_mean" in one:
        said += f"<br>strain against {escape(one['reference']['structure'] if 'reference' in one else 'the mean of the grain')}"
    excess = one.get("scatter_over_fit_errors")
    if excess is not None and excess > 1.2:
        said += f"<br>columns scatter {excess:.2g} times more than their fits say; errors are enlarged by that"
    return said
