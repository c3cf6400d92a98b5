"""No secret is shown: not in a log line of either form, an error, the status, the health or the metrics."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from typer.testing import CliRunner

from quakestream import cli, program
from quakestream.config import ConsumerSettings, ServiceSettings, load
from quakestream.consumer.main import serve as serve_consumer
from quakestream.errors import ConfigError, Rejected, Unreachable
from quakestream.log.embedded import EmbeddedLog
from quakestream.secrecy import redacted
from quakestream.service.main import serve as serve_service
from quakestream.telemetry import configure_logging
from tests.waiting import eventually

SECRET = "s3cr3t-Zq9xPw7v"
USER = "somebody-private"
UNSEEN = "a-value"


@pytest.fixture
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, hooks = root.handlers[:], root.level, (sys.excepthook, sys.unraisablehook, threading.excepthook)
    yield
    root.handlers[:], (sys.excepthook, sys.unraisablehook, threading.excepthook) = handlers, hooks
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture(params=["json", "console"])
def shown(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, logging_as_it_was: None) -> io.StringIO:
    """All that is logged, in one of the two forms."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logging("debug", request.param)
    return stream


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        (f"from https://{USER}:{SECRET}@example.org/q?x=1", "from https://example.org/q?x=1"),
        (f"wss://{SECRET}@example.org:99/x, and", "wss://example.org:99/x, and"),
        (f"'postgresql+psycopg://{USER}:a@{SECRET}@db:5432/q'", None),
        (f"https://{USER}:a/{SECRET}@example.org/", "https://example.org/"),
        ("http://example.org:8080/@somebody/x@2", "http://example.org:8080/@somebody/x@2"),
        (f"https://x.org/q?api_key={SECRET}&start=1", "https://x.org/q?api_key=***&start=1"),
        (f"https://x.org/q?starttime=1&access_token={SECRET}#x", "https://x.org/q?starttime=1&access_token=***#x"),
        (f"tgram://{SECRET}/123", "tgram://***"),
        (f"mailto://{USER}:{SECRET}@example.org?to=a@b.org", "mailto://***"),
        (f"with url: /bot123456:{SECRET}/sendMessage", None),
        (f"https://hooks.slack.com/services/T0/B0/{SECRET}", None),
        (f"host=db user={USER} password={SECRET} dbname=q", f"host=db user={USER} password=*** dbname=q"),
        (f"{{'authorization': 'Bearer {SECRET}'}}", None),
        (f"Authorization: Basic {SECRET}", None),
        ("SSL://kafka:9092 and sqlite:///x.db stay", "SSL://kafka:9092 and sqlite:///x.db stay"),
    ],
)
def test_words_are_shown_without_secrets(text: str, safe: str | None) -> None:
    said = redacted(text)
    assert SECRET not in said
    assert safe is None or said == safe
    for error in (Unreachable(text), Rejected(text), ConfigError(text)):
        assert str(error) == said


def _fail_with(token: str) -> None:
    header = f"{UNSEEN}-local"
    raise RuntimeError(f"no answer to {len(header)} bytes from https://{USER}:{token}@example.org/")


def test_a_trace_has_no_locals_and_no_secrets(shown: io.StringIO) -> None:
    try:
        _fail_with(SECRET)
    except RuntimeError:
        structlog.get_logger("a").exception("failed", more=[{"url": (f"https://{USER}:{SECRET}@example.org/",)}])
        logging.getLogger("somebody.else").exception("failed %s", f"tgram://{SECRET}/1")
    text = shown.getvalue()
    assert "_fail_with" in text, "the trace itself is there"
    assert SECRET not in text
    assert USER not in text
    assert f"{UNSEEN}-local" not in text


def test_what_ends_a_thread_or_a_program_is_a_line_without_secrets(shown: io.StringIO) -> None:
    thread = threading.Thread(target=_fail_with, args=(SECRET,))
    thread.start()
    thread.join()
    try:
        _fail_with(SECRET)
    except RuntimeError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    assert shown.getvalue().count("unexpected error") == 2
    assert SECRET not in shown.getvalue()


KEYS = {name: f"{SECRET}-{name}" for name in ("INGEST_TOKEN", "ALERTS_TOKEN", "CONTROL_TOKEN")}
FEED = f"http://{USER}:{SECRET}@127.0.0.1:9/feed/"
URLS = {
    "USGS_FEED_URL": FEED,
    "USGS_FDSN_URL": FEED,
    "EMSC_FDSN_URL": FEED,
    "JMA_LIST_URL": FEED,
    "EMSC_WEBSOCKET_URL": f"ws://{USER}:{SECRET}@127.0.0.1:9/x",
}
EMBEDDED = {"EVENT_LOG": "embedded", "PORT": "0"}


