"""What a recipe can teach a network, told without a network: which maps, of how many images of a place."""

from __future__ import annotations

from dataclasses import dataclass

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.networks.card import COLUMNS, RESTORATION, STRUCTURES, ModelCard
from napari_atomseg.networks.outputs import COLUMN_OUTPUTS, RESTORED, Output, count_outputs, counts_atoms, structure_outputs
from napari_atomseg.synthesis.recipe import Recipe

CRYSTAL = "graphene"
SHEET_KINDS = ("sheet", CRYSTAL)
"""Specimens whose atoms are structures to be recognised; those of others, and what lies on them, are background."""


@dataclass(frozen=True, kw_only=True)
class Taught:
    """What networks learn from a recipe.

    Attributes
    ----------
    task : str
        As a card names it.
    outputs : tuple of Output
    images : int
        Of a place, looked at together.
    """

    task: str
    outputs: tuple[Output, ...]
    images: int = 1

    @property
    def counts(self) -> bool:
        """Whether the classes are numbers of atoms."""
        return counts_atoms(self.outputs)

    def begins_with(self, card: ModelCard) -> bool:
        """Whether the weights of a model are a beginning: one for columns for any columns, else one of the same maps.

        Parameters
        ----------
        card : ModelCard
        """
        alike = self.task == COLUMNS or self.outputs == card.outputs
        return card.task == self.task and card.images == self.images and alike


def taught_by(recipe: Recipe) -> Taught:
    """Columns of STEM images; structures of TEM images of sheets, one class or more; numbers of atoms; restored images.

    Parameters
    ----------
    recipe : Recipe

    Raises
    ------
    AtomsegError
        If no network learns from such images.
    """
    if recipe.parts:
        return Taught(task=RESTORATION, outputs=(RESTORED,))
    if "lens" not in recipe.imaging and recipe.modality in ("stem", "adf"):
        return Taught(task=COLUMNS, outputs=COLUMN_OUTPUTS)
    if _counts(recipe):
        return Taught(task=STRUCTURES, outputs=count_outputs(recipe.classes), images=len(recipe.imaging["foci"]))
    sheets = any(kind.get("kind") in SHEET_KINDS for kind in recipe.specimens)
    if "lens" not in recipe.imaging or "profile" in recipe.imaging or recipe.dose is None or not sheets:
        raise AtomsegError(
            f"{recipe.name}: networks learn columns from recipes of STEM images, such as columns_stem, structures from TEM "
            f"images of {' or '.join(SHEET_KINDS)} through a lens with a dose, such as hrtem-graphene, and numbers of atoms "
            "from focal series of particles, such as hrtem-particles; choose one like these"
        )
    return Taught(task=STRUCTURES, outputs=structure_outputs(recipe.classes))


def _counts(recipe: Recipe) -> bool:
    """Whether a recipe shows focal series of particles, whose columns' atoms are to be counted."""
    series = isinstance(recipe.imaging.get("foci"), list) and len(recipe.imaging["foci"]) > 1
    particles = all(kind.get("kind") == "particle" for kind in recipe.specimens)
    return particles and series and "lens" in recipe.imaging and recipe.dose is not None and recipe.classes > 1
