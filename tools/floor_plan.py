"""Draw the floor plan of docs/architecture.md from the imports: `python -m tools.floor_plan [--write]`."""

from __future__ import annotations

import ast
import functools
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
SRC: Final = ROOT / "src"


@functools.cache
def imports() -> dict[str, set[str]]:
    """Of each module, the modules of ours that it imports, wherever in it; what only types need is left out."""
    modules = {".".join(path.relative_to(SRC).with_suffix("").parts): path for path in SRC.rglob("*.py")}
    modules = {name.removesuffix(".__init__"): path for name, path in modules.items()}
    return {name: set(_imported(path, modules)) - {name} for name, path in modules.items()}


def floor_plan() -> str:
    """Each room and what it sees, the highest first: a room sees only those below it."""
    sees: dict[str, set[str]] = defaultdict(set)
    for module, imported in imports().items():
        sees[_room(module)] |= {_room(one) for one in imported} - {_room(module)}
    del sees["quakestream"]
    height: dict[str, int] = {}

    def height_of(room: str) -> int:
        if room not in height:
            height[room] = 1 + max((height_of(one) for one in sees[room]), default=0)
        return height[room]

    rooms = sorted(sees, key=lambda room: (-height_of(room), room))
    wide = max(map(len, rooms))
    return "".join(f"{room:{wide}} → {', '.join(sorted(sees[room])) or 'nothing'}\n" for room in rooms)


def _room(module: str) -> str:
    """`quakestream.catalog.sql` is in `catalog`; a module that stands alone is a room of its own."""
    parts = module.split(".")
    if len(parts) == 1:
        return parts[0]
    folder = (SRC / "quakestream" / parts[1]).is_dir()
    return f"{parts[1]}/" if folder else parts[1]


@functools.cache
def parsed(path: Path) -> ast.Module:
    """This file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"))


def _imported(path: Path, modules: Mapping[str, Path]) -> Iterator[str]:
    tree = parsed(path)
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module in modules:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in modules else node.module


def main() -> None:
    """Print it, or put it into its place."""
    if "--write" not in sys.argv:
        print(floor_plan(), end="")
        return
    page = ROOT / "docs" / "architecture.md"
    text = page.read_text(encoding="utf-8")
    plan = re.sub(
        r"(<!-- floor plan -->\n```\n).*?(```\n)",
        lambda found: found[1] + floor_plan() + found[2],
        text,
        flags=re.DOTALL,
    )
    page.write_text(plan, encoding="utf-8")


if __name__ == "__main__":
    main()
