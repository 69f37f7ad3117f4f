r"""Cross-sections as a mixture of normal distributions, one for each number of atoms.

.. math:: p(v) = \sum_k w_k \, N(v; \mu_k, \sigma_k^2), \qquad \sigma_k^2 = s^2 + r^2 \mu_k^2

(Van Aert et al., Phys. Rev. B 87, 064107 (2013), there with free means and one width; De Backer et al., Ultramicroscopy 134, 23
(2013)). The means may be free, on a straight line or a parabola of k, or known from a library. Fitted by expectation
maximisation; values are taken together in bins far narrower than any width, so that time does not grow with the columns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

Steps = Literal["equal", "smooth", "free", "library"]
BINS = 1200
"""Values beyond this number are binned."""
ROUNDS, AT_REST = 400, 1e-6
"""Steps of expectation maximisation at most, and the gain in log likelihood for each value that ends them."""
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
    parameters : int
        That were fitted.
    count : float
        Of the values.
    """

    weights: np.ndarray
    means: np.ndarray
    sigmas: np.ndarray
    base: float
    growth: float
    log_likelihood: float
    entropy: float
    parameters: int
    count: float

    @property
    def bic(self) -> float:
        """Schwarz's information criterion; the lower the better."""
        return -2 * self.log_likelihood + self.parameters * float(np.log(self.count))

    @property
    def aic(self) -> float:
        """Akaike's information criterion."""
        return -2 * self.log_likelihood + 2 * self.parameters

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
    """Logarithm of weight times normal density, shape (N, K)."""
    scaled = (values[:, None] - means) / sigmas
    return np.asarray(np.log(weights) - np.log(sigmas) - 0.5 * np.log(2 * np.pi) - 0.5 * scaled * scaled)


@dataclass(frozen=True, kw_only=True, eq=False)
class Values:
    """Values as they are, or as bins: `centres` (B,) with how many lie there, `counts` (B,)."""

    centres: np.ndarray
    counts: np.ndarray

    @property
    def total(self) -> float:
        return float(self.counts.sum())


def gathered(values: np.ndarray) -> Values:
    """Values (N,), those of many in bins."""
    if len(values) <= BINS:
        return Values(centres=np.sort(values), counts=np.ones(len(values)))
    low, high = values.min(), values.max()
    place = np.minimum(((values - low) / (high - low) * BINS).astype(int), BINS - 1)
    counts = np.bincount(place, minlength=BINS)
    sums = np.bincount(place, values, minlength=BINS)
    held = counts > 0
    return Values(centres=sums[held] / counts[held], counts=counts[held].astype(float))


