"""Nobody misses a change or gets one twice: clients that come and go at random, on one instance and on two."""

from __future__ import annotations

import contextlib
import random
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from quakestream.catalog import Catalog, EarthquakeFilter
from quakestream.catalog.matching import matches, standing_of
from quakestream.catalog.postgresql import PostgresqlCatalog
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.push import journal
from tests.contracts.catalog import NOW_MS, Writer, event, tangle
from tests.postgres_server import PostgresServer
from tests.push.pushing import Message, PushServer
from tests.sizes import size, sized


def change_all(catalog: Catalog, server: PushServer | None, seed: int, count: int = 400) -> None:
    """Earthquakes that come, change, are withdrawn, merge and split."""
    writer, chance = Writer(catalog), random.Random(seed)
    events = tangle(chance)
    events += [
        event(
            f"z{chance.randrange(40)}",
            magnitude=round(chance.uniform(2, 6), 1),
            updated=NOW_MS - 100_000 + n,
            status=chance.choice(["automatic"] * 9 + ["deleted"]),
        )
        for n in range(count)
    ]
    chance.shuffle(events)
    events.insert(0, event("last", magnitude=9.0))
    while events:
        batch = [events.pop() for _ in range(min(chance.choice([1, 1, 5, 60]), len(events)))]
        writer.write(*batch)
        if server is not None:
            server.news.tell()


def expected(catalog: Catalog, wanted: EarthquakeFilter, after: int = 0) -> list[tuple[int, bool]]:
    """By going through the feed one by one: each change that is due, and whether the earthquake matches after it."""
    stood: dict[str, bool] = {}
    due = []
    for change in catalog.changes(0, 100_000):
        stands = matches(wanted, standing_of(change.document))
        if (stands or stood.get(change.earthquake_id, False)) and change.seq > after:
            due.append((change.seq, stands))
        stood[change.earthquake_id] = stands
    return due


def received(messages: list[Message]) -> list[tuple[int, bool]]:
    return [(m.seq, m.json.get("matches", True)) for m in messages if m.type not in ("live", "gap")]


@contextlib.contextmanager
def sqlite() -> Iterator[SqliteCatalog]:
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(SqliteCatalog(Path(folder) / "c")) as catalog:
        yield catalog


def come_and_go(servers: list[PushServer], query: str, chance: random.Random) -> list[tuple[int, bool]]:
    """Listen until the last event of all, leaving at random, coming back to any of the instances with the last id."""
    got: list[tuple[int, bool]] = []
    last_id = f"{servers[0].catalog.feed().epoch}-0"
    while True:
        leave_after = chance.choice([0, 1, 1, 3, 20, 100, 10_000])
        with chance.choice(servers).listen(query, Last_Event_ID=last_id) as client:
            for block in client.opened().blocks():
                last_id = client.last_id or last_id
                if block is not None:
                    assert block.type != "gap", block.json
                    got += received([block])
                    leave_after -= 1
                    if block.json.get("earthquake", {}).get("preferred") == "usgs:last":
                        return got
                if leave_after < 0:
                    break


@example(seed=65535, least=0)  # one is merged away, and comes back with no magnitude
@settings(max_examples=size(2, 8), suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10**6), least=st.sampled_from([0, 3, 4.5]))
def test_who_comes_and_goes_has_every_change_once_and_in_order(seed: int, least: float) -> None:
    with sqlite() as catalog, PushServer(catalog) as server:
        got: list[list[tuple[int, bool]]] = []

        def listen(number: int) -> None:
            got.append(come_and_go([server], f"minmagnitude={least}", random.Random(seed + number)))

        listeners = [threading.Thread(target=listen, args=(n,)) for n in range(3)]
        for one in listeners:
            one.start()
        change_all(catalog, server, seed)
        for one in listeners:
            one.join(60)
        wanted = expected(catalog, EarthquakeFilter(minmagnitude=least))
        assert got == [wanted] * 3


