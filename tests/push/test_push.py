"""Live push on a real catalogue: what is sent, to whom, from where on, and what of bad input."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import msgspec
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.push import hub as hub_module
from tests.conftest import ROOT
from tests.contracts.catalog import NOW_MS, Writer, event
from tests.push.pushing import PATH, Message, PushServer, SseClient
from tests.waiting import eventually


class System:
    """A catalogue, its writer, and an instance that pushes."""

    def __init__(self, folder: Path, **limits: int) -> None:
        self.catalog = SqliteCatalog(folder / "catalogue.sqlite3")
        self.writer = Writer(self.catalog)
        self.server = PushServer(self.catalog, **limits)

    @property
    def epoch(self) -> str:
        return self.catalog.feed().epoch

    def write(self, *ids: str, **fields: Any) -> None:
        self.writer.write(*(event(id_, **fields) for id_ in ids))
        self.server.news.tell()

    def listen(self, query: str = "", **headers: str) -> SseClient:
        return self.server.listen(query, **headers)

    def get(self, target: str, **headers: str) -> httpx.Response:
        return httpx.get(self.server.url + target, headers=headers, trust_env=False)

    def web_socket(self, query: str = "") -> Any:
        return connect(self.server.url.replace("http", "ws") + f"/api/v1/earthquakes/ws?{query}", compression=None)


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """For those whose requests are refused: it stays as it is."""
    system = System(tmp_path_factory.mktemp("idle"))
    with system.server:
        yield system
    system.catalog.close()


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    system = System(tmp_path)
    with system.server:
        yield system
    system.catalog.close()


def seqs(messages: list[Message]) -> list[int]:
    return [message.seq for message in messages]


# --- what is sent -----------------------------------------------------------------------------------------------------


def test_a_change_is_pushed_as_it_commits(system: System) -> None:
    system.write("a1")
    with system.listen() as client:
        status, headers = client.head()
        assert status == 200
        assert headers["content-type"] == "text/event-stream"
        assert headers["cache-control"] == "no-store"
        assert headers["x-accel-buffering"] == "no"
        assert "content-encoding" not in headers
        (live,) = client.take(1)
        assert (live.type, live.id) == ("live", f"{system.epoch}-1")
        assert live.json == {"type": "live", "epoch": system.epoch, "seq": 1, "id": f"{system.epoch}-1"}
        assert 1000 <= client.retry_ms <= 5000
        system.write("a2")
        system.write("a2", magnitude=5.0, updated=NOW_MS)
        created, updated = client.take(2)
    changes = system.catalog.changes(1)
    for message, change in zip((created, updated), changes, strict=True):
        assert message.json == msgspec.json.decode(change.encode())
        assert (message.type, message.id) == (change.type, f"{system.epoch}-{change.seq}")


def test_what_another_process_commits_is_seen(system: System) -> None:
    with system.listen() as client:
        client.opened().until_live()
        system.writer.write(event("a1"))  # and nobody tells
        assert seqs(client.take(1)) == [1]


def test_a_web_socket_gets_the_same_objects(system: System) -> None:
    system.write("a1", "a2")
    with system.web_socket("since=1") as socket:
        received = [msgspec.json.decode(socket.recv(10)) for _ in range(2)]
        system.write("a3")
        received.append(msgspec.json.decode(socket.recv(10)))
    second, third = system.catalog.changes(1)
    live = {"type": "live", "epoch": system.epoch, "seq": 2, "id": f"{system.epoch}-2"}
    assert received == [msgspec.json.decode(second.encode()), live, msgspec.json.decode(third.encode())]
    assert socket.protocol.close_code == 1000


def test_a_web_socket_answers_pings_and_ignores_messages(system: System) -> None:
    with system.web_socket() as socket:
        socket.recv(10)
        socket.send("anything")
        assert socket.ping().wait(10)
        system.write("a1")
        assert msgspec.json.decode(socket.recv(10))["seq"] == 1


def test_a_web_socket_s_message_is_bounded(system: System) -> None:
    with system.web_socket() as socket:
        socket.recv(10)
        socket.send("x" * 5000)
        with pytest.raises(ConnectionClosed):
            socket.recv(10)
        assert socket.protocol.close_code == 1009


def test_a_plain_request_for_the_web_socket_is_told_to_upgrade(system: System) -> None:
    answer = system.get("/api/v1/earthquakes/ws")
    assert (answer.status_code, answer.headers["upgrade"]) == (426, "websocket")
    assert answer.headers["content-type"] == "application/problem+json"


# --- filters ----------------------------------------------------------------------------------------------------------


def test_a_change_goes_where_the_earthquake_matched_before_or_after(system: System) -> None:
    with system.listen("minmagnitude=5") as client:
        client.opened().until_live()
        system.write("a1", magnitude=4.0)
        system.write("a1", magnitude=5.5, updated=NOW_MS + 1)
        system.write("a1", magnitude=5.6, updated=NOW_MS + 2)
        system.write("a1", magnitude=4.9, updated=NOW_MS + 3)
        system.write("a1", magnitude=4.8, updated=NOW_MS + 4)
        system.write("a2", magnitude=6.0)
        messages = client.take(4)
    assert [(m.seq, m.json.get("matches")) for m in messages] == [(2, None), (3, None), (4, False), (6, None)]
    assert messages[2].json["earthquake"]["magnitude"] == 4.9


def test_what_is_deleted_leaves_unless_deleted_ones_are_wanted(system: System) -> None:
    with system.listen() as plain, system.listen("includedeleted=true") as all_:
        plain.opened().until_live()
        all_.opened().until_live()
        system.write("a1")
        system.write("a1", status="deleted", updated=NOW_MS + 1)
        system.write("a1", status="deleted", updated=NOW_MS + 2, magnitude=1.0)
        system.write("a2")
        assert [(m.seq, m.type, m.json.get("matches")) for m in plain.take(3)] == [
            (1, "created", None),
            (2, "deleted", False),
            (4, "created", None),
        ]
        assert [(m.seq, m.json.get("matches")) for m in all_.take(4)] == [(n, None) for n in (1, 2, 3, 4)]


def test_filters_are_the_same_when_they_resume(system: System) -> None:
    for n, magnitude in enumerate((4.0, 5.5, 5.6, 4.9, 4.8)):
        system.write("a1", magnitude=magnitude, updated=NOW_MS + n)
    with system.listen("minmagnitude=5&since=0") as client:
        assert [(m.seq, m.json.get("matches")) for m in client.opened().until_live()] == [
            (2, None),
            (3, None),
            (4, False),
        ]


def test_of_what_was_before_and_is_pruned_the_client_is_told(system: System) -> None:
    system.write("a1", magnitude=4.0)
    system.write("a1", magnitude=4.1, updated=NOW_MS + 1)
    assert system.catalog.prune(NOW_MS + 1, 1) == 1
    with system.listen("minmagnitude=5&since=1") as client:
        assert [(m.seq, m.json.get("matches")) for m in client.opened().until_live()] == [(2, False)]


# --- where it begins --------------------------------------------------------------------------------------------------


def test_it_resumes_after_what_came_last(system: System) -> None:
    system.write(*(f"a{n}" for n in range(300)))
    for query, headers in (
        ("since=7", {}),
        (f"since={system.epoch}-7", {}),
        ("", {"Last_Event_ID": f"{system.epoch}-7"}),
        ("since=290&minmagnitude=0", {"Last_Event_ID": "7"}),  # the header is the newer one
        ("snapshot=true", {"Last_Event_ID": "7"}),
    ):
        with system.listen(query, **headers) as client:
            assert seqs(client.opened().until_live()) == list(range(8, 301)), (query, headers)


def test_it_begins_with_a_time(system: System) -> None:
    for n in range(5):
        system.writer.write(event(f"a{n}"), now_ms=NOW_MS + 1000 * n)
    for time, first in ((NOW_MS - 1, 1), (NOW_MS + 2000, 3), (NOW_MS + 2001, 4), (NOW_MS + 9000, 6)):
        with system.listen(f"sinceTime={time}") as client:
            assert seqs(client.opened().until_live()) == list(range(first, 6))
    with system.listen("sinceTime=2023-11-14T22:13:23Z") as client:
        assert seqs(client.opened().until_live()) == [4, 5]


def test_first_a_snapshot_on_request(system: System) -> None:
    system.write("a1", magnitude=3.0)
    system.write("a2", magnitude=6.0)
    with system.listen("snapshot=true&minmagnitude=5") as client:
        (snapshot,) = client.opened().until_live()
        system.write("a3", magnitude=7.0)
        assert seqs(client.take(1)) == [3]
    (listed,) = system.get("/api/v1/earthquakes?minmagnitude=5&endtime=2023-11-14T22:13:20Z").json()["earthquakes"][-1:]
    assert (snapshot.type, snapshot.id) == ("snapshot", f"{system.epoch}-2")
    assert snapshot.json == {
        "type": "snapshot",
        "epoch": system.epoch,
        "seq": 2,
        "id": f"{system.epoch}-2",
        "earthquakes": [listed],
        "truncated": False,
        "fetch": "/api/v1/earthquakes?minmagnitude=5.0",
    }


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ("nonsense", "malformed"),
        ("-5", "malformed"),
        ("ffffffff-1", "epoch"),
        ("4", "ahead"),
        ("9" * 18, "ahead"),
        ("9" * 19, "malformed"),
    ],
)
def test_what_can_t_be_resumed_is_told_and_goes_on_live(system: System, asked: str, reason: str) -> None:
    system.write("a1", "a2", "a3")
    with system.listen("minmagnitude=1.5&mode=actual", Last_Event_ID=asked) as client:
        gap, live = client.opened().take(2)
        assert (gap.type, gap.id, live.type) == ("gap", f"{system.epoch}-3", "live")
        fetch = "/api/v1/earthquakes?minmagnitude=1.5&mode=actual"
        assert {name: gap.json[name] for name in ("reason", "asked", "seq", "fetch")} == {
            "reason": reason,
            "asked": asked,
            "seq": 3,
            "fetch": fetch,
        }
        assert len(system.get(gap.json["fetch"]).json()["earthquakes"]) == 3
        with system.listen("snapshot=true", Last_Event_ID=asked) as other:
            assert [m.type for m in other.opened().until_live()] == ["snapshot"]
        system.write("a4")
        assert seqs(client.take(1)) == [4]


@pytest.mark.parametrize("name", ["lastEventId", "Last-Event-ID", "evs_last_event_id"])
def test_a_polyfill_resumes_by_its_query(system: System, name: str) -> None:
    """It repeats its URL and adds what came last: so that wins over all but the header, which is newer still."""
    system.write("a1", "a2", "a3")
    at = f"{system.epoch}-2"
    for query in (f"{name}={at}", f"since=1&{name}={at}", f"snapshot=true&minmagnitude=1&{name}={at}"):
        with system.listen(query) as client:
            assert seqs(client.opened().until_live()) == [3]
    with system.listen(f"{name}={at}", Last_Event_ID=f"{system.epoch}-1") as client:
        assert seqs(client.opened().until_live()) == [2, 3]
    with system.listen(f"since=1&{name}=") as client:
        assert seqs(client.opened().until_live()) == [2, 3]
    with system.listen(f"{name}=nonsense") as client:
        assert [m.json["reason"] for m in client.opened().until_live()] == ["malformed"]
    with system.web_socket(f"{name}={at}") as socket:
        assert msgspec.json.decode(socket.recv(10))["seq"] == 3
    assert system.get(f"/api/v1/earthquakes?{name}={at}").status_code == 400


def test_what_a_polyfill_says_of_itself_is_no_filter(system: System) -> None:
    system.write("a1")
    with system.listen("since=0&evs_buffer_size_limit=262144&evs_preamble=2056") as client:
        assert seqs(client.opened().until_live()) == [1]


def test_what_was_pruned_is_a_gap(system: System) -> None:
    system.write("a1", "a2")
    system.write("a1", updated=NOW_MS + 1)
    assert system.catalog.prune(NOW_MS + 1, 2) == 2
    for since in (0, 1):
        with system.listen(f"since={since}") as client:
            (gap,) = client.opened().until_live()
            assert (gap.type, gap.json["reason"], gap.seq) == ("gap", "pruned", 3)
    with system.listen("since=2") as client:
        assert seqs(client.opened().until_live()) == [3]
    with system.listen("sinceTime=0") as client:
        assert [m.type for m in client.opened().until_live()] == ["gap"]


def test_what_is_pruned_while_it_is_wanted_is_a_gap(system: System) -> None:
    """The instance's own view of where the feed begins is a moment old."""
    system.write(*(f"a{n}" for n in range(200)))
    with system.listen() as keeps_awake:
        keeps_awake.opened().until_live()
        system.catalog.prune(NOW_MS + 1, 150)
        with system.listen("since=10") as client:
            assert [m.type for m in client.opened().until_live()] == ["gap"]
        with system.listen("since=150") as client:
            assert seqs(client.opened().until_live()) == list(range(151, 201))


