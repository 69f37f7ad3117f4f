"""What stays the same while settings of the lens are fitted, and the differences and slopes that the fit needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.simulation.engine import simulate
from napari_atomseg.simulation.params import SimulationParams

if TYPE_CHECKING:
    from ase import Atoms

    from napari_atomseg.registration.placement import Placement

STEPS = {"defocus": 2.0, "source_size": 0.02}
"""Differences, Å, from which slopes are taken."""
FARTHEST = {"defocus": (-1000.0, 1000.0), "source_size": (0.0, 10.0)}
_FITTED_PIXELS = 250_000


@dataclass(frozen=True, kw_only=True, eq=False)
class LensProblem:
    """What stays the same while settings are fitted: the structure, the pixels, and where the simulation lies on them."""

    structure: Atoms
    points: np.ndarray
    values: np.ndarray
    names: tuple[str, ...]
    absolute: bool
    placement: Placement | None = None

    @staticmethod
    def of(structure: Atoms, experimental: Micrograph, names: tuple[str, ...], absolute: bool) -> LensProblem:
        """The problem of fitting a lens to an experiment.

        Parameters
        ----------
        structure : Atoms
        experimental : Micrograph
            One image with a pixel size.
        names : tuple of str
            Settings that are varied.
        absolute : bool
            Both images are fractions of the beam: no gain and offset are fitted.
        """
        from napari_atomseg.registration.spline_image import points_of

        points, values = points_of(experimental.frame(), experimental.require_pixel_size(), _FITTED_PIXELS)
        return LensProblem(structure=structure, points=points, values=values, names=names, absolute=absolute)

    def with_settings(self, params: SimulationParams, settings: np.ndarray) -> SimulationParams:
        """The parameters with these values of what is varied.

        Parameters
        ----------
        params : SimulationParams
        settings : ndarray, shape (S,), Å
            In the order of `names`.
        """
        named = {name: float(value) for name, value in zip(self.names, settings, strict=True)}
        return replace(params, stem=replace(params.stem, **named))

    def seen_and_expected(self, params: SimulationParams, settings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Experimental and simulated intensities where both are known.

        Parameters
        ----------
        params : SimulationParams
        settings : ndarray, shape (S,), Å

        Returns
        -------
        seen, expected : ndarray, shape (N,)
        """
        from napari_atomseg.registration.placement import Placement
        from napari_atomseg.registration.spline_image import SplineImage

        image = simulate(self.structure, self.with_settings(params, settings))
        surface = SplineImage(image.frame(), image.require_pixel_size())
        places = (self.placement or Placement()).on_simulation(self.points)
        known = surface.within(places)
        return self.values[known], surface.at(places[known])

    def design(self, expected: np.ndarray) -> np.ndarray:
        """What is free of the intensities: the gain, and the offset unless they are absolute."""
        return expected[:, None] if self.absolute else np.column_stack([expected, np.ones(len(expected))])

    def residual(self, params: SimulationParams, settings: np.ndarray) -> np.ndarray:
        """Difference of the intensities after matching.

        Parameters
        ----------
        params : SimulationParams
        settings : ndarray, shape (S,), Å

        Returns
        -------
        residual : ndarray, shape (N,)
            Experiment minus simulation.
        """
        seen, expected = self.seen_and_expected(params, settings)
        design = self.design(expected)
        return np.asarray(seen - design @ np.linalg.lstsq(design, seen, rcond=None)[0])

    def one_minus_r2(self, residual: np.ndarray) -> float:
        """Share of the variance that is not explained."""
        return float(residual @ residual) / (len(residual) * float(self.values.var()))

    def slopes(self, params: SimulationParams, settings: np.ndarray) -> np.ndarray:
        """Change of the simulated intensities with each setting, per Å, shape (N, S).

        Parameters
        ----------
        params : SimulationParams
        settings : ndarray, shape (S,), Å
        """
        found = []
        for row, name in enumerate(self.names):
            ends = []
            for side in (-1, 1):
                moved = settings.copy()
                moved[row] = np.clip(moved[row] + side * STEPS[name], *FARTHEST[name])
                ends.append((moved[row], self.seen_and_expected(params, moved)[1]))
            found.append((ends[1][1] - ends[0][1]) / (ends[1][0] - ends[0][0]))
        return np.stack(found, axis=1)

    def uncertainty(self, params: SimulationParams, settings: np.ndarray) -> tuple[float, np.ndarray]:
        """The gain, and one standard deviation of each setting, then of the gain.

        Parameters
        ----------
        params : SimulationParams
        settings : ndarray, shape (S,), Å

        Returns
        -------
        gain : float
        deviations : ndarray, shape (S + 1,)
            In Å, and in units of the gain; infinite where the image does not depend on a setting.
        """
        seen, expected = self.seen_and_expected(params, settings)
        free = self.design(expected)
        best = np.linalg.lstsq(free, seen, rcond=None)[0]
        left = seen - free @ best
        slopes = best[0] * self.slopes(params, settings) if self.names else np.empty((len(seen), 0))
        design = np.column_stack([slopes, free])
        norms = np.linalg.norm(design, axis=0)
        norms[norms == 0] = 1
        information = (design / norms).T @ (design / norms)
        values, vectors = np.linalg.eigh(information)
        with np.errstate(divide="ignore"):
            variances = (vectors**2 @ (1 / np.where(values > 1e-10, values, 0.0))) / norms**2
        deviations = np.sqrt(variances * float(left @ left) / max(1, len(left) - design.shape[1]))
        return float(best[0]), deviations[: len(self.names) + 1]
