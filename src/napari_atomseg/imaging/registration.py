"""Where a simulated image lies on an experimental one: shift, small rotation, small change of magnification.

The spectra of both, which know nothing of shifts, tell rotation and magnification roughly; the normalised correlation over
the overlap, at all shifts at once, tells the shift; then all are refined together by Gauss-Newton steps on the images with
matched intensities. Crystals are periodic: shifts by a lattice vector that fit as well are told.

Lengths are in Angstrom, order is (y, x); rotation is positive from x towards y. Gain and offset between the images are free.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np
from scipy import fft, ndimage

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress
from napari_atomseg.imaging.own_repeats import first_of_each, own_repeats, same_places, with_least_moved

LARGEST_RATIO = 20.0
"""Of two pixel sizes: beyond it one of them is mistyped, or the images show different things."""
LEAST_SIDE = 8
"""Shortest side of the overlap, px of the experiment."""
_SEARCHED = 1024  # px along the longer field at which shifts are searched
_LEAST_OVERLAP = 0.25  # of the smaller image
_FITTED, _RANKED = 400_000, 25_000  # pixels that take part in the last fit, and in that of each candidate
_NEAR, _LIKELY = 25, 12  # shifts that are looked at: those that move least, and those of the highest correlation
_INDEPENDENT = 12.0  # px over which the noise of an image smoothed by one px is correlated
_MIRRORED = 1.3  # lowest correlation in units of the highest, with which contrasts look opposite
_BEYOND = 7  # px, at most one less than LEAST_SIDE
_SPOTS = 600  # strongest values of a spectrum
_TURN_STEP, _SCALE_STEP = math.radians(0.25), 0.0025
_LOWEST_FREQUENCY = 4.0  # periods across the smaller field: what is slower is shape and illumination
_SIGNIFICANT = 100.0  # difference of chi squared beyond which a shift is better: bright pixels are noisier than the mean
_MUCH_LESS = 0.75  # overlap in parts of another's, with which a shift has to be better by much to be chosen:
_LESS = 0.97  # the same, of two places in which the simulation is the same
_FITTED_AWAY = 0.5  # by so much of the variance that is neither explained nor noise
_PEAK, _AS_HIGH = 41, 0.8  # turns among which a peak is the highest, and share of the highest that is as good
_OF_ONE_CELL = 9  # places of a simulation that is the same in all of them, of which no more are looked at
_SAME = 1e-4  # difference of squared correlations that interpolation may make
_AS_GOOD = 0.02  # relative difference of the unexplained variance of shifts that are told
_OPPOSITE = "the contrasts look opposite: one image seems to have bright columns where the other has dark ones"
_UNLIKE = 0.2  # correlation below which the images hardly resemble each other


@dataclass(frozen=True, kw_only=True)
class Placement:
    r"""Place of the simulated image on the experiment.

    Attributes
    ----------
    shift : tuple of float, Å, (y, x)
        Of the simulated image's first pixel, from the experiment's first.
    rotation : float, rad
        About that pixel, from x towards y.
    magnification : float
        Lengths of the experiment in units of those of the simulation.

    Notes
    -----
    .. math:: r_{exp} = t + m R(\theta)\, r_{sim}
    """

    shift: tuple[float, float] = (0.0, 0.0)
    rotation: float = 0.0
    magnification: float = 1.0

    def on_experiment(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 2) of the simulation on the experiment, Å."""
        return np.asarray(self.shift + self.magnification * points @ _turn(self.rotation).T)

    def on_simulation(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 2) of the experiment on the simulation, Å."""
        return np.asarray((points - self.shift) @ _turn(self.rotation) / self.magnification)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How far rotation (rad) and magnification (relative) may go; 0 where they are not fitted."""

    rotation: float = math.radians(5)
    scale: float = 0.05


@dataclass(frozen=True, kw_only=True)
class Registration:
    """A placement, and how sure it is.

    Attributes
    ----------
    placement : Placement
    correlation : float
        Of the images over the overlap.
    others : tuple of tuple of float, Å, (y, x)
        Differences of other shifts that are as good, of those that were looked at, the shortest first.
    notes : tuple of str
    """

    placement: Placement
    correlation: float
    others: tuple[tuple[float, float], ...] = ()
    notes: tuple[str, ...] = ()


