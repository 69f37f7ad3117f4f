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


@dataclass(frozen=True)
class Feature:
    """A measured or believed property of a column, with a name that is the same everywhere.

    Attributes
    ----------
    name : str
        In tables, files and :attr:`Columns.features`.
    unit : str
        Empty for a pure number or a word.
    meaning : str
        What it is, in a few words.
    written_by : str
        The step that fills it in.
    unknown : float or str
        Value of a column for which it is not known.
    """

    name: str
    unit: str
    meaning: str
    written_by: str
    unknown: object = np.nan


SCAN_SHIFT = ("scan_shift_y_px", "scan_shift_x_px")
NETWORK_POSITION = ("network_y_px", "network_x_px")
NETWORK_STD = "network_std_px"
MAP_CONFIDENCE = "map_confidence"
CLASS, CLASS_PROBABILITY = "class", "class_probability"
TAIL_SHARE, YX_CORRELATION = "tail_share", "yx_correlation"
LATTICE_RESIDUAL = ("lattice_residual_y_px", "lattice_residual_x_px")
SUBLATTICE, AROUND, RESPONSE = "sublattice", "around", "response"
CROSS_SECTION, COUNT_PROBABILITY = "cross_section", "atom_count_probability"
OUTLIER_Q, EXISTENCE = "outlier_q", "existence_probability"
ELEMENT, ATOM_COUNT, OCCUPANCY = "element", "atom_count", "occupancy"
NEIGHBOURS = "neighbours"
GRAIN, SITE = "grain", ("site_u", "site_v")
DISPLACEMENT = ("displacement_y_angstrom", "displacement_x_angstrom")
POLAR = ("polar_y_angstrom", "polar_x_angstrom")
STRAIN = ("strain_xx", "strain_yy", "strain_xy", "rotation_rad")
TILT = "tilt_deg"
SITE_NUMBER, TIME = "site", "time_s"
COLUMN_ATOMS = "column_atoms"
TEMPLATE, TEMPLATE_MATCH, TEMPLATE_ROTATION = "template", "template_match", "template_rotation_rad"
TEMPLATE_STRAIN = ("template_strain_xx", "template_strain_yy", "template_strain_xy")


MOST_ATOMS = 20
"""Highest column for which there is a name of the probability that it is so high."""


def probability_of_atoms(number: int) -> str:
    """Name of the feature that holds the probability of so many atoms, 1 to :data:`MOST_ATOMS`."""
    return f"{COUNT_PROBABILITY}_{number}"


def std_of(name: str) -> str:
    """Name of the feature that holds the standard deviation of another one."""
    return f"{name}_std"


def _measured(name: str, unit: str, meaning: str, written_by: str) -> tuple[Feature, Feature]:
    """A measured number, and its standard deviation."""
    return Feature(name, unit, meaning, written_by), Feature(std_of(name), unit, f"one standard deviation of {name}", written_by)


