"""The FDSN service behind the USGS's feeds: what they did not show, and what left them early."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import itertools
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from quakestream import sources
from quakestream.event import EarthquakeEvent
from quakestream.sources import usgs, vanished
from tests.formats.reading import WEEK
from tests.sizes import later, size, sized
from tests.sources.fakes import Agency, Answer, Clock, FakeOutlet, Query, agency, context, http, running

WHOLE = json.loads(gzip.decompress(WEEK.read_bytes()))["features"]
FEATURES = WHOLE[:: size(4, 1)]
PAGE = size(50, 200)
NOW_MS = max(feature["properties"]["updated"] for feature in WHOLE) + 60_000
RECENT = sorted(WHOLE, key=lambda feature: -feature["properties"]["time"])[:40]
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def collection(features: Sequence[Any]) -> str:
    return json.dumps({"type": "FeatureCollection", "features": list(features)})


def changed(feature: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return feature | {"properties": feature["properties"] | properties}


@dataclass
class ComCat:
    """The agency: what it knows, its feed, and its FDSN service. `says`: answers of another kind, by id."""

    clock: Clock
    features: dict[str, Any]
    hidden: set[str] = field(default_factory=set)
    says: dict[str, bytes] = field(default_factory=dict)
    down: bool = False
    most: int = 20_000

    def feed(self, span_ms: int = DAY_MS) -> bytes:
        if self.down:
            return http("busy", "503 Service Unavailable")
        return http(
            collection(
                [
                    feature
                    for feature in self.features.values()
                    if feature["id"] not in self.hidden
                    and self.clock.now_ms - span_ms < feature["properties"]["time"] <= self.clock.now_ms
                ]
            )
        )

    def service(self, query: Query) -> Answer:
        if self.down:
            return http("busy", "503 Service Unavailable")
        if "eventid" in query:
            return self._event(query["eventid"])
        found = [
            feature
            for feature in self.features.values()
            if query.covers(feature["properties"]["time"])
            and feature["properties"]["time"] <= self.clock.now_ms
            and ("updatedafter" not in query or feature["properties"]["updated"] > query.time_ms("updatedafter"))
        ]
        if len(found) > self.most:
            return http(
                f"Error 400: Bad Request\n{len(found)} matching events exceeds search limit of {self.most}.", "400 B"
            )
        found.sort(key=lambda feature: feature["properties"]["time"])
        return http(collection(found[: int(query["limit"])]))

    def _event(self, id_: str) -> Answer:
        if id_ in self.says:
            return self.says[id_]
        return http(json.dumps(self.features[id_])) if id_ in self.features else http("unknown", "404 Not Found")


def comcat(features: Sequence[Any] = RECENT, **more: Any) -> ComCat:
    return ComCat(Clock(NOW_MS), {feature["id"]: feature for feature in features}, **more)


@contextlib.asynccontextmanager
async def at_work(folder: Path, world: ComCat, **options: Any) -> AsyncIterator[tuple[FakeOutlet, Agency]]:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(world.feed(7 * DAY_MS if "all_week" in server.requests[-1].line else DAY_MS))
        await writer.drain()

    outlet = FakeOutlet()
    given = {"name": "usgs", "pollIntervalS": 0.01, "catchUp": None} | options
    async with agency(answer, archive=world.service) as server:
        made = sources.build(given, context(folder, usgs_feed_url=server.url, now_ms=world.clock))
        async with running(made.run(outlet)):
            yield outlet, server


def polls(server: Agency, more: int = 3) -> Callable[[], bool]:
    before = len(server.requests)
    return lambda: len(server.requests) >= before + more


def of(outlet: FakeOutlet, id_: str) -> list[EarthquakeEvent]:
    return [event for event in outlet.events if event.id == id_]


def questions(server: Agency, id_: str) -> list[Query]:
    return [query for query in server.asked if query.get("eventid") == id_]


def run(test: Callable[[], Any]) -> None:
    asyncio.run(test())


# back-fill


@sized
def test_at_the_first_start_it_reads_back_as_far_as_asked_in_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usgs, "PAGE", PAGE)

    async def test() -> None:
        world = comcat(FEATURES, most=PAGE * 7 // 2)  # both ways of saying that it is too much
        async with at_work(tmp_path, world, backfillDays=8) as (outlet, server):
            await outlet.until(lambda: len(outlet.events) == len(FEATURES))
            await outlet.until(polls(server, 20))
            assert len({event.id for event in outlet.events}) == len(outlet.events), "none is doubled"
            assert {query["limit"] for query in server.asked} == {str(PAGE)}
            assert {query["orderby"] for query in server.asked} == {"time-asc"}
            assert "updatedafter" not in server.asked[0]
            asked = len(server.asked)
            await outlet.until(polls(server))
            assert len(server.asked) == asked, "done"

    run(test)


@sized
def test_cut_short_it_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usgs, "PAGE", PAGE)

    async def test() -> None:
        world = comcat(FEATURES)
        async with at_work(tmp_path, world, backfillDays=8) as (outlet, server):
            await outlet.until(lambda: len(outlet.events) > len(FEATURES) // 2)
            first = {event.id for event in outlet.events}
        async with at_work(tmp_path, world, backfillDays=8) as (later, server):
            await later.until(lambda: len(first | {event.id for event in later.events}) == len(FEATURES))
            await later.until(polls(server))
            whole = next(query for query in server.asked)
            assert whole.time_ms("starttime") > NOW_MS - 8 * DAY_MS + HOUR_MS, "not from the beginning"

    run(test)


def test_without_asking_for_it_nothing_is_read_back_and_the_service_is_left_alone(tmp_path: Path) -> None:
    async def test() -> None:
        async with at_work(tmp_path, comcat()) as (outlet, server):
            await outlet.until(polls(server))
            assert server.asked == []

    run(test)


def test_after_a_gap_it_asks_for_what_was_changed_since(tmp_path: Path) -> None:
    async def test() -> None:
        world = comcat(RECENT[20:])
        async with at_work(tmp_path, world) as (outlet, server):
            await outlet.until(polls(server))
        # Ten days without us: new earthquakes, a revision of an old one, one deleted. No feed of a day shows them.
        world.clock.now_ms += 10 * DAY_MS
        during_ms = NOW_MS + 3 * DAY_MS
        old, withdrawn = RECENT[21], RECENT[22]
        for feature in RECENT[:20]:
            world.features[feature["id"]] = changed(feature, time=during_ms, updated=during_ms + 1)
        world.features[old["id"]] = changed(old, mag=4.4, updated=during_ms)
        world.features[withdrawn["id"]] = changed(withdrawn, status="deleted", updated=during_ms)
        async with at_work(tmp_path, world) as (later, server):
            await later.until(lambda: len(later.events) >= 22)
            await later.until(polls(server))
            assert {event.id for event in later.events} == {f["id"] for f in [*RECENT[:20], old, withdrawn]}
            assert len(later.events) == 22
            assert [e.magnitude for e in of(later, old["id"])] == [4.4]
            assert [e.status for e in of(later, withdrawn["id"])] == ["deleted"]
            [query] = server.asked
            assert query.time_ms("updatedafter") == NOW_MS - HOUR_MS
            assert query["includedeleted"] == "true"

    run(test)


def test_a_service_that_fails_is_shown_and_holds_the_feed_up_in_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        world = comcat()
        world.service = lambda _: http("<html>", "500 Error")  # type: ignore[method-assign]
        async with at_work(tmp_path, world, backfillDays=8) as (outlet, server):
            await outlet.until(
                lambda: len(outlet.events) == len([f for f in RECENT if f["properties"]["time"] > NOW_MS - DAY_MS])
            )
            await outlet.until(lambda: any(error and "FDSN service: HTTP 500" in error for _, error in outlet.states))
            await outlet.until(polls(server))
            assert {state for state, _ in outlet.states} == {"live"}

    run(test)


@pytest.mark.parametrize(("least", "parameter"), [("2.5", ("minmagnitude", "2.5")), ("significant", ("minsig", "600"))])
def test_the_service_is_asked_for_what_the_feed_would_show(
    tmp_path: Path, least: str, parameter: tuple[str, str]
) -> None:
    async def test() -> None:
        async with at_work(tmp_path, comcat(), backfillDays=1, least=least) as (outlet, server):
            await outlet.until(lambda: server.asked)
            assert parameter in server.asked[0].items()

    run(test)


# what left the feed

GONE = RECENT[3]


async def leave(world: ComCat, outlet: FakeOutlet, server: Agency) -> None:
    """It was in the feed, and no longer is."""
    await outlet.until(polls(server))
    assert len(of(outlet, GONE["id"])) == 1
    assert questions(server, GONE["id"]) == []
    world.hidden.add(GONE["id"])


@pytest.mark.parametrize(
    ("answer", "updated_ms"),
    [
        (http("Error 409: Conflict", "409 Conflict"), NOW_MS),
        (http(json.dumps(changed(GONE, status="deleted", mag=None, updated=NOW_MS - 5))), NOW_MS - 5),
        (http(json.dumps(changed(GONE, status="DELETED", updated=None) | {"geometry": None})), NOW_MS),
        (http(collection([changed(GONE, status="deleted", updated=1)])), GONE["properties"]["updated"] + 1),
        (http(json.dumps(changed(GONE, status="deleted", updated=NOW_MS + DAY_MS))), NOW_MS),
    ],
    ids=["409", "status", "nothing but the status", "an old time", "a time to come"],
)
def test_what_the_agency_deleted_is_deleted_and_said_once(tmp_path: Path, answer: bytes, updated_ms: int) -> None:
    async def test() -> None:
        world = comcat()
        world.says[GONE["id"]] = answer
        async with at_work(tmp_path, world) as (outlet, server):
            await leave(world, outlet, server)
            await outlet.until(lambda: len(of(outlet, GONE["id"])) == 2)
            await outlet.until(polls(server))
            said, deleted = of(outlet, GONE["id"])
            assert (deleted.status, deleted.updated_ms) == ("deleted", updated_ms)
            assert (deleted.magnitude, deleted.location, deleted.place) == (said.magnitude, said.location, said.place)
            [question] = questions(server, GONE["id"])
            assert question["includedeleted"] == "true"
        async with at_work(tmp_path, world) as (later, server):
            await later.until(polls(server))
            assert later.events == []
            assert questions(server, GONE["id"]) == []

    run(test)


def test_what_was_deleted_while_nobody_looked_is_found_at_the_next_start(tmp_path: Path) -> None:
    async def test() -> None:
        world = comcat()
        async with at_work(tmp_path, world) as (outlet, server):
            await leave(world, outlet, server)
        world.says[GONE["id"]] = http("", "409 Conflict")
        async with at_work(tmp_path, world) as (later, server):
            await later.until(lambda: [e.status for e in of(later, GONE["id"])] == ["deleted"])

    run(test)


def test_killed_before_the_deletion_was_acknowledged_it_says_the_same_again(tmp_path: Path) -> None:
    async def test() -> None:
        world = comcat()
        world.says[GONE["id"]] = http("", "409 Conflict")
        async with at_work(tmp_path, world) as (outlet, server):
            await leave(world, outlet, server)
            outlet.hold_after = len(outlet.batches)
            await outlet.until(lambda: len(of(outlet, GONE["id"])) == 2)
        world.clock.now_ms += 60_000
        async with at_work(tmp_path, world) as (later, server):
            await later.until(lambda: of(later, GONE["id"]))
            assert of(later, GONE["id"]) == of(outlet, GONE["id"])[1:]

    run(test)


def test_one_that_goes_by_another_id_is_published_under_that(tmp_path: Path) -> None:
    async def test() -> None:
        world = comcat()
        renamed = changed(GONE, ids=f",us7000abcd,{GONE['id']},", updated=NOW_MS) | {"id": "us7000abcd"}
        world.says[GONE["id"]] = http(json.dumps(renamed))
        async with at_work(tmp_path, world) as (outlet, server):
            await leave(world, outlet, server)
            await outlet.until(lambda: of(outlet, "us7000abcd"))
            await outlet.until(polls(server))
            assert GONE["id"] in of(outlet, "us7000abcd")[0].ids
            assert len(of(outlet, GONE["id"])) == 1
            assert len(questions(server, GONE["id"])) == 1

    run(test)


def test_where_the_feed_itself_names_the_other_id_nobody_is_asked(tmp_path: Path) -> None:
    async def test() -> None:
        world = comcat()
        async with at_work(tmp_path, world) as (outlet, server):
            await leave(world, outlet, server)
            world.features["us7000abcd"] = changed(GONE, ids=f",us7000abcd,{GONE['id']},") | {"id": "us7000abcd"}
            await outlet.until(lambda: of(outlet, "us7000abcd"))
            await outlet.until(polls(server))
            assert questions(server, GONE["id"]) == []

    run(test)


def test_one_that_became_too_small_for_the_feed_is_revised_and_asked_for_once(tmp_path: Path) -> None:
    async def test() -> None:
        world = comcat()
        async with at_work(tmp_path, world) as (outlet, server):
            await leave(world, outlet, server)
            world.features[GONE["id"]] = changed(GONE, mag=0.1, updated=NOW_MS)
            world.says[GONE["id"]] = http(json.dumps(world.features[GONE["id"]]))
            await outlet.until(lambda: len(of(outlet, GONE["id"])) == 2)
            await outlet.until(polls(server))
            assert [e.magnitude for e in of(outlet, GONE["id"])][1] == 0.1
            assert len(questions(server, GONE["id"])) == 1

    run(test)


UNKNOWN = {
    "404": http("", "404 Not Found"),
    "204": http("", "204 No Content"),
    "400": http("", "400 Bad Request"),
    "500": http("oh", "500 Error"),
    "429": http("slowly", "429 Too Many Requests"),
    "a page": http("<html>deleted</html>"),
    "an array": http("[]"),
    "nothing": http(""),
    "no features": http(collection([])),
    "cut": http(json.dumps(GONE)[:300]),
    "a stranger": http(json.dumps(RECENT[5])),
    "a stranger who is deleted": http(json.dumps(changed(RECENT[5], status="deleted"))),
    "no id": http(json.dumps({k: v for k, v in GONE.items() if k != "id"} | {"properties": {"status": "deleted"}})),
    "no answer": b"",
}


@pytest.mark.parametrize("name", [*list(UNKNOWN)[::4], *later(*(name for n, name in enumerate(UNKNOWN) if n % 4))])
def test_anything_else_is_no_word_and_is_asked_again(tmp_path: Path, name: str) -> None:
    async def test() -> None:
        world = comcat()
        world.says[GONE["id"]] = UNKNOWN[name]
        async with at_work(tmp_path, world) as (outlet, server):
            await leave(world, outlet, server)
            await outlet.until(lambda: questions(server, GONE["id"]))
            for _ in range(30):
                world.clock.now_ms += 10 * 60_000
                await outlet.until(polls(server))
                if len(questions(server, GONE["id"])) >= 3:
                    break
            assert len(questions(server, GONE["id"])) >= 3
            assert len(of(outlet, GONE["id"])) == 1
            assert all(event.status != "deleted" for event in outlet.events)
            world.hidden.clear()
            await outlet.until(polls(server))
            asked = len(server.asked)
            await outlet.until(polls(server))
            assert len(server.asked) <= asked + 1, "it is back"

    run(test)


def test_questions_come_later_and_later(tmp_path: Path) -> None:
    clock = Clock(NOW_MS)
    watch = vanished.Watch(context(tmp_path).memory, "usgs", clock, DAY_MS, 60_000)
    events = [event_of(feature) for feature in RECENT]
    watch.look(events, DAY_MS)
    watch.look(events[1:], DAY_MS)
    asked_ms = []
    for _ in range(24 * 60):
        clock.now_ms += 60_000
        if event_of(RECENT[0]).timestamp_ms < clock.now_ms - DAY_MS + vanished.MARGIN_MS:
            break
        for event in watch.due():
            asked_ms.append(clock.now_ms)
            watch.postpone(event.id)
    pauses = [later - sooner for sooner, later in itertools.pairwise(asked_ms)]
    assert pauses == sorted(pauses)
    assert 8 < len(asked_ms) < 14


def event_of(feature: Any) -> EarthquakeEvent:
    from tests.formats.reading import entries  # one place

    [event], _ = entries(json.dumps(feature), mode="actual")
    return event


@pytest.mark.parametrize("left", [0, 5], ids=["an empty feed", "a feed cut to five"])
def test_a_feed_that_loses_much_at_once_is_at_fault_and_few_questions_are_asked(
    tmp_path: Path, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[int] = []
    real = vanished.Watch.due

    def due(watch: vanished.Watch) -> list[EarthquakeEvent]:
        asked = real(watch)
        turns.append(len(asked))
        return asked

    monkeypatch.setattr(vanished.Watch, "due", due)

    async def test() -> None:
        world = comcat()
        world.says = {feature["id"]: http("", "404 Not Found") for feature in RECENT}
        async with at_work(tmp_path, world) as (outlet, server):
            await outlet.until(polls(server))
            world.hidden = {feature["id"] for feature in RECENT[left:]}
            await outlet.until(lambda: any(error and "faulty" in error for _, error in outlet.states))
            await outlet.until(polls(server, 10))
            assert all(event.status != "deleted" for event in outlet.events)
            assert max(turns) == 1, "one a turn at most"
            assert len(server.asked) <= sum(turns)
            world.hidden = set()
            await outlet.until(lambda: outlet.states[-1] == ("live", None))

    run(test)


def test_a_failed_poll_asks_for_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        world = comcat()
        async with at_work(tmp_path, world) as (outlet, server):
            await outlet.until(polls(server))
            feed = world.feed
            for broken in (http("<html>"), http("", "500 Error"), http(collection(RECENT)[:-50])):
                world.feed = lambda _, broken=broken: broken  # type: ignore[method-assign,misc]
                await outlet.until(polls(server, 2))
            world.feed = feed  # type: ignore[method-assign]
            await outlet.until(polls(server))
            assert server.asked == []

    run(test)


def test_what_leaves_by_age_is_not_asked_for(tmp_path: Path) -> None:
    async def test() -> None:
        world = comcat(FEATURES)
        async with at_work(tmp_path, world, catchUp="week") as (outlet, server):
            for _ in range(30):
                await outlet.until(polls(server, 2))
                world.clock.now_ms += 30 * 60_000
            # The gap is longer than the span: asked for what was changed, but for no event.
            assert [query for query in server.asked if "eventid" in query] == []

    run(test)


# what it must show: an hour down


def test_an_hour_down_and_back_none_is_missing_none_doubled_and_none_vanishes(tmp_path: Path) -> None:
    """An agency that plays the recorded week; every third hour it is away; and once we are."""

    async def test() -> None:
        first_ms = min(feature["properties"]["time"] for feature in FEATURES)
        clock = Clock(first_ms + 2 * DAY_MS)
        soon = [changed(feature, updated=feature["properties"]["time"] + 60_000) for feature in FEATURES]
        world = ComCat(clock, {feature["id"]: feature for feature in soon})
        seen: list[EarthquakeEvent] = []
        for _ in range(2):
            async with at_work(tmp_path, world) as (outlet, server):
                for step in range(12):
                    world.down = step % 3 == 1
                    await outlet.until(polls(server, 2))
                    clock.now_ms += 20 * 60_000 if step % 3 else HOUR_MS
                world.down = False
                await outlet.until(lambda: outlet.states[-1][0] == "live")
                await outlet.until(polls(server, 2))
                seen += outlet.events
                assert [query for query in server.asked if "eventid" in query] == []
            clock.now_ms += HOUR_MS
        until_ms = clock.now_ms - HOUR_MS
        happened = {
            feature["id"] for feature in FEATURES if first_ms + DAY_MS < feature["properties"]["time"] <= until_ms
        }
        assert {event.id for event in seen} == happened
        assert len(seen) == len(happened)
        assert all(event.status != "deleted" for event in seen)

    run(test)
