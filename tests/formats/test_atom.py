"""Atom as RFC 4287 has it: other people's reader finds the earthquakes, and a drill is never taken for real."""

from __future__ import annotations

from typing import Any

from lxml import etree

from quakestream.formats.atom import ATOM, Entry, Link, feed
from tests.formats.test_cap import shock

NAMES = {"a": ATOM, "g": "http://www.georss.org/georss"}


def entry(**more: Any) -> Entry:
    one = shock(firstSeen=1_517_932_300_000, **more)
    return Entry(one, (Link("http://127.0.0.1/x"), Link("http://127.0.0.1/x.cap", "enclosure", "application/cap+xml")))


def read(*entries: Entry) -> Any:
    links = (Link("http://127.0.0.1/feeds/atom?minmagnitude=5&mode=actual", "self", "application/atom+xml"),)
    return etree.fromstring(feed(entries, id_="urn:uuid:1", title="Earthquakes", updated_ms=0, links=links))


def test_each_entry_has_what_the_format_requires() -> None:
    document = read(entry(), entry(id="eq_2", place="\x00<img onerror>"))
    assert [document.findtext(f"a:{name}", namespaces=NAMES) for name in ("id", "title", "updated")] == [
        "urn:uuid:1",
        "Earthquakes",
        "1970-01-01T00:00:00.000Z",
    ]
    found = document.findall("a:entry", NAMES)
    assert [one.findtext("a:id", namespaces=NAMES) for one in found] == ["urn:uuid:1#eq_01KBN2", "urn:uuid:1#eq_2"]
    for one in found:
        for name in ("title", "updated", "published", "summary", "author/a:name"):
            assert one.findtext(f"a:{name}", namespaces=NAMES)
        assert one.findtext("g:point", namespaces=NAMES) == "24.1700 121.6500"
        assert one.findtext("g:elev", namespaces=NAMES) == "-11000"
    assert "<img onerror>" in found[1].findtext("a:title", namespaces=NAMES)
    assert document.find("a:link", NAMES).get("href") == "http://127.0.0.1/feeds/atom?minmagnitude=5&mode=actual"


def test_a_drill_says_so() -> None:
    (one,) = read(entry(mode="exercise")).findall("a:entry", NAMES)
    assert one.findtext("a:title", namespaces=NAMES).startswith("EXERCISE: ")
    assert "exercise" in {category.get("term") for category in one.findall("a:category", NAMES)}
