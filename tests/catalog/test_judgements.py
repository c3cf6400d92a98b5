"""What a person said of reports holds, whatever comes before or after, on both databases."""

import io
import json
import random
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quakestream.catalog import EarthquakeFilter
from quakestream.catalog.exporting import json_lines
from quakestream.catalog.judgements import Judgement, Judgements, judgement, without_judgements
from quakestream.catalog.postgresql import PostgresqlCatalog
from quakestream.catalog.rebuilding import rebuild_database, rebuild_file
from quakestream.catalog.sql import SqlCatalog
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.catalog.verifying import faults
from quakestream.errors import Rejected
from quakestream.event import EarthquakeEvent, from_document
from quakestream.formats import Problem, read
from tests.contracts.catalog import NOW_MS, TIME_MS, UPDATED_MS, Writer, shock
from tests.postgres_server import PostgresServer
from tests.sizes import size

Open = Callable[[], SqlCatalog]


@pytest.fixture(params=["sqlite", "postgresql"])
def open_new(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Open, Callable[[SqlCatalog], None]]]:
    """What makes an empty catalogue, and what rebuilds one that is closed."""
    if request.param == "sqlite":
        number = iter(range(10_000))
        yield (
            lambda: SqliteCatalog(tmp_path / f"{next(number)}.sqlite3"),
            lambda catalog: rebuild_file(catalog.path, lambda *_: None) and None,  # type: ignore[attr-defined]
        )
        return
    server: PostgresServer = request.getfixturevalue("postgresql")
    urls: dict[int, str] = {}

    def make() -> SqlCatalog:
        url = server.make_database()
        catalog = PostgresqlCatalog(url)
        urls[id(catalog)] = url
        return catalog

    yield make, lambda catalog: rebuild_database(urls[id(catalog)], lambda *_: None) and None


def said(what: str, one: str, other: str, after: int = 0) -> Judgement:
    return judgement(what, one, other, mode="actual", who="Ada", why="seen", at_ms=NOW_MS + after)


def groups(catalog: SqlCatalog) -> list[list[str]]:
    pages = catalog.earthquakes(EarthquakeFilter(includedeleted=True), limit=1000).earthquakes
    return sorted(sorted(msgspec.json.decode(document)["events"]) for document in pages)


def sound(catalog: SqlCatalog) -> list[str]:
    with catalog.reading() as connection:
        return list(faults(connection))


FAR_MS = TIME_MS + 3_600_000
REVISIONS = [
    shock("nn1"),
    shock("nn1", updated=UPDATED_MS + 1, magnitude=4.7),
    shock("us1", timestamp=FAR_MS),
    shock("us1", timestamp=FAR_MS, updated=UPDATED_MS + 2, status="reviewed"),
    shock("nc1", timestamp=TIME_MS + 500),
    shock("nc1", timestamp=TIME_MS + 800, updated=UPDATED_MS + 3, ids=["nc1", "nn1"]),
    shock("ci1", timestamp=TIME_MS + 300, status="deleted", ids=["nc1", "nn1"]),
]
"""nn1 and nc1 are one by every rule, and by name; us1 is an hour away."""


