"""What is done to the noiseless image of the columns, by the names that recipes use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

from torch import Tensor

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import from_dict
from napari_atomseg.imaging.scene_effects import grey_values, illumination
from napari_atomseg.imaging.scene_effects.speckle import SpeckleParams, add_speckle
from napari_atomseg.synthesis.record import Step


def _by_params(function: Callable[[Tensor, Sequence[Any]], Tensor]) -> Callable[[Tensor, Sequence[Any], Sequence[int]], Tensor]:
    return lambda image, params, seeds: function(image, params)


SCENE: dict[str, tuple[type, Callable[[Tensor, Sequence[Any], Sequence[int]], Tensor]]] = {
    "inversion": (grey_values.InversionParams, _by_params(grey_values.invert_contrast)),
    "response": (grey_values.ResponseParams, _by_params(grey_values.apply_response)),
    "speckle": (SpeckleParams, add_speckle),
    "gaussian_background": (grey_values.GaussianBackgroundParams, _by_params(grey_values.add_gaussian_background)),
    "plane": (grey_values.PlaneParams, _by_params(grey_values.add_plane)),
    "pedestal": (grey_values.PedestalParams, _by_params(grey_values.add_pedestal)),
    "line_light": (illumination.LineLightParams, _by_params(illumination.light_from_line)),
    "point_light": (illumination.PointLightParams, _by_params(illumination.light_from_point)),
    "scaling": (grey_values.ScalingParams, _by_params(grey_values.scale_contrast)),
}
"""In the order in which they happen: as in Lobato et al., Eq. 23-26, an inverted image is bent, and not the other way round."""


def build_scene(image: Tensor, steps: Sequence[Sequence[Step]], pixel_size: Sequence[float]) -> Tensor:
    """The images (B, 1, Y, X) with what lies around and under the columns.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X)
    steps : sequence, length B, of sequences of (name, parameters, seed)
        Each name at most once for an image.
    pixel_size : sequence of float, length B, Angstrom

    Raises
    ------
    AtomsegError
        If a name is unknown.
    """
    for name in {name for one in steps for name, _, _ in one} - set(SCENE):
        raise AtomsegError(f'there is no scene effect "{name}"; choose one of {", ".join(SCENE)}')
    found = image.clone()
    for name, (cls, function) in SCENE.items():
        given = {row: step for row, one in enumerate(steps) for step in one if step[0] == name}
        if not given:
            continue
        rows = list(given)
        known = {"pixel_size"} & {field.name for field in fields(cls)}
        extra = [{"pixel_size": pixel_size[row]} if known else {} for row in rows]
        params: list[Any] = [from_dict(cls, {**step[1], **more}) for step, more in zip(given.values(), extra, strict=True)]
        found[rows] = function(found[rows], params, [step[2] for step in given.values()])
    return found
