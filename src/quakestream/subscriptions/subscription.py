"""A subscription: where, what and how. The same JSON in the HTTP interface and, as YAML, in a file.

    name: Home
    where: {kind: circle, latitude: 37.98, longitude: 23.73}
    what: {min_intensity: 4}
    how: {channels: [{channel: webhook, url: "https://example.org/quakes"}]}

`parse` checks one and names every field at fault. `docs/alerts.md` says what each field means. Pure: a channel's own
fields are checked by the channel, later.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from quakestream import time_zones
from quakestream.errors import Rejected
from quakestream.event import Mode
from quakestream.subscriptions import area
from quakestream.subscriptions.conditions import Rule, What, alternatives
from quakestream.subscriptions.fields import (
    Around,
    Clock,
    Intensity,
    Km,
    Latitude,
    Longitude,
    Magnitude,
    Name,
    Strict,
    Word,
    refuse_template,
)
from quakestream.subscriptions.portfolio import MAX_SITES, Site, read_csv, read_geojson

MAX_CHANNELS: Final = 10
READ_ONLY: Final = frozenset(
    ["subscriber", "origin", "created", "changed", "confirmed", "unconfirmed", "ended", "webhook_secret"]
)
"""What the HTTP interface tells of a subscription beside itself. Given back, it says nothing."""

Language = Literal["en", "de"]
Units = Literal["metric", "imperial"]
UpdatePolicy = Literal["first", "material", "every"]


# --- where ---------------------------------------------------------------------------------------------------------


class Circle(Strict):
    """A place. Intensity is what is expected there; `radius_km` bounds how far away the epicentre may be."""

    kind: Literal["circle"]
    latitude: Latitude
    longitude: Longitude
    radius_km: Km | None = None
    place: Name = ""
    """What people call it, for the message."""


class Polygon(Strict):
    """An area. Intensity is the strongest that is expected anywhere in it, which is where it is nearest."""

    kind: Literal["polygon"]
    geometry: dict[str, Any]
    """A GeoJSON Polygon or MultiPolygon (RFC 7946), or a Feature with one."""
    within_km: Around | None = None
    """How far outside an epicentre still counts. Absent: for a rule by intensity however far, else 0."""
    place: Name = ""

    @field_validator("geometry")
    @classmethod
    def _is_sound(cls, value: dict[str, Any]) -> dict[str, Any]:
        area.from_geojson(value)
        return value


class Country(Strict):
    """A country's land, by a name or code of ISO 3166-1; otherwise as a polygon."""

    kind: Literal["country"]
    name: Word
    within_km: Around | None = None

    @field_validator("name")
    @classmethod
    def _is_known(cls, value: str) -> str:
        area.country_code(value)
        return value


class Region(Strict):
    """A Flinn-Engdahl region, land or sea, by its name; otherwise as a polygon."""

    kind: Literal["region"]
    name: Word
    within_km: Around | None = None

    @field_validator("name")
    @classmethod
    def _is_known(cls, value: str) -> str:
        area.region_number(value)
        return value


class World(Strict):
    """Everywhere. Intensity is the one at the epicentre, be it at sea."""

    kind: Literal["world"]


class Portfolio(Strict):
    """Sites of one's own, 1 to 100,000, each with thresholds of its own where it has them.

    Given as `sites`, or as the text of a CSV file, or as a GeoJSON FeatureCollection of points; kept as `sites`.
    """

    kind: Literal["portfolio"]
    sites: Annotated[list[Site], Field(min_length=1, max_length=MAX_SITES)]
    within_km: Km | None = None
    """How far away the epicentre may be, for sites that do not say it themselves."""
    currency: Annotated[Name, Field(max_length=20)] = ""

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        given = [name for name in ("sites", "csv", "geojson") if name in value]
        if len(given) != 1:
            raise ValueError("one of sites, csv and geojson is needed")
        rest = {name: item for name, item in value.items() if name not in {"csv", "geojson"}}
        if given == ["csv"]:
            return rest | {"sites": read_csv(value["csv"])}
        if given == ["geojson"]:
            return rest | {"sites": read_geojson(value["geojson"])}
        return value


Where = Annotated[Circle | Polygon | Country | Region | World | Portfolio, Field(discriminator="kind")]


# --- how -----------------------------------------------------------------------------------------------------------


class ChannelTarget(BaseModel):
    """One receiver: the channel's name, and the fields that channel asks for (`to`, `url`, …), checked by it."""

    model_config = ConfigDict(extra="allow", frozen=True)

    channel: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]

    @model_validator(mode="after")
    def _is_plain(self) -> Self:
        for name, text in _texts(self.model_extra or {}):
            refuse_template(text, name)
        return self


class Night(Strict):
    """Hours that end before they begin go over midnight."""

    start: Clock = "22:00"
    end: Clock = "07:00"

    @model_validator(mode="after")
    def _has_a_length(self) -> Self:
        if self.start == self.end:
            raise ValueError("start and end are the same")
        return self

    def holds(self, at: dt.datetime) -> bool:
        """Whether a local time is within: `start` is, `end` is not."""
        clock = f"{at:%H:%M}"
        if self.start < self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end


class QuietHours(Night):
    """What is not severe waits until they end."""

    unless_intensity: Intensity | None = 6.0
    """From this expected intensity on, it is told at once."""
    unless_magnitude: Magnitude | None = None


