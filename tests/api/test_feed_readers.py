"""Readers of feeds that others wrote, and alerts that have expired."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Final

import feedparser
import httpx
import pytest
from lxml import etree

from quakestream.api import held
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.formats import cap
from tests.api.serving import Consumer
from tests.contracts.catalog import NOW_MS, TIME_MS, event, shock

CLIENT: Final = httpx.Client(trust_env=False, timeout=20)
HOUR_MS: Final = 3_600_000


def test_feedparser_reads_atom_with_georss(tmp_path: Path) -> None:
    with contextlib.closing(SqliteCatalog(tmp_path / "c.sqlite3")) as catalog, Consumer(catalog, tmp_path) as consumer:
        consumer.writer.write(
            shock("us1", magnitude=6.2, agency="us", place="Nevada & <more>"),
            event("drill1", mode="exercise", magnitude=7.0),
        )
        answer = CLIENT.get(f"{consumer.url}/feeds/atom")
        feed: Any = feedparser.parse(answer.content, response_headers=dict(answer.headers))
        assert not feed.bozo
        assert feed.version == "atom10"
        (entry,) = feed.entries
        assert entry.title == "Earthquake M 6.2, Nevada & <more>"
        assert entry.author == "us"
        assert entry.where == {"type": "Point", "coordinates": (-118.9, 38.39)}
        assert entry.updated_parsed[:4] == entry.published_parsed[:4] == (2023, 11, 14, 22)
        assert [(link.rel, link.type) for link in entry.links] == [
            ("alternate", "text/html"),
            ("alternate", "application/cap+xml"),
        ]
        assert {tag.term for tag in entry.tags} == {"actual", "automatic", "earthquake"}
        again = feedparser.parse(f"{consumer.url}/feeds/atom", etag=answer.headers["etag"])
        assert again.status == 304
        drill: Any = feedparser.parse(CLIENT.get(f"{consumer.url}/feeds/atom?mode=exercise").content)
        assert drill.entries[0].title.startswith("EXERCISE: ")
        alerts: Any = feedparser.parse(CLIENT.get(f"{consumer.url}/feeds/cap.atom").content)
        message = CLIENT.get(alerts.entries[0].links[0].href)
        assert etree.fromstring(message.content).findtext(f"{{{cap.NAMESPACE}}}status") == "Actual"


def test_an_alert_that_has_expired_is_in_no_feed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "MAX_AGE_S", -1.0)  # the test's clock jumps
    with contextlib.closing(SqliteCatalog(tmp_path / "c.sqlite3")) as catalog, Consumer(catalog, tmp_path) as consumer:
        consumer.writer.write(shock("old1", magnitude=6.0), shock("drill1", mode="exercise", magnitude=6.0))
        consumer.writer.write(
            event("new1", magnitude=6.0, timestamp=TIME_MS - 9 * HOUR_MS), now_ms=NOW_MS + 20 * HOUR_MS
        )

        def alerts(hours: int, query: str = "") -> list[str]:
            consumer._now_ms = NOW_MS + hours * HOUR_MS
            feed: Any = feedparser.parse(CLIENT.get(f"{consumer.url}/feeds/cap.atom{query}").content)
            found = [entry.links[0].href for entry in feed.entries]
            for link in found:
                message = etree.fromstring(CLIENT.get(link).content)
                expires = message.findtext(f".//{{{cap.NAMESPACE}}}expires")
                assert expires is not None
                assert expires > cap.time_of(consumer._now_ms), "it has expired"
            return found

        assert len(alerts(1)) == 2
        assert len(alerts(23)) == 2
        assert len(alerts(25)) == 1
        assert len(alerts(45)) == 0
        assert len(alerts(25, "?mode=exercise")) == 0
        assert len(alerts(1, "?mode=exercise")) == 1
        assert len(alerts(25, "?updatedafter=2023-01-01")) == 1
        old = catalog.find("old1")[0]
        assert CLIENT.get(f"{consumer.url}/feeds/cap/{old}.xml").status_code == 200  # by its id it stays
