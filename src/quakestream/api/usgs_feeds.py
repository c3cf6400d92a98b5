"""The feeds of the USGS at its own paths: 20 summaries, and an event's detail. `actual` only, unless `mode=` asks.

A summary is built when somebody asks for it after a change, and held in memory: after a large earthquake everyone asks
at once, and all but the first get bytes that are there, past all that a route needs (`held.HavingRouter`). It is built
anew no sooner than after `REST` times what building took, so that a swarm of changes does not take a processor; a feed
of an hour takes some milliseconds.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from email.utils import formatdate
from typing import Annotated, Any, Final

import msgspec
from fastapi import HTTPException, Path, Request
from fastapi.responses import Response
from msgspec import Struct
from starlette.datastructures import Headers
from starlette.types import Scope

from quakestream import packing
from quakestream.api.held import Answer, HavingRouter
from quakestream.catalog import Catalog, EarthquakeFilter, visits
from quakestream.event import Mode
from quakestream.formats.writing import geojson
from quakestream.terms import Credits
from quakestream.web import CODINGS, Routes, approach, is_known, json_answer, problems, wished_encoding

PATH: Final = "/earthquakes/feed/v1.0"
HOUR_MS: Final = 3_600_000
WINDOWS_MS: Final = {"hour": HOUR_MS, "day": 24 * HOUR_MS, "week": 7 * 24 * HOUR_MS, "month": 30 * 24 * HOUR_MS}
SIZES: Final[dict[str, float | None]] = {"all": None, "1.0": 1.0, "2.5": 2.5, "4.5": 4.5, "significant": None}
NAMES: Final = tuple(f"{size}_{window}" for size in SIZES for window in WINDOWS_MS)
SIGNIFICANT: Final = 600.0
"""`sig` from which the USGS calls an earthquake significant."""
MAX_FEATURES: Final = 20_000
MAX_HELD: Final = 64
"""Summaries in memory: by name, mode and the address that its links lead to."""
MAX_FEATURES_HELD: Final = 100_000
LOOK_S: Final = 0.1
"""How long what the feed's number was is believed."""
REST: Final = 4
MAX_REST_S: Final = 2.0
BUILD_S: Final = 20.0
MAX_AGE_S: Final = 5
LARGE_BYTES: Final = 1_000_000
"""More is compressed in half the time, by a tenth less."""
_NAMES_BY_PATH: Final = {f"{PATH}/summary/{name}.geojson": name for name in NAMES}
_OF_A_BODY: Final = frozenset({b"content-length", b"content-encoding", b"transfer-encoding"})
_document = msgspec.json.Decoder(dict[str, Any])
_encode = msgspec.json.Encoder().encode


class Summary(Struct):
    """One file, as it was built."""

    seq: str
    """Of the change after which it was."""
    body: bytes
    packed: bytes
    """By gzip."""
    tag: str
    made_ms: int
    """When its content became what it is."""
    until_ms: int
    """When the oldest earthquake in it leaves its window."""
    rest_until_s: float
    others: dict[str, bytes] = msgspec.field(default_factory=dict)
    """The body as it was asked for, by its coding."""


class _Feature(Struct):
    """An earthquake as it stands in a file, and by what files choose."""

    encoded: bytes
    location: dict[str, Any]
    significance: float
    said: dict[str, Any]
    """By whom."""


