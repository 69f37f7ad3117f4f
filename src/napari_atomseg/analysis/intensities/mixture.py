r"""Cross-sections as a mixture of normal distributions, one for each number of atoms.

.. math:: p(v) = \sum_k w_k \, N(v; \mu_k, \sigma_k^2), \qquad \sigma_k^2 = s^2 + r^2 \mu_k^2

(Van Aert et al., Phys. Rev. B 87, 064107 (2013), there with free means and one width; De Backer et al., Ultramicroscopy 134,
23 (2013)). The means may be free, on a straight line or a parabola of k, or known from a library. Fitted by expectation
maximisation; values are taken together in bins far narrower than any width, so that time does not grow with the columns.

Where neighbouring counts overlap, weights that are all free let a few wide components follow the values as well as the true
ones do. So the logarithms of the weights may be held smooth by a penalty on their third differences (Eilers & Marx, Stat. Sci.
11, 89 (1996); without end it makes them a normal distribution or an even one), and count for as many parameters as the values
still choose freely.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Steps = Literal["equal", "smooth", "free", "library"]
BINS = 700
"""Values beyond this number are binned."""
FIRST_ROUNDS, ROUNDS, AT_REST = 12, 250, 2e-6
"""Steps of expectation maximisation of all starts, of the best ones at most, and the gain in log likelihood for each value that
ends them."""
BEST_STARTS = 2
BEYOND = 1.7
"""Means and widths go so many times as far as expectation maximisation asks, which makes it faster and keeps it safe below 2."""
LEAST_WIDTH = 0.85
"""No component is narrower than this share of the error by which values are known."""
NARROWEST = 0.02
"""Of the mean distance of components: no width may be smaller, since a component on a single value has no bounds."""
LEAST_SHARE = 1e-9
POLYNOMIAL = {"equal": 1, "smooth": 2}


@dataclass(frozen=True, kw_only=True, eq=False)
class Mixture:
    """A fitted mixture; components in the order of their means.

    Attributes
    ----------
    weights, means, sigmas : ndarray, shape (K,)
        Of the components.
    base, growth : float
        Width that all share, and the part that is proportional to the mean.
    log_likelihood : float
        Of all values.
    entropy : float
        Of the assignment of the values: 0 where no two components claim one value, nats.
    parameters : float
        That were fitted; of weights that are held smooth those that are still free.
    count : float
        Of the values.
    doubt : float
        What is known beforehand speaks against it: minus the logarithm of its prior probability; in all criteria.
    """

    weights: np.ndarray
    means: np.ndarray
    sigmas: np.ndarray
    base: float
    growth: float
    log_likelihood: float
    entropy: float
    parameters: float
    count: float
    doubt: float = 0.0

    @property
    def bic(self) -> float:
        """Schwarz's information criterion; the lower the better."""
        return 2 * (self.doubt - self.log_likelihood) + self.parameters * float(np.log(self.count))

    @property
    def aic(self) -> float:
        """Akaike's information criterion."""
        return 2 * (self.doubt - self.log_likelihood + self.parameters)

    @property
    def icl(self) -> float:
        """Integrated completed likelihood, Biernacki et al., IEEE PAMI 22, 719 (2000): `bic` and twice the entropy."""
        return self.bic + 2 * self.entropy

    def densities(self, values: np.ndarray) -> np.ndarray:
        """Logarithm of each component's share of the density at values (N,); shape (N, K)."""
        return log_shares(values, self.weights, self.means, self.sigmas)

    def probabilities(self, values: np.ndarray, std: np.ndarray | None = None) -> np.ndarray:
        """That a value (N,) belongs to each component, shape (N, K).

        Parameters
        ----------
        values : ndarray, shape (N,)
        std : ndarray, shape (N,), optional
            Standard deviation of each value; where it is larger than the widths of the components it takes their place.
        """
        sigmas = self.sigmas if std is None else np.maximum(self.sigmas, np.nan_to_num(std)[:, None])
        shares = log_shares(values, self.weights, self.means, sigmas)
        shares -= shares.max(axis=1, keepdims=True)
        found = np.exp(shares)
        return np.asarray(found / found.sum(axis=1, keepdims=True))


