"""Atom feeds with GeoRSS, for newsrooms and feed readers: RFC 4287, and GeoRSS-Simple 1.1 (OGC 17-002r1).

    feed(entries, id_=…, title=…, …)    a feed document; an Entry is one earthquake as it stands

An entry's `id` is the earthquake's and stays, `updated` is its last change: a reader shows a revision in its place. A
drill says so in its title and category, a withdrawn one too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from quakestream import late
from quakestream.event import iso_time
from quakestream.formats.cap import headline, xml_line
from quakestream.terms import Credits

if TYPE_CHECKING:
    from lxml import etree
else:
    etree = late.module("lxml.etree")  # 4 MB, for who asks for XML

ATOM: Final = "http://www.w3.org/2005/Atom"
GEORSS: Final = "http://www.georss.org/georss"
MEDIA_TYPE: Final = "application/atom+xml"


class Link(Struct, frozen=True):
    """Where more is: `rel` as RFC 4287 has it, `type` a media type."""

    href: str
    rel: str = "alternate"
    type: str | None = None


class Entry(Struct, frozen=True):
    """One earthquake, the catalogue's JSON, and where more of it is."""

    earthquake: dict[str, Any]
    links: tuple[Link, ...]
    into: str | None = None
    """The id of the earthquake that it was merged into."""


def feed(entries: Sequence[Entry], *, id_: str, title: str, updated_ms: int, links: Iterable[Link]) -> bytes:
    """A feed. `id_` names it for ever and begins the ids of its entries; `updated_ms`: the newest change in it.

    Its `rights` name the agencies and terms of what is in it.
    """
    root = etree.Element(_atom("feed"), nsmap={None: ATOM, "georss": GEORSS})
    _add(root, "id", id_)
    _add(root, "title", title)
    _add(root, "updated", iso_time(updated_ms))
    author = etree.SubElement(root, _atom("author"))
    _add(author, "name", "Quakestream")
    _add(root, "generator", "Quakestream")
    _add(root, "rights", Credits.of(*(entry.earthquake for entry in entries)).line())
    for link in links:
        _link(root, link)
    for entry in entries:
        _entry(root, entry, id_)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def _entry(root: etree._Element, entry: Entry, id_: str) -> None:
    one = entry.earthquake
    element = etree.SubElement(root, _atom("entry"))
    _add(element, "id", f"{id_}#{one['id']}")
    title = headline(one, entry.into)
    _add(element, "title", title)
    _add(element, "updated", iso_time(one["changed"]))
    _add(element, "published", iso_time(one["firstSeen"]))
    author = etree.SubElement(element, _atom("author"))
    _add(author, "name", str(one.get("agency") or one["source"]))
    for link in entry.links:
        _link(element, link)
    for scheme, term in (("mode", one["mode"]), ("status", one["status"]), ("type", one["type"])):
        etree.SubElement(element, _atom("category"), scheme=f"{id_}#{scheme}", term=xml_line(str(term)))
    location = one["location"]
    depth_km = location.get("depth")
    depth = "depth unknown" if depth_km is None else f"depth {depth_km:.0f} km"
    said = f"{title}. {iso_time(one['timestamp'])}, {depth}, {one['status']}; revision {one['revision']}."
    _add(element, "summary", said)
    point = etree.SubElement(element, f"{{{GEORSS}}}point")
    point.text = f"{location['latitude']:.4f} {location['longitude']:.4f}"
    if depth_km is not None:
        etree.SubElement(element, f"{{{GEORSS}}}elev").text = f"{-1000 * depth_km:.0f}"


def _link(parent: etree._Element, link: Link) -> None:
    about = {"rel": link.rel, "href": xml_line(link.href)} | ({"type": link.type} if link.type else {})
    etree.SubElement(parent, _atom("link"), about)


def _add(parent: etree._Element, name: str, text: str) -> None:
    etree.SubElement(parent, _atom(name)).text = xml_line(text)


def _atom(name: str) -> str:
    return f"{{{ATOM}}}{name}"
