"""Telling people that we are blind: no source of theirs has answered for 15 minutes, and later that one answers again.

A source that reports one agency's own network sees its region or country (`seismology.coverage`); others, the world.

Whoever asked for it (`silence`) is told once each way. What was told stands in the outbox, so a restart tells nothing
twice, and of several instances each makes the same notification, by its key.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

import msgspec
import structlog
from sqlalchemy import Connection, select

from quakestream import supervision
from quakestream.catalog.schema import notifications
from quakestream.channels import Kind
from quakestream.errors import Rejected, Retryable
from quakestream.seismology.coverage import sees, sees_the_world
from quakestream.sight import BLIND_AFTER_MS, Sight
from quakestream.subscriptions import area
from quakestream.subscriptions.registry import Registry, Stored
from quakestream.subscriptions.subscription import Subscription
from quakestream.telling.messages import NO_SOURCE_THERE, Facts
from quakestream.telling.outbox import OPEN, TOLD, Notification, Outbox, put, supersede

INTERVAL_S: Final = 5.0
AGAIN_S: Final = 60.0
"""While we are blind, who has subscribed since is looked for so often."""
ASKED: Final = b'"silence":true'
"""In a subscription's JSON."""
CHUNK: Final = 500
EXPIRES_MS: Final = 6 * 3_600_000
GIVEN_UP_MS: Final = 3_600_000
"""One that could not be sent is tried anew after so long, where we are blind again, or still."""
PRIORITY: Final = 2

log = structlog.get_logger(__name__)
_encode = msgspec.json.Encoder().encode
_n = notifications.c
_Place = tuple[str, str, str]
_Asking = tuple[Stored, Sight, list[tuple[str, str]]]


class SilenceTeller:
    """Looks every few seconds, on a thread of its own."""

    def __init__(
        self,
        registry: Registry,
        outbox: Outbox,
        sight: Callable[[], Sight],
        receivers: Callable[[Stored], list[tuple[str, str]]],
        on_put: Callable[[], None],
        now_ms: Callable[[], int],
    ) -> None:
        """`receivers`: channel and target of all that a subscription tells."""
        self._registry = registry
        self._outbox = outbox
        self._sight = sight
        self._receivers = receivers
        self._on_put = on_put
        self._now_ms = now_ms
        self._dealt_with: tuple[tuple[object, ...], float] | None = None
        self._stopping = threading.Event()
        self._thread = supervision.Thread("silence", self._run, self._stopping)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """End; whether that was done in time."""
        self._stopping.set()
        return self._thread.join(timeout_s)

    def look(self) -> int:
        """Put into the outbox what is to be told now; how many."""
        sight = self._sight()
        stands = _stands(sight)
        if self._dealt_with is not None:
            before, at_s = self._dealt_with
            if stands == before and (not _may_blind(sight) or time.monotonic() - at_s < AGAIN_S):
                return 0
        told = (self._blind(sight) if _may_blind(sight) else 0) + self._seeing(sight)
        self._dealt_with = stands, time.monotonic()
        if told:
            log.warning("told who asked that we are blind, or see again", blind=sight.blind, notifications=told)
            self._on_put()
        return told

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look()
            except Retryable as error:
                log.warning("will try again", what="tell that we are blind", reason=str(error))
            self._stopping.wait(INTERVAL_S)

    def _blind(self, sight: Sight) -> int:
        count = 0
        for page in self._in_the_dark(sight):
            with self._outbox.writing() as connection:
                last = _last(connection, [stored.id for stored, *_ in page])
                now_ms = self._now_ms()
                new = [
                    _notification("blind", place, last.get(place), own, now_ms, of_all=sight.blind)
                    for stored, own, receivers in page
                    for place in ((stored.id, *receiver) for receiver in receivers)
                    if _is_news(last.get(place), now_ms)
                ]
                put(connection, new, now_ms)
            count += len(new)
        return count

    def _seeing(self, sight: Sight) -> int:
        if not any(one.answers for one in sight.sources) and not sight.answers:
            return 0
        with self._outbox.writing() as connection:
            now_ms = self._now_ms()
            last = {place: row for place, row in _last(connection).items() if row.kind == "blind"}
            asking = self._registry.get_all(sorted({id_ for id_, *_ in last}))
            views = {id_: _own(sight, asking.get(id_)) for id_, *_ in last}
            last = {place: row for place, row in last.items() if views[place[0]].answers}
            unsent = [row.notification for row in last.values() if row.state == "queued" and not row.maybe_told]
            supersede(connection, unsent, "a source answers again", now_ms)
            told = {p: row for p, row in last.items() if row.state in (*TOLD, "sending") or row.maybe_told}
            new = [_notification("seeing", place, row, views[place[0]], now_ms) for place, row in told.items()]
            put(connection, new, now_ms)
        return len(new)

    def _in_the_dark(self, sight: Sight) -> Iterator[list[_Asking]]:
        """Who asked to hear of it, and no source of theirs answers."""
        page: list[_Asking] = []
        for stored in self._registry.everything():
            if self._stopping.is_set():
                return
            if ASKED in stored.document and (own := _own(sight, stored)).blind:
                page.append((stored, own, self._receivers(stored)))
            if len(page) == CHUNK:
                yield page
                page = []
        if page:
            yield page