class Summaries:
    """The files, built when they are asked for. One builds at a time."""

    def __init__(self, catalog: Catalog, now_ms: Callable[[], int]) -> None:
        self._catalog = catalog
        self._now_ms = now_ms
        self._held: OrderedDict[tuple[str, Mode, str], Summary] = OrderedDict()
        self._features: dict[tuple[str, int], _Feature] = {}
        self._building = asyncio.Lock()
        self._seq = ""
        self._looked_s = float("-inf")

    async def get(self, name: str, mode: Mode, home: str) -> Summary:
        """The file as it is now, or was a moment ago."""
        key = name, mode, home
        if (held := self.at_hand(name, mode, home)) is not None:
            return held
        async with self._building:  # whoever waited here finds it built
            if time.monotonic() - self._looked_s > LOOK_S:
                feed = await asyncio.to_thread(_visited, self._catalog.feed)
                self._seq, self._looked_s = f"{feed.epoch}-{feed.last_seq}", time.monotonic()
            before = self._held.get(key)
            if before is not None and self._is_new(before):
                return before
            built: Summary = await asyncio.to_thread(_visited, lambda: self._build(key, before))
            self._held[key] = built
            self._held.move_to_end(key)
            while len(self._held) > MAX_HELD:
                self._held.popitem(last=False)
            return built

    def at_hand(self, name: str, mode: Mode, home: str) -> Summary | None:
        """The file, where nothing need be looked up for it."""
        held = self._held.get((name, mode, home))
        return held if held is not None and self._is_new(held) else None

    def _is_new(self, held: Summary) -> bool:
        now_s = time.monotonic()
        if now_s < held.rest_until_s:
            return True
        return now_s - self._looked_s <= LOOK_S and held.seq == self._seq and self._now_ms() < held.until_ms

    def _build(self, key: tuple[str, Mode, str], before: Summary | None) -> Summary:
        began_s, now_ms = time.monotonic(), self._now_ms()
        name, mode, home = key
        size, _, window = name.partition("_")
        wanted = EarthquakeFilter(starttime_ms=now_ms - WINDOWS_MS[window], minmagnitude=SIZES[size], mode=mode)
        found = self._catalog.select(wanted, limit=MAX_FEATURES)
        features = self._read(found.seqs, home)
        if size == "significant":
            features = [one for one in features if one.significance >= SIGNIFICANT]
        oldest_ms = min((_time_of(one) for one in features), default=now_ms)
        content = b",\n".join(one.encoded for one in features)
        tag = hashlib.blake2b(content, digest_size=12).hexdigest()
        seq = f"{found.feed.epoch}-{found.at_seq}"
        if before is not None and before.tag == tag:
            before.seq, before.until_ms = seq, oldest_ms + WINDOWS_MS[window]
            before.rest_until_s = _rested_s(began_s)
            return before
        said = {
            "generated": now_ms,
            "url": f"{home}{PATH}/summary/{name}.geojson" + ("" if mode == "actual" else f"?mode={mode}"),
            "title": title_of(name, mode),
            "status": 200,
            "api": geojson.API,
            "count": len(features),
            "seq": found.at_seq,
            "mode": mode,
        }
        said |= Credits.of(*(one.said for one in features)).document()
        box = geojson.Box()
        for one in features:
            box.add(one.location)
        bounds = box.bounds()
        end = b"]}\n" if bounds is None else b'],"bbox":%s}\n' % _encode(bounds)
        body = b'{"type":"FeatureCollection","metadata":%s,"features":[%s%s' % (_encode(said), content, end)
        packed = gzip.compress(body, 4 if len(body) < LARGE_BYTES else 1, mtime=0)
        return Summary(seq, body, packed, tag, now_ms, oldest_ms + WINDOWS_MS[window], _rested_s(began_s))

    def _read(self, seqs: Any, home: str) -> list[_Feature]:
        """What these changes say as features: each is made once, for no change says another thing later."""
        if len(self._features) > MAX_FEATURES_HELD:
            self._features.clear()
        new = [seq for seq in seqs if (home, seq) not in self._features]
        for begin in range(0, len(new), 1000):
            some = new[begin : begin + 1000]
            for seq, account in zip(some, self._catalog.told(some, 0), strict=True):
                one = _document.decode(account.document)
                encoded = _encode(geojson.feature(one, home))
                located = {**one["location"], "time": one["timestamp"]}
                said = {name: one.get(name) for name in ("source", "agency")} | {"events": one["events"]}
                self._features[home, seq] = _Feature(encoded, located, significance(one), said)
        return [self._features[home, seq] for seq in seqs]


def _rested_s(began_s: float) -> float:
    """When what took from then until now may be done again."""
    now_s = time.monotonic()
    return now_s + min(MAX_REST_S, REST * (now_s - began_s))


def _time_of(one: _Feature) -> int:
    return int(one.location["time"])


def _visited(read: Callable[[], Any]) -> Any:
    with visits.visiting(visits.Visit(BUILD_S)):
        return read()


def significance(earthquake: dict[str, Any]) -> float:
    """The USGS's `sig`; where nobody gives it, the part of it that the magnitude makes.

    100 M² / 6.5: https://earthquake.usgs.gov/data/comcat/index.php#sig. It decides, and is never shown.
    """
    if (said := earthquake.get("sig")) is not None:
        return float(said)
    magnitude = earthquake.get("magnitude")
    return 0.0 if magnitude is None or magnitude < 0 else 100.0 * magnitude * magnitude / 6.5


