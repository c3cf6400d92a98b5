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
        """Called each time, for nothing is kept here: who puts something else into the module finds it here too."""
        return getattr(importlib.import_module(self.__name__), name)