def test_settings_show_no_secret_and_take_no_bad_one() -> None:
    service = load(ServiceSettings, environment=EMBEDDED | KEYS | URLS)
    database = f"postgresql://{USER}:{SECRET}@127.0.0.1:9/q"
    consumer = load(ConsumerSettings, environment=EMBEDDED | KEYS | {"DATABASE_URL": database})
    for settings in (service, consumer):
        assert SECRET not in repr(settings)
        assert SECRET not in str(settings)
    assert consumer.database_url.get_secret_value() == database


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (ConsumerSettings, "DATABASE_URL", f"mysql://{USER}:{SECRET}@127.0.0.1/q"),
        (ConsumerSettings, "DATABASE_URL", f"{USER}:{SECRET}@127.0.0.1/q"),
        (ConsumerSettings, "ALERTS_TOKEN", f"{SECRET} with blanks"),
        (ServiceSettings, "INGEST_TOKEN", f"{SECRET}\u00e4"),
        (ServiceSettings, "USGS_FEED_URL", f"htp://{USER}:{SECRET}@example.org/"),
        (ServiceSettings, "EMSC_WEBSOCKET_URL", f"https://{'u' * 90}:{SECRET}@example.org/"),
        (ServiceSettings, "AUTOSTART_SOURCES", f'[{{"name": "fdsn", "url": "https://{USER}:{SECRET}@example.org/"}},]'),
    ],
)
def test_a_bad_setting_is_named_without_its_secret(kind: Any, name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name) as caught:
        load(kind, environment=EMBEDDED | {name: value})
    assert SECRET not in str(caught.value)
    assert "Traceback" not in str(caught.value)
    said = CliRunner().invoke(cli.app, ["check-config"], env=EMBEDDED | {name: value})
    assert said.exit_code == 2
    assert SECRET not in said.output


def _greps(shown: io.StringIO, *answers: httpx.Response) -> None:
    for text in (shown.getvalue(), *(answer.text for answer in answers)):
        assert SECRET not in text
        assert USER not in text


def test_the_service_shows_no_secret_of_its_sources(shown: io.StringIO, tmp_path: Path) -> None:
    _greps(shown, *asyncio.run(_answers_of_the_service(tmp_path)))


async def _answers_of_the_service(tmp_path: Path) -> list[httpx.Response]:
    fdsn = {"name": "fdsn", "url": FEED, "source": "mine", "pollIntervalS": 60}
    autostart = {"AUTOSTART_SOURCES": json.dumps([{"name": "usgs"}, {"name": "emsc"}, fdsn]), "DATA_DIR": str(tmp_path)}
    settings = load(ServiceSettings, environment=EMBEDDED | KEYS | URLS | autostart)
    stop, ready = program.Stop(), asyncio.get_running_loop().create_future()
    with closing(EmbeddedLog(tmp_path)) as log:
        running = asyncio.create_task(serve_service(settings, log, ready.set_result, stop))
        async with httpx.AsyncClient(base_url=await asyncio.wait_for(ready, 10)) as client:
            async with asyncio.timeout(20):
                while True:
                    status = await client.get("/earthquake-events/status")
                    if all(one["lastError"] for one in status.json()["sources"][:3]):
                        break
                    await asyncio.sleep(0.02)
            own = {"Authorization": f"Bearer {KEYS['CONTROL_TOKEN']}"}
            urls = (FEED, f"http://{USER}:{SECRET}/x@127.0.0.1/", f"{FEED} [", f"tgram://{SECRET}/")
            answers = [
                await client.post("/earthquake-events/start", headers=own, json={"sources": [fdsn | {"url": url}]})
                for url in urls
            ]
            wrong = {"Authorization": f"Bearer {SECRET}-wrong"}
            answers += [
                await client.post(path, headers=wrong) for path in ("/earthquake-events", "/earthquake-events/stop")
            ]
            answers += [await client.get(path) for path in ("/health/ready", "/metrics", "/openapi.json")]
        stop.set()
        assert await running == 0
    assert SECRET.encode() not in (tmp_path / "earthquake-service.sqlite3").read_bytes()
    return [status, *answers]


def test_the_consumer_shows_no_secret_of_its_database(shown: io.StringIO, tmp_path: Path) -> None:
    asyncio.run(_wait_in_vain(shown, tmp_path))
    _greps(shown)


async def _wait_in_vain(shown: io.StringIO, tmp_path: Path) -> None:
    database = {"DATABASE_URL": f"postgresql://{USER}:{SECRET}@127.0.0.1:9/q", "DATA_DIR": str(tmp_path)}
    settings = load(ConsumerSettings, environment=EMBEDDED | KEYS | database)
    stop = program.Stop()
    with closing(EmbeddedLog(tmp_path)) as log:
        running = asyncio.create_task(serve_consumer(settings, log, None, stop))
        await asyncio.to_thread(eventually, lambda: "waiting for the catalogue" in shown.getvalue())
        stop.set()
        await running