ALWAYS = (
    Feature("y_std_px", "px", "one standard deviation of y", "fit"),
    Feature("x_std_px", "px", "one standard deviation of x", "fit"),
    Feature("intensity", "as the image", "height above the background; negative for dark columns", "finder, fit"),
    Feature("background", "as the image", "level under the column", "finder, fit"),
    Feature("sigma_px", "px", "width of the Gaussian, standard deviation, along its long axis", "finder, fit"),
    Feature("sigma_minor_px", "px", "the same along its short axis", "fit"),
    Feature("theta_rad", "rad", "direction of the long axis, from x towards y", "fit"),
    Feature("confidence", "0 to 1", "how sure it is that a column stands there", "finder"),
    Feature("fit", "", "how the fit went: none, ok, border, overlap or failed", "fit", "none"),
    Feature("origin", "", "where the column is from: classical, model, manual, snapped or imported", "finder, hand", "manual"),
)
"""Features that every table has, in the order of its file."""
SOMETIMES = (
    Feature(MAP_CONFIDENCE, "0 to 1", "what the map of a network alone says", "network"),
    Feature(NETWORK_POSITION[0], "px", "y where the network puts the column, never changed afterwards", "network"),
    Feature(NETWORK_POSITION[1], "px", "x of the same", "network"),
    Feature(NETWORK_STD, "px", "how unsure the map is of that place", "network"),
    Feature(CLASS, "", "class of local structure, from 1", "network of structures"),
    Feature(CLASS_PROBABILITY, "0 to 1", "probability of that class, if there is a structure at all", "network of structures"),
    Feature(SCAN_SHIFT[0], "px", "taken off y where scan rows were put back", "network, straightened rows"),
    Feature(SCAN_SHIFT[1], "px", "taken off x of the same", "network, straightened rows"),
    Feature(YX_CORRELATION, "", "correlation of the errors of y and x", "fit"),
    Feature(TAIL_SHARE, "0 to 1", "Lorentzian share of the column's profile", "fit with tails"),
    Feature(LATTICE_RESIDUAL[0], "px", "y from the smooth lattice to the column", "lattice"),
    Feature(LATTICE_RESIDUAL[1], "px", "x of the same", "lattice"),
    Feature(
        SUBLATTICE, "", "row of the motif, 0 the brightest; of an imported table its name", "lattice, missing sites, imports"
    ),
    Feature(AROUND, "", "equivalent sites around that are occupied, of eight", "missing sites"),
    Feature(RESPONSE, "", "height of the image in units of the equivalent columns around", "missing sites"),
    Feature(NEIGHBOURS, "", "bonded neighbours in a sheet", "measure rings"),
    Feature(GRAIN, "", "grain, 0 the one with the most columns; -1 for columns on no lattice", "measure sublattices", -1),
    Feature(SITE[0], "", "cell along the first vector of the lattice", "measure sublattices"),
    Feature(SITE[1], "", "cell along the second vector", "measure sublattices"),
    *_measured(DISPLACEMENT[0], "Å", "y from the fitted lattice to the column", "measure displacement"),
    *_measured(DISPLACEMENT[1], "Å", "x of the same", "measure displacement"),
    *_measured(
        POLAR[0], "Å", "y from the centroid of the neighbours on another sublattice to the column", "measure polarisation"
    ),
    *_measured(POLAR[1], "Å", "x of the same", "measure polarisation"),
    *_measured(STRAIN[0], "", "strain along x, of one sublattice", "measure strain"),
    *_measured(STRAIN[1], "", "strain along y", "measure strain"),
    *_measured(STRAIN[2], "", "shear strain", "measure strain"),
    *_measured(STRAIN[3], "rad", "rotation of the lattice, positive clockwise on the screen", "measure strain"),
    Feature(COLUMN_ATOMS, "", "atoms of the structure's column that it is, such as Ti O", "measure with a structure", ""),
    *_measured(TILT, "degrees", "turn of the anion octahedron around the column, clockwise on the screen", "measure cells"),
    Feature(TEMPLATE, "", "structure that the neighbours form, or none", "measure templates", ""),
    Feature(TEMPLATE_MATCH, "0 to 1", "how well the neighbours match it", "measure templates"),
    *_measured(TEMPLATE_ROTATION, "rad", "how far it is turned, clockwise on the screen", "measure templates"),
    *_measured(TEMPLATE_STRAIN[0], "", "strain along x against the template at its mean size", "measure templates"),
    *_measured(TEMPLATE_STRAIN[1], "", "strain along y", "measure templates"),
    *_measured(TEMPLATE_STRAIN[2], "", "shear strain", "measure templates"),
    *_measured(
        CROSS_SECTION, "Å² of the beam or counts Å²", "intensity above the background, over the column", "measure cross-section"
    ),
    Feature(COUNT_PROBABILITY, "0 to 1", "probability of that number of atoms", "measure counts, network of counts"),
    *(
        Feature(probability_of_atoms(number), "0 to 1", f"probability of {number} atom{'s'[: number - 1]}", "network of counts")
        for number in range(1, MOST_ATOMS + 1)
    ),
    Feature(OUTLIER_Q, "0 to 1", "false-discovery rate at which the column would be called an outlier", "measure outliers"),
    Feature(EXISTENCE, "0 to 1", "probability that a column stands there", "measure existence"),
    Feature(ELEMENT, "", "chemical symbol", "true columns, imports"),
    *_measured(ATOM_COUNT, "", "atoms in the column", "measure counts, network of counts, true columns"),
    Feature(OCCUPANCY, "0 to 1", "share of the column's sites that are filled", "true columns"),
    Feature(SITE_NUMBER, "", "site of a sequence, -1 for none", "sequence"),
    Feature(TIME, "s", "when the frame was recorded, from the first one on", "sequence"),
)
"""Features that single steps add; the tables of other programs may bring more under names of their own."""
FEATURES: dict[str, object] = {feature.name: feature.unknown for feature in ALWAYS}
"""Names of the features that every table has, in file order, each with the value that means "unknown"."""
FEATURE_NAMES = (*FEATURES, *(feature.name for feature in SOMETIMES))
"""All names that we give."""

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
    """Table with every name of :data:`FEATURES` first, in order, unknown values filled in, further features after them.

    Parameters
    ----------
    features : DataFrame or None
        With any index; None for no features at all.
    count : int
        Columns.
    """
    table = pd.DataFrame(index=range(count)) if features is None else features.reset_index(drop=True)
    known: dict[str, Any] = {}
    for name, unknown in FEATURES.items():
        kind = object if isinstance(unknown, str) else float
        # As arrays: a table of series lays each of them on its index anew.
        known[name] = table[name].astype(kind).to_numpy() if name in table else np.full(count, unknown, dtype=kind)
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