class Surface:
    """An image between its pixels, by cubic splines, with its slopes.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        What is not finite, and the pixels beside it, is unknown.
    pixel_size : tuple of float, Å, (y, x)
    """

    def __init__(self, image: np.ndarray, pixel_size: tuple[float, float]) -> None:
        self.shape = image.shape
        self.pixel_size = np.array(pixel_size, float)
        finite = np.isfinite(image)
        self._unknown = None if finite.all() else ndimage.binary_dilation(~finite, iterations=2).astype(np.float32)
        filled = image.astype(float) if finite.all() else np.where(finite, image, image[finite].mean())
        # Columns that are cut by the border go on beyond it, or the spline would swing there.
        filled = np.pad(filled, _BEYOND, mode="reflect", reflect_type="odd")
        self._spline = ndimage.spline_filter(filled, 3, mode="mirror")
        # The slope of a cubic spline at its knots follows from its coefficients, exactly.
        knots, slope = np.array([1, 4, 1]) / 6, np.array([-0.5, 0, 0.5])
        self._slopes = []
        for axis in (0, 1):
            along = ndimage.correlate1d(self._spline, slope, axis, mode="mirror")
            at_knots = ndimage.correlate1d(along, knots, 1 - axis, mode="mirror")
            self._slopes.append(ndimage.spline_filter(at_knots / self.pixel_size[axis], 3, mode="mirror"))

    @property
    def extent(self) -> np.ndarray:
        """From the first to the last pixel, Å, (y, x)."""
        return (np.array(self.shape) - 1) * self.pixel_size

    def within(self, points: np.ndarray) -> np.ndarray:
        """True for points (N, 2), Å, that the image reaches, shape (N,)."""
        places = points / self.pixel_size
        # A little beyond the outermost pixel, so that a shift by less than that costs no row.
        inside = np.all((places >= -0.05) & (places <= np.array(self.shape) - 0.95), axis=1)
        if self._unknown is not None:
            inside &= ndimage.map_coordinates(self._unknown, places.T, order=1, mode="nearest") < 1e-3
        return inside

    def at(self, points: np.ndarray) -> np.ndarray:
        """Intensities at points (N, 2), Å, shape (N,)."""
        return self._between(self._spline, points)

    def slopes_at(self, points: np.ndarray) -> np.ndarray:
        """Slopes (y, x) per Å at points (N, 2), Å, shape (N, 2)."""
        return np.stack([self._between(slope, points) for slope in self._slopes], axis=1)

    def _between(self, spline: np.ndarray, points: np.ndarray) -> np.ndarray:
        places = points / self.pixel_size + _BEYOND
        return np.asarray(ndimage.map_coordinates(spline, places.T, order=3, mode="mirror", prefilter=False))


def register(
    simulated: np.ndarray,
    experimental: np.ndarray,
    simulated_pixel: tuple[float, float],
    experimental_pixel: tuple[float, float],
    limits: Limits | None = None,
) -> Generator[Progress, None, Registration]:
    """Place of a simulated image on an experimental one.

    Parameters
    ----------
    simulated, experimental : ndarray, shape (Y, X)
        Fields and pixel sizes may differ; what is not finite is unknown. Simulated images are smooth, so that they are read
        at the experiment's pixels, not averaged over them.
    simulated_pixel, experimental_pixel : tuple of float, Å, (y, x)
    limits : Limits, optional

    Yields
    ------
    Progress

    Returns
    -------
    Registration

    Raises
    ------
    AtomsegError
        If an image is constant or too small, or the pixel sizes have nothing in common.
    """
    limits = limits or Limits()
    for name, image in (("simulated", simulated), ("experimental", experimental)):
        require_contrast(image, name)
    _require_alike(simulated_pixel, experimental_pixel)
    yield Progress(0, 3, "searching the shift")
    start, others, opposite = yield from _searched(simulated, experimental, simulated_pixel, experimental_pixel, limits)
    yield Progress(0, 0, "refining the registration")
    surface = Surface(simulated, simulated_pixel)
    points, values = points_of(experimental, experimental_pixel, _FITTED)
    finest = min(experimental_pixel)
    placement, correlation = settled(points, values, surface, start, limits, 1e-5 * finest)
    return Registration(
        placement=placement,
        correlation=correlation,
        others=tuple(others),
        notes=(*_notes(placement, correlation, others, limits), *([_OPPOSITE] if opposite else [])),
    )


def turn_between(
    simulated: np.ndarray,
    experimental: np.ndarray,
    simulated_pixel: tuple[float, float],
    experimental_pixel: tuple[float, float],
) -> float:
    """Angle, rad, by which a simulated image has to be turned from x towards y to lie as the experiment does.

    From the spots of their spectra, which know neither the shift nor half a turn: from -pi/2 to pi/2, to a quarter of a
    degree. Of the angles that are as good for a crystal of more symmetry the smallest is found.
    """
    fields = [np.array(simulated.shape) * simulated_pixel, np.array(experimental.shape) * experimental_pixel]
    step = max(min(experimental_pixel), min(simulated_pixel), float(np.max(fields)) / _SEARCHED)
    expected, seen = (
        _band_passed(_searchable(image, pixel, step, Placement())[0])
        for image, pixel in ((simulated, simulated_pixel), (experimental, experimental_pixel))
    )
    turns, _, scores = _spectral_scores(expected, seen, Limits(rotation=math.pi / 2, scale=0.03))
    heights = scores.max(axis=1)
    peaks = np.flatnonzero((heights == ndimage.maximum_filter1d(heights, _PEAK)) & (heights >= _AS_HIGH * heights.max()))
    return float(turns[peaks[np.argmin(np.abs(turns[peaks]))]])


