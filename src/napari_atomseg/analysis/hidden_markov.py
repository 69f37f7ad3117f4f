"""Hidden states that follow each other in time, seen through noise: atoms in a column, or a column that comes and goes.

The forward and backward recursions of Rabiner, Proc. IEEE 77, 257 (1989), for many short sequences at once, and the transitions
that suit them by expectation maximisation (Baum and Welch). Time-resolved counting with it: De wael et al., Phys. Rev. Lett. 124,
106105 (2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ROUNDS, AT_REST = 100, 1e-7
TINY = 1e-300


@dataclass(frozen=True, kw_only=True, eq=False)
class Smoothed:
    """What the whole sequences say of each moment.

    Attributes
    ----------
    probabilities : ndarray, shape (S, T, K)
        Of each state at each moment.
    changes : ndarray, shape (S, T - 1)
        Probability that the state at the next moment is another one.
    pairs : ndarray, shape (K, K) or (S, K, K)
        Expected number of steps from one state to another: of all sequences, or of each if each has its own transitions.
    log_likelihood : float
    """

    probabilities: np.ndarray
    changes: np.ndarray
    pairs: np.ndarray
    log_likelihood: float


def forward_backward(log_emission: np.ndarray, transition: np.ndarray, initial: np.ndarray) -> Smoothed:
    """Probabilities of the states given all that was seen.

    Parameters
    ----------
    log_emission : ndarray, shape (S, T, K)
        Logarithm of the density of what was seen in sequence s at time t if the state is k; all 0 where nothing was seen.
    transition : ndarray, shape (K, K) or (S, K, K)
        Probability of a step from state i (row) to j, the same for all sequences or of each.
    initial : ndarray, shape (K,) or (S, K)
        Probability of each state at the first moment.
    """
    top = log_emission.max(axis=2, keepdims=True)
    emission = np.exp(log_emission - top)
    sequences, times, states = emission.shape
    forward, scale = np.empty_like(emission), np.empty((sequences, times))
    before = np.broadcast_to(initial, (sequences, states))
    for time in range(times):
        now = (before if time == 0 else _stepped(forward[:, time - 1], transition)) * emission[:, time]
        scale[:, time] = np.maximum(now.sum(axis=1), TINY)
        forward[:, time] = now / scale[:, time, None]
    backward = np.ones_like(emission)
    pairs, changes = np.zeros(transition.shape), np.zeros((sequences, max(times - 1, 0)))
    staying, back = np.diagonal(transition, axis1=-2, axis2=-1), np.swapaxes(transition, -2, -1)
    together = "si,sj->ij" if transition.ndim == 2 else "si,sj->sij"
    for time in range(times - 2, -1, -1):
        ahead = emission[:, time + 1] * backward[:, time + 1] / scale[:, time + 1, None]
        backward[:, time] = _stepped(ahead, back)
        pairs += np.einsum(together, forward[:, time], ahead) * transition
        changes[:, time] = 1 - np.sum(forward[:, time] * staying * ahead, axis=1)
    found = forward * backward
    found /= np.maximum(found.sum(axis=2, keepdims=True), TINY)
    return Smoothed(
        probabilities=found,
        changes=np.clip(changes, 0.0, 1.0),
        pairs=pairs,
        log_likelihood=float(np.sum(np.log(scale)) + np.sum(top)),
    )


def _stepped(states: np.ndarray, transition: np.ndarray) -> np.ndarray:
    """Probabilities of states (S, K) one step later."""
    return states @ transition if transition.ndim == 2 else np.einsum("si,sij->sj", states, transition)


def most_likely_path(log_emission: np.ndarray, transition: np.ndarray, initial: np.ndarray) -> np.ndarray:
    """The most likely sequence of states as a whole (Viterbi), shape (S, T), int.

    Parameters
    ----------
    log_emission : ndarray, shape (S, T, K)
        Logarithm of the density of what was seen in sequence s at time t if the state is k; all 0 where nothing was seen.
    transition : ndarray, shape (K, K) or (S, K, K)
        Probability of a step from state i (row) to j, the same for all sequences or of each.
    initial : ndarray, shape (K,) or (S, K)
        Probability of each state at the first moment.
    """
    with np.errstate(divide="ignore"):
        steps, best = np.log(transition), np.log(initial) + log_emission[:, 0]
    sequences, times, _ = log_emission.shape
    from_where = np.zeros(log_emission.shape, int)
    for time in range(1, times):
        through = best[:, :, None] + steps
        from_where[:, time] = through.argmax(axis=1)
        best = through.max(axis=1) + log_emission[:, time]
    path = np.empty((sequences, times), int)
    path[:, -1] = best.argmax(axis=1)
    for time in range(times - 1, 0, -1):
        path[:, time - 1] = np.take_along_axis(from_where[:, time], path[:, time, None], axis=1)[:, 0]
    return path


def two_states(appearing: np.ndarray | float, disappearing: np.ndarray | float) -> np.ndarray:
    """Transitions of a thing that is absent (state 0) or present (1), shape (2, 2); or of many things, shape (S, 2, 2).

    Parameters
    ----------
    appearing, disappearing : float, or ndarray of shape (S,)
        Probability of it in one step of time.
    """
    go, leave = np.asarray(appearing, float), np.asarray(disappearing, float)
    return np.stack([np.stack([1 - go, go], -1), np.stack([leave, 1 - leave], -1)], -2)


def hopping(states: int, change: float, reach: float) -> np.ndarray:
    """Transitions between numbers of atoms, shape (K, K): mostly none, else more often by few than by many.

    Parameters
    ----------
    states : int
    change : float
        Probability of any change in one step of time.
    reach : float
        Factor by which a change by one atom more is rarer.
    """
    distance = np.abs(np.subtract.outer(np.arange(states), np.arange(states)))
    moves = np.where(distance > 0, reach ** (distance - 1.0), 0.0)
    moves *= change / np.maximum(moves.sum(axis=1, keepdims=True), TINY)
    return np.asarray(moves + (1 - moves.sum(axis=1))[:, None] * np.eye(states))


def learn_hopping(
    log_emission: np.ndarray, initial: np.ndarray, change: float = 0.05, reach: float = 0.3
) -> tuple[np.ndarray, float, float]:
    """The transitions between numbers of atoms that suit all sequences, by expectation maximisation.

    Parameters
    ----------
    log_emission : ndarray, shape (S, T, K)
    initial : ndarray, shape (K,)
    change, reach : float
        See :func:`hopping`; where it begins.

    Returns
    -------
    transition : ndarray, shape (K, K)
    change, reach : float
    """
    states = log_emission.shape[2]
    distance = np.abs(np.subtract.outer(np.arange(states), np.arange(states)))
    before = -np.inf
    for _ in range(ROUNDS):
        found = forward_backward(log_emission, hopping(states, change, reach), initial)
        total, moved = found.pairs.sum(), found.pairs[distance > 0].sum()
        if total <= 0 or states == 1:
            break
        # Half a change is taken as seen before, so that few sequences do not learn that nothing ever moves.
        change = float(np.clip((moved + 0.5) / (total + 1.0), 1e-6, 0.9))
        # A geometric law of the steps beyond the first atom.
        beyond = float(np.sum(found.pairs * np.maximum(distance - 1, 0)))
        reach = float(np.clip((beyond + 0.25) / (beyond + moved + 1.0), 1e-3, 0.95))
        if found.log_likelihood - before < AT_REST * abs(found.log_likelihood):
            break
        before = found.log_likelihood
    return hopping(states, change, reach), change, reach
