"""The structure as docs/architecture.md draws it, from the imports themselves; and what must stay true of it."""

from __future__ import annotations

import ast
import graphlib
import re
from collections import defaultdict
from pathlib import Path
from typing import Final

from tools.floor_plan import ROOT, floor_plan, imports, parsed

ARCHITECTURE: Final = ROOT / "docs" / "architecture.md"
SHARED_NAMES: Final = {
    "Change": "the catalogue's, and its JSON in OpenAPI",
    "Earthquake": "likewise",
    "Step": "likewise",
}
"""Public types whose name stands twice, and why: at most three."""


def test_the_floor_plan_is_the_one_that_is_drawn() -> None:
    drawn = re.search(r"<!-- floor plan -->\n```\n(.*?)```\n", ARCHITECTURE.read_text(), re.DOTALL)
    assert drawn
    assert drawn[1] == floor_plan(), "`python -m tools.floor_plan --write`"


def test_no_modules_import_each_other_in_a_circle() -> None:
    order = tuple(graphlib.TopologicalSorter(imports()).static_order())  # raises CycleError, which names them
    assert "quakestream.event" in order


def test_a_public_types_name_means_one_thing() -> None:
    places = defaultdict(list)
    for path in (ROOT / "src").rglob("*.py"):
        for one in parsed(path).body:
            if isinstance(one, ast.ClassDef) and not one.name.startswith("_"):
                places[one.name].append(str(path.relative_to(ROOT)))
    shared = {name: paths for name, paths in places.items() if len(paths) > 1}
    assert shared.keys() == SHARED_NAMES.keys(), shared
    assert len(SHARED_NAMES) <= 3


def test_what_has_moved_is_where_docs_say() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|$", (ROOT / "docs" / "moved.md").read_text(), re.MULTILINE)
    assert len(rows) > 50
    assert [new for _, new in rows if not (ROOT / new).exists()] == []
    assert [old for old, _ in rows if Path(ROOT / old).exists()] == []
