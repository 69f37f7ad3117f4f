"""A recorded or simulated image, or a stack of them, with its calibration and what is known of its making."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_atomseg.core.errors import AtomsegError, MissingCalibrationError

RECORDED = "the file"
"""Source of a pixel size that stands in the file of the image itself."""
TEM = ("hrtem", "tem")
"""Modalities of images through an objective lens, as readers name them."""
SOURCE_KEY = "pixel_size_source"
"""Name under which files that we write keep any other source."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Micrograph:
    """An image or a stack of images.

    Attributes
    ----------
    data : array, shape (Y, X) or (T, Y, X)
        Intensities as found in the file; numpy, or lazy dask. Read as float32 block by block with :meth:`frame`.
    pixel_size : tuple of float or None
        (y, x) in Angstrom; None if unknown, never silently 1.
    name : str
        Title shown to people.
    modality : str
        ``haadf``, ``adf``, ``abf``, ``bf``, ``hrtem``, ``sem``, or empty if unknown.
    pixel_size_source : str
        Where the pixel size came from: ``the file``, ``typed``, ``a line`` ...
    unit_in_file : str or None
        Unit as it is spelled in the file.
    energy : float or None
        Beam energy in eV.
    dose : float or None
        e/A2.
    frame_time_s : float or None
        Time between frames of a stack, in seconds.
    path : Path or None
        The file.
    dataset : int
        Index of the dataset in the file.
    notes : tuple of str
        What was assumed or mended on reading, in sentences.
    metadata : mapping
        What the file says, as (nested) plain values.
    """

    data: Any
    pixel_size: tuple[float, float] | None = None
    name: str = "micrograph"
    modality: str = ""
    pixel_size_source: str = ""
    unit_in_file: str | None = None
    energy: float | None = None
    dose: float | None = None
    frame_time_s: float | None = None
    path: Path | None = None
    dataset: int = 0
    notes: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.data.ndim not in (2, 3):
            raise ValueError(f"a micrograph has shape (Y, X) or (T, Y, X), got {tuple(self.data.shape)}")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of `data`."""
        return tuple(int(n) for n in self.data.shape)

    @property
    def frames(self) -> int:
        """Number of frames; 1 for a single image."""
        return self.shape[0] if len(self.shape) == 3 else 1

    def lazy_frame(self, index: int = 0) -> Any:
        """One frame as it lies there, shape (Y, X); a lazy one is not computed yet."""
        return self.data[index] if len(self.shape) == 3 else self.data

    def frame(self, index: int = 0) -> np.ndarray:
        """One frame as float32, shape (Y, X); a lazy frame is computed."""
        return np.asarray(self.lazy_frame(index), dtype=np.float32)

    def frame_indices(self, only: int | None = None) -> list[int]:
        """Indices of all frames, or of the one that is asked for.

        Raises
        ------
        AtomsegError
            If there is no such frame.
        """
        if only is None:
            return list(range(self.frames))
        if not 0 <= only < self.frames:
            raise AtomsegError(f"{self.name} has frames 0 to {self.frames - 1}, not frame {only}")
        return [only]

    def require_pixel_size(self) -> tuple[float, float]:
        """Pixel size (y, x) in Angstrom.

        Raises
        ------
        MissingCalibrationError
            If it is unknown.
        """
        if self.pixel_size is None:
            raise MissingCalibrationError(f"{self.name}: the pixel size is unknown; set it in the panel or with --pixel-size")
        return self.pixel_size

    def calibrated(self, pixel_size: tuple[float, float] | None, source: str) -> Micrograph:
        """The same image with another pixel size (y, x) in Angstrom, and where that came from; None takes it away.

        Parameters
        ----------
        pixel_size : tuple of float, Angstrom, (y, x), or None
        source : str
            Such as ``typed``.
        """
        return replace(self, pixel_size=pixel_size, pixel_size_source=source if pixel_size else "")