def title_of(name: str, mode: Mode) -> str:
    """`Magnitude 4.5+ Earthquakes, Past Day`; of a drill with its mode before it."""
    size, _, window = name.partition("_")
    kind = f"{size.title()} Earthquakes" if SIZES[size] is None else f"Magnitude {size}+ Earthquakes"
    return f"{'' if mode == 'actual' else f'{mode.upper()}: '}{kind}, Past {window.title()}"


_OBJECT: Final = {"description": "GeoJSON", "content": {geojson.MEDIA_TYPE: {"schema": {"type": "object"}}}}


def usgs_feeds_router(catalog: Catalog, now_ms: Callable[[], int], *, public_url: str) -> Routes:
    """`/earthquakes/feed/v1.0/…`. Links lead to `public_url`, or where a request went."""
    summaries = Summaries(catalog, now_ms)

    def at_hand(scope: Scope) -> Answer | None:
        """A summary as most ask for it: without parameters, and without a body."""
        name = _NAMES_BY_PATH.get(scope["path"])
        if name is None or scope["query_string"]:
            return None
        if any(header in _OF_A_BODY for header, _ in scope["headers"]):
            return None
        held = summaries.at_hand(name, "actual", public_url or approach(scope).home)
        return None if held is None else _answer(Headers(scope=scope), held, now_ms())

    router = HavingRouter(at_hand, prefix=PATH, tags=["feeds"])

    @router.get(
        "/summary/{name}.geojson",
        summary="A summary feed, as the USGS has it",
        responses={200: _OBJECT, 304: {"description": "It is what you have"}, **problems(404, 503)},
    )
    async def summary(
        request: Request, name: Annotated[str, Path(json_schema_extra={"enum": list(NAMES)})], mode: Mode = "actual"
    ) -> Response:
        """`all`, `1.0`, `2.5`, `4.5` or `significant`, of the past `hour`, `day`, `week` or `month`.

        At most the newest 20,000. `significant` is by `sig`; where nobody gives that, by the magnitude (6.25 or more).
        """
        if name not in NAMES:
            raise HTTPException(404, f"there is no feed {name}: {', '.join(NAMES)}")
        held = await summaries.get(name, mode, public_url or approach(request.scope).home)
        status, headers, body = _answer(request.headers, held, now_ms())
        answer = Response(body, status)
        answer.raw_headers = headers
        return answer

    @router.get(
        "/detail/{name:path}.geojson",
        summary="An earthquake's detail, as the USGS has it",
        responses={200: _OBJECT, **problems(404, 503)},
    )
    def detail(request: Request, name: str, mode: Mode = "actual") -> Response:
        """Each report's latest event is a product `origin`. What was merged into another gives what it became."""
        found = catalog.find(name, mode)
        homes = list(dict.fromkeys((catalog.merged_into(one) or one) for one in found))
        if len(homes) > 1:  # clients take 409 for a withdrawal
            raise HTTPException(404, f"{len(homes)} earthquakes are called {name}: {', '.join(homes)}")
        document = catalog.earthquake(homes[0]) if homes else None
        if document is None:
            raise HTTPException(404, f"there is no earthquake called {name}")
        home = public_url or approach(request.scope).home
        answer = json_answer(geojson.detail(document, document["solutions"], home))
        answer.headers.update(Credits.of(document, *document["solutions"]).headers(home))
        answer.headers["Cache-Control"] = "no-cache"
        return answer

    return router


def _answer(asked: Headers, held: Summary, now_ms: int) -> Answer:
    """The file as it is asked for, or that it is what they have."""
    tag = f'W/"{held.tag}"'
    headers = [(b"etag", tag.encode()), *_CACHED]
    if now_ms - held.made_ms > 1000:  # it counts in seconds: two contents of one second would look the same
        headers.append((b"last-modified", formatdate(held.made_ms // 1000, usegmt=True).encode()))
    if is_known(asked, tag, held.made_ms):
        return 304, headers, b""
    coding = wished_encoding(asked, CODINGS)
    body = held.body
    if coding is not None:
        if coding not in held.others:
            held.others[coding] = held.packed if coding == "gzip" else packing.packed(held.body, coding)
        body = held.others[coding]
        headers.append((b"content-encoding", coding.encode()))
    headers += [(b"content-length", b"%d" % len(body)), (b"content-type", geojson.MEDIA_TYPE.encode())]
    return 200, headers, body


_CACHED: Final = ((b"cache-control", b"public, max-age=%d" % MAX_AGE_S), (b"vary", b"Accept-Encoding"))
