"""An hour of three agencies, in seconds, in which every tenth answer is a fault: nothing is lost, nothing is doubled.

The USGS's last recorded hour, the EMSC's frames, and a made FDSN service; cut, late, 404, 429, 500, garbled in turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from websockets.asyncio.server import serve

from quakestream import sources
from quakestream.event import iso_time
from quakestream.formats.fields import epoch_ms
from tests.formats.reading import DATA, WEEK
from tests.sizes import size, sized
from tests.sources.fakes import Answer, Clock, FakeOutlet, Query, agency, context, http, running
from tests.sources.test_emsc import Centre, feature, stay
from tests.sources.test_fdsn import Service

MINUTE_MS: Final = 60_000
STEPS: Final = size(32, 80)
"""Steps of the hour; each source is asked some times in each."""
EVERY: Final = 10
FAULTS: Final = ("cut", "late", "404", "429", "500", "garbled")


@dataclass
class Faulty:
    """Spoils every tenth answer."""

    given: dict[str, int] = field(default_factory=dict)
    answered: int = 0
    well: bool = False
    _kinds: Any = field(default_factory=lambda: itertools.cycle(FAULTS))

    def spoil(self, whole: bytes) -> Answer:
        self.answered += 1
        if self.well or self.answered % EVERY:
            return whole
        kind = next(self._kinds)
        self.given[kind] = self.given.get(kind, 0) + 1
        head, _, body = whole.partition(b"\r\n\r\n")
        match kind:
            case "cut":
                return head.replace(b"204 No Content", b"200 OK").replace(b"Length: 0", b"Length: 9") + (
                    b"\r\n\r\n" + body[: len(body) // 2]
                )
            case "late":
                return _late
            case "404":
                return http("<html><h1>404 Not Found</h1></html>", "404 Not Found")
            case "429":
                return http("", "429 Too Many Requests", Retry_After="0")
            case "500":
                return http("oh", "500 Internal Server Error")
        middle = len(body) // 2
        return http(body[:middle] + b"<\x00\xff}" + body[middle:])


async def _late(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n ")
    await writer.drain()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(1)


@dataclass
class Played:
    """One source at work, what it was told, and what it must have published in the end: id and `updated`."""

    outlet: FakeOutlet
    faulty: Faulty
    truth: set[tuple[str, int]] = field(default_factory=set)

    @property
    def published(self) -> list[tuple[str, int]]:
        return [(event.id, event.updated_ms or 0) for event in self.outlet.events]

    @property
    def errors(self) -> int:
        return sum(error is not None for _, error in self.outlet.states)


Tell = Callable[[float], Awaitable[None]]
"""Tells what has happened when so much of the hour has passed."""


@contextlib.asynccontextmanager
async def usgs(folder: Path, clock: Clock) -> AsyncIterator[tuple[Played, Tell]]:
    features = json.loads(gzip.decompress(WEEK.read_bytes()))["features"]
    last_ms = max(one["properties"]["updated"] for one in features)
    hour = [one for one in features if one["properties"]["updated"] > last_ms - 60 * MINUTE_MS]
    played, shown, shift_ms = Played(FakeOutlet(), Faulty()), {}, clock.now_ms + 60 * MINUTE_MS - last_ms

    async def feed(writer: asyncio.StreamWriter) -> None:
        answer = played.faulty.spoil(http(json.dumps({"type": "FeatureCollection", "features": list(shown.values())})))
        if callable(answer):
            await answer(writer)
        else:
            writer.write(answer)

    async def tell(part: float) -> None:
        for one in hour:
            said = one["properties"]
            updated_ms = said["updated"] + shift_ms
            if one["id"] not in shown and said["updated"] <= last_ms - (1 - part) * 60 * MINUTE_MS:
                moved = said | {"time": said["time"] + shift_ms, "updated": updated_ms}
                shown[one["id"]] = one | {"properties": moved}
                played.truth.add((one["id"], updated_ms))

    async with agency(feed) as server:
        given = context(folder / "usgs", now_ms=clock, http_timeout_s=0.15, usgs_feed_url=server.url)
        source = sources.build({"name": "usgs", "pollIntervalS": 0.01, "catchUp": None, "span": "week"}, given)
        async with running(source.run(played.outlet)):
            yield played, tell


@contextlib.asynccontextmanager
async def emsc(folder: Path, clock: Clock) -> AsyncIterator[tuple[Played, Tell]]:
    recorded = [json.loads(line)["data"] for line in (DATA / "emsc_frames.jsonl").read_text().splitlines()]
    played, centre, told = Played(FakeOutlet(), Faulty()), Centre(clock, [stay]), itertools.count()

    def archive(query: Query) -> Answer:
        answer = centre.service(query)
        assert isinstance(answer, bytes)
        return played.faulty.spoil(answer)

    async def tell(_: float) -> None:
        number = next(told)
        at = iso_time(clock.now_ms - 1000)
        if number < len(recorded):
            one = recorded[number]
            one = one | {"properties": one["properties"] | {"time": at, "lastupdate": at}}
        else:
            one = feature(number // 2, at_ms=clock.now_ms - 1000)  # each is revised once
        played.truth.add((one["id"], epoch_ms(one["properties"]["lastupdate"])))
        if number % EVERY == 3:  # a frame that is cut, and then the connection
            centre.known[one["id"]] = one
            for socket in list(centre.sockets):
                await socket.send(json.dumps({"action": "create", "data": one})[:50])
                socket.transport.abort()
        else:
            await centre.tell(one)

    async with agency(b"", archive=archive) as server, serve(centre.handle, "127.0.0.1", 0) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        given = context(
            folder / "emsc",
            now_ms=clock,
            http_timeout_s=0.15,
            emsc_websocket_url=f"ws://127.0.0.1:{port}/",
            emsc_fdsn_url=server.fdsn_url,
        )
        options = {"reconnectIntervalS": 0.01, "lostIntervalS": 0.01, "checkIntervalS": 0.01}
        async with running(sources.build({"name": "emsc", **options}, given).run(played.outlet)):
            yield played, tell
        for socket in centre.sockets:
            socket.transport.abort()


@contextlib.asynccontextmanager
async def fdsn(folder: Path, clock: Clock) -> AsyncIterator[tuple[Played, Tell]]:
    service, played, told = Service(clock, knows_updated_after=True), Played(FakeOutlet(), Faulty()), itertools.count()

    def archive(query: Query) -> Answer:
        answer = service(query)
        assert isinstance(answer, bytes)
        return answer if query.method != "query" else played.faulty.spoil(answer)

    async def tell(_: float) -> None:
        number = next(told) // 2
        service.put(number, magnitude=1 + number % 5)
        played.truth.add((f"2023ev{number:03}", clock.now_ms))

    async with agency(b"", archive=archive) as server:
        given = {"name": "fdsn", "url": server.fdsn_url, "source": "made", "pollIntervalS": 0.01}
        at = context(folder / "fdsn", now_ms=clock, http_timeout_s=0.15)
        async with running(sources.build(given, at).run(played.outlet)):
            yield played, tell


@sized
def test_nothing_is_lost_nothing_is_doubled_and_the_status_tells_of_each_fault(tmp_path: Path) -> None:
    clock = Clock(1_741_000_000_000)
    for name in ("usgs", "emsc", "fdsn"):
        (tmp_path / name).mkdir()

    async def main() -> None:
        async with (
            usgs(tmp_path, clock) as one,
            emsc(tmp_path, clock) as two,
            fdsn(tmp_path, clock) as three,
        ):
            all_three = (one, two, three)
            for step in range(STEPS):
                clock.now_ms += 60 * MINUTE_MS // STEPS
                before = [played.faulty.answered for played, _ in all_three]
                for _, tell in all_three:
                    await tell((step + 1) / STEPS)
                for (played, _), asked in zip(all_three, before, strict=True):
                    await _until(lambda played=played, asked=asked: played.faulty.answered >= asked + 2)
            for played, _ in all_three:
                played.faulty.well = True
            for played, _ in all_three:
                await _until(lambda played=played: not _missing(played))
                await _until(lambda played=played: played.errors >= sum(played.faulty.given.values()))  # the last too
                await _until(lambda played=played: played.outlet.states[-1] == ("live", None))
            for played, _ in all_three:
                assert len(played.published) == len(set(played.published)), "nothing is doubled"
                assert set(played.published) <= played.truth, "nothing is made up"
                assert played.errors >= sum(played.faulty.given.values()) > 0
                assert set(played.faulty.given) == set(FAULTS)

    asyncio.run(main())


def _missing(played: Played) -> set[tuple[str, int]]:
    """What stands in the end and was not published; what was revised before anybody asked is nothing to miss."""
    newest: dict[str, int] = {}
    for id_, updated_ms in played.truth:
        newest[id_] = max(updated_ms, newest.get(id_, 0))
    return set(newest.items()) - set(played.published)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - nothing says when a server has answered
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("kind", FAULTS)
def test_each_fault_is_one(kind: str) -> None:
    faulty = Faulty()
    faulty._kinds = itertools.repeat(kind)
    answers = [faulty.spoil(http(b"whole")) for _ in range(EVERY)]
    assert answers[:-1] == [http(b"whole")] * (EVERY - 1)
    assert answers[-1] != http(b"whole")
