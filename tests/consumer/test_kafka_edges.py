"""What Kafka's tools, producers' clocks and people do to a running consumer: its lag, its topics, its group."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
import typer
from confluent_kafka import Consumer as ClientConsumer
from confluent_kafka import Producer as Client
from confluent_kafka.admin import (  # type: ignore[attr-defined] # all are public
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from prometheus_client import REGISTRY

from quakestream import clock, tailing
from quakestream.catalog import EarthquakeFilter
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.consumer import pipeline as pipeline_module
from quakestream.consumer.pipeline import Pipeline, PipelineSettings
from quakestream.errors import Fatal, Unreachable
from tests.conftest import ROOT, Broker
from tests.consumer.test_another_kafka_log import LIMIT_S, Site
from tests.consumer.test_pipeline import plain
from tests.waiting import eventually

pytestmark = pytest.mark.kafka
MONTH_MS = 30 * 86_400_000


@pytest.fixture
def site(tmp_path: Path, kafka_broker: Broker) -> Iterator[Site]:
    site = Site(tmp_path, kafka_broker)
    yield site
    site.close()


def lag(partition: int) -> float | None:
    return REGISTRY.get_sample_value("quakestream_consumer_lag", {"partition": str(partition)})


def described(site: Site) -> list[int]:
    """LAG of each partition, as `kafka-consumer-groups --describe` prints it: what KEDA scales by."""
    tool = ["java", "-cp", f"{ROOT}/.cache/kafka/libs/*", "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"]
    asked = ["--bootstrap-server", site.broker.address, "--describe", "--group", f"group-{site.topic}"]
    said = subprocess.run([*tool, *asked], capture_output=True, text=True, timeout=60, check=True).stdout
    rows = [line.split() for line in said.splitlines() if site.topic in line]
    return [int(row[5]) for row in rows if row[5] != "-"]


def transact(site: Site, prefix: str, *, commit: bool) -> None:
    settings = {"bootstrap.servers": site.broker.address, "transactional.id": f"{prefix}-{site.topic}"}
    client = Client(settings)
    client.init_transactions(LIMIT_S)
    client.begin_transaction()
    for n in range(30):
        client.produce(site.topic, plain(f"{prefix}{n}"), f"{prefix}{n}".encode())
    client.flush(LIMIT_S)
    (client.commit_transaction if commit else client.abort_transaction)(LIMIT_S)


@pytest.mark.long
def test_lag_is_nothing_after_transactions_also_for_kafka_s_own_tools(site: Site) -> None:
    transact(site, "a", commit=True)
    transact(site, "b", commit=False)
    pipeline = site.start()
    eventually(lambda: site.catalog.feed().last_seq == 30, within_s=LIMIT_S)
    eventually(lambda: pipeline.state()["lag"] == {0: 0, 1: 0, 2: 0}, within_s=LIMIT_S, tell=pipeline.state)
    transact(site, "c", commit=False)
    eventually(lambda: described(site) == [0, 0, 0], within_s=LIMIT_S, every_s=0.5, tell=lambda: described(site))


def test_lag_is_true_while_the_database_is_away_and_gone_with_the_partition(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = site.start()
    site.send("a", 3)
    eventually(lambda: site.catalog.feed().last_seq == 3, within_s=LIMIT_S)

    def away(*_: object) -> None:
        raise Unreachable("the database is away")

    with monkeypatch.context() as broken:
        broken.setattr(site.catalog, "ingest", away)
        site.send("b", 30)
        eventually(lambda: sum(dict(pipeline.state()["lag"]).values()) == 30, within_s=LIMIT_S)  # type: ignore[call-overload]
        eventually(lambda: sum(lag(number) or 0 for number in range(3)) == 30)
        assert (pipeline.state()["catalogError"], pipeline.state()["logError"]) == ("the database is away", None)
    eventually(lambda: sum(lag(number) or 0 for number in range(3)) == 0, within_s=LIMIT_S)
    assert pipeline.stop(10)
    assert [lag(number) for number in range(3)] == [None, None, None]


def test_what_lay_in_the_log_is_not_taken_for_the_present_by_who_gets_the_partitions(site: Site) -> None:
    """Until something was fetched, nobody knows that there is nothing: the health said that the clock was wrong."""
    client = Client({"bootstrap.servers": site.broker.address})
    for n in range(30):
        client.produce(site.topic, plain(f"old{n}"), f"old{n}".encode(), timestamp=clock.now_ms() - 7_200_000)
    client.flush(LIMIT_S)
    pipeline = site.start()
    eventually(lambda: site.catalog.feed().last_seq == 30, within_s=LIMIT_S)
    assert pipeline._log_clock.ahead_ms() is None


def test_a_second_one_on_another_file_is_refused_also_where_both_start_at_once(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Kafka with SQLite there is one consumer: a second one would store its part of the partitions elsewhere."""
    monkeypatch.setattr(pipeline_module, "OTHERS_PATIENCE_S", 0.0)
    first = site.start()
    eventually(lambda: first.state()["partitions"] == [0, 1, 2], within_s=LIMIT_S, tell=first.state)
    settings = PipelineSettings(site.topics, f"group-{site.topic}", "test", instance_id="two", alone=True)

    def refused(file: str) -> str:
        failures: list[BaseException] = []
        with closing(SqliteCatalog(tmp_path / file)) as other:
            second = Pipeline(
                site.log,
                other,
                settings,
                now_ms=site.now_ms,
                on_event=lambda _event: None,
                on_failure=failures.append,
            )
            second.start()
            eventually(lambda: failures, within_s=LIMIT_S)
            assert second.stop(10)
            assert other.feed().last_seq == 0
        assert isinstance(failures[0], Fatal)
        return str(failures[0])

    assert "has another consumer, one: with SQLite there can be one" in refused("late.sqlite3")
    monkeypatch.setattr(Pipeline, "_wait_to_be_alone", lambda _self: None)  # as who sees nobody there yet
    assert "go to another consumer" in refused("at_once.sqlite3")
    eventually(lambda: first.state()["partitions"] == [0, 1, 2], within_s=LIMIT_S, tell=first.state)
    site.send("a", 30)
    eventually(lambda: site.catalog.feed().last_seq == 30, within_s=LIMIT_S)


