"""Options of simulations that several commands offer, and the parameters that are made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_atomseg.cli.options import params_of
from napari_atomseg.cli.param_options import FieldOption

if TYPE_CHECKING:
    from napari_atomseg.workflows import SimulationParams

DEVICE = FieldOption("multislice.device", metavar="auto|cpu|cuda", spelt={"cuda": "gpu"})
REPEAT = FieldOption("cut.repeat", metavar="auto|none|NA,NB,NC")
THERMAL = FieldOption("cut.thermal", default="the file's, else 0.08A")
ZONE_AXIS = FieldOption("cut.zone_axis", metavar="u,v,w")


def simulation_params(own: dict[str, Any], parts: dict[str, dict[str, Any]]) -> SimulationParams:
    """All parameters; what was not typed keeps its default.

    Parameters
    ----------
    own : dict
        Fields of the simulation itself.
    parts : dict of dict
        By the names of its parts, such as ``stem``, the fields of each.

    Raises
    ------
    typer.BadParameter
        If a value is illegal.
    """
    from napari_atomseg.workflows import SimulationParams

    usual = SimulationParams()
    made = {name: params_of(type(getattr(usual, name)), "parameters", **values) for name, values in parts.items()}
    return params_of(SimulationParams, "parameters", **own, **made)
