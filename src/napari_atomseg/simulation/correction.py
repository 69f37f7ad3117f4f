"""The polynomial correction: fitted to pairs of images, written, read and applied."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_atomseg.core.errors import AtomsegError, UnreadableFileError
from napari_atomseg.core.jobs import Progress, job
from napari_atomseg.imaging.correction.params import CorrectionParams

if TYPE_CHECKING:
    from napari_atomseg.imaging.correction.correction import Correction
    from napari_atomseg.readers.image_pairs import ImagePair


@job
def fit_correction(
    pairs: str | Path | Sequence[ImagePair],
    params: CorrectionParams | None = None,
    *,
    elements: Sequence[str] = (),
    thickness: tuple[float, float] | None = None,
    optics: Mapping[str, float | str] | None = None,
    figures: Path | None = None,
) -> Generator[Progress, None, Correction]:
    """Correction fitted to all pairs, with the scores of its cross-validation.

    Parameters
    ----------
    pairs : folder or sequence of ImagePair
        See :mod:`napari_atomseg.readers.image_pairs`.
    params : CorrectionParams, optional
    elements : sequence of str
        Chemical symbols that the pairs show, to warn of others.
    thickness : tuple of float, Å, optional
        Least and greatest thickness of the pairs, to warn beyond it.
    optics : mapping, optional
        Settings of the microscope by name, to warn of others.
    figures : Path, optional
        Folder for a parity plot and maps of the differences.

    Raises
    ------
    AtomsegError
        If the pairs cannot be read or fitted.
    """
    from napari_atomseg.imaging.correction.fitting import fit
    from napari_atomseg.imaging.correction.validation import cross_validate
    from napari_atomseg.readers.image_pairs import read_pairs

    params = params or CorrectionParams()
    yield Progress(0, 0, "reading")
    read = read_pairs(pairs) if isinstance(pairs, (str, Path)) else list(pairs)
    validation = yield from cross_validate(read, params)
    correction = yield from fit(read, params)
    if figures is not None:
        from napari_atomseg.imaging.correction.figures import write_figures

        yield Progress(0, 0, "drawing")
        write_figures(validation, read, figures)
    told = replace(correction.fitted_on, elements=tuple(elements), thickness=thickness, optics=dict(optics or {}))
    return replace(correction, fitted_on=told, cross_validation=validation.scores)


def read_correction(path: str | Path) -> Correction:
    """Correction from a JSON file.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    AtomsegError
        One sentence: what is wrong with the file.
    """
    from napari_atomseg.imaging.correction.storage import from_json

    path = Path(path)
    try:
        return from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnreadableFileError(
            f"{path}: it cannot be read ({error.strerror}); give a file written by fit-correction"
        ) from error
    except UnicodeDecodeError as error:
        raise UnreadableFileError(f"{path}: it is no text; give a file written by fit-correction") from error
    except AtomsegError as error:
        raise UnreadableFileError(f"{path}: {error}") from error


def write_correction(correction: Correction, path: str | Path) -> None:
    """Write a correction as JSON, whole or not at all.

    Parameters
    ----------
    correction : Correction
    path : str or Path
        Overwritten if it is there.
    """
    from napari_atomseg.imaging.correction.storage import to_json
    from napari_atomseg.writers.atomic import replacing

    with replacing(path) as unfinished:
        unfinished.write_text(to_json(correction) + "\n", encoding="utf-8")
