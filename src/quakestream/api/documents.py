"""The catalogue's JSON as the interface describes it (OpenAPI), for those who generate a client from it.

What is sent was made when it was stored, and is passed on as it is: these models describe it, and tests hold it to
them. Times are ms since 1970 UTC. A source's further fields are passed on too.
"""

from __future__ import annotations

import functools
import typing
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.alias_generators import to_camel

from quakestream import further
from quakestream.event import Mode, Status


class Document(BaseModel):
    """`depth_km` here is `depthKm` there; more fields may be there."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow")


class Place(Document):
    """Degrees, WGS 84."""

    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    depth: float | None = Field(None, description="km below the surface, positive down.")


@functools.cache
def _model(struct: type[msgspec.Struct]) -> type[Document]:
    """A type of the stream as the interface describes it: with the same names."""
    fields: dict[str, Any] = {
        one.name: (
            _described(one.type),
            Field(... if one.required else None, alias=one.encode_name, serialization_alias=one.encode_name),
        )
        for one in msgspec.structs.fields(struct)
    }
    return create_model(struct.__name__, __base__=Document, __doc__=struct.__doc__, **fields)


def _described(type_: Any) -> Any:
    parts = typing.get_args(type_)
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        return _model(type_)
    if typing.get_origin(type_) in (typing.Union, UnionType):
        return typing.Union[tuple(map(_described, parts))]  # noqa: UP007 - of parts that are not known before
    if typing.get_origin(type_) is tuple:
        return list[_described(parts[0])] | None  # type: ignore[misc]  # made here
    return _described(parts[0]) if typing.get_origin(type_) is Annotated else type_


if TYPE_CHECKING:
    from quakestream.further import FocalMechanism, FurtherMagnitude, FurtherOrigin, OriginQuality
else:
    FocalMechanism, FurtherMagnitude, FurtherOrigin, OriginQuality = map(
        _model, (further.FocalMechanism, further.FurtherMagnitude, further.FurtherOrigin, further.OriginQuality)
    )


class Event(Document):
    """What one source says of one earthquake."""

    id: str = Field(description="Id that the source gives it.")
    magnitude: float | None
    location: Place
    timestamp: int = Field(description="Origin time.")
    source: str
    updated: int | None = Field(None, description="When the source last changed it, ms since 1970.")
    mode: Mode
    status: Status
    type: str
    ids: list[str] | None = Field(None, description="Ids that other agencies give it.")
    magnitude_type: str | None = None
    place: str | None = None
    agency: str | None = None
    url: str | None = None
    felt: float | None = None
    tsunami: float | None = None
    depth_error: float | None = Field(None, description="km")
    magnitudes: list[FurtherMagnitude] | None = Field(None, description="Further ones.")
    origins: list[FurtherOrigin] | None = Field(None, description="Further ones.")
    origin_quality: OriginQuality | None = None
    focal_mechanisms: list[FocalMechanism] | None = Field(
        None, description="With moment tensors. The first one is the one that the source prefers."
    )
    recorded_timestamp: int | None = Field(None, description="Origin time before a replay shifted it.")
    recorded_id: str | None = Field(None, description="Id in the recording, of what is replayed once more.")


class StatedJudgement(Document):
    """What a person said of two reports by hand; no rule undoes it."""

    what: Literal["join", "part"]
    reports: list[str] = Field(description="Two, each `<source>:<id>`.")
    who: str
    why: str
    at: int = Field(description="When it was said.")


class Earthquake(Event):
    """One earthquake: its preferred event's fields, and its own."""

    id: str = Field(description="`eq_…`, which never changes.")
    revision: int = Field(ge=1)
    seq: int = Field(description="Number of its latest change.")
    first_seen: int
    changed: int
    preferred: str = Field(description="`<source>:<id>`")
    events: list[str] = Field(description="Each `<source>:<id>` that belongs to it.")
    region: str | None = None
    judgements: list[StatedJudgement] | None = Field(
        None, description="What people said of its reports by hand, if anything."
    )
    country: str | None = None


class Step(Document):
    """One line of an earthquake's history."""

    seq: int
    time: int = Field(description="The catalogue's.")
    what: str
    why: str
    event: Event | None = None


class StatedDoubt(Document):
    """Two reports of which it is not sure that they are one earthquake, or that they are two."""

    what: Literal["may be two earthquakes", "may be the same as"]
    earthquake: str | None = Field(None, description="Which other earthquake it may be the same as.")
    reports: list[str] = Field(description="Two, each `<source>:<id>`; the second is the other earthquake's, if any.")
    part: float = Field(description="How far apart they are, as a part of what is still taken for one earthquake.")


class DrawnMechanism(Document):
    """A focal mechanism as a picture, by lower hemisphere and equal area: on a disc of radius 1 about 0, 0."""

    report: str = Field(description="`<source>:<id>` that gave it.")
    agency: str
    dark: bool = Field(
        description="Whether the disc is dark, where the first motion is outwards; `caps` are of the other shade."
    )
    caps: list[str] = Field(description="Each the data of an SVG path.")


