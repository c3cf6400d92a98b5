"""The log is another than the catalogue knew: put back from a backup, made anew, or replaced while it is read."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from quakestream import telemetry
from quakestream.catalog.postgresql import PostgresqlCatalog
from quakestream.catalog.sql import SqlCatalog
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.catalog_cli import app
from quakestream.consumer.pipeline import Pipeline, PipelineSettings
from quakestream.instance import sole_instance
from quakestream.log import Record, Topic
from quakestream.log.dead_letters import dead_letter_topic
from quakestream.log.embedded import EmbeddedLog
from tests.consumer.test_pipeline import NOW_MS, TOPIC, plain
from tests.sizes import DATABASES, later
from tests.waiting import eventually

TOPICS = (Topic(TOPIC), Topic(dead_letter_topic(TOPIC)))


class Site:
    """A catalogue that outlives the logs it is given."""

    def __init__(self, folder: Path, database_url: str = "") -> None:
        self.folder = folder
        self.file = folder / "log.sqlite3"
        self.database_url = database_url
        self.catalog: SqlCatalog = (
            PostgresqlCatalog(database_url) if database_url else SqliteCatalog(folder / "catalogue.sqlite3")
        )
        self.running: list[Pipeline] = []

    def send(self, *names: str) -> None:
        """What each program does that publishes: open the log, be acknowledged, end."""
        log = EmbeddedLog(self.folder)
        log.ensure_topics(TOPICS)
        producer = log.producer()
        outcome = producer.send([Record(TOPIC, b"k", plain(name)) for name in names])
        assert all(isinstance(offset, int) for offset in outcome.result(10))
        assert producer.close(5) == 0

    def start(self, group: str = "group") -> Pipeline:
        pipeline = Pipeline(
            EmbeddedLog(self.folder, lease_s=0.6),
            self.catalog,
            PipelineSettings(TOPICS, group, "test", instance_id="one"),
            now_ms=lambda: NOW_MS,
            on_event=lambda _event: None,
            on_failure=lambda error: pytest.fail(str(error)),
        )
        pipeline.start()
        self.running.append(pipeline)
        return pipeline

    def stored(self) -> int:
        return self.catalog.feed().last_seq

    def store(self, *names: str) -> None:
        """Publish, and read until the catalogue has it."""
        already = self.stored()
        self.send(*names)
        pipeline = self.start()
        eventually(lambda: self.stored() == already + len(names))
        assert pipeline.stop(10)

    def accept_log(self, *options: str, code: int = 0) -> str:
        environment = {
            "EVENT_LOG": "embedded",
            "DATA_DIR": str(self.folder),
            "KAFKA_TOPIC": TOPIC,
            "KAFKA_GROUP_ID": "group",
            "DATABASE_URL": self.database_url,
        }
        with capture_logs(), pytest.MonkeyPatch.context() as patched:  # this process keeps the logging that it has
            patched.setattr(telemetry, "configure_logging", lambda *_: None)
            done = CliRunner().invoke(app, ["accept-log", *options], env=environment)
        assert done.exit_code == code, done.output
        return done.output

    def goes_on(self, stored: int) -> None:
        """Read until the catalogue has so much, and nothing is left or stopped."""
        pipeline = self.start()
        eventually(lambda: pipeline.healthy and self.stored() == stored and not pipeline.state()["stopped"])
        assert pipeline.stop(10)
        assert self.stored() == stored

    def copy(self) -> Path:
        """A copy of the log's file, all of it in the one file, as `sqlite3 .backup` makes it."""
        with contextlib.closing(sqlite3.connect(self.file)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return Path(shutil.copy(self.file, self.folder / "backup"))

    def remove(self) -> None:
        for file in self.folder.glob("log.sqlite3*"):
            file.unlink()

    def close(self) -> None:
        for pipeline in self.running:
            assert pipeline.stop(10)
        self.catalog.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.close()


@pytest.fixture(params=DATABASES)
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """On each of the two databases."""
    url = request.getfixturevalue("postgresql").make_database() if request.param == "postgresql" else ""
    site = Site(tmp_path, url)
    yield site
    site.close()


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{n}" for n in range(count)]


def put_back(site: Site) -> None:
    """The file as it was at the first half."""
    site.remove()
    (site.folder / "backup").rename(site.file)


def made_anew(site: Site) -> None:
    site.remove()


def topic_made_anew(site: Site) -> None:
    with contextlib.closing(sqlite3.connect(site.file)) as db, db:
        db.execute("DELETE FROM topics")
        db.execute("DELETE FROM chunks")


@pytest.mark.parametrize("fault", [put_back, made_anew, topic_made_anew])
@pytest.mark.parametrize("since", [0, 30, *later(10)], ids=lambda count: f"{count} since")
def test_another_log_stops_loudly_however_long_it_has_grown(
    site: Site, fault: Callable[[Site], None], since: int
) -> None:
    site.store(*names("a", 10))
    site.copy()
    site.store(*names("b", 10))
    fault(site)
    site.send(*names("c", since))
    pipeline = site.start()
    eventually(lambda: pipeline.state()["stopped"])
    assert not pipeline.healthy
    assert site.stored() == 20
    (reason,) = dict(pipeline.state()["stopped"]).values()  # type: ignore[call-overload]
    assert "accept-log" in reason


def test_a_wal_that_was_lost_stops(site: Site) -> None:
    """A copy of the file alone, taken while what was newest stood beside it."""
    site.store(*names("a", 10))
    with contextlib.closing(sqlite3.connect(site.file)) as beside:
        beside.execute("BEGIN").connection.execute("SELECT * FROM log").fetchall()
        site.store(*names("b", 10))
        shutil.copy(site.file, site.folder / "backup")
    put_back(site)
    site.send(*names("c", 15))
    pipeline = site.start()
    eventually(lambda: pipeline.state()["stopped"])
    assert site.stored() == 20


def test_the_same_log_goes_on(site: Site) -> None:
    site.store(*names("a", 10))
    site.copy()
    put_back(site)
    site.store(*names("b", 10))


def test_another_group_reads_another_log_from_its_beginning(site: Site) -> None:
    site.store(*names("a", 10))
    made_anew(site)
    site.send(*names("c", 5))
    pipeline = site.start(group="new")
    eventually(lambda: site.stored() == 15)
    assert pipeline.healthy


@pytest.mark.parametrize("fault", [put_back, made_anew])
def test_a_file_replaced_under_a_reader_stops_it(site: Site, fault: Callable[[Site], None]) -> None:
    site.store(*names("a", 10))
    site.copy()
    site.send(*names("b", 10))
    pipeline = site.start()
    eventually(lambda: site.stored() == 20)
    eventually(lambda: pipeline.healthy)
    fault(site)
    site.send(*names("c", 30))
    eventually(lambda: pipeline.state()["stopped"])
    assert site.stored() == 20


def test_what_a_position_of_an_earlier_version_does_not_say_is_learned(site: Site) -> None:
    """It has no fingerprint: it is taken over as it is, and gets one with what is stored next."""
    site.store(*names("a", 10))
    with contextlib.closing(sqlite3.connect(site.folder / "catalogue.sqlite3")) as db, db:
        db.execute("UPDATE positions SET fingerprint = NULL")
    site.store(*names("b", 10))
    site.copy()
    site.store(*names("c", 10))
    put_back(site)
    site.send(*names("d", 30))
    pipeline = site.start()
    eventually(lambda: pipeline.state()["stopped"])
    assert site.stored() == 30


def test_what_retention_has_taken_stops_nothing(site: Site) -> None:
    site.store(*names("a", 10))
    _expire(site)
    site.store(*names("b", 10))


def test_a_log_that_went_back_is_seen_though_retention_has_taken_all_of_it(site: Site) -> None:
    site.store(*names("a", 10))
    site.copy()
    site.store(*names("b", 10))
    put_back(site)
    site.send(*names("c", 10))
    _expire(site, last_ms=1000)
    pipeline = site.start()
    eventually(lambda: pipeline.state()["stopped"])


def _expire(site: Site, **also: Any) -> None:
    with contextlib.closing(sqlite3.connect(site.file)) as db, db:
        db.execute("DELETE FROM chunks")
        db.execute("UPDATE topics SET low = high, bytes = 0")
        for name, value in also.items():
            db.execute(f"UPDATE topics SET {name} = ?", (value,))  # noqa: S608 - a column


@pytest.mark.parametrize("fault", [put_back, topic_made_anew, *later(made_anew)])
def test_a_person_can_go_on_from_the_beginning_and_nothing_is_doubled(
    either: Site, fault: Callable[[Site], None]
) -> None:
    site = either
    site.store(*names("a", 10))
    site.copy()
    site.store(*names("b", 10))
    fault(site)
    site.send(*names("a", 10), *names("b", 5), *names("c", 15))
    report = site.accept_log(code=1)
    assert "up to offset 20" in report
    assert "--from beginning" in report
    assert "missing" in report
    assert site.accept_log(code=1) == report, "a report changes nothing"
    assert "goes on at offset 0" in site.accept_log("--from", "beginning")
    assert "nothing to accept" in site.accept_log()
    site.goes_on(35)
    assert "nothing to accept" in site.accept_log("--from", "end")
    site.store(*names("d", 3))


@pytest.mark.parametrize("fault", [made_anew, *later(put_back)])
def test_a_person_can_go_on_from_the_end(either: Site, fault: Callable[[Site], None]) -> None:
    site = either
    site.store(*names("a", 10))
    site.copy()
    site.store(*names("b", 10))
    fault(site)
    site.send(*names("c", 15))
    said = site.accept_log("--from", "end", "--partition", "0")
    assert "are not read" in said
    site.goes_on(20)
    site.store(*names("d", 3))
    put_back_again = site.copy()
    site.store(*names("e", 3))
    site.remove()
    put_back_again.rename(site.file)
    site.send(*names("f", 9))
    site.accept_log(code=1)


def test_nothing_is_accepted_while_a_consumer_is_at_work(site: Site) -> None:
    site.store(*names("a", 10))
    made_anew(site)
    site.send(*names("b", 3))
    with sole_instance(site.folder / "earthquake-consumer.lock"):
        assert "already works" in site.accept_log("--from", "end", code=1)
        site.accept_log(code=1)
    assert "no partition 7" in site.accept_log("--from", "end", "--partition", "7", code=2)
    made_anew(site)
    assert "there is no log" in site.accept_log(code=2)
    assert not site.file.exists()
