"""Atoms counted: each column is given the number of atoms whose cross-sections it most probably belongs to."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np

from napari_atomseg.analysis.hidden_markov import forward_backward, learn_hopping, most_likely_path
from napari_atomseg.analysis.intensities.components import SMOOTHNESS, Choice, choose_components
from napari_atomseg.analysis.intensities.mixture import Mixture, fit_mixture, gathered
from napari_atomseg.analysis.intensities.params import IntensityParams
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress

FEWEST = 12
"""Cross-sections from which a mixture can be fitted at all."""
FEW = 150
"""Below this number the program says how sure it is of the number of counts, whatever it is."""
UNSURE = 0.9
HALF_WAY = 0.25
"""A thinnest column whose cross-section is farther from a whole number of steps may have one atom more or less."""
ROUNDS_IN_TIME = 8
FAR = 4.0
"""Cross-sections farther from all counts than so many widths belong to none."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Counted:
    """Numbers of atoms.

    Attributes
    ----------
    count : ndarray, shape (N,)
        Atoms; NaN where it cannot be said.
    probability : ndarray, shape (N,)
        Of that number, given the mixture.
    mixture : Mixture
    choice : Choice or None
        The mixtures among which it was chosen; None with a library.
    first : int
        Atoms of the first component.
    verdicts : tuple of str
        What speaks against the counts.
    changes : float or None
        Probability that a column changes from frame to frame; None for a single image.
    """

    count: np.ndarray
    probability: np.ndarray
    mixture: Mixture
    choice: Choice | None
    first: int
    verdicts: tuple[str, ...] = ()
    changes: float | None = None


