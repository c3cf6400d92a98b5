"""What an earlier version left opens with this one, and goes on: nothing is lost, told twice or made anew.

`tests/data/upgrades` holds what each version's programs left behind when they were killed; `tests/upgrades/make.py`
made it. Each is opened once on each database, goes through everything that a later version does with it, and is looked
at after each step. The clock goes on from when the data were left, so that the test is the same on any day.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pycurl
import pytest
import uvloop
from click.testing import Result
from typer.testing import CliRunner

from quakestream import config, program
from quakestream.catalog.clock import PostgresqlClock
from quakestream.cli import app
from quakestream.command import closing_producer
from quakestream.config import ConsumerSettings, ServiceSettings
from quakestream.consumer import main as consumer
from quakestream.log import Record
from quakestream.log.dead_letters import dead_letter_topic
from quakestream.log.opening import open_log
from quakestream.service import main as service
from tests.channels.receiver import Receiver
from tests.upgrades.agencies import Agencies
from tests.upgrades.make import KEY, ODD, TOPIC
from tests.waiting import eventually

LEFT = Path(__file__).parent / "data/upgrades"
VERSIONS = sorted(path.name for path in LEFT.iterdir() if path.is_dir())
LOOK_S, LIMIT_S = 0.1, 60.0
RESUMED_MS = 60_000
"""How long nobody was at work: leases have run out by then."""
TOLD = {"sent", "accepted", "acknowledged"}
OPEN = {"queued", "sending"}

_real_ns = time.time_ns
_real_clock_ns = time.clock_gettime_ns


class Clock:
    """The machine's clocks, set to another moment: what time it is, and how long it has been on."""

    def __init__(self, now_ms: int) -> None:
        self._ahead_ns = self._began_ahead_ns = now_ms * 1_000_000 - _real_ns()

    def ns(self) -> int:
        return _real_ns() + self._ahead_ns

    def s(self) -> float:
        return self.ns() / 1e9

    def of(self, clock: int) -> int:
        """In place of `time.clock_gettime_ns`."""
        return _real_clock_ns(clock) + self._ahead_ns - self._began_ahead_ns

    def now_ms(self) -> int:
        return self.ns() // 1_000_000

    def move_to(self, now_ms: int) -> None:
        self._ahead_ns += max(now_ms - self.now_ms(), 0) * 1_000_000


@dataclass(frozen=True)
class Stand:
    """What is in the database at one moment, read past all of the program's own code."""

    catalog_id: str
    last_seq: int
    earthquakes: dict[str, tuple[Any, ...]]
    """Revision, seq, and whether it is deleted, by id."""
    subscriptions: dict[str, tuple[Any, ...]]
    """Document and whether it was removed, by id."""
    notifications: dict[str, dict[str, Any]]
    """By key."""
    secrets: dict[str, bytes]
    addresses: list[tuple[Any, ...]]

    def told(self) -> set[str]:
        return {key for key, one in self.notifications.items() if one["state"] in TOLD}

    def open(self) -> dict[str, dict[str, Any]]:
        """By webhook, for the test has nobody who answers otherwise."""
        rows = self.notifications.items()
        return {key: one for key, one in rows if one["state"] in OPEN and one["channel"] == "webhook"}


