"""Maps that places which look alike agree on.

The denoised image is held to the raw one, which stays the judge of it. What has no raw image to be compared with, the image
without background and the map of columns after rows were put back, is averaged over like places: a belief of its own, that what
looks the same is the same, from which places are excepted that differ by more than chance. See :mod:`.like_patches`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from napari_atomseg.inference.like_patches import averaged, corrected
from napari_atomseg.inference.predict import Prediction, in_counts


def held_to_image(prediction: Prediction) -> Prediction:
    """With a denoised image that keeps to the raw one; for maps whose rows lie as they were scanned."""
    if prediction.image is None or "denoise" not in prediction.maps:
        return prediction
    given = torch.from_numpy(prediction.normal("denoise"))
    return _with(prediction, "denoise", corrected(given, torch.from_numpy(prediction.image)).numpy())


def agreed(prediction: Prediction, tasks: tuple[str, ...]) -> Prediction:
    """With the image without background, and the map of columns as :attr:`Prediction.agreed`, averaged over like places.

    Parameters
    ----------
    prediction : Prediction
    tasks : tuple of str
        What is wanted of the two, ``background`` and ``columns``.
    """
    if "background" not in prediction.maps:
        return prediction
    wanted = [task for task in ("background", "columns") if task in tasks and task in prediction.maps]
    if not wanted:
        return prediction
    given = torch.from_numpy(np.stack([prediction.normal(task) for task in wanted]))
    means = averaged(torch.from_numpy(prediction.normal("background")), given).numpy()
    for task, mean in zip(wanted, means, strict=True):
        prediction = replace(prediction, agreed=mean) if task == "columns" else _with(prediction, task, mean)
    return prediction


def _with(prediction: Prediction, task: str, values: np.ndarray) -> Prediction:
    shown = in_counts(task, values, prediction.dark, prediction.contrast, prediction.sign)
    return replace(prediction, maps={**prediction.maps, task: shown})
