"""Feeds of a real site: what a newsroom's reader and an alerting system would fetch."""

from __future__ import annotations

from typing import Any

import httpx
from lxml import etree

from tests.end_to_end.programs import Program, Site, every_earthquake, last_seq
from tests.formats.test_cap import SCHEMA
from tests.waiting import eventually

TOKEN = "a-key-of-sixteen-characters"
NAMES = {"a": "http://www.w3.org/2005/Atom", "c": "urn:oasis:names:tc:emergency:cap:1.2"}


def event(id_: str, updated: int, **more: Any) -> dict[str, Any]:
    location = {"latitude": 35.0, "longitude": 25.0, "depth": 10}
    about = {"id": id_, "magnitude": 6.0, "location": location, "timestamp": 1_700_000_000_000, "updated": updated}
    return about | {"source": "mine", "mode": "actual"} | more


def titles(consumer: Program, path: str, **asked: Any) -> list[str]:
    answer = consumer.get(path, **asked)
    assert (answer.status_code, answer.headers["content-type"]) == (httpx.codes.OK, "application/atom+xml")
    return [e.findtext("a:title", "", NAMES) for e in etree.fromstring(answer.content).findall("a:entry", NAMES)]


def test_feeds_tell_what_is_real_and_cap_messages_follow_each_other(embedded_site: Site) -> None:
    service = embedded_site.service(INGEST_TOKEN=TOKEN)
    consumer = embedded_site.consumer(PUBLIC_URL="https://quakes.example.org", CAP_SENDER="desk@example.org")

    def post(*events: dict[str, Any]) -> None:
        before = last_seq(consumer)
        answer = service.post("/earthquake-events", json=list(events), headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        eventually(lambda: last_seq(consumer) >= before + len(events))

    post(
        event("a", 1),
        event("drill", 1, mode="exercise"),
        event("small", 1, magnitude=2.0, timestamp=1_600_000_000_000),
    )
    assert len(titles(consumer, "/feeds/atom")) == 2
    assert len(titles(consumer, "/feeds/atom", minmagnitude=5)) == 1
    assert len(titles(consumer, "/feeds/cap.atom")) == 1
    (drill,) = titles(consumer, "/feeds/atom", mode="exercise")
    assert drill.startswith("EXERCISE: ")

    (id_,) = (e["id"] for e in every_earthquake(consumer) if e["preferred"] == "mine:a" and e["mode"] == "actual")

    def message() -> Any:
        answer = consumer.get(f"/feeds/cap/{id_}.xml")
        assert (answer.status_code, answer.headers["content-type"]) == (httpx.codes.OK, "application/cap+xml")
        document = etree.fromstring(answer.content)
        SCHEMA.assertValid(document)
        return document

    first = message()
    assert first.findtext("c:msgType", namespaces=NAMES) == "Alert"
    assert first.findtext("c:info/c:web", namespaces=NAMES) == f"https://quakes.example.org/?id={id_}"
    post(event("a", 2, magnitude=6.4))
    second = message()
    named = ",".join(first.findtext(f"c:{name}", namespaces=NAMES) for name in ("sender", "identifier", "sent"))
    assert second.findtext("c:msgType", namespaces=NAMES) == "Update"
    assert second.findtext("c:references", namespaces=NAMES) == named
    post(event("a", 3, magnitude=6.4, status="deleted"))
    third = message()
    assert third.findtext("c:msgType", namespaces=NAMES) == "Cancel"
    assert len(third.findtext("c:references", namespaces=NAMES).split()) == 2
    assert titles(consumer, "/feeds/atom", minmagnitude=5) == []
    assert titles(consumer, "/feeds/cap.atom")[0].startswith("Withdrawn: ")

    post(event("never", 1, status="deleted", timestamp=1_650_000_000_000))
    (never,) = (e["id"] for e in every_earthquake(consumer, includedeleted=True) if e["preferred"] == "mine:never")
    assert consumer.get(f"/feeds/cap/{never}.xml").status_code == httpx.codes.NOT_FOUND, "nothing was said of it"
    post(event("shrank", 1, magnitude=4.8, timestamp=1_550_000_000_000))
    post(event("shrank", 2, magnitude=4.3, timestamp=1_550_000_000_000))
    assert [title.partition(", ")[0] for title in titles(consumer, "/feeds/cap.atom", limit=2)] == [
        "Earthquake M 4.3",
        "Withdrawn: Earthquake M 6.4",
    ]

    assert consumer.get("/feeds/cap/eq_nothing.xml").status_code == httpx.codes.NOT_FOUND
    refused = consumer.get("/feeds/atom", minmagnitude="five")
    assert (refused.status_code, "minmagnitude" in refused.json()["detail"]) == (httpx.codes.BAD_REQUEST, True)