class Place:
    """One archive, unpacked: a folder, and a database where there is one."""

    def __init__(self, folder: Path, archive: Path, database_url: str) -> None:
        with tarfile.open(archive) as packed:
            packed.extraction_filter = getattr(tarfile, "data_filter", None)  # Debian 12's Python has none
            packed.extractall(folder)  # noqa: S202 - our own
        self.left: dict[str, Any] = json.loads((folder / "left.json").read_text())
        self.data_dir = folder / "data"
        self.database_url = database_url
        if database_url:
            with psycopg.connect(database_url, autocommit=True) as session:
                session.execute((folder / "postgresql.sql").read_bytes())
        self.settings = {
            "DATA_DIR": str(self.data_dir),
            "DATABASE_URL": database_url,
            "EVENT_LOG": "embedded",
            "LOG_EVENTS": "false",
            "PORT": "0",
            "PUBLIC_URL": "https://quakes.example.org",
            "ALERTS_TOKEN": KEY,
            "INGEST_TOKEN": KEY,
            "CONTROL_TOKEN": KEY,
            "ALERT_PRIVATE_TARGETS": "true",
        }
        self.http = httpx.Client(trust_env=False, timeout=20, headers={"Authorization": f"Bearer {KEY}"})

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        if self.database_url:
            with psycopg.connect(self.database_url) as session:
                return session.execute(statement.encode()).fetchall()
        with closing(sqlite3.connect(self.data_dir / "catalogue.sqlite3")) as db:
            return db.execute(statement).fetchall()

    def stand(self) -> Stand:
        names = "subscription earthquake kind channel target state next_ms notification"
        listed = self.rows(f"SELECT key, {names.replace(' ', ', ')} FROM notifications")  # noqa: S608
        ((catalog_id, last_seq),) = self.rows("SELECT catalog_id, last_seq FROM feed")
        return Stand(
            catalog_id,
            last_seq,
            {id_: tuple(rest) for id_, *rest in self.rows("SELECT id, revision, seq, deleted FROM earthquakes")},
            {id_: tuple(rest) for id_, *rest in self.rows("SELECT id, document, removed FROM subscriptions")},
            {key: dict(zip(names.split(), rest, strict=True)) for key, *rest in listed},
            {name: bytes(value) for name, value in self.rows("SELECT name, value FROM secrets")},
            self.rows("SELECT target, id, asked_ms, confirmed_ms FROM addresses"),
        )

    def command(self, *arguments: str) -> Result:
        done = CliRunner().invoke(app, list(arguments), env=self.settings)
        assert done.exit_code == 0, (done.output, done.exception)
        return done

    def position(self) -> int:
        ((offset,),) = self.rows(f"SELECT next_offset FROM positions WHERE topic = '{TOPIC}'")  # noqa: S608
        return int(offset)

    def ends(self) -> dict[str, int]:
        """Where the log's topics end."""
        with closing(sqlite3.connect(self.data_dir / "log.sqlite3")) as db:
            return dict(db.execute("SELECT name, high FROM topics"))

    def caught_up(self) -> bool:
        """Whether the consumer has read the log, and its followers the feed."""
        ((epoch, last_seq),) = self.rows("SELECT epoch, last_seq FROM feed")
        followers = self.rows("SELECT epoch, after_seq FROM followers WHERE name IN ('alerts', 'republisher')")
        return self.position() == self.ends()[TOPIC] and followers == [(epoch, last_seq)] * 2

    def wait(self) -> None:
        """Until it has."""
        eventually(self.caught_up, LIMIT_S, LOOK_S, self._behind)

    def _behind(self) -> object:
        return self.position(), self.ends(), self.rows("SELECT * FROM feed"), self.rows("SELECT * FROM followers")

    def run(self, work: Callable[[Mapping[str, str]], object], *, with_service: bool = True) -> None:
        """Both programs at work as they are, on one log, while `work` is done: it gets their addresses."""
        settings = config.load(ConsumerSettings, environment=self.settings)
        urls: dict[str, str] = {}

        async def main() -> None:
            with closing(open_log(settings)) as log:
                stop, ready = program.Stop(), asyncio.Queue[None]()

                def answers(name: str) -> Callable[[str], None]:
                    return lambda url: (urls.update({name: url}), ready.put_nowait(None))[1]

                running = [consumer.serve(settings, log, answers("consumer"), stop)]
                if with_service:
                    own = config.load(ServiceSettings, environment=self.settings)
                    running.append(service.serve(own, log, answers("service"), stop))
                tasks = [asyncio.create_task(one) for one in running]
                try:
                    for _ in tasks:
                        await asyncio.wait_for(ready.get(), LIMIT_S)
                    await asyncio.to_thread(work, urls)
                finally:
                    stop.set()
                    codes = await asyncio.gather(*tasks)
                assert codes == [0] * len(tasks)

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main())


@dataclass
class Story:
    """What became of one archive, step by step."""

    place: Place
    left: Stand
    """As the other version left it."""
    sources: list[str] = field(default_factory=list)
    """That the service resumed."""
    keys: set[str] = field(default_factory=set)
    """Of the messages that were sent, before the catalogue was made anew."""
    stands: dict[str, Stand] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)
    """Messages sent by then."""
    said: dict[str, str] = field(default_factory=dict)
    """What commands said."""
    published: dict[str, int] = field(default_factory=dict)
    """By each source that showed once more what it had shown."""
    posted: list[dict[str, Any]] = field(default_factory=list)
    """Answers to posts that had been made before."""
    letters: dict[str, int] = field(default_factory=dict)


ARCHIVES = [
    pytest.param((version, kind), id=f"{version}-{kind}", marks=[pytest.mark.long] if kind == "postgresql" else [])
    for version in VERSIONS
    for kind in ("sqlite", "postgresql")
]


