"""How many different numbers of atoms there are: mixtures of ever more components, compared."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np

from napari_atomseg.analysis.intensities.mixture import Mixture, Steps, Values, fit_mixture
from napari_atomseg.core.jobs import Progress

TOLD_APART = 0.2
"""Where the widths are smaller than this share of the step, neighbouring counts are told apart, and the entropy in the integrated
completed likelihood speaks against components that are not there; where they are larger it speaks against those that are."""
SMOOTHNESS = (1000.0, 3.0, 0.0)
"""Of the logarithms of the weights, which are tried: nearly a normal or even distribution, a smooth one, any."""
PHASES = (0.0, 0.35, -0.35)
STRETCHES = (1.0, 1.06, 0.94)
BENDS = (0.0, 0.25, 0.5, -0.3)
"""Of steps that change with the thickness: how much the first one exceeds the mean one."""
EDGES = (0.004, 0.996)
WIDER, OFF_ZERO = 0.35, 0.12
"""What is known before any cross-section is seen, as the half widths of Cauchy distributions: widths are those of the errors
(logarithm of their ratio, where they are wider), and no atoms scatter nothing (the distance of the first mean from a whole number
of steps, in steps). Both leave room for what was not thought of."""
FIRST_STEPS = 3
"""Of which the mean tells how many steps the first mean is from zero."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Choice:
    """Mixtures with 1, 2 ... components, and which of them is taken.

    Attributes
    ----------
    mixtures : tuple of Mixture
    chosen : int
        Number of components.
    criterion : str
        By which it was chosen: ``icl``, ``bic``, ``aic``, or ``you``.
    probability : float
        Of that number among those that were tried, from the Bayesian information criterion.
    """

    mixtures: tuple[Mixture, ...]
    chosen: int
    criterion: str
    probability: float

    @property
    def mixture(self) -> Mixture:
        """That which was chosen."""
        return next(one for one in self.mixtures if len(one.means) == self.chosen)

    def curve(self, name: str) -> np.ndarray:
        """A criterion for each mixture."""
        return np.array([getattr(one, name) for one in self.mixtures])

    def chosen_by(self, name: str) -> int:
        """The number that a criterion would choose."""
        return len(self.mixtures[int(np.argmin(self.curve(name)))].means)


def choose_components(
    values: Values, most: int, *, steps: Steps, growing: bool, criterion: str, asked: int | None = None
) -> Generator[Progress, None, Choice]:
    """Fit mixtures of 1 to `most` components, and choose one.

    Parameters
    ----------
    values : Values
    most : int
    steps : str
        ``equal``, ``smooth`` or ``free``.
    growing : bool
        See :func:`.mixture.fit_mixture`.
    criterion : str
        ``icl``, ``bic``, ``aic`` or ``auto``.
    asked : int, optional
        The number that a user wants.
    """
    mixtures = []
    for number in range(1, max(most, asked or 0) + 1):
        yield Progress(number - 1, most, "trying numbers of components")
        mixtures.append(weighed(_with(values, number, steps, growing), values.error))
    given = Choice(mixtures=tuple(mixtures), chosen=1, criterion="", probability=0.0)
    if asked is not None:
        chosen, by = asked, "you"
    elif criterion == "auto":
        by = "icl" if _apart(mixtures[given.chosen_by("bic") - 1]) < TOLD_APART else "bic"
        chosen = given.chosen_by(by)
    else:
        chosen, by = given.chosen_by(criterion), criterion
    # Schwarz: exp(-BIC / 2) approximates the evidence.
    bic = given.curve("bic")
    evidence = np.exp(-0.5 * (bic - bic.min()))
    return Choice(mixtures=given.mixtures, chosen=chosen, criterion=by, probability=float(evidence[chosen - 1] / evidence.sum()))


def weighed(mixture: Mixture, error: float) -> Mixture:
    """The same with what is known beforehand: of overlapping counts the cross-sections alone say little of their number.

    Parameters
    ----------
    mixture : Mixture
    error : float
        By which cross-sections are known; 0 if that is not known.
    """
    wider = float(np.log(max(mixture.base / error, 1.0))) if error > 0 else 0.0
    steps = mixture.means[0] / np.mean(np.diff(mixture.means)[:FIRST_STEPS]) if len(mixture.means) > 1 else 1.0
    off = float(steps - max(1.0, np.round(steps)))
    return replace(mixture, doubt=float(np.log1p((wider / WIDER) ** 2) + np.log1p((off / OFF_ZERO) ** 2)))


def _apart(mixture: Mixture) -> float:
    """Usual width in units of the usual step."""
    if len(mixture.means) < 2:
        return 0.0
    return float(np.average(mixture.sigmas, weights=mixture.weights) / np.mean(np.diff(mixture.means)))


def _with(values: Values, number: int, steps: Steps, growing: bool) -> Mixture:
    """The mixture of one number of components whose weights are as smooth as suits the values."""
    if number == 1:
        return fit_mixture(values, np.array([[np.average(values.centres, weights=values.counts)]]), steps=steps, growing=False)
    if steps == "free":
        even = fit_mixture(values, _bent(_starts(values, number)), steps="smooth", growing=growing, smoothness=SMOOTHNESS[0])
        return fit_mixture(values, even.means[None], steps=steps, growing=growing)
    starts = _starts(values, number) if steps == "equal" else _bent(_starts(values, number))
    found = fit_mixture(values, starts, steps=steps, growing=growing, smoothness=SMOOTHNESS[0])
    tries = [fit_mixture(values, found.means[None], steps=steps, growing=growing, smoothness=one) for one in SMOOTHNESS]
    return min(tries, key=lambda one: one.bic)


def _starts(values: Values, number: int) -> np.ndarray:
    """Evenly spaced means from the smallest values to the largest, and some that are shifted and stretched a little."""
    share = (np.cumsum(values.counts) - 0.5 * values.counts) / values.total
    low, high = np.interp(EDGES, share, values.centres)
    step = (high - low) / max(number - 1, 1)
    index = np.arange(number) - (number - 1) / 2
    middle = (low + high) / 2
    return np.array([middle + phase * step + stretch * step * index for stretch in STRETCHES for phase in PHASES])


def _bent(starts: np.ndarray) -> np.ndarray:
    """The same ranges of means (S, K) with steps that become smaller or larger, those without a shift only."""
    share = np.linspace(0, 1, starts.shape[1])
    straight = starts[:: len(PHASES)]
    low, high = straight[:, :1], straight[:, -1:]
    return np.concatenate([low + (high - low) * (share + bend * share * (1 - share)) for bend in BENDS])
