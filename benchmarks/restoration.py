"""How well images are restored: ``python benchmarks/restoration.py``, with the options below.

``--scenes N`` and ``--others N`` say how many scenes are drawn of HR-STEM and of each other kind, ``--model NAME`` what
restores them: by default what `restore` takes, which for multislice scenes, whose pixel size and modality are known, are the
network ``restore`` and that for columns together. Scenes are drawn from the recipes of restoration with fixed seeds that no
training uses, 256 px; ``--bench FOLDER`` judges on multislice scenes that ``corrupt.py`` in that folder makes noisy, ``--pairs
FILE`` on noisy and clean images of others. Beside ours stands BM3D where the package ``bm3d`` is installed (its licence is not
for commercial use, so it is no part of this project); it is told sigma = median |I(x+1) - I(x)| / 0.954. Ratios in dB are peak
signal-to-noise ratios. ``--context N`` tells what is lost in N scenes of each kind with atoms if the network sees a smaller
field, with and without what repeats over the whole image. ``--defocus N`` restores N HRTEM scenes with a lens at twelve defoci,
each as it is and with its contrast reversed, the doses left as drawn.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.spatial import cKDTree

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.inference.displaced_rows import is_scanned
from napari_atomseg.networks.zoo import load_model
from napari_atomseg.synthesis.recipe import draw_record, read_recipe
from napari_atomseg.synthesis.render import render
from napari_atomseg.training.restoration_examples import restoration_examples, standard_planes
from napari_atomseg.workflows import RestorationParams, refine, restore
from napari_atomseg.workflows.restoring_networks import default_restorer

KINDS = ("hrstem", "lrstem", "hrtem", "lrtem", "hrsem", "lrsem")
SIDE, SEED = 256, 2**41
CELL, DISC = 1.5, 0.6
"""Distance up to which pixels belong to the column that is nearest to them, and radius of the discs about columns, Angstrom."""
SHOWN = ("recorded", "restored")
PEAKS = (3, 10, 30, 100)
DEFOCI = tuple(np.linspace(-150, 300, 12))
"""As of the recipe, A."""
SIDES, MIDDLE = (32, 48, 64, 96, 128, 256), 16
"""Of fields of view, and of their middle that is judged, px."""

Restorer = Callable[[np.ndarray, str], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Score:
    """One restored image: dB, its gain over the recorded one, and relative errors of mean and deviation of the intensities."""

    psnr: float
    gain: float
    mean: float
    deviation: float


def pairs(kind: str, number: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Recorded images and their scenes, always the same."""
    recipe = read_recipe(kind)
    for seed in range(number):
        made = render([draw_record(recipe, SEED + seed, SIDE)], ("noise_free",))
        yield made.image[0, 0].numpy(), made.labels["noise_free"][0, 0].numpy()


def by_network(model: str | None) -> Restorer:
    """Ours, told the kind or nothing."""

    def restored(image: np.ndarray, kind: str) -> np.ndarray:
        params = RestorationParams(modality=kind or "unknown")  # type: ignore[arg-type]
        return np.asarray(restore(Micrograph(data=image, name="noisy"), model=model, params=params).data)

    return restored


def by_bm3d() -> Restorer | None:
    """BM3D, if it is at hand."""
    if importlib.util.find_spec("bm3d") is None:
        return None
    import bm3d

    def restored(image: np.ndarray, kind: str) -> np.ndarray:
        sigma = float(np.median(np.abs(np.diff(image, axis=1)))) / 0.954
        if sigma == 0:
            # More than half of the neighbours are equal where hardly anything is counted.
            sigma = float(np.std(np.diff(image, axis=1))) / 2**0.5
        span = float(np.ptp(image)) or 1.0
        return np.asarray(bm3d.bm3d(image / span, max(sigma / span, 1e-6)) * span)

    return restored


