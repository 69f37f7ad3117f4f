"""The corrections at hand: those that come with the plugin, and the user's own, each in a folder with its card."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_atomseg.core.errors import AtomsegError, UnreadableFileError

if TYPE_CHECKING:
    from ase import Atoms

    from napari_atomseg.imaging.correction.correction import Correction
    from napari_atomseg.simulation.params import SimulationParams

FOLDER, CARD, FILE = "corrections", "card.yaml", "correction.json"
LICENCE = "GPL-3.0-or-later"


def correction_names() -> dict[str, Path]:
    """Folder of each correction by its name: the user's first, then those that come with the plugin."""
    from napari_atomseg.networks.zoo import shipped_folder, user_folder

    found: dict[str, Path] = {}
    for folder in (user_folder() / FOLDER, shipped_folder() / FOLDER):
        for path in sorted(folder.glob(f"*/{FILE}")):
            found.setdefault(path.parent.name, path.parent)
    return found


def read_correction_card(name: str) -> dict[str, Any]:
    """What is told of a correction: what for, its domain, its scores, and the commands that made it.

    Parameters
    ----------
    name : str

    Raises
    ------
    AtomsegError
        If there is none of that name, or it has no card.
    """
    from napari_atomseg.core.plain_yaml import parse_yaml

    path = _folder_of(name) / CARD
    try:
        return dict(parse_yaml(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UnreadableFileError(f"{path}: the card cannot be read ({error}); get the correction again") from error


def named_correction(name: str) -> Correction:
    """A correction at hand.

    Parameters
    ----------
    name : str

    Raises
    ------
    AtomsegError
        If there is none of that name, or its file is not the one of its card.
    """
    return _read(_folder_of(name), name)


@lru_cache(maxsize=32)
def _read(folder: Path, name: str) -> Correction:
    from napari_atomseg.simulation.correction import read_correction

    told = read_correction_card(name).get("sha256") if (folder / CARD).is_file() else None
    if told is not None and told != _checksum(folder / FILE):
        raise UnreadableFileError(f"{folder / FILE}: it is not the file that its card tells of; get the correction again")
    return read_correction(folder / FILE)


def corrections_that_fit(atoms: Atoms, params: SimulationParams) -> list[str]:
    """Names of the corrections whose domain holds an image; the one that was fitted to the fewest elements first.

    Parameters
    ----------
    atoms : Atoms
        The whole structure; `params` say which piece of it is seen.
    params : SimulationParams
    """
    reasons = _why_not(atoms, params)
    fitting = [name for name, told in reasons.items() if not told]
    return sorted(fitting, key=lambda name: (len(named_correction(name).fitted_on.elements), name))


def fitting_correction(atoms: Atoms, params: SimulationParams) -> str:
    """Name of the correction at hand that fits an image best.

    Parameters
    ----------
    atoms : Atoms
    params : SimulationParams

    Raises
    ------
    AtomsegError
        If none fits; says why of each.
    """
    found = corrections_that_fit(atoms, params)
    if found:
        return found[0]
    reasons = "; ".join(f"{name}: {told[0]}" for name, told in _why_not(atoms, params).items())
    raise AtomsegError(
        f"no correction at hand fits this image ({reasons or 'there are none'}); make pairs of such structures (make-pairs) and "
        "fit one (fit-correction), or choose one and apply it beyond its fit (--extrapolate)"
    )


def correction_for_image(
    given: Correction | str | Path | None, atoms: Atoms, params: SimulationParams
) -> tuple[Correction, str | None]:
    """A correction as it is given, from its file or by its name, or the one at hand that fits the image; and its file or name.

    Parameters
    ----------
    given : Correction, str, Path or None
    atoms : Atoms
        The whole structure.
    params : SimulationParams
        Of the image.

    Raises
    ------
    AtomsegError
        If there is none that fits, or the file holds none.
    """
    from napari_atomseg.simulation.correction import read_correction

    if given is None:
        name = fitting_correction(atoms, params)
        return named_correction(name), name
    if not isinstance(given, (str, Path)):
        return given, None
    path = Path(given)
    is_file = path.is_file() or path.suffix or len(path.parts) > 1
    return (read_correction(path) if is_file else named_correction(str(given))), str(given)


def write_correction_card(
    correction: Correction, folder: Path, about: str, commands: Sequence[str], specimens: Sequence[str]
) -> None:
    """Put a correction into its own folder, with its card.

    Parameters
    ----------
    correction : Correction
    folder : Path
        Its name is that of the correction.
    about : str
        What it is for, in a sentence.
    commands : sequence of str
        That made it.
    specimens : sequence of str
        What its pairs show, one by one.
    """
    import yaml

    from napari_atomseg.simulation.correction import write_correction
    from napari_atomseg.writers.atomic import replacing

    write_correction(correction, folder / FILE)
    told, scores = correction.fitted_on, correction.cross_validation
    domain = {
        "elements": list(told.elements),
        "composition": {symbol: list(shares) for symbol, shares in told.composition.items()},
        "thickness": None if told.thickness is None else list(told.thickness),
        "pixel_size": told.pixel_size,
        "intensity_range": [float(f"{end:.4g}") for end in told.intensity_range],
        "optics": dict(told.optics),
    }
    card = {
        "name": folder.name,
        "about": about,
        "form": correction.params.form,
        "terms": correction.number_of_terms,
        "domain": domain,
        "scores": {} if scores is None else _rounded(scores),
        "pairs": list(specimens),
        "commands": list(commands),
        "licence": LICENCE,
        "sha256": _checksum(folder / FILE),
    }
    with replacing(folder / CARD) as part:
        part.write_text(yaml.safe_dump(card, sort_keys=False, allow_unicode=True, width=110), encoding="utf-8")


def _rounded(scores: Any) -> dict[str, float]:
    named = {
        "1-R2, images left out one by one": scores.leave_one_out,
        "1-R2, of which thermal noise of the multislice images": scores.noise,
        "1-R2 of the convolution alone, at best brightness": scores.plain,
        f"1-R2, {scores.folds} folds of images": scores.one_minus_r2,
        f"FRMS, {scores.folds} folds of images": scores.frms,
    }
    return {name: round(value, 4) for name, value in named.items() if value is not None}


def _why_not(atoms: Atoms, params: SimulationParams) -> dict[str, list[str]]:
    """For each correction at hand, in sentences, what it was not fitted to."""
    from napari_atomseg.simulation.convolved import beyond_fit, convolution_of, shown_of

    image, piece = convolution_of(atoms, replace(params, method="convolution"))
    shown = shown_of(piece)
    return {name: beyond_fit(named_correction(name), params, *shown, image) for name in correction_names()}


def _folder_of(name: str) -> Path:
    names = correction_names()
    if name not in names:
        raise AtomsegError(
            f'there is no correction "{name}", neither as a file nor by name; at hand: {", ".join(names) or "none"}'
        )
    return names[name]


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
