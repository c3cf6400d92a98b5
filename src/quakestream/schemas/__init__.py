"""What is on the stream and in live push, as JSON Schema and AsyncAPI: for those who generate code, or check theirs.

The documents are made from the types by `tools/schemas.py`, and committed; a test holds them to the code.
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import Final, Literal, get_args

Name = Literal["event", "asyncapi"]
NAMES: Final = get_args(Name)


@functools.cache
def document(name: Name) -> bytes:
    """`event`: JSON Schema of an event; `asyncapi`: every topic and live push, with the topics' usual names."""
    return (resources.files(__name__) / f"{name}.json").read_bytes()