def count_atoms(
    values: np.ndarray, std: np.ndarray, params: IntensityParams, library: np.ndarray | None = None
) -> Generator[Progress, None, Counted]:
    """Count the atoms of columns from their cross-sections.

    Parameters
    ----------
    values, std : ndarray, shape (N,)
        Cross-sections and their standard deviations; NaN where unknown.
    params : IntensityParams
    library : ndarray, shape (L,), optional
        Cross-sections of columns of 1, 2 ... L atoms, in the unit of `values`.

    Raises
    ------
    AtomsegError
        If there are too few cross-sections, or most are negative.
    """
    known = np.isfinite(values)
    usable = known & (values > 0)
    verdicts = []
    if known.any() and np.count_nonzero(usable) < 0.5 * np.count_nonzero(known):
        raise AtomsegError(
            "most cross-sections are negative: the columns are dark, or the background is too high; atoms are counted on "
            "dark-field images, with bright columns"
        )
    if np.count_nonzero(usable) < FEWEST:
        raise AtomsegError(
            f"{np.count_nonzero(usable)} columns have a positive cross-section; to count atoms at least {FEWEST} are needed, and "
            "some hundred to be sure of the number of counts"
        )
    negative = int(np.count_nonzero(known & ~usable))
    if negative:
        verdicts.append(f"{negative:,} columns have a negative cross-section and were not counted")
    growing = params.scatter == "growing"
    counted = gathered(values[usable], _usual_error(std[usable]))
    choice: Choice | None = None
    if library is not None:
        yield Progress(0, 0, "matching the library")
        mixture = fit_mixture(counted, library[None], steps="library", growing=growing, smoothness=SMOOTHNESS[1])
        first = 1
        verdicts += _of_library(values[usable], library)
    else:
        choice = yield from choose_components(
            counted,
            min(params.most_components, max(2, len(values[usable]) // 4)),
            steps=params.steps,
            growing=growing,
            criterion=params.criterion,
            asked=params.components,
        )
        mixture = choice.mixture
        first, said = _first_count(mixture, params.least_atoms)
        verdicts += said
        verdicts += _of_number(choice, int(np.count_nonzero(usable)), params)
    count, probability = np.full(len(values), np.nan), np.full(len(values), np.nan)
    if library is not None or len(mixture.means) > 1 or params.least_atoms is not None:
        shares = mixture.probabilities(values[usable], std[usable])
        count[usable] = first + shares.argmax(axis=1)
        probability[usable] = shares.max(axis=1)
    far = _beyond(values, std, mixture)
    if np.any(far & usable):
        verdicts.append(
            f"{np.count_nonzero(far & usable):,} cross-sections are far from those of any count; they are not counted"
        )
        count[far] = probability[far] = np.nan
    return Counted(count=count, probability=probability, mixture=mixture, choice=choice, first=first, verdicts=tuple(verdicts))


def _usual_error(std: np.ndarray) -> float:
    """Of the cross-sections, as far as they say."""
    known = std[np.isfinite(std)]
    return float(np.median(known)) if len(known) else 0.0


def _beyond(values: np.ndarray, std: np.ndarray, mixture: Mixture) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        sigma = np.maximum(np.array([mixture.sigmas[0], mixture.sigmas[-1]])[:, None], np.nan_to_num(std))
        step = np.mean(np.diff(mixture.means)) if len(mixture.means) > 1 else 0.0
        low = values < mixture.means[0] - FAR * sigma[0] - 0.5 * step
        return np.asarray(low | (values > mixture.means[-1] + FAR * sigma[1] + 0.5 * step))


def _first_count(mixture: Mixture, asked: int | None) -> tuple[int, list[str]]:
    """Atoms of the thinnest columns, and what is to be said of it."""
    if asked is not None:
        return asked, []
    if len(mixture.means) < 2:
        return 1, [
            "the cross-sections show one count only, so there is no step to count by; give a library, or the atoms of the "
            "thinnest columns"
        ]
    steps = float(mixture.means[0] / np.mean(np.diff(mixture.means)[:3]))
    first = max(1, round(steps))
    if abs(steps - first) > HALF_WAY and first + steps > 1.6:
        return first, [
            f"the thinnest columns scatter as much as {steps:.2f} steps; they are counted as {first}, and all counts may be "
            "off by one: give the atoms of the thinnest columns, or a library"
        ]
    return first, []


def _of_number(choice: Choice, columns: int, params: IntensityParams) -> list[str]:
    """How sure the number of counts is."""
    said = []
    if choice.criterion == "you":
        best = choice.chosen_by("bic")
        if best != choice.chosen:
            said.append(f"the number of counts, {choice.chosen}, is yours; the cross-sections alone speak for {best}")
        return said
    if columns < FEW or choice.probability < UNSURE:
        others = np.argsort(choice.curve("bic"))[:3] + 1
        rest = ", ".join(str(one) for one in others if one != choice.chosen)
        said.append(
            f"{choice.chosen} counts from {columns:,} columns: the probability of that number is {100 * choice.probability:.0f} %"
            + (f"; next best {rest}" if rest else "")
        )
    if choice.chosen >= len(choice.mixtures) and len(choice.mixtures) > 2:
        said.append(f"the number of counts, {choice.chosen}, is the largest that was tried; try more components")
    return said


def _of_library(values: np.ndarray, library: np.ndarray) -> list[str]:
    step = float(np.mean(np.diff(library)[-3:])) if len(library) > 1 else float(library[0])
    above = int(np.count_nonzero(values > library[-1] + step / 2))
    if above > 0.02 * len(values):
        return [f"{above:,} columns scatter more than the thickest of the library ({len(library)} atoms); are both on one scale?"]
    if np.median(values) < library[0] / 3:
        return ["most columns scatter far less than one atom of the library; are both on one scale, fractions of the beam?"]
    return []


def count_frames(
    values: np.ndarray,
    std: np.ndarray,
    frame: np.ndarray,
    site: np.ndarray,
    params: IntensityParams,
    library: np.ndarray | None = None,
) -> Generator[Progress, None, Counted]:
    """Count columns that are seen in several frames: the counts from the means over the frames, then each frame.

    Parameters
    ----------
    values, std : ndarray, shape (N,)
    frame, site : ndarray of int, shape (N,)
    params : IntensityParams
    library : ndarray, shape (L,), optional

    Notes
    -----
    Means of a column over n frames scatter less by the root of n, which shows steps that single frames hide; the few columns
    that change meanwhile lie between them. The widths are then those of the single frames. What the frames say of each other
    tells the counts apart better than each alone, and so where their cross-sections lie: scale, level, widths and shares of the
    counts are learnt once more from them (Baum and Welch).
    """
    known = np.isfinite(values) & (site >= 0)
    total = np.bincount(site[known], minlength=site.max() + 1).astype(float)
    seen = total > 0
    means = np.bincount(site[known], values[known], minlength=len(total))[seen] / total[seen]
    errors = np.sqrt(np.bincount(site[known], np.nan_to_num(std[known]) ** 2, minlength=len(total))[seen]) / total[seen]
    of_means = yield from count_atoms(means, np.where(errors > 0, errors, np.nan), params, library)
    usable = np.isfinite(values) & (values > 0)
    mixture = fit_mixture(
        gathered(values[usable], _usual_error(std[usable])),
        of_means.mixture.means[None],
        steps="library",
        growing=params.scatter == "growing",
        smoothness=SMOOTHNESS[1],
    )
    mixture = _learnt_in_time(_Seen.of(values, std, frame, site, usable & (site >= 0)), mixture)
    count, probability = np.full(len(values), np.nan), np.full(len(values), np.nan)
    if np.isfinite(of_means.count).any():
        shares = mixture.probabilities(values[usable], std[usable])
        count[usable], probability[usable] = of_means.first + shares.argmax(axis=1), shares.max(axis=1)
        far = usable & _beyond(values, std, mixture)
        count[far] = probability[far] = np.nan
    return count_in_time(values, std, frame, site, replace(of_means, count=count, probability=probability, mixture=mixture))


def count_in_time(values: np.ndarray, std: np.ndarray, frame: np.ndarray, site: np.ndarray, counted: Counted) -> Counted:
    """Counts of columns that are seen in several frames, in which each frame speaks for those beside it.

    Parameters
    ----------
    values, std : ndarray, shape (N,)
    frame, site : ndarray of int, shape (N,)
        Moment and site of each column; -1 for columns on no site.
    counted : Counted
        Each column for itself, of all frames together.
    """
    mixture = counted.mixture
    rows = np.flatnonzero(np.isfinite(counted.count) & (site >= 0))
    if len(rows) == 0 or len(mixture.means) < 2:
        return counted
    seen = _Seen.of(values, std, frame, site, rows)
    emission = seen.emission(mixture)
    transition, change, _ = learn_hopping(emission, mixture.weights)
    found = forward_backward(emission, transition, mixture.weights)
    path = most_likely_path(emission, transition, mixture.weights)[seen.owner, seen.place]
    count, probability = counted.count.copy(), counted.probability.copy()
    count[rows] = counted.first + path
    probability[rows] = found.probabilities[seen.owner, seen.place, path]
    return replace(counted, count=count, probability=probability, changes=change)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Seen:
    """Cross-sections of sites over time, and their errors, shape (N,), and which site and moment each belongs to."""

    values: np.ndarray
    std: np.ndarray
    owner: np.ndarray
    place: np.ndarray
    shape: tuple[int, int]

    @classmethod
    def of(cls, values: np.ndarray, std: np.ndarray, frame: np.ndarray, site: np.ndarray, rows: np.ndarray) -> _Seen:
        """Those in some rows."""
        times, place = np.unique(frame, return_inverse=True)
        sites, owner = np.unique(site[rows], return_inverse=True)
        shape = len(sites), len(times)
        return cls(values=values[rows], std=np.nan_to_num(std[rows]), owner=owner, place=place[rows], shape=shape)

    def widths(self, mixture: Mixture) -> np.ndarray:
        """Of each count for each cross-section, (N, K)."""
        return np.asarray(np.maximum(mixture.sigmas, self.std[:, None]))

    def emission(self, mixture: Mixture) -> np.ndarray:
        """Logarithm of the density of what was seen for each count, (sites, moments, K); 0 where nothing was."""
        found = np.zeros((*self.shape, len(mixture.means)))
        widths = self.widths(mixture)
        found[self.owner, self.place] = -0.5 * ((self.values[:, None] - mixture.means) / widths) ** 2 - np.log(widths)
        return found


def _learnt_in_time(seen: _Seen, mixture: Mixture) -> Mixture:
    """A mixture whose level, step, widths and weights suit what the frames say of each other; the spacing of its means stays."""
    if len(mixture.means) < 2 or min(seen.shape) < 2 or len(seen.values) < FEWEST:
        return mixture
    found = mixture
    for _ in range(ROUNDS_IN_TIME):
        emission = seen.emission(found)
        transition, _, _ = learn_hopping(emission, found.weights)
        share = forward_backward(emission, transition, found.weights).probabilities[seen.owner, seen.place]
        widths = seen.widths(found)
        pull = share / widths**2
        step, level = _line(found.means, seen.values, pull)
        means = level + step * found.means
        wider = float(np.sqrt(np.sum(share * ((seen.values[:, None] - means) / found.sigmas) ** 2) / len(seen.values)))
        if not (0.5 < step < 2 and 0.5 < wider < 2):
            return mixture
        # All shares a little above zero, so that a count that is rare now may still be taken.
        weights = (share.sum(axis=0) + 0.5) / (len(seen.values) + 0.5 * len(means))
        found = replace(
            found, means=means, sigmas=wider * found.sigmas, base=wider * found.base, growth=wider * found.growth, weights=weights
        )
    return found


def _line(means: np.ndarray, values: np.ndarray, pull: np.ndarray) -> tuple[float, float]:
    """Slope and level of the line that takes means (K,) to values (N,) with weights (N, K)."""
    total, first = pull.sum(), float((pull @ means).sum())
    second, ordinate = float((pull @ means**2).sum()), float((pull.sum(axis=1) * values).sum())
    mixed = float(((pull @ means) * values).sum())
    slope = (total * mixed - first * ordinate) / max(total * second - first**2, 1e-30)
    return float(slope), float((ordinate - slope * first) / total)
