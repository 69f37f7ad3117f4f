"""Images of structures: by convolution at once, corrected, or by multislice in the background."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, job
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.core.params import check, from_dict, to_dict
from napari_atomseg.core.quantities import Quantity
from napari_atomseg.imaging.convolution import ConvolutionParams
from napari_atomseg.imaging.detectors import DetectorParams
from napari_atomseg.imaging.multislice.params import MultisliceParams
from napari_atomseg.specimens.cut_params import CutParams, with_field
from napari_atomseg.specimens.cutting import field_of
from napari_atomseg.workflows.effects import without_effect
from napari_atomseg.workflows.structures import describe_structure, read_structure

if TYPE_CHECKING:
    from ase import Atoms

    from napari_atomseg.imaging.correction.correction import Correction
    from napari_atomseg.imaging.multislice.cost import Cost

METHODS = ("convolution", "corrected", "prism", "multislice", "hrtem")
DEEP_ENOUGH = 60.0
"""Thickness, Angstrom, in which every column of a crystal along a low-index direction has an atom."""
KEPT_ATOMS = 20_000
"""A structure of more atoms is not kept whole in every image that is made of it, only its file."""
MOST_COARSE, GOOD_STRAIN = 16, 2e-3
"""Fewest pixels of a period, and by how much it may be stretched to hold whole ones."""
ERROR_OF_WINDOWS = "In windows, which differ from the whole field by 1 - R² of about 1e-5 where both were calculated."
MODALITIES = {"annular": "haadf", "bright_field": "bf", "segmented": "adf"}


@dataclass(frozen=True, kw_only=True)
class StemParams:
    """Lens of a scanning microscope for comparison images; see ``optics.probe`` for the conventions.

    Attributes
    ----------
    energy : float
        Of the beam.
    semiangle : float
        Of convergence.
    defocus : float
        Underfocus, positive as in abTEM: the focus moves into the specimen.
    Cs : float
        Spherical aberration.
    astigmatism : float
        Twofold.
    astigmatism_angle : float
        Azimuth of it.
    source_size : float
        Full width at half maximum of the effective source.
    """

    energy: Annotated[float, Quantity(unit="eV", low=1e3, high=3e6, decimals=0)] = 200e3
    semiangle: Annotated[float, Quantity(unit="mrad", low=0.1, high=200, decimals=1)] = 24.0
    defocus: Annotated[float, Quantity(unit="Å", low=-1e6, high=1e6, decimals=1)] = 0.0
    Cs: Annotated[float, Quantity(unit="Å", low=-1e9, high=1e9, decimals=0)] = 0.0
    astigmatism: Annotated[float, Quantity(unit="Å", low=0, high=1e6, decimals=1)] = 0.0
    astigmatism_angle: Annotated[float, Quantity(unit="rad", low=-4, high=4, decimals=3)] = 0.0
    source_size: Annotated[float, Quantity(unit="Å", low=0, high=100, decimals=2)] = 0.8

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class TemParams:
    """Objective lens and camera of a transmission microscope for the method ``hrtem``; the energy is that of the other lens.

    Attributes
    ----------
    defocus : float
        Underfocus, positive as in abTEM, from the exit surface.
    Cs : float
        Spherical aberration.
    focal_spread : float
        Half width of the defocus distribution at 1/e of its height.
    angular_spread : float
        Half width of the illumination's angles at 1/e of its height.
    aperture : float
        Half angle of the objective aperture; automatic is an open lens.
    images : int
        Of a focal series; 1 for a single image.
    focal_step : float
        From image to image.
    dose : float
        Of each image, whose electrons are counted; automatic is a noiseless image.
    """

    defocus: Annotated[float, Quantity(unit="Å", low=-1e6, high=1e6, decimals=1)] = 80.0
    Cs: Annotated[float, Quantity(unit="Å", low=-1e9, high=1e9, decimals=0)] = -100_000.0
    focal_spread: Annotated[float, Quantity(unit="Å", low=0, high=1e4, decimals=1)] = 30.0
    angular_spread: Annotated[float, Quantity(unit="mrad", low=0, high=50, decimals=3)] = 0.1
    aperture: Annotated[float, Quantity(unit="mrad", low=0.1, high=500)] | None = None
    images: Annotated[int, Quantity(low=1, high=100)] = 1
    focal_step: Annotated[float, Quantity(unit="Å", low=-1e5, high=1e5, decimals=1)] = 20.0
    dose: Annotated[float, Quantity(unit="e/Å²", low=1e-3, high=1e9, decimals=1)] | None = None

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class SimulationParams:
    """All that an image of a structure depends on.

    Attributes
    ----------
    method : str
        One of :data:`METHODS`.
    pixel_size : float, Å
    cut, stem, detector, convolution, multislice, tem
        The piece of the structure, lens, detector, and how it is calculated.
    """

    method: Literal["convolution", "corrected", "prism", "multislice", "hrtem"] = "convolution"
    pixel_size: Annotated[float, Quantity(unit="Å", low=0.005, high=10, decimals=4)] = 0.1
    cut: CutParams = field(default_factory=CutParams)
    stem: StemParams = field(default_factory=StemParams)
    detector: DetectorParams = field(default_factory=DetectorParams)
    convolution: ConvolutionParams = field(default_factory=ConvolutionParams)
    multislice: MultisliceParams = field(default_factory=MultisliceParams)
    tem: TemParams = field(default_factory=TemParams)

    @staticmethod
    def from_json(values: dict[str, Any]) -> SimulationParams:
        """The parameters from the plain values that an image carries."""
        parts = {
            "cut": CutParams,
            "stem": StemParams,
            "detector": DetectorParams,
            "convolution": ConvolutionParams,
            "multislice": MultisliceParams,
            "tem": TemParams,
        }
        read = {name: from_dict(parts[name], value) if name in parts else value for name, value in values.items()}
        return from_dict(SimulationParams, read)


@dataclass(frozen=True)
class SimulationProgress(Progress):
    """Progress with what there is of the image.

    Attributes
    ----------
    partial : Micrograph or None
        On the grid of the probes, not a number where nothing is known yet.
    """

    partial: Micrograph | None = None


def like(params: SimulationParams, micrograph: Micrograph) -> SimulationParams:
    """The same on the pixel grid of a micrograph.

    Raises
    ------
    AtomsegError
        If it has no pixel size, or pixels that are not square.
    """
    y, x = micrograph.require_pixel_size()
    if abs(y - x) > 0.01 * x:
        raise AtomsegError(f"{micrograph.name} has pixels of {y:g} x {x:g} A; images can be simulated on square ones only")
    height, width = micrograph.shape[-2:]
    return replace(params, pixel_size=x, cut=with_field(params.cut, (height * x, width * x)))


@job
def simulate(
    structure: Atoms | str | Path, params: SimulationParams | None = None, *, correction: Correction | str | Path | None = None
) -> Generator[Progress, None, Micrograph]:
    """Image of a structure, in fractions of the incident beam.

    Parameters
    ----------
    structure : Atoms, str or Path
        A crystal, or a particle without a cell; or a file that ase reads.
    params : SimulationParams, optional
    correction : Correction or Path, optional
        For the method ``corrected``.

    Yields
    ------
    SimulationProgress
        Multislice shows what is done of the image.

    Returns
    -------
    Micrograph
        With everything that it was made from in ``metadata["simulation"]``; :func:`simulate_again` makes it anew.

    Raises
    ------
    AtomsegError
        If it cannot be made as asked.
    """
    atoms = read_structure(structure) if isinstance(structure, (str, Path)) else structure
    params = params or SimulationParams()
    if params.method in ("convolution", "corrected"):
        yield SimulationProgress(0, 1, params.method)
        image, notes = _convolved(atoms, params, _correction(correction) if params.method == "corrected" else None)
    elif params.method == "hrtem":
        image, notes = yield from _hrtem(atoms, params)
    else:
        image, notes = yield from _multislice(atoms, params)
    return _micrograph(image, atoms, params, notes, correction)


@job
def simulate_again(micrograph: Micrograph) -> Generator[Progress, None, Micrograph]:
    """The image once more, from what it carries.

    Raises
    ------
    AtomsegError
        If it was not simulated here, or does not hold its structure.
    """
    told = micrograph.metadata.get("simulation")
    if not told:
        raise AtomsegError(f"{micrograph.name} carries no simulation; only images that were simulated here can be made again")
    return (
        yield from simulate.steps(structure_in(told), SimulationParams.from_json(told["params"]), correction=told["correction"])
    )


def structure_in(told: dict[str, Any]) -> Atoms:
    """The structure that a simulated image was made of, from its ``metadata["simulation"]``."""
    from ase import Atoms as Structure

    given = told["structure"]
    if "positions" not in given:
        return read_structure(given["path"])
    atoms = Structure(given["numbers"], positions=given["positions"], cell=given["cell"], pbc=given["pbc"])
    if "occupancy" in given:
        atoms.set_array("occupancy", np.array(given["occupancy"]))
    if "thermal" in given:
        atoms.set_array("thermal", np.array(given["thermal"]))
    atoms.info = {"name": given["name"], "path": given["path"], "notes": tuple(given.get("notes", ()))}
    return atoms


def simulation_cost(structure: Atoms, params: SimulationParams) -> Cost:
    """Time and memory that a multislice or PRISM image would take; see ``imaging.multislice.cost``."""
    from napari_atomseg.imaging.multislice.cost import cost

    return cost(_specimen(structure, params)[0], _probe(params), params.detector, _scheme(params), params.pixel_size)


def projected_atoms(structure: Atoms, params: SimulationParams) -> tuple[np.ndarray, np.ndarray]:
    """Places (N, 2) in (y, x), Angstrom, and atomic numbers of the atoms in the field, those on top of each other once."""
    from napari_atomseg.specimens.cutting import cut

    wanted = params.cut
    if wanted.tilt_y == wanted.tilt_x == 0:
        # What lies deeper repeats it, but for vacancies.
        wanted = replace(wanted, thickness=min(wanted.thickness, DEEP_ENOUGH), vacancies=0.0)
    atoms = cut(structure, wanted)
    high = np.diag(atoms.cell.array)[[1, 0]]
    places = atoms.positions[:, [1, 0]]
    inside = np.all((places > -0.5 * params.pixel_size) & (places < high), axis=1)
    keys = np.column_stack([np.round(places[inside], 2), atoms.numbers[inside]])
    _, first = np.unique(keys, axis=0, return_index=True)
    return places[inside][first], atoms.numbers[inside][first]


def _convolved(atoms: Atoms, params: SimulationParams, correction: Correction | None) -> tuple[np.ndarray, tuple[str, ...]]:
    from napari_atomseg.imaging.convolution import convolve
    from napari_atomseg.imaging.cross_section import beam_share
    from napari_atomseg.specimens.cutting import cut, period

    detector = params.detector
    notes: tuple[str, ...] = ()
    if detector.kind != "annular":
        raise AtomsegError(
            f"a convolution knows no {detector.kind.replace('_', ' ')} detector; take an annular one, or the method multislice"
        )
    if detector.inner_angle < params.stem.semiangle:
        raise AtomsegError(
            f"the detector begins at {detector.inner_angle:g} mrad, inside the beam of {params.stem.semiangle:g} mrad: "
            "a convolution is for dark fields; take a larger inner angle, or the method multislice"
        )
    piece = period(atoms, params.cut) or cut(atoms, params.cut)
    if piece.pbc[0]:
        # The field of a crystal without defects: its period repeated, so that few atoms make the whole image.
        piece = _repeated(piece, field_of(atoms, params.cut), 10.0)
    shape = _shape(atoms, params)
    probe = _probe(params) if params.convolution.psf == "probe" else None
    image = convolve(piece, params.convolution, (params.pixel_size,) * 2, shape, probe)
    image *= beam_share(
        piece.numbers,
        params.convolution.exponent,
        energy=params.stem.energy,
        semiangle=params.stem.semiangle,
        inner=detector.inner_angle,
        outer=detector.outer_angle,
    )
    if correction is not None:
        image, notes = _corrected(image, atoms, params, correction)
    return image.astype(np.float32), notes


def _repeated(piece: Atoms, wanted: tuple[float, float], margin: float) -> Atoms:
    """A period repeated over a field (y, x) and a margin about it, no longer periodic."""
    low = [-int(np.ceil(margin / side)) for side in np.diag(piece.cell.array)[:2]]
    high = [int(np.ceil((size + margin) / side)) for size, side in zip(wanted[::-1], np.diag(piece.cell.array)[:2], strict=True)]
    many = piece.repeat((high[0] - low[0], high[1] - low[1], 1))
    many.positions[:, :2] += np.array(low) * np.diag(piece.cell.array)[:2]
    many.set_cell([wanted[1], wanted[0], piece.cell[2, 2]])
    many.pbc = False
    return many


def _corrected(
    image: np.ndarray, atoms: Atoms, params: SimulationParams, correction: Correction
) -> tuple[np.ndarray, tuple[str, ...]]:
    from napari_atomseg.imaging.correction.correction import out_of_range

    elements = sorted(set(atoms.get_chemical_symbols()))
    notes = out_of_range(correction, image, elements=elements, thickness=params.cut.thickness, optics=optics_of(params))
    return correction.apply(image, pixel_size=params.pixel_size), tuple(notes)


def optics_of(params: SimulationParams) -> dict[str, float]:
    """What a correction was fitted for, by name and number."""
    named = to_dict(params.stem)
    return {**named, "inner_angle": params.detector.inner_angle, "outer_angle": params.detector.outer_angle}


def _correction(given: Correction | str | Path | None) -> Correction:
    from napari_atomseg.workflows.correction import read_correction

    if given is None:
        raise AtomsegError("a corrected image needs a correction; fit one (fit-correction), or choose its file")
    return read_correction(given) if isinstance(given, (str, Path)) else given


def _multislice(atoms: Atoms, params: SimulationParams) -> Generator[Progress, None, tuple[np.ndarray, tuple[str, ...]]]:
    from napari_atomseg.imaging.multislice.periodic_image import on_grid
    from napari_atomseg.imaging.multislice.scan_image import MultisliceProgress, multislice_image

    yield SimulationProgress(0, 0, "preparing")
    piece, periodic = _specimen(atoms, params)
    steps = multislice_image(piece, _probe(params), params.detector, _scheme(params), params.pixel_size)
    try:
        while True:
            progress = next(steps)
            partial = None
            if isinstance(progress, MultisliceProgress):
                shown = _tiled_to(progress.partial, progress.step, atoms, params) if periodic else progress.partial
                partial = Micrograph(data=shown, pixel_size=progress.step, name="so far")
            yield SimulationProgress(progress.done, progress.total, progress.message, partial)
    except StopIteration as end:
        found = end.value
    finally:
        steps.close()
    image = found.image
    if periodic:
        image = on_grid(image, found.pixel_size, params.pixel_size, _shape(atoms, params))
    notes = found.notes if _scheme(params).scheme != "tiles" else (*found.notes, ERROR_OF_WINDOWS)
    return np.asarray(image, dtype=np.float32), notes


def _hrtem(atoms: Atoms, params: SimulationParams) -> Generator[Progress, None, tuple[np.ndarray, tuple[str, ...]]]:
    from napari_atomseg.imaging.multislice.hrtem_image import HrtemParams, hrtem_image
    from napari_atomseg.imaging.multislice.periodic_image import on_grid
    from napari_atomseg.optics.ctf import CtfParams

    told, how = params.tem, params.multislice
    ctf = CtfParams(
        energy=params.stem.energy,
        defocus=told.defocus,
        Cs=told.Cs,
        focal_spread=told.focal_spread,
        angular_spread=told.angular_spread,
        semiangle=told.aperture,
    )
    foci = [row * told.focal_step for row in range(told.images)]
    # The dose is given to the field that is looked at, not to the period that it is made of.
    settings = HrtemParams(slice_thickness=how.slice_thickness, configurations=how.configurations, seed=how.seed)
    piece, periodic = _specimen(atoms, params)
    pixel = _dividing_pixel(piece, params.pixel_size) if periodic else params.pixel_size
    found = yield from hrtem_image(piece, ctf, pixel, settings, foci)
    image = found.image
    if periodic:
        image = on_grid(image, found.pixel_size, params.pixel_size, _shape(atoms, params))
    image = image[0] if told.images == 1 else image
    if told.dose is not None:
        rng = np.random.default_rng(how.seed)
        electrons = told.dose * params.pixel_size**2
        image = rng.poisson(np.maximum(image, 0) * electrons) / electrons
    return np.asarray(image, dtype=np.float32), found.notes


def _dividing_pixel(period: Atoms, wanted: float) -> float:
    """Pixel size, at most the wanted one, that both sides of a period are nearest to a whole number of."""
    width, height = np.diag(period.cell.array)[:2]
    fewest = max(int(np.ceil(width / wanted)), MOST_COARSE)
    sizes = width / np.arange(fewest, 3 * fewest)
    strain = np.abs(np.round(height / sizes) * sizes / height - 1)
    good = np.flatnonzero(strain < GOOD_STRAIN)
    return float(sizes[good[0] if len(good) else int(np.argmin(strain))])


def _tiled_to(partial: np.ndarray, step: tuple[float, float], atoms: Atoms, params: SimulationParams) -> np.ndarray:
    """What there is of a period, over the whole field."""
    wide = field_of(atoms, params.cut)
    count = [max(1, round(size / one)) for size, one in zip(wide, step, strict=True)]
    rows, columns = (np.arange(number) % side for number, side in zip(count, partial.shape, strict=True))
    return partial[rows[:, None], columns]


def _specimen(atoms: Atoms, params: SimulationParams) -> tuple[Atoms, bool]:
    """The piece that is calculated, and whether it is a period of the crystal instead of the whole field."""
    from napari_atomseg.specimens.cutting import cut, period

    found = period(atoms, params.cut)
    return (found, True) if found is not None else (cut(atoms, params.cut), False)


def _shape(atoms: Atoms, params: SimulationParams) -> tuple[int, int]:
    height, width = (max(1, round(size / params.pixel_size)) for size in field_of(atoms, params.cut))
    return height, width


def _scheme(params: SimulationParams) -> MultisliceParams:
    if params.method == "prism":
        return replace(params.multislice, scheme="prism")
    if params.multislice.scheme == "prism":
        return replace(params.multislice, scheme="tiles")
    return params.multislice


def _probe(params: SimulationParams) -> Any:
    from napari_atomseg.optics.probe import ProbeParams

    return ProbeParams(**to_dict(params.stem))


def _micrograph(
    image: np.ndarray, atoms: Atoms, params: SimulationParams, notes: tuple[str, ...], correction: Correction | str | Path | None
) -> Micrograph:
    name = str(atoms.info.get("name", atoms.get_chemical_formula()))
    path = str(atoms.info.get("path", ""))
    described = describe_structure(atoms, params.cut.repeat)
    structure: dict[str, Any] = {"name": name, "path": path, **described.as_dict()}
    if len(atoms) <= KEPT_ATOMS:
        structure |= {
            "numbers": atoms.numbers.tolist(),
            "positions": atoms.positions.tolist(),
            "cell": atoms.cell.array.tolist(),
            "pbc": [bool(value) for value in atoms.pbc],
        }
        structure |= {key: atoms.arrays[key].tolist() for key in ("occupancy", "thermal") if key in atoms.arrays}
    told = {
        "params": to_dict(params),
        "structure": structure,
        "correction": str(correction) if isinstance(correction, (str, Path)) else None,
    }
    return Micrograph(
        data=image,
        pixel_size=(params.pixel_size, params.pixel_size),
        pixel_size_source="the simulation",
        name=f"{name} | {params.method}",
        modality="hrtem" if params.method == "hrtem" else MODALITIES[params.detector.kind],
        energy=params.stem.energy,
        notes=(*described.notes, *without_effect(params), *notes),
        metadata={"simulation": told},
    )