@pytest.fixture(scope="module", params=ARCHIVES)
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    version, kind = request.param
    url = request.getfixturevalue("postgresql").make_database(empty=True) if kind == "postgresql" else ""
    place = Place(tmp_path_factory.mktemp("upgraded"), LEFT / version / f"{kind}.tar.xz", url)
    clock = Clock(place.left["made_ms"] + RESUMED_MS)
    with (
        pytest.MonkeyPatch.context() as patch,
        Receiver() as receiver,
        Agencies(place.left["shown"]) as agencies,
        closing(place.http),
    ):
        patch.chdir(place.data_dir)
        patch.setattr(time, "time_ns", clock.ns)
        patch.setattr(time, "time", clock.s)
        patch.setattr(time, "clock_gettime_ns", clock.of)
        patch.setattr(PostgresqlClock, "now_ms", lambda *_: clock.now_ms())  # the server's
        patch.setattr("quakestream.telemetry.configure_logging", lambda *_: None)  # it is the test's own
        patch.setattr(pycurl, "Curl", _directed(receiver.port))
        urls = [one["url"] for one in place.left["sources"] if "url" in one]
        place.settings |= agencies.settings | {"SOURCE_URLS": ",".join([agencies.fdsn_url, *urls])}
        yield _told(place, clock, receiver, agencies)


def _told(place: Place, clock: Clock, receiver: Receiver, agencies: Agencies) -> Story:
    story = Story(place, place.stand())

    def note(step: str) -> None:
        story.stands[step] = place.stand()
        story.sent[step] = sum(receiver.did.values())
        story.letters[step] = place.ends()[dead_letter_topic(TOPIC)]

    story.said["migrate"] = place.command("migrate").output
    story.said["verify"] = place.command("catalog", "verify").output
    note("opened")

    def go_on(urls: Mapping[str, str]) -> None:
        status = _sources(place, urls)
        story.sources = [name for name in status if name != "http"]  # what was posted
        eventually(lambda: _sources(place, urls)["replay"]["acknowledged"] > 0, LIMIT_S, LOOK_S)
        place.wait()
        while due := [one["next_ms"] for one in place.stand().open().values()]:
            clock.move_to(min(due) + 10_000)  # quiet hours end, a digest is due, nobody has acknowledged
            _until_sent(place, clock.now_ms())
        note("went on")

    def again(urls: Mapping[str, str]) -> None:
        _show_again(story, urls, agencies)
        _send_again(place, story)
        place.wait()
        note("came again")

    place.run(lambda urls: (go_on(urls), again(urls)))
    story.said["dead-letters"] = place.command("dead-letters").stdout
    story.keys = set(receiver.accepted)
    place.command("dead-letters", "--replay")
    story.said["rebuild"] = place.command("catalog", "rebuild").output
    story.said["verify rebuilt"] = place.command("catalog", "verify").output
    place.run(lambda _: place.wait(), with_service=False)
    note("rebuilt")
    return story


def _until_sent(place: Place, now_ms: int) -> None:
    """Wait until nothing waits that is due by then."""

    waiting = "SELECT key FROM notifications WHERE state IN ('queued', 'sending') AND channel = 'webhook'"

    def due() -> list[tuple[Any, ...]]:
        return place.rows(f"{waiting} AND next_ms <= {now_ms}")

    eventually(lambda: not due(), LIMIT_S, LOOK_S, due)


def _directed(port: int) -> type[pycurl.Curl]:
    """libcurl, but whatever is posted goes to this port of this machine: that of the data may be somebody else's."""

    class Curl(pycurl.Curl):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.setopt(pycurl.CONNECT_TO, [f"::127.0.0.1:{port}"])

    return Curl


def _sources(place: Place, urls: Mapping[str, str]) -> dict[str, Any]:
    status = place.http.get(f"{urls['service']}/earthquake-events/status").json()
    return {one["name"]: one for one in status["sources"]}


def _show_again(story: Story, urls: Mapping[str, str], agencies: Agencies) -> None:
    """The agencies show what they showed before, and what was posted is posted again."""
    own = [one for one in story.place.left["sources"] if one["name"] != "replay"]
    for one in own:
        if "url" in one:
            one["url"] = agencies.fdsn_url
    agencies.asked.clear()
    started = story.place.http.post(f"{urls['service']}/earthquake-events/start", json={"sources": own})
    assert started.status_code == httpx.codes.OK, started.text
    frames = len(agencies.shown["frames"])
    eventually(
        lambda: min(agencies.asked["usgs"], agencies.asked["fdsn"]) >= 2 and agencies.asked["emsc"] >= frames,
        LIMIT_S,
        LOOK_S,
        lambda: agencies.asked,
    )
    for body in story.place.left["posted"]:
        answer = story.place.http.post(f"{urls['service']}/earthquake-events", json=body)
        story.posted.append({"status": answer.status_code, "body": answer.json()})
    story.published = {name: one["published"] for name, one in _sources(story.place, urls).items()}
    story.place.http.post(f"{urls['service']}/earthquake-events/stop")


def _send_again(place: Place, story: Story) -> None:
    """Everything that is on the stream comes once more, as it came."""
    with closing(open_log(config.load(ConsumerSettings, environment=place.settings))) as log:
        records = log.read(TOPIC, 0, 0, 10_000)
        assert len(records) == place.ends()[TOPIC]
        with closing_producer(log) as producer:
            producer.send([Record(TOPIC, one.key, one.value, one.headers) for one in records]).result(timeout=20)