def _stands(sight: Sight) -> tuple[object, ...]:
    """What decides on whom to tell: it changes seldom."""

    def long_ago(at_ms: int) -> bool:
        return sight.now_ms - at_ms >= BLIND_AFTER_MS

    sources = tuple((one.agency, one.answers, long_ago(one.answered_ms)) for one in sight.sources)
    return sight.blind, sight.answers, sources, long_ago(sight.began_ms)


def _may_blind(sight: Sight) -> bool:
    """Whether anybody may be without a source that answers."""
    if not sight.sources:
        return sight.blind
    return not any(one.answers and sees_the_world(one.agency) for one in sight.sources)


def _own(sight: Sight, stored: Stored | None) -> Sight:
    """What is known of the sources that see what a subscription asks about; the worst of several places."""
    if stored is None or all(sees_the_world(one.agency) for one in sight.sources):
        return sight
    try:
        points = _points(stored.subscription())
    except Rejected:
        return sight
    if not points:
        return sight.of(sees_the_world)
    views = [sight.of(lambda agency, point=point: sees(agency, *point)) for point in points]  # type: ignore[misc]
    return min(views, key=lambda one: (not one.blind, one.answers, one.since_ms))


def _points(subscription: Subscription) -> set[tuple[float, float]]:
    """A point in each place that it asks about, to some 10 km; none: it asks about the world."""
    where = subscription.where
    match where.kind:
        case "circle":
            found = [(where.latitude, where.longitude)]
        case "polygon":
            found = [area.from_geojson(where.geometry).inside()]
        case "country":
            found = [area.country_area(area.country_code(where.name)).inside()]
        case "region":
            found = [area.region_area(area.region_number(where.name)).inside()]
        case "portfolio":
            found = [(site.latitude, site.longitude) for site in where.sites]
        case "world":
            found = []
    return {(round(latitude, 1), round(longitude, 1)) for latitude, longitude in found}


class _Row(msgspec.Struct, frozen=True):
    notification: int
    kind: str
    state: str
    maybe_told: bool
    revision: int
    created_ms: int


def _last(connection: Connection, subscriptions: list[str] | None = None) -> dict[_Place, _Row]:
    """By subscription, channel and target, what was told last of this, or is to be."""
    columns = [notifications.c[name] for name in _Row.__struct_fields__]
    found = select(_n.subscription, _n.channel, _n.target, *columns).where(_n.kind.in_(("blind", "seeing")))
    if subscriptions is not None:
        found = found.where(_n.subscription.in_(subscriptions))
    rows = connection.execute(found.order_by(_n.notification))
    return {(row[0], row[1], row[2]): _Row(*row[3:]) for row in rows}


def _is_news(last: _Row | None, now_ms: int) -> bool:
    """Whether to tell a receiver that we are blind."""
    if last is None or last.kind == "seeing" or last.state == "superseded":
        return True
    given_up = last.state not in (*TOLD, *OPEN) and not last.maybe_told
    return given_up and now_ms - last.created_ms > GIVEN_UP_MS


def _notification(
    kind: Kind, place: _Place, last: _Row | None, sight: Sight, now_ms: int, *, of_all: bool = True
) -> Notification:
    subscription, channel, target = place
    reason = "a source answers again"
    if kind == "blind":
        reason = "no source answers" if of_all else NO_SOURCE_THERE
    return Notification(
        subscription=subscription,
        earthquake="",
        revision=0 if last is None else last.revision + 1,  # by which all instances make the same key
        seq=0,
        kind=kind,
        mode="actual",
        channel=channel,
        target=target,
        priority=PRIORITY,
        facts=_encode(Facts(reason=reason, since_ms=sight.since_ms)),
        next_ms=now_ms,
        expires_ms=now_ms + EXPIRES_MS,
        waits_for=last.notification if last is not None and last.state == "sending" else None,
    )
