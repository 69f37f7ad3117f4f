"""Write the tables of docs/recipes.md from the recipes themselves: ``python docs/make_recipe_tables.py``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import recipe_sources
from recipe_sources import Place

from napari_atomseg.core.params import fields_of
from napari_atomseg.imaging.radial_profile import RadialProfileParams
from napari_atomseg.noise.compose import EFFECTS
from napari_atomseg.optics.ctf import CtfParams
from napari_atomseg.optics.detector import MtfParams
from napari_atomseg.optics.probe import ProbeParams
from napari_atomseg.specimens.defected_graphene import DefectedGrapheneParams
from napari_atomseg.specimens.graphene import GrapheneParams
from napari_atomseg.specimens.nanoparticles import ParticleParams
from napari_atomseg.specimens.solid_params import SolidParams
from napari_atomseg.synthesis import recipe as recipes
from napari_atomseg.synthesis.recipe import presets, read_recipe
from napari_atomseg.synthesis.scene import SCENE
from napari_atomseg.synthesis.specimen_params import CrystalParams, PointsParams, RandomCrystalFieldParams

TARGET = Path(__file__).parent / "recipes.md"
SPECIMENS: dict[str, type] = {
    "crystal": CrystalParams,
    "random_crystal": RandomCrystalFieldParams,
    "sheet": GrapheneParams,
    "graphene": DefectedGrapheneParams,
    "particle": ParticleParams,
    "points": PointsParams,
    "solid": SolidParams,
}
CRYSTAL = {
    "material": ("", "crystal of the library and zone axis"),
    "off_centre": ("", "how far from the middle, in units of the field"),
    "folder": ("", "where the exit waves lie"),
    "parts": ("", "what is added up"),
    "soft_particles": ("", "number of soft particles"),
    "sharp_particles": ("", "number of ellipses and polygons"),
    "grains": ("", "number of Voronoi cells"),
    "borders": ("", "whether grains have border lines"),
    "bands": ("", "number of straight bands"),
    "boxes": ("", "number of turned rectangles"),
    "cracks": ("", "number of cracks"),
}
IMAGE = {"size": ("px", "side of the image"), "pixel_size": ("Å", "side of a pixel, the step of the scan")}
DOSE = {
    "peak": ("e", "expected counts in the brightest pixel of the columns"),
    "mean": ("e", "expected counts in a pixel, mean of the scene"),
    "dose": ("e/Å²", "electrons of the incident beam in each image"),
    "classes": ("", "column heights that are told apart"),
}
OPTICS: dict[str, type] = {"probe": ProbeParams, "profile": RadialProfileParams, "lens": CtfParams, "mtf": MtfParams}
IMAGING = {
    "exponent": ("", "gamma of Z^gamma"),
    "profile_share": ("", "share of the images whose atoms have a profile instead of a microscope"),
    "image_spread": ("Å", "standard deviation of a Gaussian blur of the intensity"),
    "foci": ("Å", "added to the defocus, one for each image of a series"),
}
RELATIVE = {
    "upper_share": ("", "upper limit in parts of what the scene's brightest pixel hardly ever counts more than"),
    "levels": ("", "steps up to the mean of the scene's brightest pixel"),
}
IN_ANGSTROM = {("scan_jitter", "sigma_x"), ("scan_jitter", "sigma_y"), ("line_noise", "sigma")}


def described(cls: type) -> dict[str, tuple[str, str]]:
    """Unit and meaning of every parameter of a class."""
    return {field.name: (field.quantity.unit, field.help) for field in fields_of(cls)}


def spread(given: Any) -> tuple[str, str]:
    """Range and distribution in words."""
    if not isinstance(given, Mapping):
        return item(given), "constant"
    name, values = next(iter(given.items()))
    if name == "choice":
        return shares(values), name
    how = name.replace("_", "-") + (f", scale {values[2]:g}" if name == "exponential" else "")
    return (f"{values[0]:g} ± {values[1]:g}" if name == "normal" else f"{values[0]:g} to {values[1]:g}"), how


def item(value: Any) -> str:
    """One value as a reader would write it: "Pt [110]", "none", "yes", "grains + cracks", "-130, 0, 130"."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, Mapping):
        return spread(value)[0]
    if not isinstance(value, list):
        return f"{value:.6g}" if isinstance(value, float) else str(value).replace("_", " ")
    if len(value) == 2 and isinstance(value[1], list):
        return f"{value[0]} [{''.join(map(str, value[1]))}]"
    return (" + " if value and isinstance(value[0], str) else ", ").join(map(item, value))


def shares(values: list[Any]) -> str:
    """What is chosen from; with shares if some values stand there more than once."""
    count = Counter(map(item, values))
    if max(count.values()) == 1:
        return ", ".join(count)
    groups: dict[int, list[str]] = {}
    for name, times in count.items():
        groups.setdefault(times, []).append(name)
    return ", ".join(
        f"{', '.join(names)} ({100 * times / len(values):.0f} %{' each' if len(names) > 1 else ''})"
        for times, names in groups.items()
    )


