"""How well graphene is found atom by atom: ``python benchmarks/hrtem.py [--own N] [--bench FOLDER] [--model NAME]``.

Sheets with vacancies, rotated bonds, holes, edges and ripples, their waves by abTEM's multislice; each through lenses drawn at
random and at several doses. A match is nearer than 0.35 A; 2 A from the border nothing is judged. Images are judged where atoms
are bright or dark (|contrast| > 0.5) and no pair of first-order beams is wiped out (balance >= 0.4); the others are told apart.
So are those in which the lens turns the sign of one of the three pairs against the others: of a perfect sheet that is the image
of a sheet displaced by half a lattice vector, and only defects tell.
``--bench FOLDER`` judges on images of others, which ``draw.py`` in that folder draws.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from napari_atomseg.analysis.rings import bonds_of, defects_of, rings_of
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.imaging.hrtem import image_waves
from napari_atomseg.imaging.multislice.exit_wave import multislice_exit_wave
from napari_atomseg.optics.ctf import CtfParams
from napari_atomseg.optics.detector import MtfParams, apply_mtf
from napari_atomseg.specimens.defected_graphene import DefectedGrapheneParams, defected_graphene
from napari_atomseg.workflows import NetworkParams, locate

FIELD, FINE = 48.0, 0.1
DENSITY = 0.382
DOSES = (1000, 3000, 10000, 30000)
MATCH, BORDER, AROUND = 0.35, 2.0, 3.0
BANDS = ((0, 1.5), (1.5, 3), (3, 5), (5, 8), (8, 1000))


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """An image and its truth; positions in px."""

    key: str
    image: np.ndarray
    pixel_size: float
    atoms: np.ndarray
    snr: float
    contrast: float
    balance: float
    turned: bool


@dataclass(frozen=True, kw_only=True)
class Score:
    """Right, false and missed atoms of an image, everywhere and about defects; errors of those found, Angstrom."""

    case: Case
    counts: tuple[int, int, int]
    near: tuple[int, int, int]
    rms: float
    seconds: float


def own_cases(number: int, seed: int = 77) -> Iterator[Case]:
    """Images of so many sheets of our own, each through two lenses."""
    for sheet in range(number):
        rng = np.random.default_rng([seed, sheet])
        params = DefectedGrapheneParams(
            vacancies=int(rng.integers(0, 5)),
            divacancies=int(rng.integers(0, 3)),
            rotations=int(rng.integers(0, 4)),
            holes=int(rng.integers(0, 2)),
            hole_radius=float(rng.uniform(3, 7)),
            edge=float(rng.uniform(0.2, 0.8)) if rng.uniform() < 0.3 else None,
            grains=2 if rng.uniform() < 0.15 else 1,
            ripple=float(rng.uniform(0, 0.08)),
            periodic=True,
        )
        atoms = defected_graphene((FIELD, FIELD), params, rng).positions
        wave = wave_of(atoms)
        for lens in range(2):
            ctf = CtfParams(
                energy=80e3,
                defocus=float(rng.uniform(-150, 150)),
                Cs=float(rng.uniform(-2e5, 2e5)),
                astigmatism=float(rng.uniform(0, 25)),
                astigmatism_angle=float(rng.uniform(0, np.pi)),
                focal_spread=float(rng.uniform(15, 45)),
            )
            clean = image_waves(wave, [ctf], FINE)[0, 0].numpy()
            side = round(FIELD / rng.uniform(0.1, 0.2))
            yield from exposures(f"{sheet}@{lens}", coarser(clean, side), atoms, FIELD / side, rng)


def wave_of(atoms: np.ndarray) -> torch.Tensor:
    """Exit wave of a sheet in a repeated field, (1, Y, X)."""
    places = np.column_stack([atoms[:, 1], atoms[:, 0], np.full(len(atoms), 1.0)])
    sheet = Atoms(f"C{len(atoms)}", places, cell=[FIELD, FIELD, 2.0], pbc=(True, True, False))
    return torch.from_numpy(multislice_exit_wave(sheet, 80e3, FINE, 2.0).wave)[None]


def coarser(image: np.ndarray, side: int) -> np.ndarray:
    """A periodic image on fewer pixels, by its Fourier components."""
    spectrum = np.fft.fftshift(np.fft.fft2(image))
    start = len(image) // 2 - side // 2
    part = np.fft.ifftshift(spectrum[start : start + side, start : start + side])
    return np.fft.ifft2(part).real * (side / len(image)) ** 2


def exposures(key: str, clean: np.ndarray, atoms: np.ndarray, size: float, rng: np.random.Generator) -> Iterator[Case]:
    """Counted images of a clean one, through a camera that spreads the counts."""
    places = atoms / size
    inside = places[np.all((places > 3) & (places < len(clean) - 4), axis=1)]
    contrast = (map_coordinates(clean, inside.T, order=1).mean() - clean.mean()) / clean.std()
    camera = MtfParams(model="rational", floor=0.0, knee=float(rng.uniform(0.2, 0.6)), steepness=2.0)
    for dose in DOSES:
        counts = rng.poisson(np.clip(clean, 0, None) * dose * size**2).astype(np.float32)
        yield Case(
            key=f"{key}@{dose}",
            image=apply_mtf(torch.from_numpy(counts)[None, None], [camera])[0, 0].numpy(),
            pixel_size=size,
            atoms=places,
            snr=float(np.sqrt(dose * clean.var() / DENSITY)),
            contrast=float(contrast),
            balance=balance_of(clean, size),
            turned=is_turned(clean, places, size),
        )


def balance_of(clean: np.ndarray, size: float) -> float:
    """Amplitude of the weakest pair of first-order beams over that of the strongest."""
    window = np.outer(np.hanning(len(clean)), np.hanning(len(clean)))
    power = np.abs(np.fft.fft2((clean - clean.mean()) * window)) ** 2
    y, x = np.fft.fftfreq(len(clean), size)[:, None], np.fft.fftfreq(len(clean), size)[None]
    ring = (np.hypot(y, x) > 0.43) & (np.hypot(y, x) < 0.51)
    angle = np.degrees(np.arctan2(*np.broadcast_arrays(y, x)))[ring] % 180
    by_angle = np.histogram(angle, 180, (0, 180), weights=power[ring])[0]
    near = sum(np.roll(by_angle, step) for step in range(-5, 6))
    pairs = np.stack([near[:60], near[60:120], near[120:]])
    chosen = pairs[:, pairs.sum(axis=0).argmax()]
    return float(np.sqrt(chosen.min() / chosen.max()))


def is_turned(image: np.ndarray, atoms: np.ndarray, size: float) -> bool:
    """Whether a pair of first-order beams has another sign than the others; atoms (N, 2) in px."""
    spectrum = np.fft.fft2(image - image.mean())
    y, x = np.fft.fftfreq(len(image), size)[:, None], np.fft.fftfreq(image.shape[1], size)[None]
    rows = np.nonzero((np.hypot(y, x) > 0.43) & (np.hypot(y, x) < 0.51) & ((y > 0) | ((y == 0) & (x > 0))))
    wave = np.stack([y[rows[0], 0], x[0, rows[1]]], axis=1)
    structure = np.exp(-2j * np.pi * size * wave @ atoms.T).sum(axis=1)
    angle = np.degrees(np.arctan2(*wave.T)) % 180
    signs = []
    left = np.ones(len(angle), bool)
    for _ in range(3):
        strongest = angle[left][np.argmax(np.abs(structure[left]))]
        apart = np.abs((angle - strongest + 90) % 180 - 90)
        near = apart < 6
        signs.append(np.sign(np.sum(spectrum[rows][near] * np.conj(structure[near])).real))
        left &= apart > 30
    return len(set(signs)) > 1


def bench_cases(folder: Path) -> Iterator[Case]:
    """Images that the folder's ``draw.py`` draws."""
    spec = importlib.util.spec_from_file_location("draw", folder / "draw.py")
    draw = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(draw)
    for key, image, size, atoms, snr, contrast, balance in draw.graphene(str(folder)):
        turned = is_turned(image, atoms, size)
        yield Case(key=key, image=image, pixel_size=size, atoms=atoms, snr=snr, contrast=contrast, balance=balance, turned=turned)