@settings(max_examples=size(1, 12), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_join_and_a_part_survive_everything_in_any_order(
    open_new: tuple[Open, Callable[[SqlCatalog], None]], data: st.DataObject
) -> None:
    make, rebuild = open_new
    words = [said("join", "usgs:nn1", "usgs:us1"), said("part", "usgs:nn1", "usgs:nc1")]
    order: list[Any] = data.draw(st.permutations([*REVISIONS, *words]))
    catalog = make()
    writer = Writer(catalog)
    for one in order:
        catalog.judge([one], NOW_MS) if isinstance(one, Judgement) else writer.write(one)
    found = groups(catalog)
    assert next(g for g in found if "usgs:nn1" in g) >= ["usgs:nn1", "usgs:us1"]
    assert not any({"usgs:nn1", "usgs:nc1"} <= set(g) for g in found)
    assert sound(catalog) == []
    exported = b"".join(json_lines(catalog.every(EarthquakeFilter(includedeleted=True))))
    catalog.close()
    rebuild(catalog)
    again = reopened(catalog)
    assert (groups(again), sound(again)) == (found, [])
    again.close()
    imported(make, exported, found)


def reopened(catalog: SqlCatalog) -> SqlCatalog:
    if isinstance(catalog, SqliteCatalog):
        return SqliteCatalog(catalog.path)
    assert isinstance(catalog, PostgresqlCatalog)
    return PostgresqlCatalog(catalog._address)


def imported(make: Open, exported: bytes, found: list[list[str]]) -> None:
    """Only the preferred events go along in a file, but what was said holds for the others when they come."""
    with closing(make()) as other:
        writer = Writer(other)
        for entry in read(io.BytesIO(exported), mode="actual"):
            assert not isinstance(entry, Problem)
            event, words = without_judgements(entry)
            assert "judgements" not in event.extra
            other.judge(words, NOW_MS)
            writer.write(event)
        assert len(groups(other)) == len(found)
        for event in REVISIONS:
            writer.write(event)
        assert groups(other) == found
        assert sound(other) == []


def test_it_is_told_and_shown_with_who_and_why(open_new: tuple[Open, object]) -> None:
    with closing(open_new[0]()) as catalog:
        Writer(catalog).write(shock("nn1"), shock("us1", timestamp=FAR_MS))
        changes = catalog.judge([said("join", "usgs:us1", "usgs:nn1")], NOW_MS).changes
        assert [c.type for c in changes] == ["merged", "merged"]
        assert catalog.judge([said("join", "usgs:us1", "usgs:nn1")], NOW_MS).changes == ()
        one = catalog.earthquake(catalog.find("nn1")[0])
        assert one is not None
        told = {"what": "join", "reports": ["usgs:nn1", "usgs:us1"], "who": "Ada", "why": "seen", "at": NOW_MS}
        assert one["judgements"] == [told]
        assert "Ada said by hand that usgs:nn1 and usgs:us1 are one earthquake: seen" in one["history"][-1]["why"]
        changes = catalog.judge([said("part", "usgs:us1", "usgs:nn1", 1)], NOW_MS).changes
        assert [c.type for c in changes] == ["split", "split"]
        assert groups(catalog) == [["usgs:nn1"], ["usgs:us1"]]
        assert sound(catalog) == []


def test_a_word_about_reports_that_are_grouped_so_already_is_told_too(open_new: tuple[Open, object]) -> None:
    with closing(open_new[0]()) as catalog:
        Writer(catalog).write(shock("nn1"), shock("nc1"))
        assert [c.type for c in catalog.judge([said("join", "usgs:nc1", "usgs:nn1")], NOW_MS).changes] == ["updated"]
        assert sound(catalog) == []


@settings(max_examples=size(25, 300), deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["join", "part"]), st.integers(0, 5), st.integers(0, 5)), max_size=12),
    st.randoms(use_true_random=False),
)
def test_of_words_that_contradict_each_other_the_later_holds(
    words: list[tuple[str, int, int]], rng: random.Random
) -> None:
    book = [said(what, f"a:{a}", f"a:{b}", n) for n, (what, a, b) in enumerate(words) if a != b]
    shuffled = [*book, *book[:2]]
    rng.shuffle(shuffled)
    assert not Judgements(book).differing(Judgements(shuffled))
    if book:
        last = book[-1]
        joined = dict(Judgements(book)._joined)
        parted = dict(Judgements(book)._parted)
        side = joined if last.what == "join" else parted
        assert last.other in side["actual", last.one]


@pytest.mark.parametrize(
    "wrong", [("a:1", "a:1"), ("a", "b:1"), ("a:", "b:1"), (":a", "b:1"), ("a:1\n", "b:1"), ("a:" + "x" * 500, "b:1")]
)
def test_what_is_no_pair_of_reports_is_refused(wrong: tuple[str, str]) -> None:
    with pytest.raises(Rejected):
        said("join", *wrong)
    with pytest.raises(Rejected):
        judgement("join", "a:1", "b:1", mode="actual", who=" ", why="x", at_ms=0)


def test_an_export_with_what_is_no_judgement_is_still_imported() -> None:
    document: dict[str, Any] = json.loads(json.dumps(shock("nn1").document())) | {"judgements": [{"what": 1}, 3, None]}
    event: EarthquakeEvent = from_document(document, now_ms=NOW_MS)
    assert without_judgements(event) == (shock("nn1"), [])