@dataclass(frozen=True)
class Row:
    """One parameter of a recipe."""

    part: str
    name: str
    meaning: str
    unit: str
    range: str
    distribution: str
    source: str

    def line(self) -> str:
        """As a line of a table; what has no unit is dimensionless."""
        cells = (self.part, f"`{self.name}`", self.meaning, self.unit or "-", self.range, self.distribution, self.source)
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def rows_of(
    part: str, place: Place, given: Mapping[str, Any], known: Mapping[str, tuple[str, str]], sources: Mapping[Place, str]
) -> Iterator[Row]:
    """Rows for the parameters of one part, which stands at `place` in the file."""
    for name, value in given.items():
        if name in ("kind", "weight", "probability"):
            continue
        unit, meaning = known.get(name, ("", ""))
        if (part.split(",")[0], name) in IN_ANGSTROM:
            unit = "Å"
        yield Row(part, name, meaning, unit, *spread(value), sources.get((*place, name), ""))


def steps_of(recipe: recipes.Recipe, sources: Mapping[Place, str]) -> Iterator[Row]:
    """Rows for what is done to the image."""
    for stage, steps in (("scene", recipe.scene), ("noise", recipe.noise)):
        for place, entry in zip(recipe_sources.effects(sources, stage), steps, strict=True):
            name, given = next(iter(entry.items()))
            cls = SCENE[name][0] if stage == "scene" else EFFECTS[name].params
            part = f"{name}, p = {float((given or {}).get('probability', 1)):g}"
            if set(given or {}) <= {"probability"}:
                meaning = (cls.__doc__ or "").splitlines()[0]
                yield Row(part, "-", meaning, "", "no parameters", "-", sources[place])
            yield from rows_of(part, place, given or {}, {**RELATIVE, **described(cls)}, sources)


def rows(recipe: recipes.Recipe, text: str) -> Iterator[Row]:
    """All that a recipe draws, with the sources that stand in its file."""
    sources = recipe_sources.sources(text)
    yield from rows_of("image", ("image",), recipe.image, IMAGE, sources)
    total = sum(float(kind.get("weight", 1)) for kind in recipe.specimens)
    for number, kind in enumerate(recipe.specimens):
        part = f"{kind['kind']}, {100 * float(kind.get('weight', 1)) / total:.0f} %"
        known = {**CRYSTAL, **(described(SPECIMENS[kind["kind"]]) if kind["kind"] in SPECIMENS else {})}
        yield from rows_of(part, ("specimens", number), kind, known, sources)
    parts = {name: value for name, value in recipe.imaging.items() if name not in OPTICS}
    yield from rows_of("imaging", ("imaging",), parts, IMAGING, sources)
    for name in [name for name in OPTICS if name in recipe.imaging]:
        yield from rows_of(name, ("imaging", name), recipe.imaging[name], described(OPTICS[name]), sources)
    yield from rows_of("dose", (), {name: getattr(recipe, name) for name in DOSE if (name,) in sources}, DOSE, sources)
    yield from steps_of(recipe, sources)


def table(recipe: recipes.Recipe, text: str) -> Iterator[str]:
    """The chapter of a recipe."""
    yield f"## {recipe.name}\n\n{recipe.about}\n"
    if recipe.parts:
        weights = recipe.part_weights or (1.0,) * len(recipe.parts)
        names = ", ".join(
            f"[{part.name}](#{part.name}) {100 * weight / sum(weights):.0f} %"
            for part, weight in zip(recipe.parts, weights, strict=True)
        )
        yield f"One of these for each image: {names}.\n"
        return
    yield f"![{recipe.name}](gallery/recipe_{recipe.name}.png)\n"
    yield "| part | parameter | meaning, symbol and equation | unit | range | distribution | source |\n" + "|---" * 7 + "|"
    yield from (row.line() for row in rows(recipe, text))
    yield ""


def text_of(name: str) -> str:
    """The file of a preset."""
    return (Path(recipes.__file__).parent / "presets" / f"{name}.yaml").read_text(encoding="utf-8")


if __name__ == "__main__":
    head = (
        "# Recipes, number by number\n\nWritten by `docs/make_recipe_tables.py` from the files in "
        "`src/napari_atomseg/synthesis/presets`, whose comments name the sources: a paper, or ours, since "
        "Table 1 of Lin et al. and most magnitudes of Lobato et al. are published nowhere. A dash as unit: dimensionless.\n\n"
    )
    TARGET.write_text(
        head + "\n".join(line for name in presets() for line in table(read_recipe(name), text_of(name))), encoding="utf-8"
    )