def score(case: Case, model: str, network: NetworkParams) -> Score:
    """Find the atoms of an image and compare."""
    size = (case.pixel_size, case.pixel_size)
    began = time.perf_counter()
    found = locate(Micrograph(data=case.image, pixel_size=size, modality="hrtem"), model=model, network=network, refined=False)
    seconds = time.perf_counter() - began
    places, true = found.positions * case.pixel_size, case.atoms * case.pixel_size
    field = (np.array(case.image.shape) - 1) * case.pixel_size
    counts, errors = compared(places, true, field)
    bonds = bonds_of(true)
    broken = cKDTree(true[inner(true, field) & defects_of(true, bonds, rings_of(true, bonds))])
    near = compared(places, true, field, broken)[0] if broken.n else (0, 0, 0)
    return Score(
        case=case, counts=counts, near=near, rms=float(np.sqrt(np.mean(errors**2) / 2)) if len(errors) else 0, seconds=seconds
    )


def inner(places: np.ndarray, field: np.ndarray) -> np.ndarray:
    """Which places are not near to the border."""
    return np.all((places > BORDER) & (places < field - BORDER), axis=1)


def compared(
    places: np.ndarray, true: np.ndarray, field: np.ndarray, about: cKDTree | None = None
) -> tuple[tuple[int, int, int], np.ndarray]:
    """Right, false and missed, all or those near to given places; and the errors of the right ones."""

    def judged(given: np.ndarray) -> np.ndarray:
        near = np.ones(len(given), bool) if about is None else about.query(given)[0] <= AROUND
        return inner(given, field) & near

    if not len(places):
        return (0, 0, int(judged(true).sum())), np.zeros(0)
    distance, nearest = cKDTree(true).query(places)
    order = np.argsort(distance)
    first = order[np.unique(nearest[order], return_index=True)[1]]
    matched = first[distance[first] < MATCH]
    hit = matched[judged(true[nearest[matched]])]
    false = np.delete(places, matched, axis=0)
    return (len(hit), int(judged(false).sum()), int(judged(true).sum()) - len(hit)), distance[hit]


