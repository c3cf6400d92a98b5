"""`quakestream replay` and `dead-letters --replay` on a log that fails: neither says that anything was sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from quakestream import cli
from quakestream.errors import Fatal, QuakestreamError, Unreachable
from quakestream.log import LoggedRecord, Record, Topic
from quakestream.log.dead_letters import dead_letter, dead_letter_topic, shortened
from quakestream.log.embedded import EmbeddedLog, EmbeddedProducer

TOPIC = "earthquake-service-topic"
FEED = Path(__file__).parent / "data" / "usgs_feed_2014.geojson"


def quakestream(folder: Path, *arguments: str) -> Result:
    environment = {"EVENT_LOG": "embedded", "DATA_DIR": str(folder)}
    return CliRunner().invoke(cli.app, list(arguments), env=environment, catch_exceptions=True)


def a_log_with_a_letter(folder: Path, change: Callable[[Record], Record] = lambda letter: letter) -> EmbeddedLog:
    log = EmbeddedLog(folder)
    log.ensure_topics([Topic(TOPIC), Topic(dead_letter_topic(TOPIC))])
    letter = dead_letter(LoggedRecord(TOPIC, 0, 7, 0, b"k", b"{" * 100_000), QuakestreamError("not JSON"))
    producer = log.producer()
    producer.send([change(letter)]).result(10)
    producer.close(5)
    return log


def fails(*_: object) -> None:
    raise Fatal("the file is damaged")


def test_a_replay_that_the_log_refuses_fatally_says_why_and_exits_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EmbeddedProducer, "_append", fails)
    result = quakestream(tmp_path, "replay", str(FEED))
    assert result.exit_code == 1
    assert "the file is damaged" in result.stderr
    assert "events acknowledged" not in result.stderr
    monkeypatch.undo()
    again = quakestream(tmp_path, "replay", str(FEED))
    published = sum(mark.high for mark in EmbeddedLog(tmp_path).watermarks(TOPIC).values())
    assert published == len(json.loads(FEED.read_text())["features"]), again.stderr


@pytest.mark.parametrize("outcome", [Fatal("the file is damaged"), Unreachable("not now"), None])
def test_a_dead_letter_that_was_not_taken_is_not_counted_as_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: QuakestreamError | None
) -> None:
    log = a_log_with_a_letter(tmp_path)
    future: Future[list[QuakestreamError]] = Future()
    if outcome is not None:
        future.set_result([outcome])
    monkeypatch.setattr(EmbeddedProducer, "send", lambda *_: future)
    monkeypatch.setattr(cli, "REPLAY_TIMEOUT_S", 0.1)
    result = quakestream(tmp_path, "dead-letters", "--replay")
    assert result.exit_code == 1
    assert (str(outcome) if outcome else "no answer within") in result.stderr
    assert "sent again" not in result.stderr
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert log.watermarks(TOPIC)[0].high == 0


def test_a_shortened_dead_letter_is_not_sent_again_as_if_it_were_whole(tmp_path: Path) -> None:
    log = a_log_with_a_letter(tmp_path, shortened)
    result = quakestream(tmp_path, "dead-letters", "--replay")
    assert result.exit_code == 1
    assert "shortened" in result.stderr
    assert "0 sent again" in result.stderr
    assert log.watermarks(TOPIC)[0].high == 0