def test_a_new_epoch_is_a_gap_for_those_who_listen(system: System) -> None:
    system.write("a1")
    old = system.epoch
    with system.listen() as client:
        client.opened().until_live()
        system.catalog.begin_epoch()
        gap, live = client.take(2)
        assert (gap.json["reason"], gap.json["asked"], live.json["epoch"]) == ("epoch", f"{old}-1", system.epoch)
        assert old != system.epoch
        system.write("a2")
        assert [m.id for m in client.take(1)] == [f"{system.epoch}-2"]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("since=-3", "since"),
        ("since=nonsense", "since"),
        ("since=", "since"),
        ("sinceTime=yesterday", "sinceTime"),
        ("sinceTime=99999999999999999999", "sinceTime"),
        ("sinceTime=-1", "sinceTime"),
        ("sinceTime=1969-12-31", "sinceTime"),
        ("snapshot=perhaps", "snapshot"),
        ("snapshot=true&since=1", "since"),
        ("minmagnitude=x", "minmagnitude"),
        ("minmagnitude=nan", "minmagnitude"),
        ("minmagnitude=5&maxmagnitude=4", "minmagnitude"),
        ("latitude=91", "latitude"),
        ("latitude=9&longitude=9", "maxradiuskm"),
        ("maxradiuskm=9", "latitude"),
        ("latitude=9&longitude=9&maxradiuskm=-1", "maxradiuskm"),
        ("minsize=5", "minsize"),
        ("limit=5", "limit"),
        ("minmagnitude=5&minmagnitude=6", "minmagnitude"),
    ],
)
@pytest.mark.parametrize("path", [PATH, "/api/v1/earthquakes/ws"])
def test_a_malformed_request_is_a_problem_that_names_the_parameter(
    idle: System, path: str, query: str, named: str
) -> None:
    answer = idle.get(f"{path}?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert named in answer.json()["detail"]
    faults = answer.json()["faults"]
    assert all(fault["at"].startswith("query.") and fault["why"] for fault in faults)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("latitude=5", ["latitude"]),
        ("latitude=9&longitude=9", ["latitude", "longitude"]),
        ("since=1&snapshot=true", ["since", "snapshot"]),
        ("mindepth=9&maxdepth=8", ["mindepth", "maxdepth"]),
        ("starttime=2&endtime=1", ["starttime", "endtime"]),
        ("evs_last_event_id=2&lastEventId=1", ["lastEventId", "evs_last_event_id"]),
        ("mode=test&mode=test&since=1&since=2", ["mode", "since"]),
    ],
)
def test_parameters_at_odds_are_each_named(idle: System, query: str, named: list[str]) -> None:
    answer = idle.get(f"{PATH}?{query}")
    assert answer.status_code == 400
    assert [fault["at"] for fault in answer.json()["faults"]] == [f"query.{name}" for name in named]


