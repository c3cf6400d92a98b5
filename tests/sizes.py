"""How much a test does: a little in `make test`, all of it in `make test-long`."""

from __future__ import annotations

import os
from typing import Any, Final, TypeVar

import pytest
from _pytest.mark import ParameterSet

T = TypeVar("T")

LONG: Final = os.environ.get("QUAKESTREAM_LONG") == "1"
"""Whether this is `make test-long`."""


def later(*values: Any) -> list[ParameterSet]:
    """Values of a parameter that are tried in `make test-long` alone."""
    return [pytest.param(value, marks=pytest.mark.long) for value in values]


DATABASES: Final = ["sqlite", *later("postgresql")]
"""The second in `make test-long`: of what goes through the catalogue's interface, whose contract is tried on both."""

sized: Final = pytest.mark.sized
"""Marks a test that does more in `make test-long`, and is therefore run in both."""


def size(short: T, long: T) -> T:
    """`short` in `make test`, `long` in `make test-long`."""
    return long if LONG else short