# --- what must hold ---------------------------------------------------------------------------------------------------


def test_opening_it_changes_nothing(story: Story) -> None:
    opened = story.stands["opened"]
    assert story.said["verify"].startswith("good: ")
    assert opened.last_seq == story.left.last_seq
    assert opened == story.left
    assert len(opened.earthquakes) > 100


def test_no_earthquake_changes_its_id_its_revision_or_its_seq_by_going_on(story: Story) -> None:
    went_on = story.stands["went on"].earthquakes
    assert {id_: went_on[id_] for id_ in story.left.earthquakes} == story.left.earthquakes


def test_reading_goes_on_behind_what_was_read(story: Story) -> None:
    """What nobody had read yet is stored, and what the replay had not sent; nothing else."""
    new = story.place.left["unread"] + 1
    assert story.stands["went on"].last_seq == story.left.last_seq + new
    assert len(story.stands["went on"].earthquakes) == len(story.left.earthquakes) + new
    assert story.stands["went on"].catalog_id == story.left.catalog_id


def test_the_service_resumes_what_its_control_file_says(story: Story) -> None:
    wanted = story.place.left["sources"]
    assert story.sources == [f"fdsn:{one['source']}" if one["name"] == "fdsn" else one["name"] for one in wanted]


def test_subscriptions_keys_and_addresses_are_as_they_were(story: Story) -> None:
    for step in story.stands.values():
        assert step.subscriptions == story.left.subscriptions
        assert step.secrets == story.left.secrets
        assert step.addresses == story.left.addresses


def test_what_was_queued_is_sent_once(story: Story) -> None:
    """Or another took its place; whose worker was killed is sent again, for nobody knows whether it arrived."""
    waited, then = story.left.open(), story.stands["went on"].notifications
    assert {one["state"] for one in waited.values()} == OPEN
    assert not story.stands["went on"].open()
    for key, before in waited.items():
        after = then[key]
        if after["state"] == "superseded":
            newer = [
                one
                for one in then.values()
                if all(one[name] == before[name] for name in ("subscription", "earthquake", "target"))
                and one["notification"] > before["notification"]
            ]
            assert any(one["state"] == "accepted" for one in newer), before
            assert key not in story.keys
        else:
            assert (after["state"], key in story.keys) == ("accepted", True), after
    assert story.sent["came again"] == len(story.keys)


def test_what_was_told_is_not_told_again(story: Story) -> None:
    settled = story.left.notifications.keys() - story.left.open().keys()
    assert story.keys <= story.left.open().keys()
    for key in settled:
        before, after = story.left.notifications[key], story.stands["came again"].notifications[key]
        if before["channel"] == "webhook":
            assert after["state"] == before["state"]


def test_what_comes_again_makes_no_revision_and_no_alert(story: Story) -> None:
    before, after = story.stands["went on"], story.stands["came again"]
    assert (after.last_seq, after.earthquakes) == (before.last_seq, before.earthquakes)
    assert after.notifications.keys() == before.notifications.keys()
    assert story.sent["came again"] == story.sent["went on"]
    shown = story.place.left["shown"]["usgs"]
    odd = sum(one["properties"]["place"] == ODD for one in shown)  # read as other words today, and so sent once more
    assert story.published["usgs"] <= odd < 2
    assert story.published["fdsn:nearby"] == 0
    for answer, events in zip(story.posted, story.place.left["posted"], strict=True):
        assert answer["status"] == httpx.codes.ACCEPTED, answer
        assert answer["body"]["accepted"] <= sum(event.get("place") == ODD for event in events)
        assert sum(answer["body"].values()) == len(events)


def test_dead_letters_can_be_read_and_sent_again(story: Story) -> None:
    count = story.place.left["letters"]
    assert story.letters["opened"] == count
    listed = story.said["dead-letters"].splitlines()
    assert len(listed) == story.letters["came again"] == 2 * count
    assert [line.split("\t")[2] for line in listed[:count]] == [line.split("\t")[2] for line in listed[count:]]
    assert story.letters["rebuilt"] == 4 * count  # still nobody can read them


def test_a_rebuild_keeps_every_id(story: Story) -> None:
    before, after = story.stands["came again"], story.stands["rebuilt"]
    assert story.said["verify rebuilt"].startswith("good: ")
    assert after.earthquakes.keys() == before.earthquakes.keys()
    assert after.catalog_id == before.catalog_id


def test_a_rebuild_tells_nobody_anything(story: Story) -> None:
    before, after = story.stands["came again"], story.stands["rebuilt"]
    assert {key: one["state"] for key, one in after.notifications.items()} == {
        key: one["state"] for key, one in before.notifications.items()
    }
    assert story.sent["rebuilt"] == story.sent["came again"]