def test_the_stream_is_never_compressed(system: System) -> None:
    system.write(*(f"a{n}" for n in range(50)))
    with system.listen("since=0", **{"Accept-Encoding": "gzip, br"}) as client:
        status, headers = client.head()
        assert (status, "content-encoding" in headers) == (200, False)
        assert seqs(client.until_live()) == list(range(1, 51))


# --- connections ------------------------------------------------------------------------------------------------------


def test_there_is_a_ceiling_in_all_and_for_each_address(tmp_path: Path) -> None:
    for name, limits in (
        ("PUSH_MAX_CONNECTIONS", {"max_connections": 2}),
        ("PUSH_MAX_CONNECTIONS_PER_ADDRESS", {"max_connections_per_address": 2}),
    ):
        system = System(tmp_path, **limits)
        with system.server, system.listen() as first, system.web_socket():
            first.opened().until_live()
            refused = system.get(PATH)
            assert refused.status_code == 503
            assert refused.headers["content-type"] == "application/problem+json"
            assert 5 <= int(refused.headers["retry-after"]) <= 15
            assert name in refused.json()["detail"]
            first.close()
            system.server.eventually_connections(1)
            with system.listen() as third:
                third.opened().until_live()
        system.catalog.close()


def test_a_refused_request_takes_no_place(tmp_path: Path) -> None:
    system = System(tmp_path, max_connections=1)
    with system.server:
        for target in (f"{PATH}?since=x", "/api/v1/earthquakes/ws"):
            assert system.get(target).status_code in (400, 426)
        with system.listen() as client:
            client.opened().until_live()
    system.catalog.close()


