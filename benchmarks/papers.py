"""Rows of the four papers beside what is reached here, as one table.

``python benchmarks/papers.py [--published DIR] [--pairs DIR] [--si FILE] [--si-positions FILE.npz] [--truth FILE.npz]`` prints
what can be worked out in about a minute. ``DIR`` of ``--published`` holds the pairs of Combs et al., that of ``--pairs`` the
folders of ``tools/make_corrections.py``; ``FILE`` of ``--si`` is the image of Si [110] of Lin et al., that of ``--si-positions``
the columns in it as the authors publish them; that of ``--truth`` is a multislice image of an icosahedron of 309 atoms of gold,
which is made (minutes to an hour) if it is not there. Rows whose files are not given say so.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from ase.cluster import Icosahedron
from scipy.spatial import cKDTree

from napari_atomseg.core.jobs import run
from napari_atomseg.imaging.convolution import ConvolutionParams, convolve
from napari_atomseg.imaging.correction.correction import Correction
from napari_atomseg.imaging.correction.fitting import fit
from napari_atomseg.imaging.correction.params import CorrectionParams
from napari_atomseg.imaging.correction.scores import Scores
from napari_atomseg.imaging.correction.selection import choose_form, leave_one_out
from napari_atomseg.imaging.correction.terms import number_of_terms
from napari_atomseg.imaging.correction.validation import cross_validate, predict_pair
from napari_atomseg.networks.architectures import build_network
from napari_atomseg.networks.architectures.cgrdn import CgrdnParams
from napari_atomseg.networks.architectures.fusionnet import FusionNetParams
from napari_atomseg.networks.outputs import RESTORED, structure_outputs
from napari_atomseg.noise.counting import electrons_in_dwell
from napari_atomseg.optics.probe import ProbeParams, half_maximum_width, probe_intensity
from napari_atomseg.readers.image_pairs import ImagePair, read_pairs
from napari_atomseg.specimens.clusters import ClusterParams, cluster
from napari_atomseg.specimens.cut_params import CutParams
from napari_atomseg.specimens.cutting import cut
from napari_atomseg.workflows import (
    AcquisitionParams,
    MultisliceParams,
    SimulationParams,
    locate,
    projected_atoms,
    read,
    record,
    simulate,
    straighten_rows,
)

COMBS, LIN, LOBATO, MADSEN = "Combs 2019", "Lin 2021", "Lobato 2024", "Madsen 2018"
Row = tuple[str, str, str, str]
PAPER = CorrectionParams(form="paper")
SI_PIXEL = 0.0977
"""Of the image of Si [110], Angstrom: 5 nm in 512 px."""
PSNR, JITTER = 20.4, 0.03
"""Of the study of a particle: peak signal-to-noise ratio in decibels, and rms displacement of scan rows in Angstrom."""
ABERRATED = ({"defocus": 80.0}, {"Cs": 2e5}, {"astigmatism": 60.0}, {"coma": 3000.0}, {"source_size": 0.8})


def fastest(work: Callable[[], object], repeats: int = 7) -> float:
    """Seconds of the fastest of several runs."""
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return min(times)


def shapes() -> Iterator[Row]:
    """Numbers that follow from the shape of a model alone."""
    yield (
        COMBS,
        "terms: s = 5, d = 2, logarithm, products",
        "378",
        str(number_of_terms(side=5, degree=2, log=True, interactions=True)),
    )
    yield (
        COMBS,
        "terms: s = 5, d = 3, logarithm, products",
        "3654",
        str(number_of_terms(side=5, degree=3, log=True, interactions=True)),
    )
    whole = build_network(CgrdnParams(), (RESTORED,))
    yield LOBATO, "parameters of the CGRDN", "7.04 M", f"{sum(one.numel() for one in whole.parameters()):,}"
    fusion = build_network(FusionNetParams(), structure_outputs(1)[:1])
    yield (
        MADSEN,
        "parameters of the network, one class",
        "5,191,393 (code)",
        f"{sum(one.numel() for one in fusion.parameters()):,}",
    )


def masks() -> Iterator[Row]:
    """Diameter of circular masks in full widths at half maximum of the image of one atom."""
    ratios = []
    for lens in ABERRATED:
        probe = ProbeParams(energy=200e3, semiangle=24.0, **lens)
        image = probe_intensity([probe], (512, 512), 0.03)[0, 0]
        area = float((image >= image.max() / 2).sum()) * 0.03**2
        ratios.append(half_maximum_width(probe) / (2 * math.sqrt(area / math.pi)))
    yield LIN, "circular mask / full width, aberrated probes", "1", f"{min(ratios):.2f} to {max(ratios):.2f}"
    yield LIN, "electrons of a dwell time, n = t I / e: 10 µs at 16.02 pA", "1000", f"{electrons_in_dwell(10, 16.02176634):.0f}"


def speed() -> Iterator[Row]:
    """How long a convolution takes, and a correction."""
    atoms = cut(cluster(ClusterParams(diameter=25)), CutParams(zone_axis="1,1,0", width_y=25, width_x=25))
    seconds = fastest(lambda: convolve(atoms, ConvolutionParams(), (0.1, 0.1), (250, 250)))
    yield COMBS, "convolution of 561 atoms, 250 x 250 px", "O(10⁻²) s", f"{1e3 * seconds:.1f} ms"
    params = SimulationParams(method="corrected", cut=CutParams(zone_axis="1,1,0", width_y=25, width_x=25))
    gold = cluster(ClusterParams(element="Au", diameter=25))
    seconds = fastest(lambda: simulate(gold, params, correction="fcc-heavy", extrapolate=True), 3)
    yield COMBS, "corrected image of the same field, with what the atoms tell", "O(10⁻²) s", f"{1e3 * seconds:.0f} ms"


def published(folder: Path | None) -> Iterator[Row]:
    """The pairs of Pt-Mo with 50 % molybdenum."""
    if folder is None:
        yield COMBS, "published pairs", "1 - R² 0.014", "not here: --published DIR"
        return
    pairs = read_pairs(folder)
    for words, target, form in (("378 terms", "0.014", "paper"), ("with surroundings", "", "better")):
        found = run(cross_validate(pairs, CorrectionParams(form=form))).scores
        yield COMBS, f"Pt-Mo 50 %, published pairs, two-fold, 1 - R²: {words}", target, f"{found.one_minus_r2:.4f}"
        if form == "paper":
            yield COMBS, "the same, fractional rms error", "about 0.1", f"{found.frms:.3f}"
            begun = time.perf_counter()
            run(fit(pairs[:9], CorrectionParams(form=form, pixels=0)))
            yield COMBS, "fit of 378 terms to nine images", "O(10²) s", f"{time.perf_counter() - begun:.1f} s"


def own(folder: Path | None) -> Iterator[Row]:
    """Pairs made here: within a composition and across compositions, scores of what is not thermal noise beside those of all."""
    if folder is None:
        yield COMBS, "own pairs", "", "not here: --pairs DIR"
        return
    pairs = {share: [one for one in read_pairs(folder / "pt-mo") if one.name.startswith(share)] for share in ("Pt0.95", "Pt0.5M")}
    chosen = {share: run(choose_form(some, CorrectionParams())) for share, some in pairs.items()}
    for share, some in pairs.items():
        scores = [run(leave_one_out(some, PAPER)), chosen[share][1]]
        told = " / ".join(f"{one.one_minus_r2:.4f}" for one in scores)
        name, target = ("5", "0.012") if share == "Pt0.95" else ("50", "0.014")
        noise = f"of which thermal noise {scores[0].noise:.4f}"
        yield COMBS, f"own Pt-Mo {name} %, images left out, 1 - R²: 378 terms / with the atoms ({noise})", target, told
    for first, second, words in (("Pt0.95", "Pt0.5M", "5 % to 50 %"), ("Pt0.5M", "Pt0.95", "50 % to 5 %")):
        told = " / ".join(
            f"{across(run(fit(pairs[first], form)), pairs[second]):.4f}"
            for form in (PAPER, CorrectionParams(form="robust"), chosen[first][0])
        )
        yield (
            COMBS,
            f"own Pt-Mo, fitted on one composition, 1 - R² on the other, {words}: 378 terms / robust / with the atoms",
            "",
            told,
        )


def across(correction: Correction, pairs: Sequence[ImagePair]) -> float:
    """1 - R² of a correction on pairs that it was not fitted to."""
    scores = Scores()
    for pair in pairs:
        scores.add(predict_pair(correction, pair)[2:-2, 2:-2], pair.multislice[2:-2, 2:-2])
    return scores.one_minus_r2


def newcomer(truth: Path | None) -> Iterator[Row]:
    """A particle that no correction was fitted to, without any file of the user."""
    if truth is None:
        yield COMBS, "Au icosahedron of 309 atoms, shipped correction beside multislice, 1 - R²", "", "not here: --truth FILE.npz"
        return
    atoms = Icosahedron("Au", 5)
    atoms.center(vacuum=5.0)
    if not truth.is_file():
        how = MultisliceParams(configurations=8, scan_step=0.4)
        image = simulate(atoms, SimulationParams(method="multislice", multislice=how)).data
        np.savez(truth, multislice=image)
    true = np.load(truth)["multislice"].astype(float)
    told = []
    for method in ("convolution", "corrected"):
        found = np.asarray(simulate(atoms, replace(SimulationParams(), method=method)).data, dtype=float)
        told.append(f"{((found - true) ** 2).sum() / ((true - true.mean()) ** 2).sum():.4f}")
    yield COMBS, "Au icosahedron of 309 atoms beside multislice, 1 - R²: convolution / shipped correction", "", " / ".join(told)


def particle() -> Iterator[Row]:
    """A platinum particle along [110] at a peak signal-to-noise ratio of 20.4 dB, counted and scanned with jitter."""
    atoms = cluster(ClusterParams(diameter=42))
    params = SimulationParams(pixel_size=0.12, cut=CutParams(zone_axis="1,1,0"))
    clean = simulate(atoms, params)
    image = np.asarray(clean.data, dtype=float)
    # The mean square of counting noise is mean / electrons: so many give the ratio.
    electrons = image.mean() * 10 ** (PSNR / 10) / image.max() ** 2
    noisy = record(clean, AcquisitionParams(dose=electrons / 0.12**2, jitter_x=JITTER, jitter_y=JITTER, seed=1))
    true = projected_atoms(atoms, params)[0] / 0.12
    for words, options in (("network", {"model": "adf-columns", "refined": False}), ("Gaussian fit", {"model": "adf-columns"})):
        found = locate(noisy, **options).positions
        distance, nearest = cKDTree(true).query(found)
        error = (found - true[nearest])[distance < 0.6 / 0.12] * 12
        told = f"{error[:, 1].std():.1f}, {error[:, 0].std():.1f} pm ({len(error)} of {len(true)} columns)"
        target = "Fig. 6, histograms without numbers"
        yield LIN, f"Pt [110] particle, PSNR {PSNR:g} dB, errors along x and y, {words}", target, told


def silicon(path: Path | None, positions: Path | None) -> Iterator[Row]:
    """Spread of the three shortest lattice vectors of Si [110], as the rows were scanned and with the rows straightened."""
    row, target = "Si [110], spread of the three shortest lattice vectors", "of a, b: 7.14, 6.78 (network), 7.57, 8.25 pm (fit)"
    if path is None:
        yield LIN, row, target, "not here: --si FILE"
        return
    if positions is not None:
        theirs = np.load(positions)["positions_yx_px"].astype(float)
        yield LIN, f"{row}: positions that the authors publish", target, spread(theirs)
    image = read(path)[0].calibrated((SI_PIXEL, SI_PIXEL), "5 nm in 512 px")
    network, fitted = (locate(image, model="adf-columns", refined=refined) for refined in (False, True))
    shifts = network.features[["scan_shift_y_px", "scan_shift_x_px"]].to_numpy(float)
    for words, found in (
        ("network, as scanned", network.positions + np.nan_to_num(shifts)),
        ("Gaussian fit, as scanned", fitted.positions),
        ("network, rows straightened", network.positions),
        ("Gaussian fit, rows straightened", straighten_rows(fitted)[0].positions),
    ):
        yield LIN, f"{row}: {words}", target, spread(found)


def spread(positions: np.ndarray) -> str:
    """Standard deviations of the three shortest vectors between columns of one kind, pm; robust against a few outliers."""
    tree = cKDTree(positions)
    pairs = tree.query_pairs(6.2 / SI_PIXEL, output_type="ndarray")
    vectors = positions[pairs[:, 1]] - positions[pairs[:, 0]]
    vectors *= np.where((vectors[:, :1] < -1) | ((np.abs(vectors[:, :1]) <= 1) & (vectors[:, 1:] < 0)), -1, 1)
    spreads = []
    for length in (3.840, 5.431):
        near = vectors[np.abs(np.linalg.norm(vectors, axis=1) * SI_PIXEL - length) < 0.5]
        angles = np.round(np.degrees(np.arctan2(near[:, 0], near[:, 1])) / 15) * 15
        kind, counts = np.unique(angles, return_counts=True)
        for angle in kind[counts > 0.3 * counts.max()]:
            some = near[angles == angle]
            along = np.linalg.norm(some, axis=1)
            deviation = np.abs(along - np.median(along))
            spreads.append(1.4826 * float(np.median(deviation)) * SI_PIXEL * 100)
    return ", ".join(f"{one:.1f}" for one in spreads[:3]) + " pm"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("published", "pairs", "si", "si-positions", "truth"):
        parser.add_argument(f"--{name}", type=Path)
    given = parser.parse_args()
    command = "benchmarks/papers.py"
    groups = (
        (shapes(), command),
        (masks(), command),
        (speed(), f"{command}, simulate --method corrected"),
        (published(given.published), "fit-correction PAIRS --form paper / better"),
        (own(given.pairs), f"make-pairs, tools/make_corrections.py, {command} --pairs DIR"),
        (newcomer(given.truth), f"simulate au309.xyz --method corrected, {command} --truth FILE"),
        (particle(), f"locate --model adf-columns [--no-refine], {command}"),
        (
            silicon(given.si, given.si_positions),
            f"locate --model adf-columns, refine --straighten-rows, {command} --si FILE",
        ),
    )
    print("| paper | row | published | here | command |\n|---|---|---|---|---|")
    for rows, words in groups:
        for row in rows:
            print(f"| {' | '.join(row)} | {words} |", flush=True)


if __name__ == "__main__":
    main()