def test_a_topic_that_is_deleted_and_made_again_under_the_consumer_is_told_with_what_to_do(site: Site) -> None:
    pipeline = site.start()
    site.send("a", 3)
    eventually(lambda: site.catalog.feed().last_seq == 3, within_s=LIMIT_S)
    site.admin.delete_topics([site.topic])[site.topic].result(LIMIT_S)
    eventually(lambda: "does not exist" in str(pipeline.state()["logError"]), within_s=10)
    assert "accept-log" in str(pipeline.state()["logError"])
    assert not pipeline.healthy
    eventually(lambda: REGISTRY.get_sample_value("quakestream_topic_missing", {"topic": site.topic}) == 1)
    site.log.ensure_topics(site.topics)
    eventually(lambda: pipeline.state()["stopped"], within_s=10, tell=pipeline.state)
    assert "accept-log" in str(pipeline.state()["stopped"])
    assert not pipeline.healthy
    eventually(lambda: pipeline.state()["logError"] is None, within_s=10)


@pytest.mark.long
def test_dead_letters_find_their_topic_again(site: Site) -> None:
    pipeline = site.start()
    eventually(lambda: pipeline.state()["partitions"] == [0, 1, 2], within_s=LIMIT_S)
    letters = site.topics[1].name
    site.admin.delete_topics([letters])[letters].result(LIMIT_S)
    eventually(lambda: not site.log.watermarks(letters), within_s=LIMIT_S)
    client = Client({"bootstrap.servers": site.broker.address})
    client.produce(site.topic, b"no event")
    client.flush(LIMIT_S)
    eventually(lambda: [mark.high for mark in site.log.watermarks(letters).values()] == [1], within_s=60)
    assert pipeline.state()["catalogError"] is None