def psnr(found: np.ndarray, true: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB; the peak is the range of the true image."""
    return float(20 * np.log10(np.ptp(true)) - 10 * np.log10(np.mean((found - true) ** 2)))


def scaled_psnr(found: np.ndarray, true: np.ndarray) -> float:
    """The same after the best linear map of intensities, for true images on a scale of their own."""
    slope, level = np.polyfit(found.ravel(), true.ravel(), 1)
    return psnr(slope * found + level, true)


def score(found: np.ndarray, noisy: np.ndarray, true: np.ndarray) -> Score:
    """How near an image is to the true one."""
    after = psnr(found, true)
    mean = float(found.mean() / true.mean() - 1) if true.mean() else 0.0
    return Score(psnr=after, gain=after - psnr(noisy, true), mean=mean, deviation=float(found.std() / true.std() - 1))


def table(rows: list[list[Any]], head: list[str]) -> None:
    """Print a table."""
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(f"{value:.2f}" if isinstance(value, float) else str(value) for value in row) + " |")
    print(flush=True)


def own_scenes(ours: Restorer, theirs: Restorer | None, first: int, others: int) -> None:
    """Scenes of the six kinds."""
    rows = []
    for kind in KINDS:
        scores: dict[str, list[Score]] = {"bm3d": [], "ours": [], "untold": []}
        for noisy, true in pairs(kind, first if kind == KINDS[0] else others):
            if np.ptp(true) == 0:
                continue
            scores["ours"].append(score(ours(noisy, kind), noisy, true))
            scores["untold"].append(score(ours(noisy, ""), noisy, true))
            if theirs is not None:
                scores["bm3d"].append(score(theirs(noisy, kind), noisy, true))
        told = np.array([(one.psnr, one.gain, one.mean, one.deviation) for one in scores["ours"]])
        untold = float(np.mean([one.psnr for one in scores["untold"]]))
        other = np.array([one.psnr for one in scores["bm3d"]])
        lead = told[:, 0] - other if len(other) else np.full(len(told), np.nan)
        rows.append(
            [
                kind,
                len(told),
                float(np.mean(told[:, 0] - told[:, 1])),
                float(other.mean()) if len(other) else float("nan"),
                float(told[:, 0].mean()),
                float(lead.mean()),
                float(np.mean(told[:, 0]) - np.quantile(told[:, 0], 0.1)),
                untold,
                *(f"{100 * np.median(np.abs(told[:, column])):.1f}" for column in (2, 3)),
            ]
        )
    head = ["kind", "images", "recorded, dB", "BM3D", "ours", "ours - BM3D", "mean - worst decile", "kind not told"]
    table(rows, [*head, "mean off, %", "deviation off, %"])


def of_others(ours: Restorer, theirs: Restorer | None, file: Path) -> None:
    """Noisy and clean HRTEM images of another generator."""
    data = np.load(file)
    rows = []
    for number, (noisy, true) in enumerate(zip(data["noisy"].astype(np.float32), data["clean"].astype(np.float32), strict=True)):
        other = scaled_psnr(theirs(noisy, "hrtem"), true) if theirs is not None else float("nan")
        mine = scaled_psnr(ours(noisy, "hrtem"), true)
        rows.append([number, scaled_psnr(noisy, true), other, mine, mine - other, scaled_psnr(ours(noisy, ""), true)])
    table(rows, ["pair", "recorded, dB", "BM3D", "ours", "ours - BM3D", "kind not told"])


def module_at(folder: Path, name: str) -> Any:
    """A module of the bench."""
    found = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    found.loader.exec_module(module)
    return module


def intensities(image: np.ndarray, places: np.ndarray, radius: float) -> np.ndarray:
    """Sum over the pixels that are nearest to each column and no farther from it, (N,)."""
    pixels = np.argwhere(np.ones(image.shape, bool))
    distance, nearest = cKDTree(places).query(pixels)
    near = distance <= radius
    return np.bincount(nearest[near], image.ravel()[near], len(places))


def multislice_scenes(model: str | None, theirs: Restorer | None, folder: Path) -> None:
    """``scan`` images of the bench against the scenes with their support; modality and pixel size are known."""
    corrupt, judge = module_at(folder, "corrupt"), module_at(folder, "score")
    found: dict[int, list[list[float]]] = {peak: [] for peak in PEAKS}
    for key, noisy, target, scene, pixel, columns, _ in corrupt.images(str(folder / "truth")):
        if "@scan@" not in key:
            continue
        micrograph = Micrograph(data=noisy, pixel_size=(pixel, pixel), modality="haadf", name=key)
        restored = np.asarray(restore(micrograph, model=model).data)
        other = judge.psnr(theirs(noisy, "hrstem"), scene) if theirs is not None else float("nan")
        start = Columns(positions=columns).with_features(sigma_px=np.full(len(columns), 0.45 / pixel))
        errors = []
        for image in (noisy, restored):
            fitted = refine(Micrograph(data=image, pixel_size=(pixel, pixel)), start)
            errors.append(judge.score_columns(fitted.positions, columns, target, pixel)["rms_pm"])
        inside = np.all((columns > 8) & (columns < np.array(noisy.shape) - 8), axis=1)
        off, scatter = [], []
        for radius in (CELL, DISC):
            true, raw, mine = (intensities(image, columns, radius / pixel)[inside] for image in (scene, noisy, restored))
            off += [100 * float(np.mean(values) / np.mean(true) - 1) for values in (raw, mine)]
            scatter += [100 * float(np.std(values / true)) for values in (raw, mine)]
        row = [judge.psnr(noisy, scene), other, judge.psnr(restored, scene), *errors, *off, *scatter]
        found[int(key.split("@")[2])].append(row)
    rows = [[peak, *np.mean(found[peak], axis=0).tolist()] for peak in PEAKS]
    head = ["counts", "recorded, dB", "BM3D", "ours", "rms fitted on recorded, pm", "on restored"]
    kinds = [f"{what} of {of} {image}, %" for what in ("error", "scatter") for of in ("cells", "discs") for image in SHOWN]
    table(rows, [*head, *kinds])


def context(model: str, number: int) -> None:
    """DB that are lost in the middle of fields of view of several sides, against the whole image and what repeats over it."""
    network = load_model(model).network.eval()
    rows = []
    for kind in (one for one in KINDS if one.startswith("hr")):
        lost: dict[tuple[int, bool], list[float]] = {}
        for noisy, true in pairs(kind, number):
            if np.ptp(true) == 0:
                continue
            standard = standard_planes(*(torch.from_numpy(one)[None, None] for one in (noisy, true)), scanned=is_scanned(kind))
            seen = restoration_examples(standard, np.array([KINDS.index(kind)]), np.array([True]), len(KINDS), None)
            for repeats in (True, False):
                planes = seen.image.clone()
                if not repeats:
                    planes[:, -1] = 0
                for side in SIDES:
                    lost.setdefault((side, repeats), []).append(middle_error(network, planes, seen.targets, side))
        whole = np.array(lost[SIDES[-1], True])
        for repeats in (True, False):
            losses = [float(np.mean(np.array(lost[side, repeats]) - whole)) for side in SIDES]
            rows.append([kind, "yes" if repeats else "no", *losses])
    print(f"reach of the network: {int(network.reach)} px")  # type: ignore[arg-type]
    table(rows, ["kind", "what repeats", *(f"{side} px" for side in SIDES)])


def middle_error(network: torch.nn.Module, planes: torch.Tensor, scene: torch.Tensor, side: int) -> float:
    """Mean square error in dB in the middle of four windows of an image of which only so much is seen."""
    half, inner, errors = side // 2, MIDDLE // 2, []
    for y, x in itertools.product((SIDE // 2 - MIDDLE, SIDE // 2 + MIDDLE), repeat=2):
        low = [min(max(place - half, 0), SIDE - side) for place in (y, x)]
        with torch.no_grad():
            found = network(planes[..., low[0] : low[0] + side, low[1] : low[1] + side])
        here = [slice(place - start - inner, place - start + inner) for place, start in zip((y, x), low, strict=True)]
        there = [slice(place - inner, place + inner) for place in (y, x)]
        errors.append(float((found[..., here[0], here[1]] - scene[..., there[0], there[1]]).square().mean()))
    return 10 * float(np.log10(np.mean(errors)))


def through_focus(ours: Restorer, number: int) -> None:
    """HRTEM scenes with a lens through focus, bright on dark and dark on bright: how far bad images are below the usual ones."""
    recipe = read_recipe("hrtem")
    drawn = (draw_record(recipe, SEED + seed, SIDE) for seed in itertools.count())
    lenses = itertools.islice((one for one in drawn if "lens" in one.imaging), number)
    scenes, everything = [], []
    for record in lenses:
        reached = np.full((len(DEFOCI), 2), np.nan)
        for (row, defocus), inverted in itertools.product(enumerate(DEFOCI), (0, 1)):
            scene = tuple(one for one in record.scene if one[0] != "inversion")
            reversal = (("inversion", {"inverted": True}, 0),) if inverted else ()
            imaging = {**record.imaging, "lens": {**record.imaging["lens"], "defocus": float(defocus)}}
            made = render([replace(record, imaging=imaging, scene=(*reversal, *scene))], ("noise_free",))
            noisy, true = made.image[0, 0].numpy(), made.labels["noise_free"][0, 0].numpy()
            if np.ptp(true):
                reached[row, inverted] = psnr(ours(noisy, "hrtem"), true)
        if np.isfinite(reached).all():
            scenes.append(reached)
            everything.append(reached.ravel())
    found = np.array(scenes)
    rows = [[f"{defocus:.0f}", *found[:, row].mean(axis=0).tolist()] for row, defocus in enumerate(DEFOCI)]
    table(rows, ["defocus, A", "dB, as it is", "dB, contrast reversed"])
    within = [float(one.mean() - np.quantile(one, 0.1)) for one in everything]
    over = found.mean(axis=0).ravel()
    table(
        [[len(found), float(np.median(within)), float(np.max(within)), float(over.mean() - np.quantile(over, 0.1))]],
        ["scenes", "mean - worst decile of a scene, dB: median", "largest", "of the means over the scenes"],
    )


def seconds(ours: Restorer) -> None:
    """Time of whole images."""
    rng = np.random.default_rng(1)
    rows = []
    for side in (512, 1024):
        image = rng.poisson(10, (side, side)).astype(np.float32)
        ours(image, "hrstem")
        spent = []
        for _ in range(3):
            begun = time.perf_counter()
            ours(image, "hrstem")
            spent.append(time.perf_counter() - begun)
        rows.append([side, min(spent)])
    table(rows, ["side, px", "s"])


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--others", type=int, default=60)
    parser.add_argument("--model")
    parser.add_argument("--bench", type=Path)
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--context", type=int, default=0)
    parser.add_argument("--defocus", type=int, default=0)
    asked = parser.parse_args()
    if asked.context:
        context(asked.model or default_restorer(), asked.context)
        return
    ours, theirs = by_network(asked.model), by_bm3d()
    if asked.defocus:
        through_focus(ours, asked.defocus)
        return
    if asked.scenes:
        own_scenes(ours, theirs, asked.scenes, asked.others)
    if asked.pairs:
        of_others(ours, theirs, asked.pairs)
    if asked.bench:
        multislice_scenes(asked.model, theirs, asked.bench)
    seconds(ours)


if __name__ == "__main__":
    main()