def log_shares(values: np.ndarray, weights: np.ndarray, means: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """Logarithm of weight times normal density, shape (N, K).

    Parameters
    ----------
    values : ndarray, shape (N,)
    weights, means : ndarray, shape (K,)
    sigmas : ndarray, shape (K,) or (N, K)
    """
    scaled = (values[:, None] - means) / sigmas
    return np.asarray(np.log(weights) - np.log(sigmas) - 0.5 * np.log(2 * np.pi) - 0.5 * scaled * scaled)


@dataclass(frozen=True, kw_only=True, eq=False)
class Values:
    """Values as they are, or as bins.

    Attributes
    ----------
    centres, counts : ndarray, shape (B,)
        Places, and how many values lie there.
    error : float
        By which the values are known: no component can be much narrower; 0 if that is not known.
    """

    centres: np.ndarray
    counts: np.ndarray
    error: float = 0.0

    @property
    def total(self) -> float:
        return float(self.counts.sum())


def gathered(values: np.ndarray, error: float = 0.0) -> Values:
    """Values (N,), those of many in bins, with the error by which they are known."""
    if len(values) <= BINS:
        return Values(centres=np.sort(values), counts=np.ones(len(values)), error=error)
    low, high = values.min(), values.max()
    place = np.minimum(((values - low) / (high - low) * BINS).astype(int), BINS - 1)
    counts = np.bincount(place, minlength=BINS)
    sums = np.bincount(place, values, minlength=BINS)
    held = counts > 0
    return Values(centres=sums[held] / counts[held], counts=counts[held].astype(float), error=error)


def fit_mixture(values: Values, starts: np.ndarray, *, steps: Steps, growing: bool, smoothness: float = 0.0) -> Mixture:
    """The most likely mixture from several starts at once.

    Parameters
    ----------
    values : Values
    starts : ndarray, shape (S, K)
        Means to begin with, ascending; those of a library stay.
    steps : str
        Where the means may lie: ``equal``, ``smooth``, ``free``, or ``library``, where they stay.
    growing : bool
        Whether the widths have a part that is proportional to the mean.
    smoothness : float
        Weight of the squared third differences of the logarithms of the weights; 0 leaves the weights free.
    """
    tries = _Tries(values, starts, steps, growing, smoothness)
    if len(starts) > BEST_STARTS:
        tries.run(FIRST_ROUNDS)
        tries.keep(np.argsort(-tries.found)[:BEST_STARTS])
    tries.run(ROUNDS)
    return tries.best()


class _Tries:
    """Expectation maximisation of S tries in step: arrays (S, K) and (S, B, K)."""

    def __init__(self, values: Values, starts: np.ndarray, steps: Steps, growing: bool, smoothness: float) -> None:
        self._values, self._steps, self._growing = values, steps, growing and starts.shape[1] > 1
        tries, self._number = len(starts), int(starts.shape[1])
        self._means = starts.astype(float).copy()
        mean = np.average(values.centres, weights=values.counts)
        spread = float(np.sqrt(np.average((values.centres - mean) ** 2, weights=values.counts))) + 1e-300
        distance = np.ptp(starts, axis=1) / (self._number - 1) if self._number > 1 else np.full(tries, spread)
        self._logits = np.zeros((tries, self._number))
        self._base = (0.3 * distance if self._number > 1 else distance) ** 2
        self._growth = np.zeros(tries)
        self._least = np.maximum((NARROWEST * np.maximum(distance, 1e-6 * spread)) ** 2, (LEAST_WIDTH * values.error) ** 2)
        differences = np.diff(np.eye(self._number), n=3, axis=0) if self._number > 3 else np.zeros((0, self._number))
        self._penalty = smoothness * differences.T @ differences
        self._smooth = smoothness > 0 and self._number > 3
        self.found = np.full(tries, -np.inf)
        self._likelihood, self._entropy = np.zeros(tries), np.zeros(tries)

    def run(self, rounds: int) -> None:
        """Until no try gains any more."""
        for _ in range(rounds):
            before = self.found
            mine = self._expect()
            if np.max(self.found) - np.max(before) < AT_REST * self._values.total and np.isfinite(before).any():
                break
            self._maximise(mine)

    def keep(self, rows: np.ndarray) -> None:
        """Go on with some of the tries only."""
        for name in ("_means", "_logits", "_base", "_growth", "_least", "found", "_likelihood", "_entropy"):
            setattr(self, name, getattr(self, name)[rows])

    def _sigmas(self) -> np.ndarray:
        return np.asarray(np.sqrt(self._base[:, None] + self._growth[:, None] * self._means**2))

    def _weights(self) -> np.ndarray:
        shares = np.exp(self._logits - self._logits.max(axis=1, keepdims=True)) + LEAST_SHARE
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    def _expect(self) -> np.ndarray:
        """What belongs to whom, (S, B, K); writes down how likely everything is."""
        sigmas = self._sigmas()[:, None]
        shares = (self._values.centres[:, None] - self._means[:, None]) / sigmas
        shares *= shares
        shares *= -0.5
        shares += np.log(self._weights() / sigmas[:, 0])[:, None]
        top = shares.max(axis=2, keepdims=True)
        shares -= top
        mine = np.exp(shares)
        total = mine.sum(axis=2, keepdims=True)
        mine /= total
        logs = top[..., 0] + np.log(total[..., 0])
        # Of the logarithm of mine / total the first part is at hand.
        self._entropy = (np.log(total[..., 0]) - np.einsum("sbk,sbk->sb", mine, shares)) @ self._values.counts
        self._likelihood = logs @ self._values.counts - 0.5 * np.log(2 * np.pi) * self._values.total
        self.found = self._likelihood - 0.5 * np.einsum("si,ij,sj->s", self._logits, self._penalty, self._logits)
        return np.asarray(mine)

    def _maximise(self, mine: np.ndarray) -> None:
        centres = self._values.centres
        powers = np.stack([np.ones_like(centres), centres, centres**2]) * self._values.counts
        held, first, second = (mine.transpose(0, 2, 1) @ powers.T).transpose(2, 0, 1)
        held = held + 1e-12
        self._logits = self._smoothed(held) if self._smooth else np.log(held)
        if self._steps != "library":
            self._means += BEYOND * (self._moved(first / held, held) - self._means)
        square = np.maximum(second - 2 * self._means * first + self._means**2 * held, 0.0)
        base, growth = self._widths(square, held)
        self._base = np.maximum(self._base * (base / self._base) ** BEYOND, self._least)
        self._growth = np.maximum(self._growth + BEYOND * (growth - self._growth), 0.0)

    def _smoothed(self, held: np.ndarray) -> np.ndarray:
        """Logits that suit how much each component holds (S, K), under the penalty: two steps of Newton."""
        logits, total = self._logits, held.sum(axis=1, keepdims=True)
        for _ in range(2):
            share = np.exp(logits - logits.max(axis=1, keepdims=True))
            share /= share.sum(axis=1, keepdims=True)
            slope = held - total * share - logits @ self._penalty
            bend = total[..., None] * (share[:, :, None] * np.eye(self._number) - share[:, :, None] * share[:, None])
            bend = bend + self._penalty + 1e-3 * np.eye(self._number)
            logits = logits + np.clip(np.linalg.solve(bend, slope[..., None])[..., 0], -2, 2)
            logits = logits - logits.mean(axis=1, keepdims=True)
        return np.asarray(logits)

    def _moved(self, middle: np.ndarray, held: np.ndarray) -> np.ndarray:
        degree = int(POLYNOMIAL.get(self._steps, self._number))
        if self._number <= degree + 1:
            return middle
        precision = held / self._sigmas() ** 2
        powers = np.linspace(0, 1, self._number)[:, None] ** np.arange(degree + 1)
        normal = np.einsum("sk,ki,kj->sij", precision, powers, powers)
        right = np.einsum("sk,ki,sk->si", precision, powers, middle)
        normal += 1e-12 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(degree + 1)
        means = np.linalg.solve(normal, right[..., None])[..., 0] @ powers.T
        # A parabola must not turn round, or counts would have no order.
        rising = np.asarray((np.diff(means, axis=1) > 0).all(axis=1))
        return np.where(rising[:, None], means, self._means)

    def _widths(self, square: np.ndarray, held: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The two parts of the variance from summed squared distances (S, K): Fisher scoring."""
        if not self._growing:
            return np.maximum(square.sum(axis=1) / held.sum(axis=1), self._least), np.zeros(len(held))
        mean_square, growing = square / held, self._means**2
        weight = held / (self._base[:, None] + self._growth[:, None] * growing) ** 2
        a, b, c = (np.sum(weight * one, axis=1) for one in (np.ones_like(growing), growing, growing**2))
        d, e = np.sum(weight * mean_square, axis=1), np.sum(weight * growing * mean_square, axis=1)
        determinant = a * c - b * b
        both = np.maximum(determinant, 1e-9 * a * c)
        base, growth = (c * d - b * e) / both, (a * e - b * d) / both
        growth = np.where(base < self._least, (e - b * self._least) / c, growth)
        base = np.where(growth < 0, d / a, base)
        return np.maximum(base, self._least), np.maximum(growth, 0.0)

    def best(self) -> Mixture:
        """The most likely try."""
        mine = self._expect()
        one = int(np.argmax(self.found))
        free = {"equal": min(2, self._number), "smooth": min(3, self._number), "free": self._number, "library": 0}[self._steps]
        order = np.argsort(self._means[one])
        return Mixture(
            weights=self._weights()[one][order],
            means=self._means[one][order],
            sigmas=self._sigmas()[one][order],
            base=float(np.sqrt(self._base[one])),
            growth=float(np.sqrt(self._growth[one])),
            log_likelihood=float(self._likelihood[one]),
            entropy=float(self._entropy[one]),
            parameters=free + self._free_weights(mine[one], one) + 1 + int(self._growing),
            count=self._values.total,
        )

    def _free_weights(self, mine: np.ndarray, one: int) -> float:
        """Weights that the values choose freely: the trace of the smoother."""
        if not self._smooth:
            return self._number - 1
        away = mine - self._weights()[one]
        information = (away * self._values.counts[:, None]).T @ away
        ridge = 1e-9 * np.trace(information) * np.eye(self._number)
        return float(np.trace(np.linalg.solve(information + self._penalty + ridge, information)))
