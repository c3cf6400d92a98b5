"""Anybody's list of reports, GeoJSON, JSON, Atom or RSS, read by a mapping: `mapping.py`.

Items of XML are read one by one and let go; entities are not expanded and nothing is fetched, as with QuakeML.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, BinaryIO, Final

from lxml import etree

from quakestream.errors import Rejected
from quakestream.event import Mode
from quakestream.formats import Entry, Problem, with_raw
from quakestream.formats.bounded_xml import BoundedStream, elements, let_go, local_name
from quakestream.formats.bounds import loose_json, whole_json
from quakestream.formats.fields import report
from quakestream.formats.mapping import MAX_TEXT, FeedMapping, Fields, Form, Look, Step, steps

SOURCE: Final = "feed"
"""What its reports are called until their source gives them its name."""
MAX_ITEM_BYTES: Final = 4 * 1024 * 1024
MAX_ITEM_ELEMENTS: Final = 20_000
"""Of one item, and of what stands beside items. GDACS's have some 300 elements, 30 kB."""

_ITEMS: Final = {"geojson": "features", "atom": "entry", "rss": "item"}
_ROOTS: Final = {"feed": "atom", "rss": "rss", "RDF": "rss"}
_MALFORMED: Final = (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError)


def read(
    stream: BinaryIO, *, mode: Mode, now_ms: int | None = None, mapping: FeedMapping | None = None
) -> Iterator[Entry]:
    """Each item that counts.

    Raises:
        Rejected: it is not of the mapping's format, too large, or has no list where one should be.
    """
    if mapping is None:
        raise Rejected("a feed can be read only by its mapping")
    peek = getattr(stream, "peek", None)
    head = peek(1024) if peek is not None else b""
    xml = head.lstrip().startswith(b"<") if mapping.format is None else mapping.format in ("atom", "rss")
    yield from (_xml if xml else _json)(stream, mapping, mode, now_ms)


def _entry(look: Look, fields: Fields, where: str, mode: Mode, now_ms: int | None) -> Iterator[Entry]:
    faults: list[str] = []
    try:
        if not fields.counts(look):
            return
        document = fields.document(look, faults)
        where = f"{where} ({str(document['id'])[:80]})"
        yield from report(document | {"source": SOURCE}, where, mode=mode, now_ms=now_ms, faults=faults)
    except _MALFORMED as error:
        yield Problem(where, "; ".join([f"not an item that the mapping fits: {error}", *faults]))


def _json(stream: BinaryIO, mapping: FeedMapping, mode: Mode, now_ms: int | None) -> Iterator[Entry]:
    data = whole_json(stream)
    try:
        document = loose_json(data)
    except (ValueError, RecursionError) as error:
        raise Rejected(f"not JSON: {error}; begins with {data[:40]!r}") from error
    form: Form = mapping.format or _json_form(document)
    path = mapping.items or _ITEMS.get(form)
    way = steps(path) if path else ()
    items = _looked_up(document, way)
    if form == "geojson" and mapping.items is None and isinstance(document, dict) and document.get("type") == "Feature":
        items = document
    if isinstance(items, dict):
        items = [items]  # one report that is no list: BMKG's newest
    if not isinstance(items, list):
        raise Rejected(f"no list of reports{f' at {path}' if path else ''}, but {type(items).__name__}")
    fields = Fields(mapping, form)
    for n, item in enumerate(items):
        raw = partial(_around, way, item)
        for entry in _entry(partial(_looked_up, item), fields, f"item {n}", mode, now_ms):
            yield with_raw(entry, raw)


def _json_form(document: Any) -> Form:
    return (
        "geojson" if isinstance(document, dict) and document.get("type") in ("FeatureCollection", "Feature") else "json"
    )


def _looked_up(value: Any, way: Sequence[Step]) -> Any:
    for step in way:
        if isinstance(value, dict):
            value = value.get(step if isinstance(step, str) else str(step))
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def _around(way: Sequence[Step], item: Any) -> bytes:
    """The item as a document of its own, which the same mapping reads."""
    document: Any = [item]
    for step in reversed(way):
        document = {step: document} if isinstance(step, str) else [*([None] * step), document]
    if way == ("features",):
        document["type"] = "FeatureCollection"
    return json.dumps(document).encode()


def _xml(stream: BinaryIO, mapping: FeedMapping, mode: Mode, now_ms: int | None) -> Iterator[Entry]:
    bounded = BoundedStream(stream, MAX_ITEM_BYTES, "an item")
    parsed = elements(bounded, ("start", "end"))
    fields: Fields | None = None
    name, root, n, within, kept = "", "", 0, 0, 0
    try:
        for event, element in parsed:
            if fields is None:
                root = local_name(element)
                form = mapping.format or _xml_form(root)
                if mapping.items is None and _ROOTS.get(root) != form:
                    raise Rejected(f"XML that begins with <{root[:40]}> is not {form}")
                name, fields = mapping.items or _ITEMS[form], Fields(mapping, form)
            is_item = local_name(element) == name
            if event == "start":
                within += is_item
                kept += 1
                if kept > MAX_ITEM_ELEMENTS:
                    raise Rejected(f"more than {MAX_ITEM_ELEMENTS} elements in an item, or beside them")
            elif is_item:
                within -= 1
                if within:
                    continue  # one within another is a part of that
                raw = partial(_alone, root, element)
                for entry in _entry(partial(_element_at, element), fields, f"item {n}", mode, now_ms):
                    yield with_raw(entry, raw)
                n, kept = n + 1, 0
                let_go(element)
                bounded.begin()
    except etree.XMLSyntaxError as error:
        raise Rejected(f"not XML: {error}") from error


def _xml_form(root: str) -> Form:
    form = _ROOTS.get(root)
    if form is None:
        raise Rejected(f"XML that begins with <{root[:40]}> is neither Atom nor RSS")
    return "atom" if form == "atom" else "rss"


def _alone(root: str, item: Any) -> bytes:
    """The item as a document of its own, which the same mapping reads."""
    tag = root.encode()
    return b"<%s>%s</%s>" % (tag, etree.tostring(item, encoding="utf-8", with_tail=False), tag)


def _element_at(item: Any, way: Sequence[Step]) -> str | None:
    """The text of an element or of an attribute; of several elements the first one, where no place is named."""
    found = [item]
    for step in way:
        if isinstance(step, int):
            found = found[step : step + 1]
        elif step.startswith("@"):
            return next((value for element in found for key, value in element.items() if _named(key, step[1:])), None)
        else:
            found = [child for element in found[:1] for child in _children(element, step)]
    if not found or not way:
        return None
    text = "".join(found[0].itertext())
    return text[:MAX_TEXT].strip() or None


def _named(key: str, name: str) -> bool:
    return key.rpartition("}")[2] == name.rpartition(":")[2]


def _children(element: Any, step: str) -> list[Any]:
    """The children of that name; without a prefix those of the element's own namespace first."""
    prefix, _, name = step.rpartition(":")
    named = [child for child in element if local_name(child) == name]
    if prefix:
        return [child for child in named if child.prefix == prefix]
    own = str(element.tag).rpartition("}")[0]
    return sorted(named, key=lambda child: str(child.tag).rpartition("}")[0] != own)