def test_stopping_closes_every_connection(system: System) -> None:
    with system.listen() as client, system.web_socket() as socket:
        client.opened().until_live()
        socket.recv(10)
        system.server.stop()
        assert client.ended()
        with pytest.raises(ConnectionClosed):
            socket.recv(10)
        assert socket.protocol.close_code == 1001


def test_a_heartbeat_moves_on_who_hears_nothing(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "HEARTBEAT_S", 0.15)
    monkeypatch.setattr(hub_module, "UNMATCHED_S", 0.4)
    monkeypatch.setattr(hub_module, "TICK_S", 0.05)
    with system.listen("minmagnitude=9") as client, system.web_socket("minmagnitude=9") as socket:
        client.opened().until_live()
        assert msgspec.json.decode(socket.recv(10))["type"] == "live"
        blocks = client.blocks()
        idle = [next(blocks) for _ in range(6)]
        assert idle == [None] * 6, "nothing has moved: comments alone"
        for last in (3, 6):
            system.write(*(f"a{last - n}" for n in range(3)))
            beat = next(block for block in blocks if block is not None)
            assert (beat.type, beat.id) == ("heartbeat", f"{system.epoch}-{last}")
            assert beat.json == {"type": "heartbeat", "epoch": system.epoch, "seq": last, "id": beat.id}
            assert [next(blocks) for _ in range(3)] == [None] * 3
        system.write("strong", magnitude=9.5)
        assert next(block for block in blocks if block is not None).id == f"{system.epoch}-7"
        assert [next(blocks) for _ in range(6)] == [None] * 6, "its id is where the feed is"
        beats = [msgspec.json.decode(socket.recv(10))]
        while beats[-1]["seq"] < 7:
            beats.append(msgspec.json.decode(socket.recv(10)))
        assert beats[0]["type"] == "heartbeat"


