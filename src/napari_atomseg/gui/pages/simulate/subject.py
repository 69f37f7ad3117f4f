"""What the parts of the page may know of what is simulated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from napari.layers import Points

    from napari_atomseg.workflows import SimulationParams


class Subject(Protocol):
    """A structure and how it is imaged."""

    @property
    def layer(self) -> Points | None:
        """The chosen structure."""

    def params(self) -> SimulationParams:
        """All that the page says.

        Raises
        ------
        AtomsegError
            If it cannot be meant.
        """
