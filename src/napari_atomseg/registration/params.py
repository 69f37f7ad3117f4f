"""How frames are put on each other; light to import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_atomseg.core.params import check


@dataclass(frozen=True, kw_only=True)
class AlignParams:
    """How the frames of a series are aligned and averaged.

    Attributes
    ----------
    mode : {'rigid', 'rows', 'nonrigid'}
        What moves: whole frames; also each scan row by itself, for drift and jitter of a scan; or also smooth distortions.
    average : {'mean', 'median', 'weighted'}
        What becomes one image: the mean of the frames, their median, which forgets what shows in few frames, or a mean in
        which clearer frames count more.
    crop : bool
        Only the field that all frames show, instead of that of the first frame.
    """

    mode: Literal["rigid", "rows", "nonrigid"] = "rigid"
    average: Literal["mean", "median", "weighted"] = "mean"
    crop: bool = False

    def __post_init__(self) -> None:
        check(self)
