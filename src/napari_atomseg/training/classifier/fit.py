"""Teaching a judge which of a network's candidates are columns."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor, nn

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, Steps
from napari_atomseg.networks.candidate_classifier import FEATURES, CandidateClassifier, CandidateClassifierParams
from napari_atomseg.networks.zoo import Model
from napari_atomseg.synthesis.recipe import Recipe
from napari_atomseg.training.classifier.params import ClassifierTrainParams
from napari_atomseg.training.classifier.samples import TrainingSamples, draw_samples
from napari_atomseg.training.drawing import drawn
from napari_atomseg.training.validation import CONFIDENCE

HELD_OUT = 7
"""Every so many-th image is kept for the report."""
DECAY = 1e-2
LEAST_DEVIATION = 1e-3
"""Added to the deviation of what hardly varies."""
BINS = 10


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedClassifier:
    """A judge's weights, what a card says of it, and how much better candidates are told from each other with it."""

    weights: dict[str, Tensor]
    card: dict[str, object]
    scores: dict[str, float]


@dataclass(frozen=True, eq=False)
class _Batches:
    recipes: Sequence[Recipe]
    model: Model
    seed: int

    def __call__(self, number: int) -> list[TrainingSamples]:
        return list(draw_samples(self.recipes, self.model, self.seed, number))


def fit_classifier(
    recipes: Sequence[Recipe], model: Model, params: ClassifierTrainParams, *, minutes: float | None = None, workers: int = 1
) -> Steps[FittedClassifier]:
    """Draw images, let the network offer candidates, and teach a judge of them.

    Parameters
    ----------
    recipes : sequence of Recipe
        Of images of a STEM, many kinds of them: a judge that has seen one crystal only expects it everywhere. They take turns.
    model : Model
        On the CPU.
    params : ClassifierTrainParams
    minutes : float, optional
        Draw no more images after so many; what was drawn is learnt from.
    workers : int
        Processes that draw; 0 draws here.

    Raises
    ------
    AtomsegError
        If hardly any image was drawn in that time.
    """
    cases: list[TrainingSamples] = []
    began = time.monotonic()
    yield Progress(0, params.images, "drawing images")
    with closing(drawn(_Batches(recipes, model, params.seed), 0, workers)) as batches:
        for batch in batches:
            cases += batch
            yield Progress(min(len(cases), params.images), params.images, "drawing images")
            if len(cases) >= params.images or (minutes is not None and time.monotonic() - began > 60 * minutes):
                break
    if len(cases) < HELD_OUT or not any(case.is_column.any() for case in cases):
        raise AtomsegError("too few images were drawn in that time to learn from; give it more minutes")
    judge = yield from learn(cases, params)
    scores = report(judge, cases[::HELD_OUT])
    card = {**asdict(params), "images": len(cases), "features": list(FEATURES), "recipes": [recipe.name for recipe in recipes]}
    return FittedClassifier(weights=dict(judge.state_dict()), card=card, scores=scores)


def learn(cases: Sequence[TrainingSamples], params: ClassifierTrainParams) -> Steps[CandidateClassifier]:
    """A judge taught by all cases but those held out."""
    taught = [case for row, case in enumerate(cases) if row % HELD_OUT]
    features = torch.from_numpy(np.concatenate([case.features for case in taught]))
    right = torch.from_numpy(np.concatenate([case.is_column for case in taught])).float()
    random = torch.Generator().manual_seed(params.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(params.seed)
        judge = CandidateClassifier(CandidateClassifierParams(width=params.width, members=params.members))
        judge.mean.copy_(features.mean(0))
        judge.deviation.copy_(features.std(0) + LEAST_DEVIATION)
        optimiser = torch.optim.AdamW(judge.parameters(), params.learning_rate, weight_decay=DECAY)
        rates = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, params.learning_rate, total_steps=params.updates + 1, pct_start=0.1
        )
        for update in range(params.updates):
            chosen = torch.randint(len(features), (params.batch,), generator=random)
            said = judge.each(features[chosen])
            loss = nn.functional.binary_cross_entropy_with_logits(said, right[chosen].expand_as(said))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            rates.step()
            if update % 100 == 0:
                yield Progress(update, params.updates, "training the classifier")
    judge.eval()
    return judge


def report(judge: CandidateClassifier, cases: Sequence[TrainingSamples]) -> dict[str, float]:
    """F1 on cases by the map's word and by the judge's, and how far probabilities are from shares, on the mean."""
    right = np.concatenate([case.is_column for case in cases])
    before = np.concatenate([case.confidence for case in cases])
    with torch.inference_mode():
        after = judge(torch.from_numpy(np.concatenate([case.features for case in cases]))).numpy()
    missed = sum(case.missed for case in cases)
    return {
        "f1_of_map": _f1(before >= CONFIDENCE, right, missed),
        "f1_judged": _f1(after >= CONFIDENCE, right, missed),
        "calibration_error": _calibration_error(after, right),
    }


def _f1(found: np.ndarray, right: np.ndarray, missed: int) -> float:
    hits = float((found & right).sum())
    return 2 * hits / max(1.0, float(found.sum() + right.sum() + missed))


def _calibration_error(probability: np.ndarray, right: np.ndarray) -> float:
    """Mean distance of the probability said from the share that is right, over equal steps of probability."""
    step = np.minimum((probability * BINS).astype(int), BINS - 1)
    number = np.bincount(step, minlength=BINS)
    off = np.abs(np.bincount(step, probability, BINS) - np.bincount(step, right, BINS))
    return float(off.sum() / max(1, number.sum()))