@sized
def test_a_client_that_follows_a_filter_has_what_the_list_has(tmp_path: Path) -> None:
    """With merges, splits, deletions: applying the changes keeps exactly what matches."""
    queries = {
        "": {},
        "minmagnitude=3.5": {"minmagnitude": 3.5},
        "mode=actual&maxdepth=10": {"mode": "actual", "maxdepth_km": 10},
        "latitude=38.4&longitude=-118.9&maxradiuskm=60": {
            "latitude": 38.4,
            "longitude": -118.9,
            "maxradius_km": 60.0,
        },
        "includedeleted=true&minlongitude=-118.9": {"includedeleted": True, "minlongitude": -118.9},
    }
    for seed in range(size(1, 3)):
        with contextlib.ExitStack() as stack:
            catalog = stack.enter_context(contextlib.closing(SqliteCatalog(tmp_path / f"{seed}")))
            server = stack.enter_context(PushServer(catalog))
            clients = {q: stack.enter_context(server.listen(f"snapshot=true&{q}")).opened() for q in queries}
            held = {q: {e["id"]: e for e in c.until_live()[0].json["earthquakes"]} for q, c in clients.items()}
            change_all(catalog, server, seed, 60)
            for query, client in clients.items():
                due = expected(catalog, EarthquakeFilter(**queries[query]))  # type: ignore[arg-type]
                for message in client.messages_of_changes(len(due)):
                    one = message.json["earthquake"]
                    if message.json.get("matches", True):
                        held[query][one["id"]] = one
                    else:
                        del held[query][one["id"]]
                page = catalog.earthquakes(EarthquakeFilter(**queries[query]), 1000)  # type: ignore[arg-type]
                listed = {e["id"]: e for e in map(msgspec.json.decode, page.earthquakes)}
                assert held[query] == listed, (seed, query)


def test_a_snapshot_and_what_follows_are_whole_while_much_is_written(tmp_path: Path) -> None:
    with contextlib.closing(SqliteCatalog(tmp_path / "c")) as catalog, PushServer(catalog) as server:
        writing = threading.Thread(target=change_all, args=(catalog, server, 5, 1500))
        writing.start()
        results = []
        while writing.is_alive() or not results:
            with server.listen("snapshot=true") as client:
                snapshot = next(client.opened().messages())
                held = {one["id"]: one for one in snapshot.json["earthquakes"]}
                due = expected(catalog, EarthquakeFilter(), snapshot.seq)[:50]
                results.append((held, due, list(client.messages_of_changes(len(due)))))
        assert len(results) > 1
        for held, due, messages in results:
            assert received(messages) == due
            for message in messages:  # each is the next revision of what the snapshot had
                one = message.json["earthquake"]
                known = held.get(one["id"])
                assert known is None or known["revision"] == one["revision"] - 1
                held[one["id"]] = one


def test_on_another_instance_with_postgresql(postgresql: PostgresServer) -> None:
    url = postgresql.make_database()
    with (
        contextlib.closing(PostgresqlCatalog(url)) as first,
        contextlib.closing(PostgresqlCatalog(url)) as second,
        PushServer(first) as one,
        PushServer(second) as two,
    ):
        writing = threading.Thread(target=change_all, args=(first, one, 11))
        writing.start()
        got = come_and_go([one, two], "minmagnitude=4", random.Random(1))
        writing.join(60)
        assert got == expected(second, EarthquakeFilter(minmagnitude=4.0))
        with one.listen() as here, two.listen() as there:
            here.opened().until_live()
            there.opened().until_live()
            Writer(first).write(event("more"))
            one.news.tell()  # and the other one sees it by looking
            last = second.feed().last_seq
            for client in (here, there):
                assert any(message.seq == last for message in client.messages())


def test_an_instance_that_is_behind_does_not_send_what_was_sent(tmp_path: Path) -> None:
    """An id that is ahead of what this instance has read is good, if the feed has it."""
    with contextlib.closing(SqliteCatalog(tmp_path / "c")) as catalog, PushServer(catalog) as server:
        writer = Writer(catalog)
        with server.listen() as keeps_awake:
            keeps_awake.opened().until_live()
            shocks = (event(f"a{n}", timestamp=NOW_MS - 7_200_000 * (n + 1)) for n in range(2500))
            writer.write(*shocks)  # more than is read at once; nobody is told
            with server.listen(f"since={catalog.feed().last_seq - 2}") as client:
                assert [m.seq for m in client.opened().until_live()] == [2499, 2500]


def test_far_behind_is_brought_up_from_the_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than the journal holds, and more than a socket takes at once."""
    monkeypatch.setattr(journal, "MAX_BLOCKS", 2)
    with contextlib.closing(SqliteCatalog(tmp_path / "c")) as catalog, PushServer(catalog) as server:
        writer = Writer(catalog)
        shocks: Any = [event(f"a{n}", timestamp=NOW_MS - 7_200_000 * (n + 1), padding="x" * 4000) for n in range(3000)]
        writer.write(*shocks)
        with server.listen("since=0") as one, server.listen("since=1500&maxmagnitude=9") as other:
            one.opened()
            other.opened()
            assert [m.seq for m in one.messages_of_changes(1000)] == list(range(1, 1001))
            writer.write(event("last"))
            server.news.tell()
            assert [m.seq for m in other.until_live()] == list(range(1501, 3002))
            assert [m.seq for m in one.until_live()] == list(range(1001, 3002))
