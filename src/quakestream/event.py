"""EarthquakeEvent: what one source says of one earthquake at one moment.

This is the message on the stream (`earthquake-service-topic`): its fields and their limits, its identity, the order of
its revisions, JSON both ways and its CloudEvents headers. Pure: nothing here reads a clock or opens a socket.

Its texts are plain lines (`plain.one_line`) from the moment that it is read, whoever wrote them. Its names, `id` and
`source`, are not touched: they are its identity.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import math
import re
import secrets
from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, cast

import msgspec
from msgspec import Meta, Struct, field

from quakestream import further
from quakestream.errors import Rejected
from quakestream.plain import one_line, read_json

Mode = Literal["actual", "exercise", "test"]
Status = Literal["automatic", "reviewed", "deleted"]

MODES: Final[tuple[Mode, ...]] = ("actual", "exercise", "test")
DEFAULT_SOURCE: Final = "external"
DEFAULT_TYPE: Final = "earthquake"

NO_EARTHQUAKES: Final = frozenset(
    {
        *("anthropogenic event", "collapse", "cavity collapse", "mine collapse", "building collapse", "explosion"),
        *("accidental explosion", "chemical explosion", "controlled explosion", "experimental explosion"),
        *(
            "industrial explosion",
            "mining explosion",
            "quarry blast",
            "road cut",
            "blasting levee",
            "nuclear explosion",
        ),
        *("rock burst", "crash", "plane crash", "train crash", "boat crash", "other event", "atmospheric event"),
        *("sonic boom", "sonic blast", "acoustic noise", "thunder", "avalanche", "snow avalanche", "debris avalanche"),
        *("hydroacoustic event", "ice quake", "slide", "landslide", "rockslide", "rock slide", "meteorite"),
        *("volcanic eruption", "volcanic explosion", "eruption", "blast", "mining event", "not existing"),
        *("not locatable", "duplicate"),
    }
)
"""Types that say that something is no earthquake: QuakeML's, and what agencies write in their place."""


WITHDRAWN_TYPES: Final = frozenset({"not existing", "not locatable", "duplicate"})
"""Types by which an agency says that there is no such earthquake, or none of its own."""


@functools.lru_cache(maxsize=1024)
def plain_type(kind: str) -> str:
    """An event type in small letters and with blanks: `Not_Existing` is `not existing`."""
    return " ".join(kind.lower().replace("_", " ").replace("-", " ").split())


def is_earthquake(kind: str) -> bool:
    """Whether a type means shaking of the ground as an earthquake's: also where it was induced, or is not known.

    Agencies write `not reported`, `unknown`, `outside of network interest`, and words of their own: what is not said to
    be something else may be one, and people are to be warned.
    """
    return plain_type(kind) not in NO_EARTHQUAKES


MAX_EVENT_BYTES: Final = 256 * 1024
"""A larger message is refused: a real report has under 2 kB."""
EARLIEST_TIMESTAMP_MS: Final = -62_135_596_800_000
"""0001-01-01T00:00:00Z, the first moment that ISO 8601 libraries agree on."""
LATEST_MS: Final = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z, the last."""
NO_TIME_BEFORE_MS: Final = 946_684_800_000
"""2000-01-01T00:00:00Z: a log's time that is earlier is none."""
MAX_TIMESTAMP_AHEAD_MS: Final = 24 * 3600 * 1000
MAX_UPDATED_AHEAD_MS: Final = 3600 * 1000
LIKE_SECONDS_MS: Final = 3652 * 24 * 3600 * 1000
"""A number that, read as seconds, lies within ten years of now was meant as seconds."""
MAX_NUMERIC_ID: Final = 2**53
"""An id that is a number must be below: programs that take every number for a double change those from there on."""

