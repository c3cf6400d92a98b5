"""The lists that the test processes begin with: see `order`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.order import MOST_S, ROOT, SLOW, for_processes

FOLDERS = [*SLOW, "api", "formats", "sources"]


def items_of(folder: str, count: int) -> list[Any]:
    return [SimpleNamespace(path=ROOT / folder / f"test_{n // 5}.py", nodeid=f"{folder} {n}") for n in range(count)]


@given(st.lists(st.integers(0, 60), min_size=len(FOLDERS), max_size=len(FOLDERS)), st.integers(2, 7))
def test_each_test_stands_in_it_once(counts: list[int], processes: int) -> None:
    items = [one for folder, count in zip(FOLDERS, counts, strict=True) for one in items_of(folder, count)]
    ordered = for_processes(items, processes)
    assert sorted(id(one) for one in ordered) == sorted(id(one) for one in items)


def test_few_processes_begin_with_what_is_slow() -> None:
    browsers, log = items_of("browser", 100), items_of("log", 100)
    assert SLOW["browser"] * len(browsers) > MOST_S
    ordered = for_processes([*items_of("api", 800), *browsers, *log], 4)
    begins = [ordered[n * 250].path.parent.name for n in range(4)]
    assert sorted(begins) == ["api", "browser", "browser", "log"]
    assert [one for one in ordered if one in browsers[:50]] == browsers[:50], "in their own order"