class TermsStated(Document):
    """On what terms a source, or an agency, gives what it says."""

    source: str | None = None
    agency: str | None = None
    name: str | None = Field(None, description="In words.")
    terms: str = Field(description="Its licence where that is known, and whom to name; `unknown`: ask.")
    url: str | None = None


class StatedTerms(Document):
    """Who located it, and on what terms they give it."""

    agencies: list[str]
    terms: list[TermsStated]


class EarthquakeDetail(Earthquake):
    """One earthquake with each source's latest event, how it came to be, and whose it is."""

    agencies: list[str] = Field([], description="Who located it.")
    terms: list[TermsStated] = Field([], description="On what terms they give it.")

    doubts: list[StatedDoubt] = Field(description="Where a join or a split was close, as it stands now.")
    solutions: list[Event]
    history: list[Step]
    beach_ball: DrawnMechanism | None = Field(
        None, description="Of the first mechanism: of the report that speaks for it, else of another one."
    )


class EarthquakeList(Document):
    """Some earthquakes, newest first."""

    earthquakes: list[Earthquake]
    next: str | None = Field(description="Give it back as `cursor=` to get the next page. null: there is no more.")


class Change(Document):
    """One line of the change feed."""

    seq: int
    type: Literal["created", "updated", "merged", "split", "deleted"]
    earthquake: Earthquake
    from_id: str | None = Field(None, alias="from")
    into_id: str | None = Field(
        None, alias="into", description="With `merged`: the earthquake that it is now a part of."
    )
    imported: bool | None = Field(None, description="Old data that was imported. It alarms nobody.")
    matches: bool | None = Field(None, description="false: it no longer matches the filter.")


class PushMessage(Document):
    """A message of live push that is no change: where the feed is."""

    epoch: str = Field(description="Changes when the catalogue is restored, so that numbers are never mistaken.")
    seq: int
    id: str = Field(description="`<epoch>-<seq>`: where to go on.")


class LiveMessage(PushMessage):
    """From here on changes come as they commit."""

    type: Literal["live"]


class HeartbeatMessage(PushMessage):
    """Nothing new up to here."""

    type: Literal["heartbeat"]


class GapMessage(PushMessage):
    """What was asked for can't be had: changes go on after `seq`."""

    type: Literal["gap"]
    reason: str
    asked: str
    fetch: str = Field(description="The list as it stands.")


class SnapshotMessage(PushMessage):
    """The earthquakes that match, as they stand, newest first."""

    type: Literal["snapshot"]
    earthquakes: list[Earthquake]
    truncated: bool = Field(description="There are more, in the list at `fetch`.")
    fetch: str


class SourceRefusal(Document):
    """What a source sent and nobody could read."""

    at: str
    reason: str


class SourceState(Document):
    """A source as earthquake-service told last."""

    name: str
    state: str
    published: int | None = None
    acknowledged: int | None = None
    last_event_at: str | None = None
    lag_ms: int | None = Field(None, description="From the origin of its last event to its publication.")
    last_error: str | None = None
    refused: int | None = Field(None, description="What came of it and could not be read or published.")
    last_refused: SourceRefusal | None = Field(None, description="The newest of that.")
    silent_since: str | None = Field(
        None, description="When it last reported, if that is longer ago than it ever kept still: an alarm."
    )
    actual: bool | None = Field(None, description="Whether it tells of what really happens; false: of drills.")
    seen_at: int | None = None


class LogState(Document):
    """The event log, as the consumer sees it."""

    kind: str
    reachable: bool


class FollowerState(Document):
    """What follows the change feed."""

    active: bool = Field(description="false: another instance does it, or it is about to.")
    seq: int | None = Field(None, description="The last change that it has dealt with.")
    error: str | None = None
    subscriptions: int | None = Field(None, description="Of alerts: how many.")
    unreadable: int | None = Field(None, description="Of alerts: subscriptions that can't be read.")


class DiskState(Document):
    """The disk of `DATA_DIR`."""

    free_bytes: int
    total_bytes: int


class ConsumerState(Document):
    """What earthquake-consumer says of itself."""

    log: LogState | None = None
    partitions: list[int] | None = Field(None, description="Those that this instance reads.")
    lag: dict[str, int] | None = Field(None, description="By partition, records that are not stored yet.")
    stopped: dict[str, str] | None = Field(None, description="By partition that waits for a person, why.")
    catalog_error: str | None = None
    log_error: str | None = None
    consumed: int | None = Field(None, description="Events read since it started.")
    dead_letters: int | None = Field(None, description="What could not be read, since it started.")
    republisher: FollowerState | None = None
    alerts: FollowerState | None = None
    disk: DiskState | None = None
    clock: str | None = Field(None, description="What is wrong with this machine's clock.")


class StreamStatus(Document):
    """How the stream is."""

    now: int = Field(description="The server's clock.")
    epoch: str
    seq: int
    earthquakes: int
    events_per_second: float
    blind_since: int | None = Field(
        None,
        description="Since when no source of what really happens has answered, where that is 15 minutes or more: then "
        "that nothing is listed does not mean that nothing happened.",
    )
    sources: list[SourceState]
    consumer: ConsumerState