def resampled(surface: Surface, placement: Placement, shape: tuple[int, int], pixel_size: tuple[float, float]) -> np.ndarray:
    """The simulated image on the pixels of the experiment, float64 (Y, X); NaN where it does not reach."""
    points = _grid(shape, pixel_size)
    places = placement.on_simulation(points)
    known = surface.within(places)
    image = np.full(len(points), np.nan)
    image[known] = surface.at(places[known])
    return image.reshape(shape)


def points_of(image: np.ndarray, pixel_size: tuple[float, float], most: int) -> tuple[np.ndarray, np.ndarray]:
    """Known pixels of an image, evenly thinned to about `most`: their places (N, 2) in Å and their intensities (N,)."""
    rows = max(1, round(math.sqrt(image.size / most)))
    columns = max(1, math.ceil(image.size / most / rows))
    thinned = image[::rows, ::columns]
    points = _grid(thinned.shape, (pixel_size[0] * rows, pixel_size[1] * columns))
    values = thinned.ravel().astype(float)
    known = np.isfinite(values)
    return points[known], values[known]


def settled(
    points: np.ndarray,
    values: np.ndarray,
    surface: Surface,
    start: Placement,
    limits: Limits,
    tolerance: float,
    rounds: int = 40,
) -> tuple[Placement, float]:
    r"""Placement with the least squared difference of matched intensities, by Gauss-Newton steps from a start.

    Parameters
    ----------
    points : ndarray, shape (N, 2), Å
    values : ndarray, shape (N,)
        Of the experiment.
    surface : Surface
        The simulated image.
    start : Placement
    limits : Limits
        What is not fitted has the limit 0.
    tolerance : float, Å
        Steps that move the corners by less end the search.
    rounds : int
        Steps at most.

    Returns
    -------
    placement : Placement
    correlation : float
        Over the overlap.

    Notes
    -----
    .. math:: \min_{t, \theta, m, a, b} \sum_i \left[ E(r_i) - a\, S\big(R(-\theta)(r_i - t) / m\big) - b \right]^2
    """
    placement, unexplained = start, _unexplained(points, values, surface, start)
    for _ in range(rounds):
        step = _step(points, values, surface, placement, limits)
        if step is None:
            break
        share, moved, better = 1.0, placement, math.inf
        while share > 1 / 32:
            moved = _moved(placement, share * step, _middle(points, surface, placement), limits)
            better = _unexplained(points, values, surface, moved)
            if better <= unexplained:
                break
            share /= 2
        if not better <= unexplained:
            break
        corners = surface.extent * np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
        change = np.abs(moved.on_experiment(corners) - placement.on_experiment(corners)).max()
        placement, unexplained = moved, better
        if change < tolerance:
            break
    return placement, math.sqrt(max(0.0, 1 - unexplained)) if math.isfinite(unexplained) else 0.0


def require_contrast(image: np.ndarray, name: str) -> None:
    """Refuse an image that shows nothing.

    Raises
    ------
    AtomsegError
        If it is too small, has too few valid pixels, or is constant.
    """
    if min(image.shape) < LEAST_SIDE:
        raise AtomsegError(
            f"the {name} image has {image.shape[0]} x {image.shape[1]} px; at least {LEAST_SIDE} x {LEAST_SIDE} can be compared, "
            "take a larger field or smaller pixels"
        )
    known = image[np.isfinite(image)]
    if known.size < LEAST_SIDE**2:
        raise AtomsegError(
            f"the {name} image has {known.size} valid pixels, all others are no numbers; take an image with at least "
            f"{LEAST_SIDE**2} valid ones"
        )
    if not np.ptp(known) > 1e-6 * np.abs(known).max():
        raise AtomsegError(f"the {name} image is {known[0]:g} everywhere; take one that shows something")


def _require_alike(simulated: tuple[float, float], experimental: tuple[float, float]) -> None:
    ratio = max(max(a / b, b / a) for a, b in zip(simulated, experimental, strict=True))
    if ratio > LARGEST_RATIO:
        raise AtomsegError(
            f"the simulated image has pixels of {simulated[1]:g} A and the experimental one of {experimental[1]:g} A, a factor "
            f"of {ratio:.0f}; correct the pixel size that is wrong, or simulate with pixels like those of the experiment"
        )


