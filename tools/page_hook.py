"""Hatch's hook: a wheel has the page in it, or is not made. `pip install .` from a fresh clone builds it first."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent))
from build_page import DASHBOARD, PAGE, build_page, has_node


class PageHook(BuildHookInterface):  # type: ignore[type-arg]
    """Builds the page where it is missing; an editable install takes it from the folder, whenever it comes."""

    def dependencies(self) -> list[str]:
        """Node.js from a wheel, where the machine has none and the page must be built."""
        if PAGE.exists() or has_node():
            return []
        locked = (DASHBOARD / "node.lock").read_text(encoding="utf-8").splitlines()
        return [line.split()[0] for line in locked if "==" in line]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - Hatch's signature
        """Build it, or fail."""
        if self.target_name == "wheel" and version != "editable" and not PAGE.exists():
            build_page()
