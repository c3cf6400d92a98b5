"""The EMSC, in small: a WebSocket server that plays frames and faults, and the FDSN service beside it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import websockets
from websockets.asyncio.server import ServerConnection, serve

from quakestream import sources
from quakestream.errors import Rejected
from quakestream.event import EarthquakeEvent, iso_time
from quakestream.sources import emsc
from tests.sources.fakes import Answer, Clock, FakeOutlet, Query, agency, context, http, running

NOW_MS = 1_741_000_000_000
HOUR_MS = 3_600_000


def feature(number: int, *, at_ms: int = NOW_MS, updated_ms: int | None = None, **properties: Any) -> dict[str, Any]:
    """As the EMSC makes them."""
    given = {
        "source_id": str(1_779_000 + number),
        "source_catalog": "EMSC-RTS",
        "lastupdate": iso_time(at_ms if updated_ms is None else updated_ms),
        "time": iso_time(at_ms),
        "flynn_region": "WESTERN TURKEY",
        "lat": 40.115,
        "lon": 28.5381,
        "depth": 7.0,
        "evtype": "ke",
        "auth": "AFAD",
        "mag": 1.4,
        "magtype": "ml",
        "unid": f"20250303_{number:07}",
    }
    given |= properties
    point = {"type": "Point", "coordinates": [given["lon"], given["lat"], -given["depth"]]}
    return {"type": "Feature", "geometry": point, "id": given["unid"], "properties": given}


def frame(data: dict[str, Any], action: str = "create") -> str:
    return json.dumps({"action": action, "data": data})


Script = Callable[[ServerConnection], Awaitable[None]]


@dataclass
class Centre:
    """What it knows, and what each connection in turn sees; the last script again and again."""

    clock: Clock
    scripts: list[Script]
    known: dict[str, Any] = field(default_factory=dict)
    connections: int = 0
    service_answers: Callable[[Query], Answer] | None = None
    sockets: set[ServerConnection] = field(default_factory=set)

    async def handle(self, socket: ServerConnection) -> None:
        self.connections += 1
        self.sockets.add(socket)
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        try:
            await script(socket)
        except websockets.ConnectionClosed:
            pass
        finally:
            self.sockets.discard(socket)

    def service(self, query: Query) -> Answer:
        if self.service_answers is not None:
            return self.service_answers(query)
        found = [
            one
            for one in self.known.values()
            if query["starttime"] <= one["properties"]["time"] <= query["endtime"] + "Z"
            and ("updatedafter" not in query or one["properties"]["lastupdate"] > query["updatedafter"])
        ]
        return (
            http(json.dumps({"type": "FeatureCollection", "features": found})) if found else http("", "204 No Content")
        )

    async def tell(self, one: dict[str, Any], action: str = "create") -> None:
        """Something has happened: who listens hears of it."""
        self.known[one["id"]] = one
        for socket in list(self.sockets):
            with contextlib.suppress(websockets.ConnectionClosed):
                await socket.send(frame(one, action))


async def stay(socket: ServerConnection) -> None:
    await socket.wait_closed()


def plays(*frames: str | bytes) -> Script:
    async def play(socket: ServerConnection) -> None:
        for one in frames:
            await socket.send(one)
        await socket.wait_closed()

    return play


@contextlib.asynccontextmanager
async def at_work(folder: Path, centre: Centre, **options: Any) -> AsyncIterator[FakeOutlet]:
    outlet = FakeOutlet()
    given = {"name": "emsc", "reconnectIntervalS": 0.01, "lostIntervalS": 0.02} | options
    async with agency(b"", archive=centre.service) as server, serve(centre.handle, "127.0.0.1", 0) as listening:
        centre.asked = server.asked  # type: ignore[attr-defined]
        port = next(iter(listening.sockets)).getsockname()[1]
        made = sources.build(
            given,
            context(
                folder,
                now_ms=centre.clock,
                emsc_websocket_url=f"ws://127.0.0.1:{port}/standing_order/websocket",
                emsc_fdsn_url=server.fdsn_url,
            ),
        )
        async with running(made.run(outlet)):
            yield outlet
        for socket in centre.sockets:
            socket.transport.abort()


def centre(*scripts: Script) -> Centre:
    return Centre(Clock(NOW_MS), list(scripts) or [stay])


def asked(one: Centre) -> list[Query]:
    return one.asked  # type: ignore[attr-defined,no-any-return]


def ids(events: Sequence[EarthquakeEvent]) -> list[str]:
    return [event.id for event in events]


def run(test: Callable[[], Any]) -> None:
    asyncio.run(test())


def test_frames_are_events_of_the_real_world(tmp_path: Path) -> None:
    async def test() -> None:
        one = centre(plays(frame(feature(1)), frame(feature(1, updated_ms=NOW_MS + 5, mag=2.0), "update")))
        async with at_work(tmp_path, one) as outlet:
            await outlet.until(lambda: len(outlet.events) == 2)
        first, second = outlet.events
        assert first.document() == {
            "id": "20250303_0000001",
            "source": "emsc",
            "mode": "actual",
            "status": "automatic",
            "type": "earthquake",
            "magnitude": 1.4,
            "magnitudeType": "ml",
            "location": {"latitude": 40.115, "longitude": 28.5381, "depth": 7.0},
            "timestamp": NOW_MS,
            "updated": NOW_MS,
            "place": "Western Turkey",
            "agency": "afad",
            "source_id": "1779001",
            "source_catalog": "EMSC-RTS",
        }
        assert (second.magnitude, second.updated_ms) == (2.0, NOW_MS + 5)
        assert ("live", None) in outlet.states

    run(test)


def test_the_same_again_is_nothing_new_and_what_comes_late_is_not_lost(tmp_path: Path) -> None:
    async def test() -> None:
        new, old = feature(1, updated_ms=NOW_MS + 5), feature(1)
        frames = [frame(new), frame(new, "update"), frame(old), frame(old), frame(new), frame(feature(2))]
        async with at_work(tmp_path, centre(plays(*frames))) as outlet:
            await outlet.until(lambda: len(outlet.events) >= 3)
        assert ids(outlet.events) == [new["id"], old["id"], feature(2)["id"]]
        assert [event.updated_ms for event in outlet.events[:2]] == [NOW_MS + 5, NOW_MS]
        async with at_work(tmp_path, centre(plays(*frames, frame(feature(3))))) as later:
            await later.until(lambda: later.events)
        assert ids(later.events) == [feature(3)["id"]]

    run(test)


def test_a_deletion_is_the_agencys_word(tmp_path: Path) -> None:
    async def test() -> None:
        gone = feature(1, updated_ms=NOW_MS + 5)
        async with at_work(tmp_path, centre(plays(frame(feature(1)), frame(gone, "delete")))) as outlet:
            await outlet.until(lambda: len(outlet.events) == 2)
        assert [event.status for event in outlet.events] == ["automatic", "deleted"]

    run(test)


BAD_FRAMES = [
    "not JSON",
    "",
    "[]",
    "null",
    '{"action": "create"}',
    '{"action": "sing", "data": {}}',
    '{"action": ["create"], "data": {}}',
    '{"action": "create", "data": {"properties": {}}}',
    '{"action": "create", "data": {"properties": []}}',
    b"\xff\xfe",
    frame(feature(9, lat=123.0)),
    frame(feature(9, time="yesterday")),
    frame(feature(9))[:-20],
    "[" * 10_000,
]


def test_what_can_not_be_read_keeps_nothing_out_and_the_connection_up(tmp_path: Path) -> None:
    async def test() -> None:
        one = centre(plays(*BAD_FRAMES, frame(feature(1))))
        async with at_work(tmp_path, one) as outlet:
            await outlet.until(lambda: outlet.events)
            assert one.connections == 1
        assert ids(outlet.events) == [feature(1)["id"]]

    run(test)


async def closes(socket: ServerConnection) -> None:
    await socket.close(1011, "oh")


async def leaves(socket: ServerConnection) -> None:
    await socket.close()


async def cuts(socket: ServerConnection) -> None:
    """In the middle of a frame."""
    await socket.send(frame(feature(1)))
    socket.transport.write(b"\x81\x7e\x04\x00" + frame(feature(2)).encode()[:100])
    socket.transport.close()


async def floods(socket: ServerConnection) -> None:
    await socket.send("x" * (emsc.MAX_FRAME_BYTES + 1))
    await socket.wait_closed()


async def garbles(socket: ServerConnection) -> None:
    socket.transport.write(b"HTTP/1.1 200 OK\r\n\r\n<html>")
    await socket.wait_closed()


async def sleeps(socket: ServerConnection) -> None:
    """No answer to a ping, and no end."""
    socket.transport.pause_reading()
    await socket.wait_closed()


@pytest.mark.parametrize("fault", [closes, leaves, cuts, floods, garbles, sleeps])
def test_after_a_fault_it_connects_anew_and_reads_what_it_missed(tmp_path: Path, fault: Script) -> None:
    async def test() -> None:
        trouble = asyncio.Event()

        async def good_at_first(socket: ServerConnection) -> None:
            await trouble.wait()
            await fault(socket)

        one = centre(good_at_first, stay)
        one.known = {one_["id"]: one_ for one_ in (feature(1, at_ms=NOW_MS - HOUR_MS), feature(2))}
        async with asyncio.timeout(10), at_work(tmp_path, one, pingIntervalS=0.2, lostIntervalS=60) as outlet:
            await outlet.until(lambda: len(outlet.events) == 2 and outlet.states[-1] == ("live", None))
            one.known[feature(3)["id"]] = feature(3, updated_ms=NOW_MS + 1)  # no frame tells of it
            trouble.set()
            await outlet.until(lambda: one.connections == 2 and len(set(ids(outlet.events))) == 3)
            assert any(state == "failing" for state, _ in outlet.states)
            await outlet.until(lambda: outlet.states[-1] == ("live", None))
        assert {feature(n)["id"] for n in (1, 2, 3)} == set(ids(outlet.events))

    run(test)


def test_connected_first_and_looked_then_so_that_nothing_falls_between(tmp_path: Path) -> None:
    """What is told while the service is being asked is neither lost nor doubled."""

    async def test() -> None:
        one = centre()
        answering = asyncio.Event()
        go_on = asyncio.Event()

        def slowly(query: Query) -> Answer:
            snapshot = dict(one.known)

            async def answer(writer: asyncio.StreamWriter) -> None:
                answering.set()
                assert one.connections == 1, "asked before it listened"
                await go_on.wait()
                writer.write(http(json.dumps({"type": "FeatureCollection", "features": list(snapshot.values())})))
                await writer.drain()

            return answer

        one.service_answers = slowly
        one.known = {feature(1)["id"]: feature(1), feature(2)["id"]: feature(2)}
        async with at_work(tmp_path, one) as outlet:
            await answering.wait()
            await one.tell(feature(2, updated_ms=NOW_MS + 9, mag=3.3), "update")
            await one.tell(feature(3))
            await outlet.until(lambda: len(outlet.events) == 2)
            go_on.set()
            await outlet.until(lambda: len(outlet.events) == 3)
            await one.tell(feature(4))
            await outlet.until(lambda: len(outlet.events) == 4)
        assert ids(outlet.events) == [feature(n)["id"] for n in (2, 3, 1, 4)]
        assert outlet.events[0].magnitude == 3.3, "the older revision of the answer comes after it, and is nothing new"

    run(test)


def test_while_the_socket_is_down_the_service_stands_in(tmp_path: Path) -> None:
    async def test() -> None:
        one = centre(closes)
        async with at_work(tmp_path, one) as outlet:
            await outlet.until(lambda: any(state == "failing" for state, _ in outlet.states))
            one.known[feature(7)["id"]] = feature(7)
            await outlet.until(lambda: ids(outlet.events) == [feature(7)["id"]])

    run(test)


def test_a_service_that_is_down_is_shown_and_does_not_stop_the_frames(tmp_path: Path) -> None:
    async def test() -> None:
        one = centre(plays(frame(feature(1))))
        one.service_answers = lambda _: http("oh", "500 Error")
        async with at_work(tmp_path, one) as outlet:
            await outlet.until(lambda: outlet.events)
            await outlet.until(lambda: outlet.states[-1][0] == "live" and "HTTP 500" in (outlet.states[-1][1] or ""))
            one.service_answers = None
            one.known[feature(2)["id"]] = feature(2)
            await outlet.until(lambda: len(outlet.events) == 2)
            await outlet.until(lambda: outlet.states[-1] == ("live", None))

    run(test)


def test_a_full_page_is_halved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emsc, "PAGE", 10)

    async def test() -> None:
        one = centre()
        one.known = {f["id"]: f for f in (feature(n, at_ms=NOW_MS - n * HOUR_MS // 4) for n in range(1, 80))}

        def limited(query: Query) -> Answer:
            one.service_answers = None
            whole = json.loads(bytes(one.service(query)).partition(b"\r\n\r\n")[2] or b'{"features": []}')["features"]
            one.service_answers = limited
            return http(json.dumps({"type": "FeatureCollection", "features": whole[: int(query["limit"])]}))

        one.service_answers = limited
        async with at_work(tmp_path, one) as outlet:
            await outlet.until(lambda: len(outlet.events) == 79)
        assert len(set(ids(outlet.events))) == 79

    run(test)


def test_an_hour_down_and_back_none_is_missing_none_doubled_and_none_vanishes(tmp_path: Path) -> None:
    async def test() -> None:
        one = centre()
        seen: list[EarthquakeEvent] = []
        number = 0
        for hour in range(7):
            if hour % 2:  # we are down, or the EMSC is: an hour of which nobody hears
                for _ in range(10):
                    number += 1
                    await one.tell(feature(number, at_ms=one.clock.now_ms))
                    one.clock.now_ms += HOUR_MS // 10
                await one.tell(
                    feature(number, at_ms=one.clock.now_ms - 1, updated_ms=one.clock.now_ms, mag=5.0), "update"
                )
                continue
            async with at_work(tmp_path, one) as outlet:
                await outlet.until(lambda: one.sockets)
                wanted = number
                await outlet.until(lambda: len({*ids(seen), *ids(outlet.events)}) == wanted)  # noqa: B023
                for _ in range(5):
                    number += 1
                    await one.tell(feature(number, at_ms=one.clock.now_ms))
                    one.clock.now_ms += HOUR_MS // 5
                await outlet.until(lambda: len({*ids(seen), *ids(outlet.events)}) == number)  # noqa: B023
                seen += outlet.events
        assert set(ids(seen)) == set(one.known)
        identities = [(event.id, event.updated_ms) for event in seen]
        assert len(identities) == len(set(identities)), "none is doubled"
        assert {event.id for event in seen if event.magnitude == 5.0} == {feature(n)["id"] for n in (15, 30, 45)}
        assert all(event.status == "automatic" for event in seen)

    run(test)


@pytest.mark.parametrize("options", [{"checkIntervalS": 59}, {"lostIntervalS": 1}, {"pingIntervalS": 0}])
def test_the_agency_is_not_asked_more_often_than_once_a_minute(tmp_path: Path, options: dict[str, Any]) -> None:
    public = context(tmp_path, emsc_fdsn_url="https://www.seismicportal.eu/fdsnws/event/1/")
    with pytest.raises(Rejected, match=next(iter(options))):
        sources.build({"name": "emsc"} | options, public)
    sources.build({"name": "emsc"}, public)
