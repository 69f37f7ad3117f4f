"""Networks kept ready for use, so that many images load them once."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from napari_atomseg.networks.folded_normalisation import fold_normalisation
from napari_atomseg.networks.zoo import Model, list_models, load_model


def cached_model(name: str, device: str) -> Model:
    """A model by its name or folder, kept ready until its files change; see :func:`napari_atomseg.networks.zoo.load_model`.

    Parameters
    ----------
    name : str
        Of a model at hand, or its folder.
    device : str
        As torch names it.
    """
    folder = list_models().get(name) or Path(name)
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    state = tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files)
    return _loaded(str(folder) if files else name, device, state)


@lru_cache(maxsize=4)
def _loaded(name: str, device: str, state: tuple[tuple[str, int, int], ...]) -> Model:
    model = load_model(name, device)
    fold_normalisation(model.network)
    return model
