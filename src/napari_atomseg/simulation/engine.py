"""Images of structures, whatever the method, with all that they were made from."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, job
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.core.params import to_dict
from napari_atomseg.simulation.convolved import convolved_image
from napari_atomseg.simulation.correction_catalogue import correction_for_image
from napari_atomseg.simulation.effects import without_effect
from napari_atomseg.simulation.params import SimulationParams
from napari_atomseg.simulation.progress import SimulationProgress
from napari_atomseg.simulation.sliced import hrtem_image_of, multislice_image_of
from napari_atomseg.specimens.description import describe_structure
from napari_atomseg.specimens.structure_file import read_structure

if TYPE_CHECKING:
    from ase import Atoms

    from napari_atomseg.imaging.correction.correction import Correction

KEPT_ATOMS = 20_000
"""A structure of more atoms is not kept whole in every image that is made of it, only its file."""
MODALITIES = {"annular": "haadf", "bright_field": "bf", "segmented": "adf"}


@job
def simulate(
    structure: Atoms | str | Path,
    params: SimulationParams | None = None,
    *,
    correction: Correction | str | Path | None = None,
    extrapolate: bool = False,
) -> Generator[Progress, None, Micrograph]:
    """Image of a structure, in fractions of the incident beam.

    Parameters
    ----------
    structure : Atoms, str or Path
        A crystal, or a particle without a cell; or a file that ase reads.
    params : SimulationParams, optional
    correction : Correction, Path or str, optional
        For the method ``corrected``; a file, or the name of one at hand; by default the one at hand that fits the image.
    extrapolate : bool
        Apply the correction though it was fitted to something else.

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

    Examples
    --------
    >>> from ase.build import bulk
    >>> from napari_atomseg.workflows import CutParams, SimulationParams, simulate
    >>> params = SimulationParams(pixel_size=0.2, cut=CutParams(zone_axis="1,1,0", width_y=20, width_x=30))
    >>> image = simulate(bulk("Au", cubic=True), params)
    >>> image.shape, image.modality, bool(0 < image.data.max() < 1)
    ((100, 150), 'haadf', True)
    """
    atoms = read_structure(structure) if isinstance(structure, (str, Path)) else structure
    params = params or SimulationParams()
    used = None
    if params.method in ("convolution", "corrected"):
        yield SimulationProgress(0, 1, params.method)
        chosen = None
        if params.method == "corrected":
            chosen, used = correction_for_image(correction, atoms, params)
        image, notes = convolved_image(atoms, params, chosen, extrapolate)
        if correction is None and used:
            notes = (f"corrected by {used}, which was fitted to such images", *notes)
    elif params.method == "hrtem":
        image, notes = yield from hrtem_image_of(atoms, params)
    else:
        image, notes = yield from multislice_image_of(atoms, params)
    told = {"correction": used, "extrapolate": extrapolate}
    return _micrograph(image, atoms, params, notes, told)


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
    params = SimulationParams.from_json(told["params"])
    how = {"correction": told["correction"], "extrapolate": told.get("extrapolate", False)}
    return (yield from simulate.steps(structure_in(told), params, **how))


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


def _micrograph(
    image: np.ndarray, atoms: Atoms, params: SimulationParams, notes: tuple[str, ...], correction: dict[str, Any]
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
    told = {"params": to_dict(params), "structure": structure, **correction}
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
