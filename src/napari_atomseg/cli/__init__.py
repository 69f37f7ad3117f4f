"""The command line, thin over :mod:`napari_atomseg.workflows`; one file per group of commands.

Nothing but typer is imported before a command runs, so that help comes at once.
"""

from napari_atomseg.cli.app import app, main

__all__ = ["app", "main"]
