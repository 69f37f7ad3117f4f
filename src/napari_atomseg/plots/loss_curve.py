"""The loss of a training as it falls."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.plots.picture import Inks, size_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LABEL_PX = 16
MEMORY = 0.9
"""Share of the old value in the smooth line."""
FEWEST = 2
"""Values that make a line."""
SHOWN_PERCENT = 98
"""What lies above this share of the values leaves the plot at its top."""


@dataclass(frozen=True)
class LossCurve:
    """Losses against their update: every one as a faint line, their running mean as a bright one."""

    steps: tuple[float, ...] = ()
    values: tuple[float, ...] = ()

    def with_value(self, step: float, value: float) -> LossCurve:
        """The curve with one more value; what is not a number leaves no trace."""
        if not np.isfinite(value):
            return self
        return replace(self, steps=(*self.steps, step), values=(*self.values, value))

    @property
    def smooth(self) -> np.ndarray:
        """Running mean of the values, shorter in the beginning."""
        kept, mean = [], 0.0
        for number, value in enumerate(self.values):
            share = min(MEMORY, number / (number + 1))
            mean = share * mean + (1 - share) * value
            kept.append(mean)
        return np.array(kept)

    def draw(self, figure: Figure, inks: Inks) -> None:
        """The curve, its last value, and the last update."""
        smooth = self.smooth
        foot = LABEL_PX / size_of(figure)[1]
        axes = figure.add_axes((0.0, foot, 1.0, 1.0 - foot))
        axes.set_axis_off()
        low, high = np.percentile(self.values, (0, SHOWN_PERCENT))
        spare = 0.03 * (high - low) or 1e-12
        axes.set(xlim=(self.steps[0], self.steps[-1]), ylim=(low - spare, high + spare))
        axes.plot(self.steps, self.values, color=inks.faint, linewidth=1)
        axes.plot(self.steps, smooth, color=inks.bright, linewidth=2)
        figure.text(0.0, 0.3 * foot, f"loss {smooth[-1]:.3f}", color=inks.text, horizontalalignment="left")
        figure.text(1.0, 0.3 * foot, f"update {self.steps[-1]:.0f}", color=inks.text, horizontalalignment="right")