def shares(counts: np.ndarray) -> tuple[float, float]:
    """Recall and precision."""
    right, false, missed = counts
    return right / max(1, right + missed), right / max(1, right + false)


def table(scores: list[Score], title: str) -> None:
    """One line for each band of signal to noise, of images that are to be judged and of the others."""
    heads = ("snr", "images", "recall", "prec.", "worst", "lost", "rms pm", "defects: recall", "prec.", "s")
    widths = (12, 7, 7, 7, 7, 5, 7, 16, 7, 6)
    print(f"\n{title}\n" + " ".join(f"{head:>{width}}" for head, width in zip(heads, widths, strict=True)))
    for kind in ("judged", "one pair turned", "others"):
        for low, high in BANDS:
            chosen = [one for one in scores if low <= one.case.snr < high and kind_of(one.case) == kind]
            if not chosen:
                continue
            each = np.array([shares(np.array(one.counts)) for one in chosen])
            near = shares(np.sum([one.near for one in chosen], axis=0))
            rms = 100 * np.mean([one.rms for one in chosen])
            print(
                f"{f'{low}-{high}':>12} {len(chosen):7d} {each[:, 0].mean():7.4f} {each[:, 1].mean():7.4f} {each.min():7.3f} "
                f"{(each[:, 0] < 0.5).sum():5d} "
                f"{rms:7.1f} {near[0]:16.3f} {near[1]:7.3f} {np.mean([one.seconds for one in chosen]):6.2f}  {kind}"
            )


def kind_of(case: Case) -> str:
    """Whether atoms are bright or dark in all directions, a pair of beams has another sign, or neither."""
    if abs(case.contrast) <= 0.5 or case.balance < 0.4:
        return "others"
    return "one pair turned" if case.turned else "judged"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--own", type=int, default=12, help="sheets of our own")
    parser.add_argument("--bench", type=Path, help="folder with draw.py and its truth")
    parser.add_argument("--model", default="hrtem-graphene")
    parser.add_argument("--rejection", type=float, default=NetworkParams().rejection)
    parser.add_argument("--averaged", action="store_true", help="mean over mirror images, four times the work")
    parser.add_argument("--each", action="store_true", help="one line for each image, too")
    told = parser.parse_args()
    network = NetworkParams(rejection=told.rejection, averaged=told.averaged)
    sets = {"own": own_cases(told.own)} if told.own else {}
    if told.bench is not None:
        sets["bench"] = bench_cases(told.bench)
    for title, cases in sets.items():
        scores = []
        for case in cases:
            scores.append(score(case, told.model, network))
            if told.each:
                one = scores[-1]
                recall, precision = shares(np.array(one.counts))
                print(
                    f"{case.key:>24} {case.pixel_size:.3f} A snr {case.snr:5.2f} contrast {case.contrast:5.2f} "
                    f"balance {case.balance:.2f}: {recall:.4f} {precision:.4f} {100 * one.rms:5.1f} pm, defects {one.near}"
                )
        table(scores, title)


if __name__ == "__main__":
    main()
