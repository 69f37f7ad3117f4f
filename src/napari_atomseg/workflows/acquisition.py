"""Simulated images as a microscope would have recorded them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.core.params import check, to_dict
from napari_atomseg.core.quantities import Fraction, Quantity


@dataclass(frozen=True, kw_only=True)
class AcquisitionParams:
    """What the recording adds to a noiseless image.

    Attributes
    ----------
    dose : float
        Electrons of the incident beam, which are counted; automatic counts none.
    dwell_time : float
        Time that the probe stays on a pixel; with the beam current it takes the place of the dose, n = t I / e.
    current : float
        Current of the probe.
    jitter_y, jitter_x : float
        Root mean square displacement of the scan rows.
    correlation : float
        Of neighbouring rows.
    readout : float
        Standard deviation of the detector's own noise, in electrons.
    seed : int
        Of the random numbers: the same seed gives the same noise.
    """

    dose: Annotated[float, Quantity(unit="e/Å²", low=1e-3, high=1e9, decimals=1)] | None = 5000.0
    dwell_time: Annotated[float, Quantity(unit="µs", low=1e-3, high=1e6, decimals=3)] | None = None
    current: Annotated[float, Quantity(unit="pA", low=1e-4, high=1e6, decimals=3)] | None = None
    jitter_y: Annotated[float, Quantity(unit="Å", low=0, high=10, decimals=3)] = 0.0
    jitter_x: Annotated[float, Quantity(unit="Å", low=0, high=10, decimals=3)] = 0.0
    correlation: Fraction = 0.6
    readout: Annotated[float, Quantity(unit="e", low=0, high=1e6)] = 0.0
    seed: Annotated[int, Quantity(low=0, high=2**31 - 1)] = 0

    def __post_init__(self) -> None:
        check(self)
        if (self.dwell_time is None) != (self.current is None):
            raise AtomsegError("dwell time and beam current give the electrons of a pixel together; give both or neither")

    def dose_at(self, pixel_size: float) -> float | None:
        """Electrons of the incident beam, e/Å², on square pixels of a size in Å; None if none are counted."""
        from napari_atomseg.noise.counting import electrons_in_dwell

        if self.dwell_time is None or self.current is None:
            return self.dose
        return electrons_in_dwell(self.dwell_time, self.current) / pixel_size**2


def record(micrograph: Micrograph, params: AcquisitionParams) -> Micrograph:
    """Image as recorded, in the units that it had; the effects are those of :mod:`napari_atomseg.noise`.

    Parameters
    ----------
    micrograph : Micrograph
        One image in fractions of the incident beam.
    params : AcquisitionParams

    Raises
    ------
    AtomsegError
        If it has no pixel size, is a stack, or holds negative intensities as an image of a dose cannot.
    """
    import torch

    from napari_atomseg.noise.compose import Step, apply
    from napari_atomseg.noise.counting import CountingParams, electrons_per_pixel
    from napari_atomseg.noise.scan_jitter import ScanJitterParams
    from napari_atomseg.noise.thermal import ThermalParams

    pixel = float(np.mean(micrograph.require_pixel_size()))
    image = np.asarray(micrograph.data, dtype=np.float32)
    if image.ndim != 2 or not np.isfinite(image).all():
        raise AtomsegError(f"{micrograph.name}: noise is put on one image without gaps, and this is of shape {image.shape}")
    own = [int(one) for one in np.random.SeedSequence(params.seed).generate_state(3, np.uint32) >> 1]
    steps: list[Step] = []
    innovation = np.sqrt(1 - min(params.correlation, 0.99) ** 2) / pixel
    if params.jitter_y > 0 or params.jitter_x > 0:
        phi = min(params.correlation, 0.99)
        jitter = ScanJitterParams(
            sigma_x=float(params.jitter_x * innovation), sigma_y=float(params.jitter_y * innovation), phi_x=phi, phi_y=phi
        )
        steps.append(("scan_jitter", jitter, own[0]))
    dose = params.dose_at(pixel)
    electrons = electrons_per_pixel(dose, pixel) if dose is not None else 1.0
    if dose is not None:
        steps.append(("counting", CountingParams(dose_scale=electrons), own[1]))
    if params.readout > 0:
        steps.append(("thermal", ThermalParams(sigma=params.readout / electrons), own[2]))
    noisy = apply(torch.from_numpy(np.maximum(image, 0))[None, None], [steps])[0, 0].numpy()
    return replace(
        micrograph,
        data=noisy,
        name=f"{micrograph.name} | recorded",
        dose=dose,
        metadata={**micrograph.metadata, "acquisition": to_dict(params)},
    )