def _notes(placement: Placement, correlation: float, others: list[tuple[float, float]], limits: Limits) -> tuple[str, ...]:
    notes = []
    if others and correlation >= _UNLIKE:
        y, x = others[0]
        many = f"at least {len(others)} other shifts are" if len(others) > 1 else "one other shift is"
        notes.append(
            f"the images are periodic: {many} as good, the nearest {math.hypot(y, x):.2f} A away at ({y:.2f}, {x:.2f}) A (y, x); "
            "which cell of the crystal is compared with which is not determined"
        )
    if correlation < _UNLIKE:
        notes.append(
            f"the images hardly resemble each other (correlation {correlation:.2f}); check structure, zone axis, contrast "
            "(bright or dark columns) and pixel sizes"
        )
    if 0 < limits.rotation <= abs(placement.rotation) + 1e-9:
        limit = math.degrees(limits.rotation)
        notes.append(f"the rotation stands at its limit of {limit:g} degrees; allow more, or turn the model")
    if 0 < limits.scale <= abs(placement.magnification - 1) + 1e-9:
        notes.append(f"the magnification stands at its limit of 1 +- {limits.scale:g}; check the pixel size, or allow more")
    return tuple(notes)


def _turn(angle: float) -> np.ndarray:
    """Rotation of column vectors (y, x) from x towards y."""
    return np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])


def _grid(shape: tuple[int, ...], pixel_size: tuple[float, float]) -> np.ndarray:
    """Places (N, 2) of all pixels, Å."""
    rows, columns = np.arange(shape[0]) * pixel_size[0], np.arange(shape[1]) * pixel_size[1]
    return np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)


# Gauss-Newton


def _overlapping(points: np.ndarray, surface: Surface, placement: Placement) -> tuple[np.ndarray, np.ndarray]:
    """Which points the simulated image reaches, and where they lie on it."""
    places = placement.on_simulation(points)
    known = surface.within(places)
    return known, places[known]


def _middle(points: np.ndarray, surface: Surface, placement: Placement) -> np.ndarray:
    """Of the overlap, about which rotation and magnification change least else."""
    known, _ = _overlapping(points, surface, placement)
    return np.asarray(points[known].mean(axis=0)) if known.any() else np.zeros(2)


def _unexplained(points: np.ndarray, values: np.ndarray, surface: Surface, placement: Placement) -> float:
    """Share of the variance over the overlap that the simulated image does not explain with the best gain and offset."""
    known, places = _overlapping(points, surface, placement)
    if known.sum() < LEAST_SIDE**2 / 4:
        return math.inf
    seen, expected = values[known], surface.at(places)
    seen, expected = seen - seen.mean(), expected - expected.mean()
    total, power = float(seen @ seen), float(expected @ expected)
    if total <= 0 or power <= 0:
        return math.inf
    product = float(seen @ expected)
    return 1 - product * abs(product) / (total * power)


def _step(points: np.ndarray, values: np.ndarray, surface: Surface, placement: Placement, limits: Limits) -> np.ndarray | None:
    """Change of shift (Å), rotation and logarithm of the magnification about the middle of the overlap."""
    known, places = _overlapping(points, surface, placement)
    if known.sum() < LEAST_SIDE**2 / 4:
        return None
    seen, expected = values[known], surface.at(places)
    slopes = surface.slopes_at(places) @ _turn(placement.rotation).T / placement.magnification
    arm = points[known] - points[known].mean(axis=0)
    turned = slopes[:, 0] * arm[:, 1] - slopes[:, 1] * arm[:, 0]
    stretched = np.einsum("ni,ni->n", slopes, arm)
    level = expected - expected.mean()
    gain = float(level @ seen) / max(float(level @ level), np.finfo(float).tiny)
    design = -gain * np.column_stack([slopes, turned * (limits.rotation > 0), stretched * (limits.scale > 0)])
    design = np.column_stack([design, expected, np.ones(len(seen))])
    norms = np.linalg.norm(design, axis=0)
    norms[norms == 0] = 1
    design /= norms
    residual = seen - gain * level - seen.mean()
    # Directions along which the images have no contrast are left alone.
    found = np.linalg.lstsq(design.T @ design, design.T @ residual, rcond=1e-9)[0] / norms
    return np.asarray(found[:4]) if np.isfinite(found).all() else None


def _moved(placement: Placement, step: np.ndarray, middle: np.ndarray, limits: Limits) -> Placement:
    rotation = float(np.clip(placement.rotation + step[2], -limits.rotation, limits.rotation))
    magnification = float(np.clip(placement.magnification * math.exp(step[3]), 1 - limits.scale, 1 + limits.scale))
    if limits.rotation == 0:
        rotation = placement.rotation
    if limits.scale == 0:
        magnification = placement.magnification
    arm = np.array(placement.shift) - middle
    turned = _turn(rotation - placement.rotation) @ arm * (magnification / placement.magnification)
    shift = middle + step[:2] + turned
    return Placement(shift=(float(shift[0]), float(shift[1])), rotation=rotation, magnification=magnification)


# Search