def fit_mixture(values: Values, starts: np.ndarray, *, steps: Steps, growing: bool) -> Mixture:
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
    """
    tries = _Tries(values, starts, steps, growing)
    tries.run()
    return tries.best()


class _Tries:
    """Expectation maximisation of S tries in step: arrays (S, K) and (S, B, K)."""

    def __init__(self, values: Values, starts: np.ndarray, steps: Steps, growing: bool) -> None:
        self._values, self._steps, self._growing = values, steps, growing and starts.shape[1] > 1
        tries, self._number = starts.shape
        self._means = starts.astype(float).copy()
        self._index = np.arange(self._number, dtype=float)
        spread = np.sqrt(np.average((values.centres - np.average(values.centres, weights=values.counts)) ** 2, weights=values.counts))
        distance = np.ptp(starts, axis=1) / max(self._number - 1, 1) if self._number > 1 else np.full(tries, spread)
        self._weights = np.full((tries, self._number), 1.0 / self._number)
        self._base = (0.3 * distance if self._number > 1 else np.full(tries, spread)) ** 2
        self._growth = np.zeros(tries)
        self._least = (NARROWEST * np.maximum(distance, 1e-6 * spread + 1e-300)) ** 2
        self._found = np.full(tries, -np.inf)
        self._entropy = np.zeros(tries)

    def run(self) -> None:
        """Until no try gains any more."""
        for _ in range(ROUNDS):
            before = self._found
            mine = self._expect()
            gain = self._found - before
            # Tries that lag far behind are given up; the best one's way is what counts.
            if np.max(gain[self._found >= self._found.max() - 3]) < AT_REST * self._values.total:
                break
            keep = (self._found >= self._found.max() - 0.5 * self._values.total) & (gain > 0.05 * AT_REST * self._values.total)
            keep |= self._found == self._found.max()
            if not keep.all():
                self._only(keep)
                mine = mine[keep]
            self._maximise(mine)

    def _only(self, keep: np.ndarray) -> None:
        # What has come to rest is remembered only if it is the best so far.
        for name in ("_means", "_weights", "_base", "_growth", "_least", "_found", "_entropy"):
            setattr(self, name, getattr(self, name)[keep])

    def _sigmas(self) -> np.ndarray:
        return np.asarray(np.sqrt(self._base[:, None] + self._growth[:, None] * self._means**2))

    def _expect(self) -> np.ndarray:
        sigmas = self._sigmas()[:, None]
        shares = (self._values.centres[:, None] - self._means[:, None]) / sigmas
        shares = np.log(self._weights / sigmas[:, 0])[:, None] - 0.5 * shares * shares
        top = shares.max(axis=2, keepdims=True)
        mine = np.exp(shares - top)
        total = mine.sum(axis=2, keepdims=True)
        mine /= total
        logs = top[..., 0] + np.log(total[..., 0]) - 0.5 * np.log(2 * np.pi)
        self._found = logs @ self._values.counts
        with np.errstate(divide="ignore", invalid="ignore"):
            each = np.where(mine > 0, mine * np.log(mine), 0.0).sum(axis=2)
        self._entropy = -(each @ self._values.counts)
        return np.asarray(mine)

    def _maximise(self, mine: np.ndarray) -> None:
        centres = self._values.centres
        mine = mine * self._values.counts[:, None]
        held = mine.sum(axis=1) + 1e-12
        first = np.einsum("sbk,b->sk", mine, centres)
        second = np.einsum("sbk,b->sk", mine, centres**2)
        self._weights = np.maximum(held / held.sum(axis=1, keepdims=True), LEAST_SHARE)
        middle = first / held
        if self._steps != "library":
            self._means = self._moved(middle, held)
        square = np.maximum(second - 2 * self._means * first + self._means**2 * held, 0.0)
        self._base, self._growth = self._widths(square, held)

    def _moved(self, middle: np.ndarray, held: np.ndarray) -> np.ndarray:
        degree = POLYNOMIAL.get(self._steps, self._number)
        if self._number <= degree + 1:
            return middle
        precision = held / self._sigmas() ** 2
        powers = (self._index / max(self._number - 1, 1))[:, None] ** np.arange(degree + 1)
        normal = np.einsum("sk,ki,kj->sij", precision, powers, powers)
        right = np.einsum("sk,ki,sk->si", precision, powers, middle)
        normal += 1e-12 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(degree + 1)
        means = np.linalg.solve(normal, right[..., None])[..., 0] @ powers.T
        # A parabola must not turn round, or counts would have no order.
        rising = (np.diff(means, axis=1) > 0).all(axis=1)
        return np.where(rising[:, None], means, self._means)

    def _widths(self, square: np.ndarray, held: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if not self._growing:
            return np.maximum(square.sum(axis=1) / held.sum(axis=1), self._least), np.zeros(len(held))
        base, growth = self._base, self._growth
        # Fisher scoring of the two parts of the variance, each column weighted by how well it tells its own.
        mean_square = square / held
        for _ in range(2):
            variance = base[:, None] + growth[:, None] * self._means**2
            weight = held / variance**2
            ones, growing = np.ones_like(self._means), self._means**2
            a, b, c = (np.sum(weight * one, axis=1) for one in (ones, growing, growing**2))
            d, e = np.sum(weight * mean_square, axis=1), np.sum(weight * growing * mean_square, axis=1)
            determinant = a * c - b * b
            safe = determinant > 1e-9 * a * c
            both = np.where(safe, determinant, 1.0)
            base_now, growth_now = np.where(safe, (c * d - b * e) / both, d / a), np.where(safe, (a * e - b * d) / both, 0.0)
            growth_now = np.where(base_now < self._least, (e - b * self._least) / np.maximum(c, 1e-300), growth_now)
            base_now = np.where(growth_now < 0, d / a, base_now)
            base, growth = np.maximum(base_now, self._least), np.maximum(growth_now, 0.0)
        return base, growth

    def best(self) -> Mixture:
        """The most likely try."""
        self._expect()
        one = int(np.argmax(self._found))
        free = {"equal": min(2, self._number), "smooth": min(3, self._number), "free": self._number, "library": 0}[self._steps]
        order = np.argsort(self._means[one])
        mixture = Mixture(
            weights=self._weights[one] / self._weights[one].sum(),
            means=self._means[one],
            sigmas=self._sigmas()[one],
            base=float(np.sqrt(self._base[one])),
            growth=float(np.sqrt(self._growth[one])),
            log_likelihood=float(self._found[one]),
            entropy=float(self._entropy[one]),
            parameters=free + self._number - 1 + 1 + int(self._growing),
            count=self._values.total,
        )
        return replace(mixture, weights=mixture.weights[order], means=mixture.means[order], sigmas=mixture.sigmas[order])
