"""Units and limits of the numbers that several effects have in common."""

from __future__ import annotations

from typing import Annotated

from napari_atomseg.core.quantities import Quantity

DoseScale = Annotated[float, Quantity(unit="e", low=1e-9, high=1e9, decimals=3)]
"""Electrons per unit of image intensity, alpha in Lobato et al."""
Intensity = Annotated[float, Quantity(low=0, high=1e9, decimals=4)]
"""Standard deviation, or other size that has no sign, in units of the image intensity."""
Level = Annotated[float, Quantity(low=-1e9, high=1e9, decimals=4)]
"""A value of the image intensity."""
Correlation = Annotated[float, Quantity(low=0, high=0.999, decimals=3)]
"""Correlation coefficient of neighbours in a series."""
Shift = Annotated[float, Quantity(unit="px", low=0, high=1e3, decimals=3)]
"""Standard deviation of a displacement."""
Angle = Annotated[float, Quantity(unit="rad", low=-6.283185307179587, high=6.283185307179587, decimals=4)]
Points = Annotated[int, Quantity(low=0, high=100_000)]
"""Number of things scattered over an image."""
Steps = Annotated[int, Quantity(low=0, high=100)]
"""Steps of a random walk."""
