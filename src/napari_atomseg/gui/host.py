"""What parts below the pages may ask of the panel; :mod:`napari_atomseg.gui.contract` adds what pages may."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_atomseg.core.jobs import Steps

Links = Mapping[str, Callable[[], object]]
"""What each link in the foot does, by its name."""


class BasicHost(Protocol):
    """The viewer, the chosen image, and the foot.

    Attributes
    ----------
    viewer : napari viewer
    """

    viewer: Any

    @property
    def image(self) -> Image | None:
        """The image that is worked on."""

    @property
    def busy(self) -> bool:
        """True while a job runs."""

    @property
    def in_charge(self) -> bool:
        """False once another panel has been opened in the same viewer."""

    def say(self, sentence: str) -> None:
        """Show rich text in the foot."""

    def show_error(self, error: Exception | str) -> None:
        """Show in the foot what went wrong."""

    def ask(self, sentence: str, accept: tuple[str, str, str], refuse: tuple[str, str, str], then: Links) -> None:
        """Ask in a frame above the pages.

        Parameters
        ----------
        sentence : str
            The question.
        accept, refuse : tuple of str
            Name, text and tooltip of each answer.
        then : mapping of str to callable
            What is done, by the name of the answer.
        """

    def withdraw(self, name: str) -> None:
        """Take a question back, by the name of its first answer."""

    def start(self, steps: Steps[Any], done: Any, what: str, **more: Any) -> None:
        """Run a long job with progress and Cancel in the foot.

        Parameters
        ----------
        steps : generator
            The job.
        done : callable
            Takes its result, in the main thread.
        what : str
            Shown while it runs.
        **more
            See the panel.
        """

    def follow_link(self, link: str) -> None:
        """Do what a link says, whichever page knows it."""
