"""Write the tables of docs/recipes.md from the recipes themselves: ``python docs/make_recipe_tables.py``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from napari_atomseg.core.params import fields_of
from napari_atomseg.noise.compose import EFFECTS
from napari_atomseg.optics.ctf import CtfParams
from napari_atomseg.optics.detector import MtfParams
from napari_atomseg.optics.probe import ProbeParams
from napari_atomseg.specimens.graphene import GrapheneParams
from napari_atomseg.specimens.nanoparticles import ParticleParams
from napari_atomseg.specimens.solids import SolidParams
from napari_atomseg.synthesis.distributions import limits
from napari_atomseg.synthesis.recipe import Recipe, presets, read_recipe
from napari_atomseg.synthesis.scene import SCENE

TARGET = Path(__file__).parent / "recipes.md"
SPECIMENS = {"sheet": GrapheneParams, "particle": ParticleParams, "solid": SolidParams}
CRYSTAL = {
    "material": ("", "crystal of the library and zone axis"),
    "space_group": ("", "international number"),
    "species": ("", "kinds of atoms"),
    "longest": ("Å", "longest edge of the cell"),
    "least_distance": ("Å", "between atoms, or points"),
    "least_projected": ("Å", "between different columns"),
    "thickness": ("Å", "along the beam"),
    "turn": ("rad", "in-plane rotation"),
    "vacancies": ("", "share of columns that are missing"),
    "wedge": ("", "share of the thickness lost across the field"),
    "wedge_angle": ("rad", "direction of the wedge"),
    "edge": ("", "place of a straight edge, in units of the field"),
    "edge_angle": ("rad", "direction of the edge"),
    "displacement": ("Å", "standard deviation of columns from their sites"),
    "scale": ("", "lengths in the plane, 1 as in the literature"),
    "mistilt": ("rad", "angle between the columns and the beam"),
    "mistilt_angle": ("rad", "in which direction the columns lean"),
    "off_centre": ("", "how far from the middle, in units of the field"),
    "share": ("", "of the places that are taken"),
    "lightest": ("", "lowest atomic number"),
    "heaviest": ("", "highest atomic number"),
    "parts": ("", "what is added up"),
    "soft_particles": ("", "number of soft particles"),
    "sharp_particles": ("", "number of ellipses and polygons"),
    "grains": ("", "number of Voronoi cells"),
    "borders": ("", "whether grains have border lines"),
    "bands": ("", "number of straight bands"),
    "boxes": ("", "number of turned rectangles"),
    "cracks": ("", "number of cracks"),
}
OPTICS: dict[str, type] = {"probe": ProbeParams, "lens": CtfParams, "mtf": MtfParams}
IMAGING = {
    "exponent": ("", "gamma of Z^gamma"),
    "image_spread": ("Å", "standard deviation of a Gaussian blur of the intensity"),
    "foci": ("Å", "added to the defocus, one for each image of a series"),
}
IN_ANGSTROM = {("scan_jitter", "sigma_x"), ("scan_jitter", "sigma_y"), ("line_noise", "sigma")}


def described(cls: type) -> dict[str, tuple[str, str]]:
    """Unit and meaning of every parameter of a class."""
    return {field.name: (field.quantity.unit, field.help) for field in fields_of(cls)}


def lines(group: str, given: Mapping[str, Any], known: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    """Rows of a table."""
    for name, value in given.items():
        if name in ("kind", "weight", "probability"):
            continue
        unit, meaning = known.get(name, ("", ""))
        if (group.split(",")[0], name) in IN_ANGSTROM:
            unit = "Å"
        spread, how = limits(value)
        yield f"| {group} | `{name}` | {meaning} | {unit} | {spread} | {how} |"


def table(recipe: Recipe) -> Iterator[str]:
    """All that a recipe draws."""
    yield f"## {recipe.name}\n\n{recipe.about}\n"
    yield f"![{recipe.name}](gallery/recipe_{recipe.name}.png)\n"
    yield "| part | parameter | meaning, symbol and equation | unit | range | distribution |\n|---|---|---|---|---|---|"
    yield from lines("image", recipe.image, {"size": ("px", "side"), "pixel_size": ("Å", "")})
    total = sum(float(kind.get("weight", 1)) for kind in recipe.specimens)
    for kind in recipe.specimens:
        share = f"{kind['kind']}, {100 * float(kind.get('weight', 1)) / total:.0f} %"
        known = {**CRYSTAL, **(described(SPECIMENS[kind["kind"]]) if kind["kind"] in SPECIMENS else {})}
        yield from lines(share, kind, known)
    parts = {name: value for name, value in recipe.imaging.items() if name not in OPTICS}
    yield from lines("imaging", parts, IMAGING)
    for name in [name for name in OPTICS if name in recipe.imaging]:
        yield from lines(name, recipe.imaging[name], described(OPTICS[name]))
    if recipe.dose is None:
        yield from lines("dose", {"peak": recipe.peak}, {"peak": ("e", "expected counts in the brightest pixel of the columns")})
    else:
        yield from lines("dose", {"dose": recipe.dose}, {"dose": ("e/Å²", "electrons of the incident beam in each image")})
        yield from lines("labels", {"classes": recipe.classes}, {"classes": ("", "column heights that are told apart")})
    for steps, classes in ((recipe.scene, {name: cls for name, (cls, _) in SCENE.items()}), (recipe.noise, None)):
        for entry in steps:
            name, given = next(iter(entry.items()))
            cls = classes[name] if classes is not None else EFFECTS[name].params
            chance = float((given or {}).get("probability", 1))
            group = f"{name}, p = {chance:g}"
            if set(given or {}) <= {"probability"}:
                yield f"| {group} |  | {(cls.__doc__ or '').splitlines()[0]} |  |  |  |"
            yield from lines(group, given or {}, described(cls))
    yield ""


if __name__ == "__main__":
    head = (
        "# Recipes, number by number\n\nWritten by `docs/make_recipe_tables.py` from the files in "
        "`src/napari_atomseg/synthesis/presets`, where comments say which ranges are a paper's; all others are ours, since "
        "Table 1 of Lin et al. and most magnitudes of Lobato et al. are published nowhere.\n\n"
    )
    TARGET.write_text(head + "\n".join(line for name in presets() for line in table(read_recipe(name))), encoding="utf-8")