def test_nobody_hears_nothing_for_longer_than_five_seconds() -> None:
    assert hub_module.HEARTBEAT_S == 5
    assert hub_module.TICK_S <= 1, "a beat may be late by so much, were it not looked for that much earlier"
    page = (ROOT / "dashboard/src/stream.ts").read_text()
    silence = re.search(r"SILENCE_MS = ([\d_]+);", page)
    assert silence is not None
    assert 2 * hub_module.HEARTBEAT_S < int(silence[1]) / 1000 < 12, "two missed beats are a dead connection"


def test_the_silence_between_beats_has_a_bound(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "HEARTBEAT_S", 1.0)
    monkeypatch.setattr(hub_module, "TICK_S", 0.2)
    with system.listen("minmagnitude=9") as client, system.web_socket("minmagnitude=9") as socket:
        client.opened().until_live()
        socket.recv(10)
        blocks = client.blocks()
        heard_s = [(next(blocks), monotonic())[1] for _ in range(3)]
        socket.recv(2)
    assert all(0.5 < later - earlier < 1.8 for earlier, later in pairwise(heard_s)), heard_s


def test_while_nobody_listens_nothing_is_read(system: System) -> None:
    with system.listen() as client:
        client.opened().until_live()
    eventually(lambda: system.server.call(lambda: system.server.hub.asleep))
    system.write("a1", "a2")
    with system.listen("since=0") as client:
        assert seqs(client.opened().until_live()) == [1, 2]


def test_a_burst_loses_nothing(system: System) -> None:
    with system.listen() as one, system.listen("minmagnitude=4&maxmagnitude=5") as other:
        one.opened().until_live()
        other.opened().until_live()

        def burst() -> None:
            for n in range(100):
                shocks = (event(f"b{k}", timestamp=NOW_MS - 7_200_000 * (k + 1)) for k in range(30 * n, 30 * n + 30))
                system.writer.write(*shocks)
                system.server.news.tell()

        thread = threading.Thread(target=burst)
        thread.start()
        assert [m.seq for m in one.messages_of_changes(3000)] == list(range(1, 3001))
        assert [m.seq for m in other.messages_of_changes(3000)] == list(range(1, 3001))
        thread.join()
