"""From the outbox to receivers, good ones and bad ones."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from quakestream import supervision
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.channels import Retry
from quakestream.channels.webhook import WebhookChannel
from quakestream.errors import Unreachable
from quakestream.subscriptions.registry import Registry
from quakestream.telling import delivery as delivering
from quakestream.telling.delivery import DeliverySettings, Parcel
from quakestream.telling.messages import Facts
from quakestream.telling.outbox import Leased, Outbox
from tests.channels.receiver import Receiver
from tests.postgres_server import PostgresServer
from tests.sizes import size, sized
from tests.telling.kills import run
from tests.telling.shared import HASTY, delivery, earthquake, notify, now_ms, subscription
from tests.waiting import eventually


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    with closing(SqliteCatalog(tmp_path / "catalogue.sqlite3")) as catalog:
        yield catalog


@pytest.fixture
def outbox(catalog: SqliteCatalog) -> Outbox:
    return Outbox(catalog)


@pytest.fixture
def registry(catalog: SqliteCatalog) -> Registry:
    return Registry(catalog)


@pytest.fixture
def quake(catalog: SqliteCatalog) -> str:
    return earthquake(catalog)


def subscribe(registry: Registry, ids: list[str], url: str, **fields: Any) -> None:
    registry.put_all([(subscription(id_, url, **fields), "") for id_ in ids], now_ms=now_ms())


def test_a_webhook_is_signed_and_says_what_happened(
    catalog: SqliteCatalog, outbox: Outbox, registry: Registry, quake: str
) -> None:
    with Receiver() as receiver:
        subscribe(registry, ["s1"], receiver.url)
        (one,) = notify(outbox, quake, ["s1"], receiver.url)
        worker = delivery(catalog)
        worker.start()
        eventually(lambda: receiver.accepted)
        eventually(lambda: outbox.counts() == {"accepted": 1}, tell=outbox.counts)
        assert worker.stop(10)
    received = receiver.accepted[one.key]
    Webhook(registry.webhook_secret("s1")).verify(received.body, received.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(registry.webhook_secret("s2")).verify(received.body, received.headers)
    event = received.event
    assert (event["specversion"], event["id"], event["type"]) == ("1.0", one.key, "org.quakestream.alert")
    assert event["data"]["earthquake"]["id"] == event["subject"] == quake
    assert event["data"]["title"] == "M 5.6 earthquake, somewhere"
    assert "not an official warning" in event["data"]["text"]
    assert event["data"]["attribution"] == "us"
    assert received.headers["content-type"].startswith("application/cloudevents+json")


def test_what_a_receiver_refuses_is_dead_and_what_it_never_takes_too(
    catalog: SqliteCatalog, outbox: Outbox, registry: Registry, quake: str
) -> None:
    with Receiver({"final": 1}) as never, Receiver({"error": 1}) as broken:
        subscribe(registry, ["s1", "s2"], never.url)
        notify(outbox, quake, ["s1"], never.url)
        notify(outbox, quake, ["s2"], broken.url)
        worker = delivery(catalog, settings=altered(HASTY, max_attempts=3))
        worker.start()
        eventually(lambda: outbox.counts() == {"dead": 2}, tell=outbox.counts)
        assert worker.stop(10)
    why = {row["subscription"]: (row["attempts"], row["why"], row["maybe_told"]) for row in outbox.listed()}
    assert why == {"s1": (1, "answer 422", False), "s2": (3, "3 attempts; answer 500 oops", True)}


def test_a_channel_that_sends_one_by_one_goes_on_to_the_next(
    catalog: SqliteCatalog, outbox: Outbox, registry: Registry, quake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WebhookChannel, "max_sends", 1)
    with Receiver() as receiver:
        ids = [f"s{number}" for number in range(5)]
        subscribe(registry, ids, receiver.url)
        notify(outbox, quake, ids, receiver.url)
        worker = delivery(catalog)
        worker.start()
        eventually(lambda: outbox.counts() == {"accepted": 5}, tell=outbox.counts, within_s=5)  # far less than a lease
        assert worker.stop(10)


def test_retry_after_is_honoured_and_then_it_arrives(
    catalog: SqliteCatalog, outbox: Outbox, registry: Registry, quake: str
) -> None:
    with Receiver({"too many": 1}) as receiver:
        subscribe(registry, ["s1"], receiver.url)
        notify(outbox, quake, ["s1"], receiver.url)
        worker = delivery(catalog)
        worker.start()
        eventually(lambda: receiver.did["too many"] == 1)
        asked_s = time.time()
        receiver.behave({})
        eventually(lambda: receiver.accepted)
        assert worker.stop(10)
    (received,) = receiver.accepted.values()
    assert received.at_s - asked_s > 0.9


def test_a_receiver_that_stalls_holds_up_no_other(
    catalog: SqliteCatalog, outbox: Outbox, registry: Registry, quake: str
) -> None:
    with Receiver({"stall": 1}) as stuck, Receiver() as good:
        slow, quick = [f"slow{i}" for i in range(3000)], [f"quick{i}" for i in range(200)]
        subscribe(registry, slow + quick, good.url)
        notify(outbox, quake, slow, stuck.url, priority=0)
        notify(outbox, quake, quick, good.url, priority=9)
        worker = delivery(catalog, settings=altered(HASTY, lease_ms=60_000), timeout_s=15)
        worker.start()
        eventually(lambda: len(good.accepted) == len(quick), within_s=10, tell=outbox.counts)
        assert not stuck.accepted
        assert worker.stop(20)
    assert outbox.counts() == {"accepted": 200, "queued": 3000}


def test_a_receiver_gets_no_more_a_second_than_its_limit(
    catalog: SqliteCatalog, outbox: Outbox, registry: Registry, quake: str
) -> None:
    with Receiver() as receiver:
        ids = [f"s{i}" for i in range(60)]
        subscribe(registry, ids, receiver.url)
        notify(outbox, quake, ids, receiver.url)
        worker = delivery(catalog, settings=altered(HASTY, target_rate_per_s=20.0))
        worker.start()
        eventually(lambda: len(receiver.accepted) == len(ids))
        assert worker.stop(10)
    at = sorted(received.at_s for received in receiver.accepted.values())
    assert at[-1] - at[0] > 1.8  # 20 at once, and 40 in two seconds


def test_severe_goes_before_mild(catalog: SqliteCatalog, outbox: Outbox, registry: Registry, quake: str) -> None:
    with Receiver() as receiver:
        subscribe(registry, ["mild", "severe", "middle"], receiver.url)
        for id_, priority in (("mild", 7), ("severe", 0), ("middle", 4)):
            notify(outbox, quake, [id_], receiver.url, priority=priority)
        worker = delivery(catalog, settings=altered(HASTY, target_sends=1))
        worker.start()
        eventually(lambda: len(receiver.accepted) == 3)
        assert worker.stop(10)
    order = [received.event["data"]["subscription"]["id"] for received in receiver.accepted.values()]
    assert order == ["severe", "middle", "mild"]


def test_who_has_left_is_not_told(catalog: SqliteCatalog, outbox: Outbox, registry: Registry, quake: str) -> None:
    with Receiver() as receiver:
        subscribe(registry, ["stays", "leaves"], receiver.url)
        notify(outbox, quake, ["stays", "leaves"], receiver.url)
        registry.remove(["leaves"], now_ms())
        worker = delivery(catalog)
        worker.start()
        eventually(lambda: outbox.counts() == {"accepted": 1, "superseded": 1}, tell=outbox.counts)
        assert worker.stop(10)
    assert [r.event["data"]["subscription"]["id"] for r in receiver.accepted.values()] == ["stays"]


def test_what_is_digested_comes_in_one_message(
    catalog: SqliteCatalog, outbox: Outbox, registry: Registry, quake: str
) -> None:
    with Receiver() as receiver:
        subscribe(registry, ["s1"], receiver.url)
        facts = msgspec.json.encode(Facts(digest=True))
        for revision in range(1, 6):
            notify(outbox, quake, ["s1"], receiver.url, revision=revision, facts=facts)
        worker = delivery(catalog)
        worker.start()
        eventually(lambda: outbox.counts() == {"accepted": 5}, tell=outbox.counts)
        assert worker.stop(10)
    (received,) = receiver.accepted.values()
    assert received.event["type"] == "org.quakestream.digest"
    assert received.event["data"]["title"] == "5 earthquakes, up to M 5.6"


def test_what_cannot_be_written_is_dead_and_holds_up_no_other(
    catalog: SqliteCatalog, outbox: Outbox, registry: Registry, quake: str
) -> None:
    with Receiver() as receiver:
        subscribe(registry, ["s1", "s2", "s3"], receiver.url)
        notify(outbox, quake, ["s1", "s3"], receiver.url)
        notify(outbox, quake, ["s2"], receiver.url, facts=b"no facts at all")
        worker = delivery(catalog)
        worker.start()
        eventually(lambda: outbox.counts() == {"accepted": 2, "dead": 1}, tell=outbox.listed)
        assert worker.stop(10)
    (dead,) = outbox.listed(state="dead")
    assert dead["subscription"] == "s2"
    assert "could not be written" in dead["why"]


@pytest.mark.parametrize("error", [ValueError("a fault of ours"), MemoryError(), Unreachable("not now")])
def test_an_upkeep_that_fails_ends_no_delivery_and_is_seen(
    catalog: SqliteCatalog,
    outbox: Outbox,
    registry: Registry,
    quake: str,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(Outbox, "expire", fails)
    if isinstance(error, Unreachable):  # nothing is leased before it was done once: the database is away for all
        calls = iter([True])
        monkeypatch.setattr(Outbox, "expire", lambda *_: fails() if next(calls, False) else 0)
    with Receiver() as receiver:
        subscribe(registry, ["s1", "s2"], receiver.url)
        notify(outbox, quake, ["s1"], receiver.url)
        worker = delivery(catalog)
        worker.start()
        eventually(lambda: outbox.counts() == {"accepted": 1}, tell=outbox.counts)
        if not isinstance(error, Unreachable):
            told = supervision.PROCESS.failing()["outbox upkeep"]
            assert type(error).__name__ in told["error"]
        notify(outbox, quake, ["s2"], receiver.url)
        eventually(lambda: outbox.counts() == {"accepted": 2}, tell=outbox.counts)
        assert worker.stop(10)
    assert supervision.PROCESS.failing() == {}


@pytest.mark.parametrize("error", [Unreachable("not now"), MemoryError()])
def test_what_was_leased_and_could_not_be_composed_is_told_at_once_and_not_as_a_second_attempt(
    catalog: SqliteCatalog, outbox: Outbox, registry: Registry, quake: str, error: Exception
) -> None:
    fails = iter([True, True])
    with Receiver() as receiver:
        subscribe(registry, ["s1"], receiver.url)
        worker = delivery(catalog, settings=altered(HASTY, lease_ms=60_000))
        compose = worker.compose

        def missing(leased: Sequence[Leased]) -> Sequence[Parcel]:
            if next(fails, False):
                raise error
            return compose(leased)

        worker.compose = missing
        notify(outbox, quake, ["s1"], receiver.url)
        worker.start()
        eventually(lambda: outbox.counts() == {"accepted": 1}, tell=outbox.listed)
        assert worker.stop(10)
    (row,) = outbox.listed()
    assert (row["attempts"], row["maybe_told"]) == (1, False)


def test_a_channel_that_can_not_be_opened_is_opened_later_and_holds_up_no_other(
    catalog: SqliteCatalog, outbox: Outbox, registry: Registry, quake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, fails = WebhookChannel.open, iter([True, True])

    async def fault(self: WebhookChannel) -> None:
        if next(fails, False):
            raise OSError("no file is left to open")
        await opened(self)

    monkeypatch.setattr(WebhookChannel, "open", fault)
    monkeypatch.setattr(supervision.PROCESS, "_pause_s", (0.1, 0.2))
    with Receiver() as receiver:
        subscribe(registry, ["s1"], receiver.url)
        notify(outbox, quake, ["s1"], receiver.url)
        worker = delivery(catalog)
        worker.start()
        eventually(lambda: outbox.counts() == {"accepted": 1}, tell=outbox.counts)
        assert "no file is left" in supervision.PROCESS.failing()["delivery by webhook"]["error"]
        assert worker.stop(10)


def test_what_is_late_is_not_sent(catalog: SqliteCatalog, outbox: Outbox, registry: Registry, quake: str) -> None:
    with Receiver() as receiver:
        subscribe(registry, ["s1"], receiver.url)
        notify(outbox, quake, ["s1"], receiver.url, lasts_s=-1)
        worker = delivery(catalog)
        worker.start()
        eventually(lambda: outbox.counts() == {"expired": 1}, tell=outbox.counts)
        assert worker.stop(10)
    assert not receiver.did


@sized
def test_workers_that_are_killed_lose_and_double_nothing(tmp_path: Path) -> None:
    print(run(str(tmp_path / "catalogue.sqlite3"), notifications=size(80, 500), kills=size(1, 4)))


@sized
@pytest.mark.long
def test_likewise_on_postgresql(postgresql: PostgresServer) -> None:
    print(run(postgresql.make_database(), notifications=size(80, 500), kills=size(1, 4), workers=3))


def altered(settings: DeliverySettings, **changes: Any) -> DeliverySettings:
    return DeliverySettings(**({name: getattr(settings, name) for name in settings.__slots__} | changes))


def test_beyond_so_many_targets_a_new_one_looks_at_few(catalog: SqliteCatalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """0.1.0 looked at all of them, on the loop, for each."""
    monkeypatch.setattr(delivering, "MAX_TARGETS", 50)
    worker = delivery(catalog)._workers[0]
    for number in range(200):
        worker._target(f"t{number}").filled_at = time.monotonic()
    assert len(worker._targets) == 200, "each was used a moment ago: its pace is remembered"
    for target in worker._targets.values():
        target.filled_at = -1000.0
    held = worker._target("t7")
    held.sends = 1
    worker._learn(worker._target("t9"), Retry("later", after_s=60))
    for number in range(200, 400):
        worker._target(f"t{number}").filled_at = -1000.0
    assert len(worker._targets) <= 60
    assert {"t7", "t9"} <= worker._targets.keys(), "one is at work, one has a pause"
    assert worker._busy() == ["t9"]