class Digest(Strict):
    """A swarm is told together: after so many alerts of one area in so short a time, the rest waits for one message."""

    after: Annotated[int, Field(ge=1, le=100)] = 3
    within_minutes: Annotated[int, Field(ge=1, le=7 * 24 * 60)] = 120
    radius_km: Annotated[float, Field(gt=0, le=1000)] = 50.0
    every_minutes: Annotated[int, Field(ge=5, le=24 * 60)] = 60


class Escalation(Strict):
    """Where an alert goes when nobody has acknowledged it."""

    after_minutes: Annotated[float, Field(gt=0, le=24 * 60)]
    channels: Annotated[list[ChannelTarget], Field(min_length=1, max_length=MAX_CHANNELS)]


class How(Strict):
    channels: Annotated[list[ChannelTarget], Field(min_length=1, max_length=MAX_CHANNELS)]
    language: Language = "en"
    units: Units = "metric"
    updates: UpdatePolicy = "material"
    """`first` alone; when something `material` changes; `every` revision. A cancellation always comes."""
    exclude_aftershocks: bool = False
    digest: Digest | None = None
    quiet_hours: QuietHours | None = None
    escalation: Escalation | None = None


class Subscription(Strict):
    """What somebody asks to be told."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] | None = None
    """Given by the catalogue when there is none."""
    name: Name = ""
    where: Where
    what: What = Rule()
    modes: Annotated[tuple[Mode, ...], Field(min_length=1, max_length=3)] = ("actual",)
    """`exercise` and `test` must be asked for."""
    time_zone: Word = "UTC"
    night: Night = Night()
    how: How
    silence: bool = False
    """Whether to hear as well when no source has answered for 15 minutes, and when one does again."""
    snooze_until_ms: Annotated[int, Field(ge=0, le=253_402_300_799_999)] | None = None
    """Nothing but cancellations before this moment, ms since 1970 UTC."""

    @model_validator(mode="before")
    @classmethod
    def _may_be_given_back(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {name: item for name, item in value.items() if name not in READ_ONLY}

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, value: str, info: ValidationInfo) -> str:
        known = time_zones.spelled(value)
        if known is not None:
            return known
        if info.context == _STORED:
            return value  # was one once: its messages say that they are in UTC
        raise ValueError("no such IANA time zone, as Europe/Athens is one")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        by_intensity = [one.min_intensity is not None for one in alternatives(self.what)]
        where = self.where
        if where.kind == "circle" and where.radius_km is None and not all(by_intensity):
            raise ValueError("where.radius_km is needed by a rule without min_intensity")
        if where.kind == "portfolio" and where.within_km is None and not all(by_intensity):
            for site in where.sites:
                if site.within_km is None and (site.min_intensity is None or any(by_intensity)):
                    raise ValueError(f"where: site {site.name!r} needs within_km or min_intensity")
        return self

    def without(self, gone: Callable[[ChannelTarget], bool]) -> Self:
        """It without some whom it has told; as it is where none but one to escalate to would stay."""
        channels = [one for one in self.how.channels if not gone(one)]
        if not channels:
            return self
        escalation = self.how.escalation
        if escalation is not None:
            later = [one for one in escalation.channels if not gone(one)]
            escalation = escalation.model_copy(update={"channels": later}) if later else None
        how = self.how.model_copy(update={"channels": channels, "escalation": escalation})
        return self.model_copy(update={"how": how})

    def local(self, at_ms: int) -> dt.datetime:
        """A moment by the subscriber's clock."""
        return local_time(self.time_zone, at_ms)

    def is_night(self, at_ms: int) -> bool:
        """Whether it is night for the subscriber, as `night` has it."""
        return self.night.holds(self.local(at_ms))


def local_time(time_zone: str, at_ms: int) -> dt.datetime:
    """A moment by the clock of an IANA time zone."""
    return dt.datetime.fromtimestamp(at_ms / 1000, time_zones.clock(time_zone))


def parse(document: Any, *, stored: bool = False) -> Subscription:
    """Check one subscription: JSON bytes or text, or the object itself.

    `stored`: it was taken before; a time zone that is not known any more stays, and is told in UTC.

    Raises:
        Rejected: one line that names every field at fault and what is wrong with it.
    """
    context = _STORED if stored else None
    try:
        if isinstance(document, bytes | str):
            return Subscription.model_validate_json(document, context=context)
        return Subscription.model_validate(document, context=context)
    except ValidationError as error:
        raise Rejected.of(sorted({fault(one) for one in error.errors(include_url=False)})) from error


def encode(subscription: Subscription) -> bytes:
    """The subscription as JSON, what is as it would be anyway left out; `parse` gives the same one back."""
    return subscription.model_dump_json(exclude_defaults=True).encode()


_INNER: Final = frozenset(["circle", "polygon", "country", "region", "world", "portfolio", "rule"])
_SHOWN: Final = 60
_STORED: Final = "stored"


def fault(error: Mapping[str, Any]) -> tuple[str, str]:
    """One fault: the field, and what is wrong: `where.radius_km`, `input should be greater than 0 (got -1)`."""
    location: list[str] = []
    for part in error["loc"]:
        if isinstance(part, int):
            location.append(f"[{part}]")
        elif part not in _INNER and not (part in {"any", "all"} and location and location[-1] == f".{part}"):
            location.append(f".{part}" if location else str(part))
    words = str(error["msg"]).removeprefix("Value error, ")
    words = words[:1].lower() + words[1:]
    given = error.get("input")
    shown = f" (got {str(given)[:_SHOWN]!r})" if isinstance(given, str | int | float) else ""
    return "".join(location), f"{words}{shown}"


def _texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text within a channel's fields, with its field's name."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, name)
