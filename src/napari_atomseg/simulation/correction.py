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
    from napari_atomseg.imaging.correction.domain import FittedOn
    from napari_atomseg.readers.image_pairs import ImagePair


@job
def fit_correction(
    pairs: str | Path | Sequence[ImagePair],
    params: CorrectionParams | None = None,
    *,
    elements: Sequence[str] = (),
    thickness: tuple[float, float] | None = None,
    optics: Mapping[str, float | str] | None = None,
    pixel_size: float | None = None,
    figures: Path | None = None,
) -> Generator[Progress, None, Correction]:
    """Correction fitted to all pairs, with the scores of its cross-validation.

    Parameters
    ----------
    pairs : folder or sequence of ImagePair
        See :mod:`napari_atomseg.readers.image_pairs`.
    params : CorrectionParams, optional
    elements : sequence of str
        Chemical symbols that the pairs show, where the pairs do not tell them.
    thickness : tuple of float, Å, optional
        Least and greatest thickness of the pairs, likewise.
    optics : mapping, optional
        Settings of the microscope by name, likewise.
    pixel_size : float, Å, optional
        Likewise.
    figures : Path, optional
        Folder for a parity plot and maps of the differences.

    Raises
    ------
    AtomsegError
        If the pairs cannot be read or fitted, tell something else than what is said of them here, or if the fit predicts images
        that it has not seen no better than their convolution does.
    """
    from napari_atomseg.imaging.correction.fitting import check_pairs, fit
    from napari_atomseg.imaging.correction.selection import choose_form, leave_one_out
    from napari_atomseg.imaging.correction.validation import cross_validate
    from napari_atomseg.readers.image_pairs import read_pairs

    params = params or CorrectionParams()
    yield Progress(0, 0, "reading")
    read = read_pairs(pairs) if isinstance(pairs, (str, Path)) else list(pairs)
    read = [_with_pixel_size(pair, pixel_size) for pair in read]
    check_pairs(read, params)
    left_out = None
    if params.form == "auto" and len(read) < 2:
        params = replace(params, form="robust")
    without = replace(params, form="robust") if params.form == "structure" else None
    if params.form == "auto":
        params, left_out, without = yield from choose_form(read, params)
    elif len(read) > 1:
        left_out = yield from leave_one_out(read, params)
    if left_out is not None and not left_out.one_minus_r2 < left_out.plain:
        raise AtomsegError(
            f"the fit predicts images that it has not seen with 1-R2 = {left_out.one_minus_r2:.3g}, and their convolution alone "
            f"is as good as {left_out.plain:.3g}; give more pairs, or leave the choice of the form to the fit (--form auto)"
        )
    validation = yield from cross_validate(read, params)
    correction = yield from fit(read, params)
    image_only = None if without is None else (yield from fit(read, without))
    if figures is not None:
        from napari_atomseg.imaging.correction.figures import write_figures

        yield Progress(0, 0, "drawing")
        write_figures(validation, read, figures)
    scores = validation.scores
    if left_out is not None:
        scores = replace(scores, leave_one_out=left_out.one_minus_r2, plain=left_out.plain, noise=left_out.noise)
    told = _told(correction.fitted_on, tuple(elements), thickness, dict(optics or {}))
    if image_only is not None:
        image_only = replace(image_only, fitted_on=told)
    return replace(correction, fitted_on=told, cross_validation=scores, image_only=image_only)


def _with_pixel_size(pair: ImagePair, told: float | None) -> ImagePair:
    if told is None:
        return pair
    if pair.pixel_size is not None and abs(pair.pixel_size - told) > 1e-3 * told:
        raise AtomsegError(f"{pair.name}: the pixel size in the file is {pair.pixel_size:g} Å, and {told:g} Å was given")
    return replace(pair, pixel_size=told)


def _told(
    found: FittedOn, elements: tuple[str, ...], thickness: tuple[float, float] | None, optics: Mapping[str, float | str]
) -> FittedOn:
    """What the pairs tell, and what was said of those that do not."""
    for name, value in optics.items():
        if name in found.optics and found.optics[name] != value:
            raise AtomsegError(f"the pairs tell that {name} is {found.optics[name]}, and {value} was given; leave it out")
    if elements and found.elements and set(elements) != set(found.elements):
        raise AtomsegError(f"the pairs show {', '.join(found.elements)}, and {', '.join(elements)} was given; leave it out")
    return replace(
        found,
        elements=found.elements or elements,
        thickness=thickness or found.thickness,
        optics={**optics, **found.optics},
    )


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
