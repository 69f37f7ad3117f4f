"""How a sequence of frames is followed; light to import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity


@dataclass(frozen=True, kw_only=True)
class SequenceParams:
    """How columns are followed from frame to frame.

    Attributes
    ----------
    positions : str
        Where columns are looked for: in the average of the aligned frames, which serves frames of low dose (average), in each
        frame by itself (frames), or (auto) in the average unless the finder is a network of structures.
    hop_distance : float
        A column that disappears while another one appears no farther away than this has hopped; in units of the usual distance
        of neighbours. 0 calls nothing a hop.
    false_share : float
        Share of false sites that is tolerated where sites are looked for that are occupied too seldom for the average.
    least_frames : int
        Sites that are occupied in fewer frames are left out.
    """

    positions: Literal["auto", "average", "frames"] = "auto"
    hop_distance: Annotated[float, Quantity(low=0, high=5, decimals=2)] = 1.3
    false_share: Annotated[float, Quantity(low=1e-6, high=0.5, decimals=3)] = 0.01
    least_frames: Annotated[int, Quantity(low=1, high=100000)] = 2

    def __post_init__(self) -> None:
        check(self)
