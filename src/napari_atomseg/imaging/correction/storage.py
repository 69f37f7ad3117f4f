"""Corrections as JSON: plain numbers that say what they are, checked when read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import from_dict, to_dict
from napari_atomseg.imaging.correction.correction import Correction, CrossValidated
from napari_atomseg.imaging.correction.domain import FittedOn
from napari_atomseg.imaging.correction.params import CorrectionParams
from napari_atomseg.imaging.correction.structure_layers import DEPTHS, StructureOptics
from napari_atomseg.imaging.correction.symmetry import Group
from napari_atomseg.imaging.correction.variables import Variables

FORMAT = "napari-atomseg correction 1"
_AGAIN = "write it again with fit-correction"
_MOST_SIDE, _MOST_RESPONSES = 63, 4000


def to_json(correction: Correction) -> str:
    """Text of a file that holds a correction.

    Of the names, ``side``, ``degree``, ``log`` and ``interactions`` say which polynomial it is, ``inputs`` what it is made
    of, and ``params`` what the fit was told.
    """
    return json.dumps(_tree(correction), indent=None, allow_nan=False, ensure_ascii=False)


def _tree(correction: Correction) -> dict[str, Any]:
    params, variables = correction.params, correction.variables
    whole = params.form == "paper"
    return {
        "format": FORMAT,
        "form": params.form,
        "side": variables.side,
        "degree": params.degree if whole else 2,
        "log": variables.log,
        "interactions": params.interactions if whole else True,
        "terms": correction.number_of_terms,
        "cross_validation": None if correction.cross_validation is None else asdict(correction.cross_validation),
        **asdict(correction.fitted_on),
        "offset_px": list(correction.offset),
        "params": to_dict(params),
        "inputs": {
            "scale": variables.scale,
            "structure": None if variables.structure is None else asdict(variables.structure),
            "surroundings_px": list(variables.surroundings),
            "centring": correction.centring.tolist(),
            "scaling": correction.scaling.tolist(),
            "groups": [asdict(group) for group in correction.groups],
        },
        "coefficients": correction.coefficients.tolist(),
        "image_only": None if correction.image_only is None else _tree(correction.image_only),
    }


def from_json(text: str) -> Correction:
    """Correction from the text of a file.

    Raises
    ------
    AtomsegError
        One sentence: what is wrong with it, and how to mend it.
    """
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AtomsegError(f"it is no JSON, or is cut off; {_AGAIN}") from error
    if not isinstance(tree, dict) or tree.get("format") != FORMAT:
        raise AtomsegError(f'it holds no correction (its format is not "{FORMAT}"); {_AGAIN}')
    try:
        return _correction(tree)
    except KeyError as error:
        raise AtomsegError(f"the field {error.args[0]} is missing; {_AGAIN}") from error
    except (TypeError, ValueError, IndexError, OverflowError, AttributeError) as error:
        raise AtomsegError(f"one of its fields is of a wrong kind ({error}); {_AGAIN}") from error


def _correction(tree: Mapping[str, Any]) -> Correction:
    params = from_dict(CorrectionParams, tree["params"])
    inputs = tree["inputs"]
    variables = Variables(
        side=_whole("side", tree["side"], _MOST_SIDE),
        log=bool(tree["log"]),
        surroundings=tuple(_above_zero("surroundings_px", one) for one in inputs["surroundings_px"]),
        scale=_above_zero("scale", inputs["scale"]),
        structure=_optional(inputs.get("structure"), _structure_optics),
    )
    _agree(tree, params, variables)
    scaling = _numbers("scaling", inputs["scaling"], 2)
    return Correction(
        params=params,
        variables=variables,
        centring=_numbers("centring", inputs["centring"], 1),
        scaling=scaling,
        groups=_groups(inputs["groups"], len(scaling)),
        coefficients=_numbers("coefficients", tree["coefficients"], 1),
        offset=_pair("offset_px", tree["offset_px"]),
        fitted_on=_fitted_on(tree),
        cross_validation=_optional(tree["cross_validation"], _cross_validated),
        image_only=_optional(tree.get("image_only"), _correction),
    )


def _structure_optics(told: Mapping[str, Any]) -> StructureOptics:
    depths = _whole("depths", told["depths"], 3)
    if depths not in DEPTHS:
        raise AtomsegError(f"depths must be one of {', '.join(map(str, DEPTHS))}, got {depths}; {_AGAIN}")
    return StructureOptics(depths=depths, **{name: float(value) for name, value in told.items() if name != "depths"})


def _agree(tree: Mapping[str, Any], params: CorrectionParams, variables: Variables) -> None:
    """The fields that people read say the same as those that are used."""
    expected = (params.form, params.window, params.degree, params.log, params.interactions)
    told = (tree["form"], variables.side, tree["degree"], tree["log"], tree["interactions"])
    if expected != told:
        raise AtomsegError(f"form, side, degree, log and interactions are {told} in one place and {expected} in params; {_AGAIN}")


def _groups(told: Any, responses: int) -> tuple[Group, ...]:
    groups = tuple(
        Group(
            rows=tuple(map(int, one["rows"])),
            partners=tuple(map(int, one["partners"])),
            linear=bool(one["linear"]),
            products=bool(one.get("products", True)),
        )
        for one in told
    )
    rows = sorted(row for group in groups for row in (*group.rows, *group.partners))
    paired = all(len(group.partners) in (0, len(group.rows)) for group in groups)
    if rows != list(range(responses)) or not paired:
        raise AtomsegError(f"its groups do not hold each of the {responses} rows of scaling once; {_AGAIN}")
    return groups


def _fitted_on(tree: Mapping[str, Any]) -> FittedOn:
    optics = tree["optics"]
    return FittedOn(
        pixel_size=_optional(tree["pixel_size"], lambda one: _above_zero("pixel_size", one)),
        intensity_range=_pair("intensity_range", tree["intensity_range"]),
        elements=tuple(str(one) for one in tree["elements"]),
        # Files of earlier versions tell neither composition nor scale.
        composition={str(symbol): _pair("composition", shares) for symbol, shares in (tree.get("composition") or {}).items()},
        scale=_optional(tree.get("scale"), lambda one: _above_zero("scale", one)),
        thickness=_optional(tree["thickness"], lambda one: _pair("thickness", one)),
        optics={str(name): value if isinstance(value, str) else float(value) for name, value in optics.items()},
        images=_whole("images", tree["images"], 10**9),
    )


def _cross_validated(told: Mapping[str, Any]) -> CrossValidated:
    scores = _numbers("cross_validation", [told["one_minus_r2"], told["frms"]], 1)
    return CrossValidated(
        one_minus_r2=float(scores[0]),
        frms=float(scores[1]),
        split=str(told["split"]),
        folds=int(told["folds"]),
        repeats=int(told["repeats"]),
        left_out=_optional(told.get("left_out"), float),
        seed=int(told.get("seed", 0)),
        leave_one_out=_optional(told.get("leave_one_out"), float),
        plain=_optional(told.get("plain"), float),
        noise=_optional(told.get("noise"), float),
    )


def _optional(value: Any, read: Callable[[Any], Any]) -> Any:
    return None if value is None else read(value)


def _numbers(name: str, told: Any, dimensions: int) -> np.ndarray:
    numbers = np.array(told, dtype=np.float64)
    if numbers.ndim != dimensions or not 0 < len(numbers) <= (_MOST_RESPONSES if dimensions == 2 else 10**7):
        raise AtomsegError(f"{name} is of shape {numbers.shape}, which no correction has; {_AGAIN}")
    if not np.isfinite(numbers).all():
        raise AtomsegError(f"some numbers of {name} are not finite; {_AGAIN}")
    return numbers


def _pair(name: str, told: Any) -> tuple[float, float]:
    numbers = _numbers(name, told, 1)
    if len(numbers) != 2:
        raise AtomsegError(f"{name} needs two numbers, got {len(numbers)}; {_AGAIN}")
    return float(numbers[0]), float(numbers[1])


def _above_zero(name: str, told: Any) -> float:
    number = float(told)
    if not 0 < number < np.inf:
        raise AtomsegError(f"{name} must be above zero, got {number:g}; {_AGAIN}")
    return number


def _whole(name: str, told: Any, most: int) -> int:
    if isinstance(told, bool) or not isinstance(told, int) or not 0 <= told <= most:
        raise AtomsegError(f"{name} must be a whole number up to {most}, got {told!r}; {_AGAIN}")
    return told