Latitude = Annotated[float, Meta(ge=-90.0, le=90.0)]
Longitude = Annotated[float, Meta(ge=-180.0, le=180.0)]
DepthKm = Annotated[float, Meta(ge=-100.0, le=6371.0)]
Magnitude = Annotated[float, Meta(ge=-10.0, le=12.0)]
EpochMs = Annotated[int, Meta(ge=EARLIEST_TIMESTAMP_MS, le=LATEST_MS)]
SourceName = Annotated[str, Meta(pattern=r"^[^\s\x00-\x1f\x7f:/]{1,64}$")]
SourceId = Annotated[str, Meta(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]
Text = Annotated[str, Meta(max_length=1000)]
Url = Annotated[str, Meta(max_length=2000)]


class Location(Struct, frozen=True, gc=False):
    """Where the rupture began: WGS 84, depth in km below the surface, positive down."""

    latitude: Latitude
    longitude: Longitude
    depth_km: DepthKm | None = field(name="depth", default=None)


class EarthquakeEvent(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """One report of one source. Field names on the wire are the contract's; USGS's names stand verbatim.

    `updated_ms` is None only for a message whose source did not say when it last changed: whoever stores it decides,
    by when this content was first seen. `extra` holds the fields that are not ours, kept as they came: unknown ones,
    and what stands under a name of `further.py` in another shape than its. The first of `focal_mechanisms` is the one
    that its source prefers.
    """

    id: SourceId
    magnitude: Magnitude | None
    location: Location
    timestamp_ms: EpochMs = field(name="timestamp")
    source: SourceName
    mode: Mode
    status: Status
    type: Text
    updated_ms: EpochMs | None = field(name="updated", default=None)
    ids: tuple[SourceId, ...] = ()
    magnitude_type: Text | None = field(name="magnitudeType", default=None)
    place: Text | None = None
    agency: Text | None = None
    url: Url | None = None
    sig: float | int | None = None
    mmi: float | int | None = None
    cdi: float | int | None = None
    felt: float | int | None = None
    alert: Text | None = None
    tsunami: float | int | None = None
    nst: float | int | None = None
    gap: float | int | None = None
    dmin: float | int | None = None
    rms: float | int | None = None
    mag_nst: float | int | None = field(name="magNst", default=None)
    mag_error: float | int | None = field(name="magError", default=None)
    depth_error_km: float | int | None = field(name="depthError", default=None)
    horizontal_error_km: float | int | None = field(name="horizontalError", default=None)
    magnitudes: further.Magnitudes = ()
    origins: further.Origins = ()
    origin_quality: further.OriginQuality | None = field(name="originQuality", default=None)
    focal_mechanisms: further.FocalMechanisms = field(name="focalMechanisms", default=())
    extra: dict[str, Any] = field(name="__extra__", default_factory=dict)

    @property
    def key(self) -> str:
        """`<source>:<id>`: the message's key, so that one report's revisions stay in order."""
        return f"{self.source}:{self.id}"

    def content_hash(self) -> bytes:
        """16 bytes that differ when anything but `updated` differs: the second half of the revision order."""
        content = self if self.updated_ms is None else msgspec.structs.replace(self, updated_ms=None)
        return hashlib.blake2b(_sorted_encoder.encode(content), digest_size=16).digest()

    def document(self) -> dict[str, Any]:
        """The event as the JSON object that stands on the stream."""
        document = cast(dict[str, Any], msgspec.to_builtins(self))
        extra = document.pop("__extra__", None)
        return document | extra if extra else document


BACKFILL_HEADER: Final = "ce_backfill"
WIRE_FIELDS: Final = frozenset(f.encode_name for f in msgspec.structs.fields(EarthquakeEvent)) - {"__extra__"}
_WIRE_DEFAULTS: Final = {"source": DEFAULT_SOURCE, "status": "automatic", "type": DEFAULT_TYPE}
_TIMES: Final = frozenset({"timestamp", "updated"})
_TEXTS: Final = ("type", "magnitudeType", "place", "agency", "url", "alert")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f]")
_encoder = msgspec.json.Encoder()
_sorted_encoder = msgspec.json.Encoder(order="sorted")
_event_decoder = msgspec.json.Decoder(EarthquakeEvent)
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND: Final = dt.timedelta(milliseconds=1)
_ISO_TIME: Final = re.compile(r"\d{4}(-\d\d-\d\d|\d{4})([Tt ].+)?", re.ASCII)
"""Python takes any character between date and time, and so some milliseconds for a date."""


def encode(event: EarthquakeEvent) -> bytes:
    """The event as UTF-8 JSON; `decode` gives the same event back."""
    return _encoder.encode(event.document() if event.extra else event)


def bound_ms(logged_ms: int, now_ms: int) -> int:
    """The time by which a record's own times are bounded: the log's when it took it; now, where the log had no clock.

    A log's time from long ago is none: it is of a producer that has no clock, or one that begins in 1970.
    """
    return logged_ms if logged_ms > NO_TIME_BEFORE_MS else now_ms


def decode(value: bytes | None, *, now_ms: int, default_mode: Mode = "test") -> EarthquakeEvent:
    """Parse and check one message of the stream.

    Absent fields get the contract's defaults, unknown fields go to `extra`. `now_ms` bounds how far ahead times may be.

    Raises:
        Rejected: not JSON, not an object, a field missing, of the wrong type or out of range, or larger than
            `MAX_EVENT_BYTES`; the message names the field.
    """
    if value is None:
        raise Rejected("empty message: no value")
    if len(value) > MAX_EVENT_BYTES:
        raise Rejected(f"{len(value)} bytes: an event has at most {MAX_EVENT_BYTES}")
    if (event := _decode_whole(value)) is not None:
        return _in_time(event, now_ms)
    return from_document(_parsed(value), now_ms=now_ms, default_mode=default_mode)


def _decode_whole(value: bytes) -> EarthquakeEvent | None:
    """The usual event, which lacks nothing, has no unknown fields and texts that are plain lines, in one pass.

    None: `decode` must look closer.
    """
    if b"\\" in value or (b"_" in value and b"__extra__" in value):  # might be somebody's own field of that name
        return None
    try:
        event = _event_decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if b'"magnitudes"' in value or b'"origin' in value or b'"focalMechanisms"' in value:  # empty ones are others' own
        return None
    if value.isascii() and not _blanks_or_delete(value):
        return event
    texts = (event.type, event.magnitude_type, event.place, event.agency, event.url, event.alert)
    joined = "{} {} {} {} {} {}".format(*texts)  # is one plain line where each of them is: one look, not six
    if one_line(joined) == joined or all(one_line(text) == text for text in texts if text):
        return event
    return None


def _blanks_or_delete(value: bytes) -> bool:
    """What ASCII JSON without escapes has wherever one of its texts is no plain line."""
    return b"  " in value or b'" ' in value or b' "' in value or b"\x7f" in value


def _parsed(value: bytes) -> dict[str, Any]:
    try:
        document = read_json(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Rejected(f"not a JSON object: {error}") from error
    if not isinstance(document, dict):
        raise Rejected(f"not a JSON object, but {type(document).__name__}")
    return document


def from_document(
    document: dict[str, Any], *, now_ms: int, default_mode: Mode = "test", by_people: bool = False
) -> EarthquakeEvent:
    """Check one event that is already a JSON object; as `decode`.

    `by_people`: its times may be ISO 8601 as well, and are refused where they look like seconds.
    """
    make_plain(document)
    kind = document.get("type")
    if by_people and isinstance(kind, str) and plain_type(kind) in WITHDRAWN_TYPES:
        document |= {"type": None, "status": "deleted"}
    for name in _TIMES & document.keys():
        if by_people:
            document[name] = _meant(document[name], name, now_ms)
        document[name] = _rounded_down(document[name])
    if "id" in document:
        document["id"] = _digits(document["id"])
    for name, default in _WIRE_DEFAULTS.items():
        if document.get(name) is None:
            document[name] = default
    ids = document.get("ids", ())
    if ids is None or isinstance(ids, list):  # one that says nothing, or not plainly, is no reason to refuse the rest
        document["ids"] = [name for name in map(_plain_name, map(_digits, ids or ())) if name != ""]
    if document.get("mode") is None:
        document["mode"] = default_mode
    unknown = document.keys() - WIRE_FIELDS
    for name in further.TYPES.keys() & document.keys():
        if (found := further.conforming(name, document[name])) is None:
            unknown.add(name)
        else:
            document[name] = found
    if unknown:
        document["__extra__"] = {name: document.pop(name) for name in sorted(unknown)}
    try:
        event = msgspec.convert(document, EarthquakeEvent)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Rejected(str(error)) from error
    return _in_time(event, now_ms)


def _plain_name(name: Any) -> Any:
    """As it stands, but for control characters: no name has them."""
    return one_line(name) if isinstance(name, str) and _CONTROL.search(name) else name


def _rounded_down(number: Any) -> Any:
    """A JSON number as an integer: `1.795746E12` and `1795746000000.9` are 1795746000000; anything else as it is."""
    return math.floor(number) if isinstance(number, float) and math.isfinite(number) else number


def _digits(name: Any) -> Any:
    """A name that is a whole number as the digits of that number; anything else as it is, and refused."""
    if isinstance(name, float) and name.is_integer():
        name = int(name)
    if isinstance(name, int) and not isinstance(name, bool) and 0 <= name < MAX_NUMERIC_ID:
        return str(name)
    return name


def _meant(time: Any, name: str, now_ms: int) -> Any:
    if isinstance(time, str):
        try:
            return iso_ms(time)
        except ValueError:
            raise Rejected(f"{time[:40]!r} is neither ms since 1970 nor ISO 8601 - at `$.{name}`") from None
    if isinstance(time, (int, float)) and looks_like_seconds(time, now_ms):
        raise Rejected(f"{name} {time}: {LIKE_SECONDS} - at `$.{name}`")
    return time


LIKE_SECONDS: Final = "this looks like seconds; ms since 1970 are wanted, or ISO 8601"


def looks_like_seconds(time: float | Decimal, now_ms: int) -> bool:
    """Whether a number that should be ms since 1970 lies, read as seconds, within ten years of now."""
    return -LIKE_SECONDS_MS <= time * 1000 - now_ms <= LIKE_SECONDS_MS


def iso_ms(text: str) -> int:
    """ISO 8601 as ms since 1970 UTC, rounded down; UTC where no zone is given.

    Raises:
        ValueError: no time.
    """
    text = text.strip()
    if not _ISO_TIME.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is not ISO 8601")
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return (moment - _EPOCH) // _MILLISECOND


def make_plain(document: dict[str, Any]) -> None:
    """Make plain lines of an event's texts; one of which nothing is left says nothing, and is None."""
    for name in _TEXTS:
        text = document.get(name)
        if isinstance(text, str) and (plain := one_line(text)) != text:
            document[name] = plain or None


def _in_time(event: EarthquakeEvent, now_ms: int) -> EarthquakeEvent:
    if event.timestamp_ms > now_ms + MAX_TIMESTAMP_AHEAD_MS:
        raise Rejected(f"timestamp {event.timestamp_ms} is more than a day ahead - at `$.timestamp`")
    if event.updated_ms is not None and event.updated_ms > now_ms + MAX_UPDATED_AHEAD_MS:
        raise Rejected(f"updated {event.updated_ms} is more than an hour ahead - at `$.updated`")
    return event


def wrap_longitude(longitude: float) -> float:
    """Bring a longitude that a source wrote beyond ±180° into −180…180; 180 and −180 stay as they are."""
    if -180.0 <= longitude <= 180.0:
        return longitude
    return (longitude + 180.0) % 360.0 - 180.0


def utc(epoch_ms: int) -> dt.datetime:
    """A moment given in ms since 1970 UTC; also before 1970."""
    return _EPOCH + dt.timedelta(milliseconds=epoch_ms)


def iso_time(epoch_ms: int) -> str:
    """`2018-02-07T01:46:13.840Z`, from ms since 1970 UTC; also before 1970."""
    hours, ms = divmod(epoch_ms, 3_600_000)
    return "%s:%02d:%02d.%03dZ" % (_iso_hour(hours), ms // 60_000, ms // 1000 % 60, ms % 1000)  # noqa: UP031 - faster


@functools.lru_cache(maxsize=1024)
def _iso_hour(hours: int) -> str:
    return (_EPOCH + dt.timedelta(hours=hours)).isoformat()[:13]


def cloudevent_headers(
    event: EarthquakeEvent, traceparent: str | None = None, *, backfill: bool = False
) -> tuple[tuple[str, bytes], ...]:
    """CloudEvents 1.0, Kafka binary mode, and W3C Trace Context.

    `ce_id` is the event's identity and its content's hash: a consumer that knows only CloudEvents can drop doubles, and
    drops no revision whose source left `updated` as it was. `backfill`: it was read when its source was read for the
    first time, and is no news: the extension `ce_backfill`.
    """
    updated_ms = event.updated_ms if event.updated_ms is not None else event.timestamp_ms
    mark = ((BACKFILL_HEADER, b"true"),) if backfill else ()
    return (
        ("ce_specversion", b"1.0"),
        ("ce_id", f"{event.mode}:{event.key}:{updated_ms}:{event.content_hash().hex()}".encode()),
        ("ce_source", f"/quakestream/{event.source}".encode()),
        ("ce_type", b"org.quakestream.earthquake-event"),
        ("ce_time", iso_time(updated_ms).encode()),
        ("content-type", b"application/json"),
        ("traceparent", (traceparent or new_traceparent()).encode()),
        *mark,
    )


def is_backfill(headers: Iterable[tuple[str, bytes | None]]) -> bool:
    """Whether a message's headers say that it is back-fill."""
    return (BACKFILL_HEADER, b"true") in headers


def new_traceparent() -> str:
    """A W3C traceparent that begins a trace of its own, unsampled."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"
