"""Recipes: the ranges that images are drawn from, one YAML file each, and the drawing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.plain_yaml import parse_yaml
from napari_atomseg.synthesis.distributions import draw_all, draw_number
from napari_atomseg.synthesis.recipe_check import COUNTS, EXPONENTS, FOCI, PIXEL_SIZES, SIDES, SPREADS, check_parts
from napari_atomseg.synthesis.record import Record
from napari_atomseg.synthesis.steps import draw_steps, flattened

REQUIRED = ("name", "image", "specimens", "imaging", "peak")
AMOUNTS = ("peak", "dose", "mean")
KNOWN = (*REQUIRED, *AMOUNTS[1:], "classes", "about", "modality", "kind", "scene", "noise", "labels", "sources")
KNOWN_OF_PARTS = ("name", "about", "parts")
"""Of recipes that only name others."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a family of images is drawn from.

    Attributes
    ----------
    name : str
    about : str
        One sentence.
    modality : str
        stem, sem or tem.
    kind : str
        What networks that restore are told of its images, such as hrstem; the recipe's name if left out.
    image : mapping
        ``size`` in px, ``pixel_size`` in Angstrom.
    specimens : tuple of mapping
        Each with a ``kind``, a ``weight`` and the distributions of its parameters.
    imaging : mapping
        ``exponent``, ``probe`` with the distributions of its parameters; for a TEM ``lens`` and ``mtf`` with theirs, ``foci``
        (steps of defocus, Angstrom) and ``image_spread`` (Angstrom) instead. ``profile`` gives atoms a shape (Lobato et al.)
        without a microscope, in a share ``profile_share`` of the images if there is a probe or a lens too.
    peak : number or mapping
        Expected counts in the brightest pixel.
    dose : number or mapping, optional
        e/A2, in place of a peak.
    mean : number or mapping, optional
        Expected counts in a pixel, mean of the scene; in place of a peak.
    classes : int
        Column heights that are told apart.
    scene, noise : tuple of mapping
        In order; each names one effect, with its ``probability`` and the distributions of its parameters. Of those that stem from
        one ``one_of`` at most one happens (:mod:`.steps`).
    parts : tuple of Recipe
        Recipes of which each image follows one; nothing else counts then but the name.
    part_weights : tuple of float
        How often each of them is followed, beside the others; all as often if left out.
    """

    name: str
    about: str
    modality: str
    image: Mapping[str, Any]
    specimens: tuple[Mapping[str, Any], ...]
    imaging: Mapping[str, Any]
    peak: Any
    scene: tuple[Mapping[str, Any], ...]
    noise: tuple[Mapping[str, Any], ...]
    dose: Any = None
    classes: int = 1
    mean: Any = None
    kind: str = ""
    parts: tuple[Recipe, ...] = ()
    part_weights: tuple[float, ...] = ()


def presets() -> list[str]:
    """Names of the recipes that come with the plugin."""
    folder = resources.files("napari_atomseg.synthesis") / "presets"
    return sorted(Path(str(entry)).stem for entry in folder.iterdir() if str(entry).endswith(".yaml"))


def read_recipe(given: str | Path) -> Recipe:
    """A recipe by the name of a preset, or from a file.

    Raises
    ------
    AtomsegError
        If there is none, or it cannot be understood.
    """
    import yaml

    if str(given) in presets():
        text = (resources.files("napari_atomseg.synthesis") / "presets" / f"{given}.yaml").read_text(encoding="utf-8")
    elif Path(given).is_file():
        text = Path(given).read_text(encoding="utf-8")
    else:
        raise AtomsegError(f'there is no recipe "{given}"; presets: {", ".join(presets())}, or give a YAML file')
    try:
        values = parse_yaml(text)
    except yaml.YAMLError as error:
        raise AtomsegError(f"{given}: not readable as YAML ({str(error).splitlines()[0]})") from error
    return recipe_from(values, str(given))


def recipe_from(values: Any, where: str) -> Recipe:
    """A recipe from plain dictionaries.

    Raises
    ------
    AtomsegError
        If a part is missing or unknown.
    """
    if not isinstance(values, Mapping):
        raise AtomsegError(f"{where}: a recipe is a mapping with {', '.join(REQUIRED)}")
    if values.get("parts"):
        return _of_parts(values, where)
    missing = [name for name in REQUIRED if name not in values and not (name == "peak" and set(AMOUNTS) & set(values))]
    unknown = sorted(set(values) - {*KNOWN, "parts", "part_weights"})
    if missing or unknown:
        raise AtomsegError(f"{where}: missing {', '.join(missing) or 'nothing'}, unknown {', '.join(unknown) or 'nothing'}")
    if not values["specimens"]:
        raise AtomsegError(f"{where}: a recipe needs at least one specimen")
    check_parts(values, where)
    return Recipe(
        name=str(values["name"]),
        about=str(values.get("about", "")),
        modality=str(values.get("modality", "stem")),
        image=values["image"],
        specimens=tuple(values["specimens"]),
        imaging=values["imaging"],
        peak=values.get("peak", 0.0),
        scene=flattened(values.get("scene") or (), f"{where}, scene"),
        noise=flattened(values.get("noise") or (), f"{where}, noise"),
        dose=values.get("dose"),
        classes=int(values.get("classes", 1)),
        mean=values.get("mean"),
        kind=str(values.get("kind", values["name"])),
    )


def _of_parts(values: Mapping[str, Any], where: str) -> Recipe:
    """A recipe that names others."""
    names, unknown = values["parts"], sorted(set(values) - set(KNOWN_OF_PARTS))
    if unknown or not isinstance(names, list | Mapping) or not names or "name" not in values:
        raise AtomsegError(
            f"{where}: a recipe of parts has a name, a sentence (about) and a list of recipes (parts), or of recipes with their "
            f"weights, and nothing else; unknown {', '.join(unknown) or 'nothing'}"
        )
    weights = _part_weights(names, where) if isinstance(names, Mapping) else ()
    parts = tuple(read_recipe(str(name)) for name in names)
    if any(part.parts for part in parts):
        raise AtomsegError(f"{where}: parts of a recipe have no parts themselves; name their recipes")
    return Recipe(
        name=str(values["name"]),
        about=str(values.get("about", "")),
        modality=", ".join(dict.fromkeys(part.modality for part in parts)),
        image=parts[0].image,
        specimens=(),
        imaging={},
        peak=0.0,
        scene=(),
        noise=(),
        parts=parts,
        part_weights=weights,
    )


def _part_weights(given: Mapping[str, Any], where: str) -> tuple[float, ...]:
    for name, weight in given.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not weight > 0:
            raise AtomsegError(f"{where}: the weight of part {name} is a number above 0, not {weight}")
    return tuple(float(weight) for weight in given.values())


def _part(recipe: Recipe, rng: np.random.Generator) -> int:
    """Place of the part that an image follows."""
    if not recipe.part_weights:
        return int(rng.integers(len(recipe.parts)))
    weights = np.array(recipe.part_weights)
    return int(rng.choice(len(weights), p=weights / weights.sum()))


def draw_record(recipe: Recipe, seed: int, size: int | None = None) -> Record:
    """One image of a recipe, in numbers; the same seed gives the same record.

    Parameters
    ----------
    recipe : Recipe
    seed : int
    size : int, optional
        Side of the image in px, instead of the recipe's.
    """
    if recipe.parts:
        return draw_record(recipe.parts[_part(recipe, np.random.default_rng([seed, 0x9A27]))], seed, size)
    rng = np.random.default_rng([seed, 0x5EED])
    side = int(size or draw_number(recipe.image["size"], rng, "image.size", SIDES))
    pixel_size = draw_number(recipe.image["pixel_size"], rng, "image.pixel_size", PIXEL_SIZES)
    weights = np.array([float(kind.get("weight", 1.0)) for kind in recipe.specimens])
    chosen = recipe.specimens[int(rng.choice(len(weights), p=weights / weights.sum()))]
    drawn = draw_all({name: value for name, value in chosen.items() if name != "weight"}, rng, f"specimen {chosen.get('kind')}")
    material = drawn.pop("material", None)
    if material is not None:
        drawn["name"], drawn["zone"] = _material(material)
    imaging = _imaging(recipe.imaging, rng)
    return Record(
        recipe=recipe.name,
        seed=seed,
        shape=(side, side),
        pixel_size=pixel_size,
        specimen={**drawn, "seed": int(rng.integers(2**31))},
        imaging=imaging,
        peak=draw_number(recipe.peak, rng, "peak", COUNTS),
        scene=tuple(draw_steps(recipe.scene, rng, "scene")),
        noise=tuple(draw_steps(recipe.noise, rng, "noise")),
        dose=None if recipe.dose is None else draw_number(recipe.dose, rng, "dose", COUNTS),
        classes=recipe.classes,
        mean=None if recipe.mean is None else draw_number(recipe.mean, rng, "mean", COUNTS),
    )


def _material(given: Any) -> tuple[str, list[int]]:
    """Name and zone axis of a crystal of the library."""
    try:
        name, zone = given
        return str(name), [int(step) for step in zone]
    except (TypeError, ValueError) as error:
        raise AtomsegError(f"a material is a name with its zone axis, such as [Pt, [1, 1, 0]]; got {given!r}") from error


def _imaging(given: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Probe, or profile of the atoms, or lens; with its camera."""
    if "profile" in given and rng.uniform() < float(given.get("profile_share", 1.0)):
        found = _incoherent(given, "profile", rng)
    elif "lens" in given:
        found = _through_lens(given, rng)
    else:
        found = _incoherent(given, "probe", rng)
    if "lens" in given or "mtf" in given:
        found["mtf"] = draw_all(given.get("mtf", {}), rng, "imaging.mtf")
    return found


def _incoherent(given: Mapping[str, Any], shape: str, rng: np.random.Generator) -> dict[str, Any]:
    return {
        "exponent": draw_number(given.get("exponent", 1.7), rng, "imaging.exponent", EXPONENTS),
        shape: draw_all(given.get(shape, {}), rng, f"imaging.{shape}"),
    }


def _through_lens(given: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    foci = given.get("foci", 0.0)
    return {
        "lens": draw_all(given["lens"], rng, "imaging.lens"),
        "image_spread": draw_number(given.get("image_spread", 0.0), rng, "imaging.image_spread", SPREADS),
        "foci": [draw_number(step, rng, "imaging.foci", FOCI) for step in (foci if isinstance(foci, list) else [foci])],
    }