def _searched(
    simulated: np.ndarray,
    experimental: np.ndarray,
    simulated_pixel: tuple[float, float],
    experimental_pixel: tuple[float, float],
    limits: Limits,
) -> Generator[Progress, None, tuple[Placement, list[tuple[float, float]], bool]]:
    """Placement to begin with, differences of other shifts that are as good, and whether the contrasts look opposite."""
    fields = [np.array(simulated.shape) * simulated_pixel, np.array(experimental.shape) * experimental_pixel]
    step = max(min(experimental_pixel), min(simulated_pixel), float(np.max(fields)) / _SEARCHED)
    seen = _band_passed(_searchable(experimental, experimental_pixel, step, Placement())[0])
    placements = [Placement()]
    if limits.rotation > 0 or limits.scale > 0:
        plain = _band_passed(_searchable(simulated, simulated_pixel, step, Placement())[0])
        placements.append(_by_spectra(plain, seen, limits))
    yield Progress(1, 3, "searching the shift")
    found = [_correlated(simulated, simulated_pixel, seen, step, placement) for placement in placements]
    best = max(found, key=lambda one: one.highest)
    if best.highest <= 0:
        raise AtomsegError(
            "the simulated and the experimental image have no overlap in which they resemble each other; check that both are of "
            "the same kind of contrast, and their pixel sizes"
        )
    if len(placements) > 1:
        yield Progress(2, 3, "searching the shift")
        # Rotation and magnification of a crystal can be refined in any of its cells; then all cells can be told apart.
        better = _turned_better(best, seen, step, limits)
        best = max(best, _correlated(simulated, simulated_pixel, seen, step, better), key=lambda one: one.highest)
    shifts = _candidates(best, seen.shape)
    repeats = own_repeats(_correlation(best.expected, best.expected))
    sides = best.expected.shape
    shifts = with_least_moved(shifts, repeats, best.correlation, sides, np.subtract(seen.shape, sides) / 2)
    same = same_places(shifts, repeats)
    kept = first_of_each(same, _OF_ONE_CELL)
    starts = [
        replace(best.placement, shift=(float(y * step - best.low[0]), float(x * step - best.low[1]))) for y, x in shifts[kept]
    ]
    pixels = simulated_pixel, experimental_pixel
    chosen, others = yield from _chosen(starts, same[np.ix_(kept, kept)], simulated, experimental, pixels, limits)
    return chosen, others, -best.lowest > _MIRRORED * best.highest


@dataclass(frozen=True, kw_only=True, eq=False)
class _Correlated:
    """A simulated image on the grid of the search, where its corner lies (Å), and its correlation for every shift."""

    placement: Placement
    expected: np.ndarray
    low: np.ndarray
    correlation: np.ndarray

    @property
    def highest(self) -> float:
        return float(np.nanmax(self.correlation, initial=-1.0))

    @property
    def lowest(self) -> float:
        return float(np.nanmin(self.correlation, initial=1.0))


def _correlated(
    simulated: np.ndarray, pixel_size: tuple[float, float], seen: np.ndarray, step: float, placement: Placement
) -> _Correlated:
    image, low = _searchable(simulated, pixel_size, step, placement)
    expected = _band_passed(image)
    return _Correlated(placement=placement, expected=expected, low=low, correlation=_correlation(seen, expected))


def _turned_better(found: _Correlated, seen: np.ndarray, step: float, limits: Limits) -> Placement:
    """Rotation and magnification after refinement at the shift of the highest correlation."""
    shift = _candidates(found, seen.shape)[0] * step
    points, values = points_of(seen, (step, step), _RANKED)
    start = Placement(shift=(float(shift[0]), float(shift[1])))
    wide = Limits(rotation=2 * limits.rotation, scale=2 * limits.scale)
    change, _ = settled(points, values, Surface(found.expected, (step, step)), start, wide, 0.01 * step, rounds=20)
    return Placement(
        rotation=float(np.clip(found.placement.rotation + change.rotation, -limits.rotation, limits.rotation)),
        magnification=float(np.clip(found.placement.magnification * change.magnification, 1 - limits.scale, 1 + limits.scale)),
    )


def _searchable(
    image: np.ndarray, pixel_size: tuple[float, float], step: float, placement: Placement
) -> tuple[np.ndarray, np.ndarray]:
    """The image, turned and magnified, on square pixels of `step`, NaN where it is unknown, and where its corner lies (Å)."""
    size = np.array(pixel_size)
    blur = np.where(step > 1.5 * size, 0.3 * step / size, 0.0)
    if blur.any():
        image = _smoothed(image, blur)
    surface = Surface(image, pixel_size)
    corners = placement.on_experiment(surface.extent * np.array([[0, 0], [0, 1], [1, 0], [1, 1]]))
    low = corners.min(axis=0)
    rows, columns = (int(length / step + 1e-6) + 1 for length in np.ptp(corners, axis=0))
    moved = replace(placement, shift=(-float(low[0]), -float(low[1])))
    return resampled(surface, moved, (rows, columns), (step, step)), low


