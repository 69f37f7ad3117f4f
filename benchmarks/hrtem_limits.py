"""Where the network of graphene ends: ``python benchmarks/hrtem_limits.py [--model NAME] [--contaminated FILE] [--thon FILE]``.

Defocus through zero, images without atoms, bond lengths of a perfect sheet, time; with files of others also dirt on graphene and
real films of carbon.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from hrtem import FIELD, FINE, coarser, compared, exposures, inner, score, shares, wave_of
from scipy.spatial import cKDTree

from napari_atomseg.analysis.rings import bonds_of
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.imaging.hrtem import image_waves, periodic_potential, phase_object
from napari_atomseg.imaging.linear_adf import batch_columns
from napari_atomseg.optics.ctf import CtfParams
from napari_atomseg.readers.registry import read
from napari_atomseg.specimens.defected_graphene import DefectedGrapheneParams, defected_graphene
from napari_atomseg.workflows import NetworkParams, locate

SIZE = 0.15
"""Angstrom per pixel."""
CLEAN = 1.3
"""Relative density below which a place of the contaminated sheet is clean, within :data:`CLEAN_REACH` Angstrom."""
CLEAN_REACH = 3.0


def found(image: np.ndarray, size: float, model: str) -> np.ndarray:
    """Positions (N, 2) in Angstrom."""
    given = Micrograph(data=np.asarray(image, np.float32), pixel_size=(size, size), modality="hrtem")
    return locate(given, model=model, refined=False).positions * size


def through_focus(model: str) -> None:
    """One defected sheet from -200 to 200 A, Cs -10 um, focal spread 30 A, at 10,000 and 30,000 e/A2."""
    rng = np.random.default_rng(5)
    params = DefectedGrapheneParams(vacancies=3, divacancies=1, rotations=2, periodic=True)
    atoms = defected_graphene((FIELD, FIELD), params, rng).positions
    wave = wave_of(atoms)
    print("\ndefocus A   contrast  balance |   snr recall   prec.   rms pm | ... at 10,000 and 30,000 e/A2")
    for defocus in range(-200, 201, 20):
        lens = CtfParams(energy=80e3, defocus=float(defocus), Cs=-1e5, astigmatism=5.0, focal_spread=30.0)
        clean = coarser(image_waves(wave, [lens], FINE)[0, 0].numpy(), round(FIELD / SIZE))
        cases = [case for case in exposures("", clean, atoms, SIZE, rng) if case.key.endswith(("@10000", "@30000"))]
        parts = [f"{defocus:9d} {cases[0].contrast:10.2f} {cases[0].balance:8.2f}"]
        for case in cases:
            one = score(case, model, NetworkParams())
            recall, precision = shares(np.array(one.counts))
            parts.append(f"{case.snr:5.1f} {recall:6.4f} {precision:7.4f} {100 * one.rms:8.1f}")
        print(" | ".join(parts))


def without_atoms(model: str) -> None:
    """False atoms in 1000 A2 of images of nothing, and of films of carbon."""
    rng = np.random.default_rng(6)
    side = 400
    area = (side * SIZE) ** 2 / 1000
    print("\nwithout a sheet: atoms in 1000 A2")
    for dose in (300, 3000, 30000):
        print(f"  nothing, {dose} e/A2: {len(found(rng.poisson(dose * SIZE**2, (side, side)), SIZE, model)) / area:.2f}")
    for thickness in (10, 50, 150):
        for defocus in (-100, 60, 150):
            image = film(rng, side, thickness, float(defocus), 5000.0)
            print(f"  carbon, {thickness} A, defocus {defocus} A: {len(found(image, SIZE, model)) / area:.2f}")


def film(rng: np.random.Generator, side: int, thickness: float, defocus: float, dose: float) -> np.ndarray:
    """Counts of an amorphous film: atoms anywhere, 0.1 in a cubic Angstrom, a thin phase object."""
    count = int(0.1 * thickness * (side * SIZE) ** 2)
    places = torch.from_numpy(rng.uniform(0, side, (count, 2)))
    atoms = batch_columns([places], [torch.ones(count)], [0.1 / SIZE], "cpu")
    wave = phase_object(periodic_potential(atoms, torch.full((count,), 6), (side, side), SIZE), [80e3])
    lens = CtfParams(energy=80e3, defocus=defocus, Cs=-1e5, focal_spread=30.0)
    clean = image_waves(wave, [lens], SIZE)[0, 0].numpy()
    return rng.poisson(clean * dose * SIZE**2)


def bond_lengths(model: str) -> None:
    """Standard deviation of the bonds of a perfect sheet."""
    rng = np.random.default_rng(7)
    atoms = defected_graphene((FIELD, FIELD), DefectedGrapheneParams(periodic=True), rng).positions
    wave = wave_of(atoms)
    true = bonds_of(atoms)
    spread = np.hypot(*(atoms[true[:, 0]] - atoms[true[:, 1]]).T).std()
    print(f"\nperfect sheet, bonds (their own standard deviation {spread:.3f} A)")
    for defocus in (-90.0, 80.0):
        lens = CtfParams(energy=80e3, defocus=defocus, Cs=-1e5, focal_spread=25.0)
        clean = coarser(image_waves(wave, [lens], FINE)[0, 0].numpy(), round(FIELD / SIZE))
        for case in exposures(f"defocus {defocus:g}", clean, atoms, SIZE, rng):
            places = found(case.image, case.pixel_size, model)
            places = places[inner(places, np.full(2, FIELD))]
            bonds = bonds_of(places)
            length = np.hypot(*(places[bonds[:, 0]] - places[bonds[:, 1]]).T)
            print(f"  {case.key}, snr {case.snr:4.1f}: {length.mean():.3f} A, standard deviation {length.std():.3f} A")


def quickness(model: str) -> None:
    """Seconds for 1024 x 1024 pixels."""
    image = np.random.default_rng(8).poisson(200, (1024, 1024))
    for size in (0.1, 0.15, 0.2):
        found(image[:256, :256], size, model)
        began = time.perf_counter()
        found(image, size, model)
        print(f"\n1024 x 1024 pixels of {size} A: {time.perf_counter() - began:.1f} s with {torch.get_num_threads()} threads")


def contaminated(path: Path, model: str) -> None:
    """Graphene with dirt by another simulator: judged where it is clean."""
    stored = np.load(path)
    size = float(stored["sampling"])
    density, field = stored["density"], (np.array(stored["image"].shape) - 1) * size
    dirty = np.argwhere(density >= CLEAN) * size
    tree = cKDTree(dirty) if len(dirty) else None

    def clean(places: np.ndarray) -> np.ndarray:
        return np.ones(len(places), bool) if tree is None else tree.query(places)[0] > CLEAN_REACH

    places = found(stored["image"], size, model)
    counts = counted(places, stored["positions"] * size, clean, field)
    recall, precision = shares(np.array(counts))
    print(f"\ncontaminated graphene, where it is clean: recall {recall:.4f}, precision {precision:.4f} {counts}")


def counted(
    places: np.ndarray, true: np.ndarray, clean: Callable[[np.ndarray], np.ndarray], field: np.ndarray
) -> tuple[int, int, int]:
    """Right, false, missed where it is clean."""
    hits, _ = compared(places[clean(places)], true, field)
    missed = compared(places, true[clean(true)], field)[0][2]
    return hits[0], hits[1], missed


def carbon_film(path: Path, model: str) -> None:
    """A real film of carbon, read as if its pixels were of sizes that the network knows."""
    frames = read(path)[0]
    print("\nfilm of carbon in the microscope, pixels taken for")
    for size in (0.1, 0.15, 0.2):
        image = np.asarray(frames.frame(0), np.float32)
        area = np.prod(np.array(image.shape) * size) / 1000
        print(f"  {size} A: {len(found(image, size, model)) / area:.2f} atoms in 1000 A2")


def main() -> None:
    """Print it all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="hrtem-graphene")
    parser.add_argument("--contaminated", type=Path)
    parser.add_argument("--thon", type=Path)
    told = parser.parse_args()
    through_focus(told.model)
    without_atoms(told.model)
    bond_lengths(told.model)
    quickness(told.model)
    if told.contaminated is not None:
        contaminated(told.contaminated, told.model)
    if told.thon is not None:
        carbon_film(told.thon, told.model)


if __name__ == "__main__":
    main()
