"""YAML as people write it: in YAML 1.1, which PyYAML reads, ``1.0e7`` and ``1e7`` would be words for want of a sign."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

_FLOAT = re.compile(r"[-+]?(\d[\d_]*(\.[\d_]*)?|\.\d[\d_]*)[eE][-+]?\d+$")


def parse_yaml(text: str) -> Any:
    """Plain values of a YAML text; numbers with an exponent are numbers, with or without a point or a sign.

    Raises
    ------
    yaml.YAMLError
        If it is none.
    """
    import yaml

    return yaml.load(text, Loader=_loader())


@lru_cache(maxsize=1)
def _loader() -> Any:
    import yaml

    # In C, where PyYAML was built with it, ten times faster: the cards of all models are read before each use of one.
    fast = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(fast):  # type: ignore[misc, valid-type]
        """A safe loader that knows more numbers."""

    Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))
    return Loader