def _smoothed(image: np.ndarray, sigma: np.ndarray | float) -> np.ndarray:
    """Gaussian mean of the known pixels; unknown where the image is."""
    known = np.isfinite(image)
    weights = ndimage.gaussian_filter(known.astype(float), sigma, mode="constant")
    total = ndimage.gaussian_filter(np.where(known, image, 0.0), sigma, mode="constant")
    return np.where(known, total / np.maximum(weights, 1e-12), np.nan)


def _band_passed(image: np.ndarray) -> np.ndarray:
    """Without noise from pixel to pixel, and without slow changes of illumination or thickness."""
    # Each pixel counts from the middle of what is known, so that steep levels do not cancel in single digits.
    image = image - np.nanmean(image)
    return _smoothed(image, 1.0) - _broad_mean(image, max(8, min(image.shape) // 3))


def _broad_mean(image: np.ndarray, width: int) -> np.ndarray:
    """As a Gaussian mean of half the width, by three running means, which takes as long for any width."""
    known = np.isfinite(image)
    parts = [known.astype(float), np.where(known, image, 0.0)]
    for _ in range(3):
        parts = [ndimage.uniform_filter(part, width, mode="constant") for part in parts]
    return np.where(known, parts[1] / np.maximum(parts[0], 1e-12), np.nan)


def _by_spectra(expected: np.ndarray, seen: np.ndarray, limits: Limits) -> Placement:
    """Rotation and magnification that carry the strongest spots of one spectrum onto the other."""
    turns, scales, scores = _spectral_scores(expected, seen, limits)
    best = np.unravel_index(int(np.argmax(scores)), scores.shape)
    return Placement(rotation=float(turns[best[0]]), magnification=float(1 + scales[best[1]]))


def _spectral_scores(expected: np.ndarray, seen: np.ndarray, limits: Limits) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Turns (T,), rad, relative changes of scale (S,), and how well the spectra's spots meet with each pair of them (T, S)."""
    side = fft.next_fast_len(2 * max(*expected.shape, *seen.shape), real=True)
    lowest = _LOWEST_FREQUENCY * side / min(*expected.shape, *seen.shape)
    frequency = fft.fftshift(fft.fftfreq(side, 1 / side))
    radius = np.hypot(frequency[:, None], frequency[None])
    outside = (radius < lowest) | (radius > 0.45 * side)
    spectra = [np.where(outside, 0, _spectrum(image, side)) for image in (expected, seen)]
    rows, columns = np.unravel_index(np.argsort(spectra[0], axis=None)[-_SPOTS:], radius.shape)
    spots, strengths = np.stack([frequency[rows], frequency[columns]], axis=1), spectra[0][rows, columns]
    turns = _steps(limits.rotation, _TURN_STEP)
    scales = _steps(limits.scale, _SCALE_STEP)
    scores = np.zeros((len(turns), len(scales)))
    for row, turn in enumerate(turns):
        # What is magnified has lower frequencies.
        places = (spots @ _turn(turn).T)[None] / (1 + scales)[:, None, None] + side // 2
        values = ndimage.map_coordinates(spectra[1], places.reshape(-1, 2).T, order=1, mode="nearest")
        scores[row] = values.reshape(len(scales), -1) @ strengths
    return turns, scales, scores


def _steps(limit: float, step: float) -> np.ndarray:
    count = math.ceil(limit / step)
    return np.linspace(-limit, limit, 2 * count + 1) if count else np.zeros(1)


def _spectrum(image: np.ndarray, side: int) -> np.ndarray:
    """Amplitudes of the windowed image, zero frequency in the middle, shape (side, side)."""
    window = np.outer(*(np.hanning(length + 2)[1:-1] for length in image.shape))
    amplitude = np.abs(fft.fft2(np.nan_to_num(image) * window, (side, side)))
    return np.asarray(fft.fftshift(amplitude))


def _correlation(seen: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Normalised correlation over the overlap for every shift; NaN where that is small.

    Entry (i, j) belongs to the shift (i - Y + 1, j - X + 1) of an expected image of shape (Y, X).

    References
    ----------
    Padfield, IEEE Trans. Image Process. 21 (2012) 2706, Eq. 9.
    """
    shape = tuple(a + b - 1 for a, b in zip(seen.shape, expected.shape, strict=True))
    fast = [fft.next_fast_len(length, real=True) for length in shape]
    flipped = expected[::-1, ::-1]
    first, second = ([np.isfinite(image).astype(float), np.nan_to_num(image)] for image in (seen, flipped))
    first, second = ([*parts, parts[1] ** 2] for parts in (first, second))
    one, two = ([fft.rfft2(part, fast) for part in parts] for parts in (first, second))

    def summed(a: int, b: int) -> np.ndarray:
        return np.asarray(fft.irfft2(one[a] * two[b], fast)[: shape[0], : shape[1]])

    count = np.maximum(summed(0, 0), 1.0)
    mean_seen, mean_expected = summed(1, 0) / count, summed(0, 1) / count
    covariance = summed(1, 1) / count - mean_seen * mean_expected
    variances = (summed(2, 0) / count - mean_seen**2) * (summed(0, 2) / count - mean_expected**2)
    least = _LEAST_OVERLAP * min(first[0].sum(), second[0].sum())
    floor = 1e-6 * float(np.nanvar(seen)) * float(np.nanvar(expected))
    good = (count >= max(least, LEAST_SIDE**2)) & (variances > floor)
    return np.where(good, covariance / np.sqrt(np.maximum(variances, floor + 1e-300)), np.nan)


def _chosen(
    starts: list[Placement],
    same: np.ndarray,
    simulated: np.ndarray,
    experimental: np.ndarray,
    pixels: tuple[tuple[float, float], tuple[float, float]],
    limits: Limits,
) -> Generator[Progress, None, tuple[Placement, list[tuple[float, float]]]]:
    """The best of a few placements, of which the first moves least, and the differences of other shifts that are as good.

    That is the first one than which none is better by more than noise can make it. Images are compared that were not
    filtered: their noise is independent, and nothing differs near the borders. Where the simulation itself is the same in both
    places (`same`, shape (N, N)), a smaller overlap is never better: it only fits what the experiment shows there, such as a
    bent scan.
    """
    surface, finest = Surface(simulated, pixels[0]), min(pixels[1])
    points, values = points_of(experimental, pixels[1], _RANKED)
    placements = []
    for number, start in enumerate(starts):
        yield Progress(number, 2 * len(starts), "comparing shifts")
        placements.append(settled(points, values, surface, start, limits, 1e-3 * finest, rounds=8)[0])
    placements = yield from _turned_alike(placements, points, values, surface, 1e-3 * finest)
    images = np.full((len(placements), len(points)), np.nan)
    for image, placement in zip(images, placements, strict=True):
        known, places = _overlapping(points, surface, placement)
        image[known] = surface.at(places)
    gained, doubt, unexplained = _gains(values, images, _noise_share(experimental), same)
    reached = np.isfinite(images).sum(axis=1)
    smaller = reached[:, None] < _MUCH_LESS * reached
    gained = np.where(smaller & same, np.minimum(gained, 0.0), gained)
    beaten = (gained - doubt).max(axis=0)
    chosen = int(np.argmax(beaten <= 0)) if (beaten <= 0).any() else int(np.argmin(beaten))
    middle = surface.extent[None] / 2
    others: list[tuple[float, float]] = []
    for rival, placement in enumerate(placements):
        apart = (placement.on_experiment(middle) - placements[chosen].on_experiment(middle))[0]
        new = all(math.dist(apart, one) > 3 * finest for one in [(0, 0), *others])
        if new and -gained[rival, chosen] <= max(doubt[rival, chosen], _AS_GOOD * unexplained[rival, chosen]):
            others.append((float(apart[0]), float(apart[1])))
    return placements[chosen], sorted(others, key=lambda one: math.hypot(*one))


def _turned_alike(
    placements: list[Placement], points: np.ndarray, values: np.ndarray, surface: Surface, tolerance: float
) -> Generator[Progress, None, list[Placement]]:
    """The same shifts, all with the rotation and magnification of the placement that explains most.

    Over a small overlap these fit what happens to be there, such as the displacements of a few rows, and would make it the best.
    """
    reached = [int(_overlapping(points, surface, placement)[0].sum()) for placement in placements]
    power = [count * (1 - _unexplained(points, values, surface, one)) for count, one in zip(reached, placements, strict=True)]
    model = placements[int(np.argmax(power))]
    middle = surface.extent[None] / 2
    found = []
    for number, one in enumerate(placements):
        yield Progress(len(placements) + number, 2 * len(placements), "comparing shifts")
        start = replace(model, shift=(0.0, 0.0))
        y, x = (one.on_experiment(middle) - start.on_experiment(middle))[0]
        start = replace(model, shift=(float(y), float(x)))
        found.append(settled(points, values, surface, start, Limits(rotation=0, scale=0), tolerance, rounds=8)[0])
    return found


def _noise_share(image: np.ndarray) -> float:
    """Share of an image's variance that is noise from pixel to pixel (Immerkaer, Comput. Vis. Image Underst. 64 (1996) 300)."""
    bent = ndimage.convolve(np.nan_to_num(image), np.outer([1, -2, 1], [1, -2, 1]) / 6)[1:-1, 1:-1]
    sigma = 1.4826 * float(np.median(np.abs(bent)))
    return min(1.0, sigma**2 / max(float(np.nanvar(image)), np.finfo(float).tiny))


def _gains(
    values: np.ndarray, images: np.ndarray, noise_share: float, same: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How much more of the variance one image explains than another, what of that noise can make, and what is left.

    Over the pixels that both reach, since noise differs from place to place; images that have none in common, over their own.

    Parameters
    ----------
    values : ndarray, shape (P,)
    images : ndarray, shape (N, P)
        NaN where they do not reach.
    noise_share : float
        Of the variance of the values; what else is not explained is the model's, and differs from place to place.
    same : ndarray of bool, shape (N, N)
        Places in which the simulation is the same: there any smaller overlap has to explain much more.

    Returns
    -------
    gained, doubt, unexplained : ndarray, shape (N, N)
        Of each image (row) over each other one.
    """
    known = np.isfinite(images).astype(float)
    level = values - values.mean()
    expected = np.where(known > 0, images - np.nanmean(images), 0.0)
    count = np.maximum(known @ known.T, 1)
    # Entry (i, j): mean over the pixels of both i and j, of the values or of image i.
    mean_seen, mean_expected = (known * level) @ known.T / count, expected @ known.T / count
    seen = (known * level**2) @ known.T / count - mean_seen**2
    power = expected**2 @ known.T / count - mean_expected**2
    product = (expected * level) @ known.T / count - mean_seen * mean_expected
    explained = np.maximum(product, 0) ** 2 / np.maximum(seen * power, np.finfo(float).tiny)
    own, number = np.diag(explained), np.diag(count)
    apart = count < LEAST_SIDE**2
    gained = np.where(apart, own[:, None] - own, explained - explained.T)
    unexplained = 1 - np.where(apart, np.maximum(own[:, None], own), np.maximum(explained, explained.T))
    # Of places that are apart the noise differs too.
    chance = 2 * math.sqrt(_SIGNIFICANT) * unexplained / np.sqrt(np.minimum(number[:, None], number))
    noise = np.where(apart, chance, _SIGNIFICANT * unexplained / count)
    # The shift too is fitted to the few rows of a small overlap.
    smaller = number[:, None] < np.where(same, _LESS, _MUCH_LESS) * number
    misfit = _FITTED_AWAY * np.maximum(unexplained - noise_share, 0.0)
    return gained, np.maximum(np.maximum(_SAME, np.where(smaller, misfit, 0.0)), noise), unexplained


def _candidates(found: _Correlated, seen: tuple[int, ...]) -> np.ndarray:
    """Shifts (N, 2), px, of the highest peaks of the correlation and of the high ones that move the middles least.

    Those that move the middles less stand first; peaks that are lower by a tenth come after all others.
    """
    filled = np.nan_to_num(found.correlation, nan=-1.0)
    # Where the least overlap ends, the correlation is cut off and not at a peak.
    inner = ndimage.binary_erosion(np.isfinite(found.correlation), np.ones((3, 3)))
    peaks = np.argwhere((filled == ndimage.maximum_filter(filled, 3)) & (filled > 0.8 * filled.max()) & inner)
    if len(peaks) == 0:
        peaks = np.argwhere(filled == filled.max())[:1]
    heights = _peak_heights(filled, peaks)
    # Neither noise nor the grid of the search can make so much difference.
    likely = 1 - heights**2 <= 1.5 * (1 - heights.max() ** 2) + 0.03
    peaks, heights = peaks[likely], heights[likely]
    shifts = peaks - (np.array(found.expected.shape) - 1)
    sides = np.array(found.expected.shape)
    apart = np.hypot(*(shifts - (np.array(seen) - sides) / 2).T)
    common = np.prod(np.minimum(shifts + sides, seen) - np.maximum(shifts, 0), axis=1)
    # A high correlation over a small overlap may be chance.
    sure = heights - 2 * (1 - np.clip(heights, 0, 1) ** 2) / np.sqrt(np.maximum(common / _INDEPENDENT, 1))
    nearest = np.lexsort((apart, heights < 0.9 * heights.max()))
    kept = np.zeros(len(peaks), bool)
    kept[nearest[:_NEAR]] = True
    kept[np.argsort(-sure)[:_LIKELY]] = True
    return shifts[[row for row in nearest if kept[row]]]


def _peak_heights(image: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """Heights between the pixels, by parabolas along both axes."""
    rows, columns = np.clip(peaks.T, 1, (np.array(image.shape) - 2)[:, None])
    heights = image[rows, columns].copy()
    for before, after in (
        (image[rows - 1, columns], image[rows + 1, columns]),
        (image[rows, columns - 1], image[rows, columns + 1]),
    ):
        bend = np.minimum(before + after - 2 * image[rows, columns], -1e-9)
        heights -= np.clip((after - before) ** 2 / (8 * bend), -0.1, 0)
    return np.asarray(heights)
