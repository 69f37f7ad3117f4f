"""From the expected scene to what is recorded: how many electrons, through which camera, with which noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import sqrt
from typing import Any

import torch
from torch import Tensor

from napari_atomseg.core.params import from_dict
from napari_atomseg.noise.compose import EFFECTS, Step, apply
from napari_atomseg.optics.detector import MtfParams, through_camera
from napari_atomseg.synthesis.record import Record

IN_PIXELS = {"scan_jitter": ("sigma_x", "sigma_y"), "line_noise": ("sigma",)}
"""Parameters that recipes give in Angstrom, since a stage does not know of pixels."""
UPPER_SHARE, LEVELS = "upper_share", "levels"
"""Recipes may give the limit of `clipping` in parts of what the scene's brightest pixel hardly ever counts more than, its mean
and three standard deviations; and the steps of `quantisation` up to that pixel's mean."""


def camera_of(record: Record) -> MtfParams:
    """Modulation transfer of a record; of no camera without one. Profiles of atoms hold the area of the pixel already."""
    camera = from_dict(MtfParams, dict(record.imaging.get("mtf", {})))
    return replace(camera, pixel=False) if "profile" in record.imaging else camera


def exposure(record: Record, scene: Tensor) -> float:
    """Factor that gives a scene its mean number of counts, alpha of Lobato et al., Eq. 30; 1 where none was asked for.

    An empty field stays dark: no factor gives it a mean, and vacuum is a valid image.

    Parameters
    ----------
    record : Record
        Its `mean` is the mean number of counts of a pixel that is asked for, or None.
    scene : Tensor
        Expected scene, in any unit.
    """
    mean = float(scene.double().mean())
    return 1.0 if record.mean is None or mean <= 0 else record.mean / mean


def steps_of(record: Record, brightest: float) -> list[Step]:
    """Noise of a record with its parameters: lengths in pixels, limits in counts.

    Parameters
    ----------
    record : Record
    brightest : float, e
        Highest value of the expected scene.
    """
    # In the dark, limits and steps are those of single electrons.
    brightest = brightest if brightest > 0 else 1.0
    return [
        (name, _params(name, _absolute(name, given, record.pixel_size, brightest)), seed) for name, given, seed in record.noise
    ]


def recorded(scene: Tensor, steps: Sequence[Sequence[Step]], cameras: Sequence[MtfParams]) -> Tensor:
    """Images of expected scenes: what comes up to the counting happens before the camera blurs, the rest after.

    Parameters
    ----------
    scene : Tensor, shape (B, 1, Y, X), e
        Expected counts.
    steps : sequence of sequence of Step, length B
        Noise of each image.
    cameras : sequence of MtfParams, length B

    Returns
    -------
    Tensor, shape (B, 1, Y, X)
    """
    first = [_until_counted(one) for one in steps]
    counted = apply(scene, [one[:count] for one, count in zip(steps, first, strict=True)])
    return apply(through(scene, counted, cameras), [one[count:] for one, count in zip(steps, first, strict=True)])


def through(expected: Tensor, counted: Tensor, cameras: Sequence[MtfParams]) -> Tensor:
    """Counted electrons as cameras show them; one image at a time, for rounding must not depend on the batch.

    Parameters
    ----------
    expected : Tensor, shape (B, 1, Y, X), e
        Before counting.
    counted : Tensor, shape (B, 1, Y, X), e
    cameras : sequence of MtfParams, length B

    Returns
    -------
    Tensor, shape (B, 1, Y, X)
        `counted` itself if no image has a camera.
    """
    if all(camera.model == "none" for camera in cameras):
        return counted
    alone = zip(torch.split(expected, 1), torch.split(counted, 1), cameras, strict=True)
    return torch.cat([through_camera(scene, image, [camera]) for scene, image, camera in alone])


def _until_counted(steps: Sequence[Step]) -> int:
    names = [name for name, _, _ in steps]
    return names.index("counting") + 1 if "counting" in names else 0


def _absolute(name: str, given: Mapping[str, Any], pixel_size: float, brightest: float) -> dict[str, Any]:
    values = {key: _times(value, 1 / pixel_size) if key in IN_PIXELS.get(name, ()) else value for key, value in given.items()}
    if name == "clipping" and UPPER_SHARE in values:
        values["upper"] = _times(values.pop(UPPER_SHARE), brightest + 3 * sqrt(brightest))
    if name == "quantisation" and LEVELS in values:
        values["gain"] = _times(values.pop(LEVELS), 1 / brightest)
    return values


def _times(value: Any, factor: float) -> Any:
    """A number on another scale; what is none is refused where the parameters are made."""
    return value * factor if isinstance(value, (int, float)) else value


def _params(name: str, values: dict[str, Any]) -> Any:
    return from_dict(EFFECTS[name].params, values) if name in EFFECTS else values