def test_a_producer_s_clock_that_is_ahead_silences_nothing(site: Site) -> None:
    believing = ConfigEntry(
        "message.timestamp.after.max.ms", str(2**63 - 1), incremental_operation=AlterConfigOpType.SET
    )
    topic = ConfigResource(ResourceType.TOPIC, site.topic, incremental_configs=[believing])
    site.admin.incremental_alter_configs([topic])[topic].result(LIMIT_S)
    client = Client({"bootstrap.servers": site.broker.address})
    for ahead_ms, magnitude in ((MONTH_MS, 3.0), (253_402_300_800_000, 3.1), (0, 6.5)):
        client.produce(site.topic, plain("a", magnitude=magnitude), b"external:a", timestamp=clock.now_ms() + ahead_ms)
        client.flush(LIMIT_S)
    before_ms = clock.now_ms()
    site.now_ms = clock.now_ms
    site.start()
    eventually(lambda: site.catalog.feed().last_seq == 3, within_s=LIMIT_S)
    (document,) = site.catalog.earthquakes(EarthquakeFilter()).earthquakes
    quake = msgspec.json.decode(document)
    assert quake["magnitude"] == 6.5
    assert quake["updated"] <= before_ms


def test_a_group_of_another_protocol_is_named_with_the_remedy(site: Site) -> None:
    """The consumers of other programs: `range` and `roundrobin`, as librdkafka has it where nothing is said."""
    group = f"group-{site.topic}"
    other = ClientConsumer({"bootstrap.servers": site.broker.address, "group.id": group})
    other.subscribe([site.topic])
    eventually(lambda: other.poll(0.1) is None and len(other.assignment()) == 3, within_s=LIMIT_S)
    failures: list[BaseException] = []
    pipeline = Pipeline(
        site.log,
        site.catalog,
        PipelineSettings(site.topics, group, "test", instance_id="one"),
        now_ms=clock.now_ms,
        on_event=lambda _event: None,
        on_failure=failures.append,
    )
    pipeline.start()
    try:
        eventually(lambda: other.poll(0.1) is None and failures, within_s=LIMIT_S)
        (failure,) = failures
        assert isinstance(failure, Fatal)
        assert "Use another KAFKA_GROUP_ID" in str(failure)
        assert "\n" not in str(failure)
        assert failure.__cause__ is None
    finally:
        assert pipeline.stop(10)
        other.close()


def test_letters_are_sent_again_up_to_the_end_that_there_was(site: Site) -> None:
    site.start()
    client = Client({"bootstrap.servers": site.broker.address})
    for number in range(40):
        client.produce(site.topic, b"no event", b"%d" % number)
    client.flush(LIMIT_S)

    def letters() -> int:
        return sum(mark.high for mark in site.log.watermarks(site.topics[1].name).values())

    eventually(lambda: letters() == 40, within_s=LIMIT_S)
    with pytest.raises(typer.Exit) as ended:
        tailing.dead_letters(site.log, site.topic, again_within_s=20, as_json=False)
    assert ended.value.exit_code == 0
    eventually(lambda: letters() == 80, within_s=LIMIT_S)
    assert sum(mark.high for mark in site.log.watermarks(site.topic).values()) == 80


@pytest.mark.long
def test_who_follows_an_idle_stream_takes_next_to_nothing(site: Site) -> None:
    site.send("a", 1)
    transact(site, "b", commit=False)
    settings = {"KAFKA_BROKERS": site.broker.address, "KAFKA_TOPIC": site.topic, "KAFKA_CLIENT_ID": "tail"}
    command = [Path(sys.executable).parent / "quakestream", "tail", "--from-start", "--json"]
    environment = {"PATH": os.environ["PATH"], "KAFKA_GROUP_ID": "none"} | settings
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as tail:
        try:
            assert tail.stdout is not None
            assert msgspec.json.decode(tail.stdout.readline())["id"] == "a0"
            time.sleep(2)  # what beginning costs is not counted
            spent_s, began_s = processor_s(tail.pid), time.monotonic()
            time.sleep(6)
            share = (processor_s(tail.pid) - spent_s) / (time.monotonic() - began_s)
        finally:
            tail.terminate()
    print("share", share)
    assert share < 0.02, "half of that is usual"


def processor_s(pid: int) -> float:
    """What a process has spent so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
