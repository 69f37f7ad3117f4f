"""Atomic columns of a micrograph: positions in pixels and a table of features, with fixed names.

A :class:`Columns` value never changes; an edit gives a new one. That makes undo a list of values, and sharing safe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from napari_atomseg.core.errors import MissingCalibrationError

POSITION_NAMES = ("y_px", "x_px", "y_angstrom", "x_angstrom")
"""Columns of the file that hold positions."""

FEATURES: dict[str, object] = {
    "y_std_px": np.nan,
    "x_std_px": np.nan,
    "intensity": np.nan,
    "background": np.nan,
    "sigma_px": np.nan,
    "sigma_minor_px": np.nan,
    "theta_rad": np.nan,
    "confidence": np.nan,
    "fit": "none",
    "origin": "manual",
}
"""Feature names in file order, each with the value that means "unknown"."""

ORIGINS = ("classical", "model", "manual", "snapped", "imported")
FITS = ("none", "ok", "border", "overlap", "failed")
FLAGGED_FITS = ("overlap", "failed")
FILE_NAMES = (*POSITION_NAMES, *FEATURES, "frame")
"""Header of a columns file; further features follow."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Columns:
    """Atomic columns of one image or of every frame of a stack.

    Attributes
    ----------
    positions : ndarray, shape (N, 2), px, (y, x)
        Centre of the first pixel is (0, 0).
    frame : ndarray of int, shape (N,)
        Frame of each column; 0 for a single image.
    features : DataFrame, N rows
        At least the names in :data:`FEATURES`.
    pixel_size : tuple of float or None
        (y, x) in Angstrom.
    image_shape : tuple of int or None
        Shape of the micrograph.
    provenance : mapping
        Image, model, parameters, versions; stored beside the table.
    """

    positions: np.ndarray
    frame: np.ndarray = None  # type: ignore[assignment]  # filled in below
    features: pd.DataFrame = None  # type: ignore[assignment]
    pixel_size: tuple[float, float] | None = None
    image_shape: tuple[int, ...] | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        positions = np.array(self.positions, dtype=np.float64).reshape(-1, 2)
        count = len(positions)
        frame = np.zeros(count, int) if self.frame is None else np.array(self.frame, dtype=int).reshape(-1)
        features = complete_features(self.features, count)
        if len(frame) != count or len(features) != count:
            raise ValueError(f"{count} positions, but {len(frame)} frames and {len(features)} rows of features")
        positions.flags.writeable = False
        frame.flags.writeable = False
        object.__setattr__(self, "positions", positions)
        object.__setattr__(self, "frame", frame)
        object.__setattr__(self, "features", features)

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def positions_angstrom(self) -> np.ndarray:
        """Positions in Angstrom, shape (N, 2), (y, x).

        Raises
        ------
        MissingCalibrationError
            If the pixel size is unknown.
        """
        if self.pixel_size is None:
            raise MissingCalibrationError("positions in Angstrom need a pixel size; set it in the panel or with --pixel-size")
        return self.positions * np.asarray(self.pixel_size)

    @property
    def image_name(self) -> str:
        """Name of the image that the columns belong to; empty if unknown."""
        return _of_image(self.provenance, "name")

    @property
    def image_path(self) -> str:
        """Path of that image's file; empty if unknown."""
        return _of_image(self.provenance, "path")

    @property
    def flagged(self) -> np.ndarray:
        """True for columns whose fit failed or overlapped, shape (N,)."""
        return self.features["fit"].isin(FLAGGED_FITS).to_numpy()

    def select(self, which: np.ndarray) -> Columns:
        """The columns given by a mask or by indices."""
        features = self.features[which] if np.asarray(which).dtype == bool else self.features.iloc[which]
        return replace(self, positions=self.positions[which], frame=self.frame[which], features=features)

    def remove(self, indices: np.ndarray) -> Columns:
        """All columns but these."""
        keep = np.ones(len(self), bool)
        keep[indices] = False
        return self.select(keep)

    def joined(self, other: Columns) -> Columns:
        """These columns, then the other ones."""
        return replace(
            self,
            positions=np.concatenate([self.positions, other.positions]),
            frame=np.concatenate([self.frame, other.frame]),
            features=pd.concat([self.features, other.features], ignore_index=True),
        )

    def with_features(self, **values: Any) -> Columns:
        """The same columns with some features replaced."""
        return replace(self, features=self.features.assign(**values))

    def of_frame(self, index: int) -> Columns:
        """The columns of one frame."""
        return self.select(self.frame == index)


def _of_image(provenance: Mapping[str, Any], what: str) -> str:
    """One entry of what the provenance says of the image, which older files give as a bare name."""
    image = provenance.get("image")
    if isinstance(image, Mapping):
        return str(image.get(what) or "")
    return str(image or "") if what == "name" else ""


def complete_features(features: pd.DataFrame | None, count: int) -> pd.DataFrame:
    """Table with every name of :data:`FEATURES` first, in order, unknown values filled in, further features after them."""
    table = pd.DataFrame(index=range(count)) if features is None else features.reset_index(drop=True)
    known = {}
    for name, unknown in FEATURES.items():
        if name not in table:
            known[name] = pd.Series([unknown] * count, dtype=object if isinstance(unknown, str) else float)
        elif isinstance(unknown, str):
            known[name] = table[name].astype(object)
        else:
            known[name] = table[name].astype(float)
    extra = {name: table[name] for name in table.columns if name not in FEATURES}
    return pd.DataFrame({**known, **extra}, index=range(count))


def join_frames(parts: list[Columns]) -> Columns:
    """One table out of the tables of several frames; the first one's calibration and provenance hold.

    Raises
    ------
    ValueError
        If there is nothing to join.
    """
    if not parts:
        raise ValueError("no tables to join")
    first = parts[0]
    return replace(
        first,
        positions=np.concatenate([part.positions for part in parts]),
        frame=np.concatenate([part.frame for part in parts]),
        features=pd.concat([part.features for part in parts], ignore_index=True),
    )
