"""Large modules that most processes never use: imported by whoever uses them first.

`shapely = late.module("shapely")` stands for `import shapely`, which type checkers are told in its place.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any


def module(name: str) -> Any:
    """The module of that name, which is imported when anything of it is first asked for.

    Raises, then: ImportError.
    """
    return _Late(name)


class _Late(ModuleType):
    def __getattr__(self, name: str) -> Any:
        """Called for what is not here yet: after the first time, all that the module has is."""
        real = importlib.import_module(self.__name__)
        self.__dict__.update(vars(real))
        return getattr(real, name)
