"""From the change feed to the outbox: whom a change concerns, what each is told, and the cursor, in one transaction.

A thread of its own. One change may concern 100,000 subscriptions: they go in chunks, the most shaken first, each in a
short transaction that keeps the place; the cursor moves with the last one. Where it is cut short, the change is read
again, and what is in the outbox already is known by it: `policy.decide` says so, and the key.

What was told is what the outbox says was told, of each receiver by itself. What is on its way counts as told: the next
one waits for it, and is made what it should be when that has arrived, or has not.

Where the feed is another than before (a rebuild, a backup that was put back), its history is not told again: what was
told of each earthquake is held against what it is now, once, and then the feed is followed from there on.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
import numpy as np
import structlog
from sqlalchemy import Connection

from quakestream import telemetry
from quakestream.catalog import Change, EarthquakeFilter, Feed
from quakestream.catalog.clock import present_ms
from quakestream.catalog.followers import LOOK_INTERVAL_S, Bell, FeedFollower, FollowerThread
from quakestream.catalog.sql import SqlCatalog
from quakestream.channels import Channel
from quakestream.errors import Fenced, Rejected
from quakestream.fence import loops
from quakestream.fence.aftershocks import MAX_DAYS, MIN_MAINSHOCK, mainshock_of
from quakestream.fence.geofence import Geofence
from quakestream.fence.rules import Match
from quakestream.seismology.intensity import model_at
from quakestream.seismology.travel_times import s_arrival_s
from quakestream.subscriptions.earthquake import Quake, earthquake_of
from quakestream.subscriptions.registry import Registry, Stored
from quakestream.subscriptions.subscription import ChannelTarget, Subscription
from quakestream.telling.messages import Facts
from quakestream.telling.outbox import (
    Notification,
    Outbox,
    Standing,
    all_told,
    known_to_some,
    move,
    put,
    standing,
    supersede,
    told_lately,
    told_of,
)
from quakestream.telling.policy import Decision, News, Told, decide
from quakestream.telling.reasons import why_of

FOLLOWER: Final = "alerts"
FIRST_CHUNK: Final = 100
"""Subscriptions in a change's first transaction: the most shaken are told at once."""
CHUNK: Final = 1000
MAX_PARSED_BYTES: Final = 16 * 1024 * 1024
"""Of JSON, of subscriptions that are kept parsed: some 50,000 small ones, or one large portfolio."""
DAY_MS: Final = 86_400_000
TIME_PATIENCE_S: Final = 15.0
"""After the start: the service writes to the log every 10 s."""
TIME_INTERVAL_S: Final = 0.2
AT_ONCE: Final = 100
"""Changes of which it is asked together whether anybody was told of their earthquakes: of most, nobody was."""
FEW: Final = 20
"""Changes that are dealt with in a moment: nobody need overtake."""
MOST_OVERTAKING: Final = 20
OVERTAKE_INTERVAL_S: Final = 0.5
FORGET_INTERVAL_S: Final = 3600.0
TOMBSTONE_MS: Final = 7 * DAY_MS
"""How long it is known of a subscription that it was removed: until then all instances have learned it."""

log = structlog.get_logger(__name__)

_document = msgspec.json.Decoder(dict[str, Any])
_facts = msgspec.json.Decoder(Facts)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class _Receiver:
    """One receiver of a subscription; `after_ms` later where it is one to escalate to."""

    channel: str
    target: str
    after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    """A subscription as it is kept parsed."""

    subscription: Subscription
    receivers: tuple[_Receiver, ...]
    weight: int
    """Bytes of its JSON."""


class AlertFollower(FollowerThread):
    """Follows the feed, and fills the outbox."""

    what = "alerts"

    def __init__(
        self,
        catalog: SqlCatalog,
        registry: Registry,
        channels: Mapping[str, Channel],
        news: Bell,
        owner: str,
        now_ms: Callable[[], int],
        *,
        max_age_ms: int,
        on_put: Callable[[], None] = lambda: None,
        expects: bool = False,
        knows_time: Callable[[], bool] = lambda: True,
    ) -> None:
        """`owner`: this instance's name; `max_age_ms`: no first alert of what is older; `on_put`: something is due.

        `expects`: subscriptions may come: what takes a second or two is loaded at the start, not at the first of them.
        `knows_time`: whether `now_ms` is the log's time by now, or still only this machine's.
        """
        self._catalog = catalog
        self._registry = registry
        self._outbox = Outbox(catalog)
        self._channels = channels
        self._now_ms = now_ms
        self._max_age_ms = max_age_ms
        self._on_put = on_put
        self._expects = expects
        self._knows_time = knows_time
        self._patient_until_s = time.monotonic() + TIME_PATIENCE_S
        super().__init__(FeedFollower(catalog, FOLLOWER, owner, now_ms), news, "alerts")
        self._geofence: Geofence | None = None
        self._version = 0
        self._parsed: OrderedDict[str, _Known] = OrderedDict()
        self._parsed_bytes = 0
        self._unreadable: set[str] = set()
        self._ahead: dict[str, int] = {}
        """By earthquake, up to which change it was dealt with before its turn."""
        self._unknown: set[str] = set()
        """Earthquakes of which, it is known, nobody was told: whom we tell of one is taken out."""
        self._overtook_s = -math.inf
        self._forgot_s = -math.inf

    def state(self) -> dict[str, object]:
        """How it is, for the health page."""
        known = None if self._geofence is None else len(self._geofence)
        return super().state() | {"subscriptions": known, "unreadable": len(self._unreadable)}

    def prepare(self) -> None:
        """Know the subscriptions before the place is taken."""
        self._learn()

    def serve(self) -> None:
        """Follow, until the place is lost."""
        while not self.stopping.is_set():
            self.wake.clear()
            if not self.look():
                self.follower.done()
                self._forget()
                self.wake.wait(LOOK_INTERVAL_S)
        self.follower.leave()

    def take(self) -> bool:
        """Take the place, if it is free; for who calls `look` itself."""
        self._learn()
        return self.follower.take()

    def look(self) -> int:
        """Deal with the next changes; how many there were."""
        feed = self.follower.unread()
        if feed is not None:
            return self._catch_up(feed)
        changes = self.follower.read()
        self._learn()
        for number, change in enumerate(changes):
            if self.stopping.is_set():
                break
            if number % AT_ONCE == 0:
                self._ask_who_knows(changes[number : number + AT_ONCE])
            if len(changes) - number > FEW and time.monotonic() - self._overtook_s > OVERTAKE_INTERVAL_S:
                self._overtake(change.seq)
            if change.seq <= self._ahead.get(change.earthquake_id, 0) and change.type in ("created", "updated"):
                self.follower.done(change.seq)  # what came of it since is told already
            else:
                self._deal_with(change)
        self._unknown = set()
        self._ahead = {id_: seq for id_, seq in self._ahead.items() if not changes or seq > changes[-1].seq}
        self.error = None
        return len(changes)

    def _overtake(self, seq: int) -> None:
        """Where much is to be dealt with from `seq` on, the strongest that waits goes first, as it stands.

        The cursor stays where it is: cut short, all is read again, and what is in the outbox is known by it.
        """
        if self._geofence is not None:
            for change in self._catalog.waiting(seq - 1, self._now_ms() - self._max_age_ms, MOST_OVERTAKING):
                if self.stopping.is_set():
                    return
                if change.seq > self._ahead.get(change.earthquake_id, 0):
                    self._deal_with(change, moves=False)
                    self._ahead[change.earthquake_id] = change.seq
        self._overtook_s = time.monotonic()

    # --- subscriptions ----------------------------------------------------------------------------------------------

    def _learn(self) -> None:
        """Know what subscriptions there are now. Where none is expected there is no geofence, which takes memory."""
        if self._geofence is None:
            if not self._expects and not self._registry.count():
                return
            fence = Geofence()
            version, foreign = 0, []

            def compiled() -> Iterable[tuple[str, bytes]]:
                nonlocal version
                for stored in self._registry.everything():
                    if self.stopping.is_set():
                        raise Fenced("stopped before all subscriptions were known")
                    version = max(version, stored.version)
                    if stored.compiled is None:
                        foreign.append(stored.id)
                    else:
                        yield stored.id, stored.compiled

            others = fence.load(compiled())
            for stored in self._registry.get_all([*foreign, *others]).values():
                self._admit(fence, stored)
            model_at(0.0, 0.0), s_arrival_s(1.0, 10.0)  # their tables are read now, not when it matters
            self._geofence, self._version = fence, version
            _say_how_quick(len(fence))
        while changed := self._registry.since(self._version):
            for stored in changed:
                self._drop(stored.id)
                if stored.removed:
                    self._geofence.remove(stored.id)
                    self._unreadable.discard(stored.id)
                else:
                    self._admit(self._geofence, stored)
            self._version = changed[-1].version
        if self._geofence.needs_rebuild():
            self._geofence.rebuild()

    def _admit(self, fence: Geofence, stored: Stored) -> None:
        subscription = self._readable(stored)
        if subscription is None:
            fence.remove(stored.id)
        else:
            fence.put(stored.id, subscription)

    def _readable(self, stored: Stored) -> Subscription | None:
        """What was asked for. One that can't be read, as another release let in, must not silence the others."""
        try:
            subscription = stored.subscription()
        except Rejected as error:
            self._unreadable.add(stored.id)
            log.warning("a subscription can't be read", subscription=stored.id, reason=str(error))
            return None
        self._unreadable.discard(stored.id)
        return subscription

    def _subscriptions(self, ids: Sequence[str]) -> dict[str, _Known]:
        found = {id_: self._parsed[id_] for id_ in ids if id_ in self._parsed}
        for id_, stored in self._registry.get_all([id_ for id_ in ids if id_ not in found]).items():
            subscription = self._readable(stored)
            if subscription is not None:
                found[id_] = self._parsed[id_] = self._known(stored, subscription)
                self._parsed_bytes += found[id_].weight
        while self._parsed_bytes > MAX_PARSED_BYTES:
            self._drop(next(iter(self._parsed)))
        return found

    def _known(self, stored: Stored, subscription: Subscription) -> _Known:
        ended = set(stored.ended.split())
        receivers = tuple(
            one
            for one in self._receivers(subscription)
            if not ended or self._registry.receiver(one.channel, one.target) not in ended
        )
        return _Known(subscription, receivers, len(stored.document))

    def receivers_of(self, stored: Stored) -> list[tuple[str, str]]:
        """Channel and target of all whom a subscription tells at once; of one that can't be read, none. Any thread."""
        try:
            known = self._known(stored, stored.subscription())
        except Rejected:
            return []
        return [(one.channel, one.target) for one in known.receivers if one.after_ms is None]

    def _drop(self, id_: str) -> None:
        known = self._parsed.pop(id_, None)
        if known is not None:
            self._parsed_bytes -= known.weight

    def _forget(self) -> None:
        """Forget subscriptions that were removed long ago, when there is nothing else to do."""
        if time.monotonic() - self._forgot_s > FORGET_INTERVAL_S:
            self._forgot_s = time.monotonic()
            self._registry.forget_removed(self._now_ms() - TOMBSTONE_MS)

    # --- another feed -----------------------------------------------------------------------------------------------

    def _catch_up(self, feed: Feed) -> int:
        """Deal with every earthquake as it stands: with those that were told of, and with those that still may be.

        How many there were. Cut short, it is done again: what was put in the outbox is known by its epoch.
        """
        self._learn()
        dealt_with = 0
        for some in self._to_catch_up() if self._geofence is not None else ():
            self._ask_who_knows(some)
            for change in some:
                if self.stopping.is_set():
                    return dealt_with
                self._deal_with(change, moves=False)
                dealt_with += 1
            self.follower.done()
        self._unknown = set()
        self.follower.skip(feed)
        self.error = None
        return max(dealt_with, 1)

    def _to_catch_up(self) -> Iterator[Sequence[Change]]:
        """Some at a time: there may be more than memory holds."""
        with self._catalog.reading() as connection:
            told = all_told(connection)
        newest = self._catalog.newest(told)
        known = {change.earthquake_id for change in newest}
        if lost := [id_ for id_ in told if id_ not in known]:
            log.error("told of earthquakes that the catalogue does not have", count=len(lost), ids=lost[:10])
        gone = [change for change in newest if change.into_id is not None and change.type == "merged"]
        homes = {change.earthquake_id: self._catalog.merged_into(change.earthquake_id) for change in gone}
        home = {one.earthquake_id: one for one in self._catalog.newest([id_ for id_ in homes.values() if id_])}
        merged = [
            msgspec.structs.replace(home[into], type="merged", from_id=from_id, into_id=None)
            for from_id, into in homes.items()
            if into in home
        ]  # what was told of one that is gone is its home's before that is dealt with
        stands = [change for change in newest if change.earthquake_id not in homes]
        unsure_ms = 0 if self._knows_time() else DAY_MS  # each is looked at closely when it is dealt with
        young = self._catalog.young(self._now_ms() - self._max_age_ms - unsure_ms)  # the severe first
        fresh = [id_ for id_ in young if id_ not in known and id_ not in home]
        for begin in range(0, len(fresh), AT_ONCE):
            some = self._catalog.newest(fresh[begin : begin + AT_ONCE])
            yield sorted((one for one in some if one.into_id is None), key=_magnitude, reverse=True)
        rest = [*merged, *stands, *gone]
        for begin in range(0, len(rest), AT_ONCE):
            yield rest[begin : begin + AT_ONCE]

    # --- one change -------------------------------------------------------------------------------------------------

    def _deal_with(self, change: Change, *, moves: bool = True) -> None:
        """`moves`: the cursor, to this change."""
        quake = earthquake_of(_document.decode(change.document))
        now_ms = self._now_ms()
        done = change.seq if moves else None
        if self._geofence is None:
            self.follower.done(done)
            return
        told = self._told_of(change)
        may_be_first = not change.imported and change.into_id is None
        if may_be_first and now_ms - quake.time_ms > self._max_age_ms:
            now_ms = self._surely_now_ms(change, quake)
            may_be_first = now_ms - quake.time_ms <= self._max_age_ms
        if not told and not may_be_first:
            self.follower.done(done)
            return
        matches = self._geofence.match(quake, now_ms)
        if not told and not len(matches):
            self.follower.done(done)
            return
        ids = matches.ids()
        numbers = dict(zip(ids, range(len(ids)), strict=True))
        shaken = np.argsort(-np.nan_to_num(matches.mmi, nan=0.0), kind="stable").tolist()
        ordered = [ids[number] for number in shaken if may_be_first or ids[number] in told]
        ordered += sorted(told - numbers.keys())
        if quake.exercise_for:
            ordered = [id_ for id_ in ordered if id_ == quake.exercise_for]
        if not ordered:
            self.follower.done(done)
            return
        epoch = "" if self.follower.cursor is None else self.follower.cursor.epoch
        # when it is dealt with, not when it was committed: nobody is alarmed late either
        merging = change.from_id, change.into_id, change.imported
        news = News(change.seq, change.type, quake, now_ms, *merging, epoch=epoch, changed_ms=change.at_ms)
        chunks = _chunks(ordered)
        self._unknown -= {change.earthquake_id, change.from_id}
        for chunk in chunks:
            if self.stopping.is_set():
                raise Fenced("stopped within a change, which is dealt with again")
            here = {id_: matches[numbers[id_]].match for id_ in chunk if id_ in numbers}
            if moves or change.type == "merged" or self._has_to_tell(news, chunk, here):
                self._tell(news, chunk, here, last=moves and chunk is chunks[-1])
                self._on_put()

    def _ask_who_knows(self, changes: Sequence[Change]) -> None:
        """Before these are dealt with, whether anybody was told of their earthquakes. Nobody else tells of any."""
        ids = {one for change in changes for one in (change.earthquake_id, change.from_id) if one is not None}
        if self._geofence is not None:
            with self._catalog.reading() as connection:
                self._unknown = ids - known_to_some(connection, ids)

    def _told_of(self, change: Change) -> set[str]:
        """The subscriptions that were, or are to be, told of it, or of what was merged into it."""
        ids = {change.earthquake_id}
        if change.type == "merged" and change.from_id is not None:
            ids.add(change.from_id)
        if ids <= self._unknown:
            return set()
        with self._catalog.reading() as connection:
            return set[str]().union(*(told_of(connection, id_) for id_ in ids))

    def _surely_now_ms(self, change: Change, quake: Quake) -> int:
        """The log's time, waited for where an earthquake that was young when the log took it would be too old by ours.

        It is known some seconds after the start, if it can be known.
        """
        while not self._knows_time() and time.monotonic() < self._patient_until_s:
            logged_ms = self._catalog.logged_ms(change.seq)
            if logged_ms is None or logged_ms - quake.time_ms > self._max_age_ms:
                break
            if self.stopping.wait(TIME_INTERVAL_S):
                raise Fenced("stopped within a change, which is dealt with again")
            self.follower.done()
        return self._now_ms()

    def _tell(self, news: News, ids: Sequence[str], matches: Mapping[str, Match], *, last: bool) -> None:
        """One transaction: what these subscriptions are told, and with the `last` of them the cursor.

        What stands in the outbox is by the catalogue's clock, what is decided by ours.
        """
        known_ones = self._subscriptions(ids)
        mainshock = self._mainshock(news.quake, known_ones.values())
        now_ms = self._now_ms()
        with self._outbox.writing() as connection:
            self.follower.done_within(connection, news.seq if last else None)
            rows = standing(connection, news.quake.id, ids)
            if news.type == "merged" and news.from_id is not None:
                rows = _carried(connection, rows, standing(connection, news.from_id, ids), news.quake.id)
            new, reasons = self._decided(connection, news, known_ones, matches, rows, mainshock, now_ms)
            for reason, listed in reasons.items():
                supersede(connection, listed, reason, now_ms)
            put(connection, new, now_ms)
        for one in new:
            telemetry.NOTIFIED.labels(one.kind).inc()

    def _has_to_tell(self, news: News, ids: Sequence[str], matches: Mapping[str, Match]) -> bool:
        """Whether `_tell` would change anything: of a feed that is another, most was told. It holds nobody up."""
        known_ones = self._subscriptions(ids)
        mainshock = self._mainshock(news.quake, known_ones.values())
        with self._catalog.reading() as connection:
            rows = standing(connection, news.quake.id, ids, hold=False)
            new, reasons = self._decided(connection, news, known_ones, matches, rows, mainshock, self._now_ms())
        return bool(new or any(reasons.values()))

    def _decided(
        self,
        connection: Connection,
        news: News,
        known_ones: Mapping[str, _Known],
        matches: Mapping[str, Match],
        rows: Sequence[Standing],
        mainshock: Quake | None,
        now_ms: int,
    ) -> tuple[list[Notification], dict[str, list[int]]]:
        """What is to be put in the outbox, and what is to be taken back of it, by reason. `rows`: what stands there."""
        ahead_ms = present_ms(connection, now_ms) - now_ms
        by_id: dict[str, list[Standing]] = {}
        for row in rows:
            by_id.setdefault(row.subscription, []).append(msgspec.structs.replace(row, next_ms=row.next_ms - ahead_ms))
        new: list[Notification] = []
        reasons: dict[str, list[int]] = {}
        for id_, one in known_ones.items():
            subscription = one.subscription
            known = by_id.get(id_, [])
            recent = self._recent(connection, id_, subscription, now_ms + ahead_ms)
            for receiver in one.receivers:
                own = [row for row in known if (row.channel, row.target) == (receiver.channel, receiver.target)]
                told, waiting = _told(own), _waiting(own)
                decision = decide(
                    subscription,
                    told,
                    news,
                    matches.get(id_),
                    now_ms,
                    max_age_ms=self._max_age_ms,
                    waiting=waiting,
                    mainshock=mainshock if subscription.how.exclude_aftershocks else None,
                    recent=recent,
                )
                if decision.action == "none":
                    continue
                kept = decision.action == "withdraw"  # what may have been told already is still to be told surely
                gone = [r.notification for r in own if r.state == "queued" and not (kept and r.maybe_told)]
                reasons.setdefault(decision.reason, []).extend(gone)
                if decision.action == "send":
                    acknowledged = any(row.state == "acknowledged" for row in known)
                    notification = _notification(
                        subscription, receiver, decision, news, told, own, now_ms, acknowledged=acknowledged
                    )
                    new += [notification] if notification is not None else []
        return new, reasons

    def _receivers(self, subscription: Subscription) -> list[_Receiver]:
        """Whom a subscription has told."""
        how = subscription.how
        found = [self._receiver(one, None) for one in how.channels]
        if how.escalation is not None:
            after_ms = round(how.escalation.after_minutes * 60_000)
            found += [self._receiver(one, after_ms) for one in how.escalation.channels]
        return list(dict.fromkeys(one for one in found if one is not None))

    def _receiver(self, one: ChannelTarget, after_ms: int | None) -> _Receiver | None:
        channel = self._channels.get(one.channel)
        if channel is None:  # switched off since
            return None
        return _Receiver(one.channel, channel.target(one.model_extra or {}), after_ms)

    def _mainshock(self, quake: Quake, known_ones: Iterable[_Known]) -> Quake | None:
        if not any(one.subscription.how.exclude_aftershocks for one in known_ones):
            return None
        since_ms = quake.time_ms - round(MAX_DAYS * DAY_MS)
        wanted = EarthquakeFilter(minmagnitude=MIN_MAINSHOCK, starttime_ms=since_ms, mode=quake.mode)
        page = self._catalog.earthquakes(wanted, limit=1000)
        return mainshock_of(quake, (earthquake_of(_document.decode(document)) for document in page.earthquakes))

    @staticmethod
    def _recent(connection: Connection, id_: str, subscription: Subscription, now_ms: int) -> list[Told]:
        if subscription.how.digest is None:
            return []
        since_ms = now_ms - subscription.how.digest.within_minutes * 60_000
        told = (_facts.decode(facts).told for facts in told_lately(connection, id_, since_ms))
        return list({one.earthquake_id: one for one in told if one is not None}.values())


def _magnitude(change: Change) -> float:
    magnitude = _document.decode(change.document).get("magnitude")
    return -math.inf if magnitude is None else float(magnitude)


def _chunks(ordered: Sequence[str]) -> list[Sequence[str]]:
    """The first ones alone, then ever more at once: while they are put in, nobody else may write on SQLite."""
    chunks: list[Sequence[str]] = []
    begin, size = 0, FIRST_CHUNK
    while begin < len(ordered):
        chunks.append(ordered[begin : begin + size])
        begin, size = begin + size, min(2 * size, CHUNK)
    return chunks


def _told(rows: Sequence[Standing]) -> Told | None:
    """What a receiver was told last, or may have been."""
    return next((_said(row) for row in reversed(rows) if row.told), None)


def _waiting(rows: Sequence[Standing]) -> Told | None:
    """What a receiver is still to be told, and surely was not."""
    return next((_said(row) for row in reversed(rows) if not row.told), None)


def _said(row: Standing) -> Told | None:
    told = _facts.decode(row.facts).told
    if told is None or told.epoch:
        return told
    return replace(told, epoch=row.epoch)  # an earlier release put it in


def _notification(
    subscription: Subscription,
    receiver: _Receiver,
    decision: Decision,
    news: News,
    told: Told | None,
    own: Sequence[Standing],
    now_ms: int,
    *,
    acknowledged: bool,
) -> Notification | None:
    """What is put in the outbox; None: nobody need be reminded any more."""
    kind: Any = decision.kind
    next_ms = max(now_ms, decision.not_before_ms)
    expires_ms = decision.expires_ms
    if receiver.after_ms is not None and kind == "alert":
        if acknowledged:
            return None
        kind = "reminder"
        due = [row.next_ms for row in own if row.state == "queued" and row.kind == "reminder"]
        next_ms = min(due, default=next_ms + receiver.after_ms)
        expires_ms = max(expires_ms, next_ms + receiver.after_ms)
    facts = Facts(
        reason=decision.reason,
        why=why_of(decision, news.into_id if news.type == "merged" else None),
        told=decision.told,
        before=told,
        match=decision.match,
        site=site_name(subscription, decision.match),
        digest=decision.digest,
    )
    return Notification(
        subscription=subscription.id or "",
        earthquake=news.quake.id,
        revision=news.quake.revision,
        seq=news.seq,
        epoch=news.epoch,
        kind=kind,
        mode=news.quake.mode,
        channel=receiver.channel,
        target=receiver.target,
        priority=decision.priority,
        facts=_encode(facts),
        next_ms=next_ms,
        expires_ms=expires_ms,
        waits_for=next((row.notification for row in own if row.state == "sending"), None),
    )


def site_name(subscription: Subscription, match: Match | None) -> str:
    """The name of the site of a portfolio that is shaken the most."""
    if match is None or match.site is None or subscription.where.kind != "portfolio":
        return ""
    return subscription.where.sites[match.site].name


def _carried(
    connection: Connection, of_home: Sequence[Standing], of_gone: Sequence[Standing], home: str
) -> list[Standing]:
    """What stands of an earthquake with what was told of the one that was merged into it: as `policy.carried` says.

    Who was told of both keeps both; the change of the one that is gone cancels the second.
    """
    told: dict[tuple[str, str, str], Told | None] = {}
    waits: set[tuple[str, str, str]] = set()
    for row in of_home:
        place = (row.subscription, row.channel, row.target)
        told[place] = _told([row]) if row.told else told.get(place)
        waits |= set() if row.told else {place}
    moved = []
    for row in of_gone:
        place = (row.subscription, row.channel, row.target)
        last = told.get(place)
        if last is not None and last.kind != "cancellation":
            continue
        if row.told or place not in waits:
            moved.append(row)
    move(connection, [row.notification for row in moved], home)
    return sorted([*of_home, *moved], key=lambda row: row.notification)


def _say_how_quick(subscriptions: int) -> None:
    """At the start, where the compiled loops are missing: how many subscriptions the others are good for."""
    if loops.has_numba():
        return
    tell = log.warning if subscriptions > loops.ENOUGH_FOR_NUMPY else log.info
    tell(
        "alerts work without numba; above some 10,000 subscriptions an earthquake takes longer: "
        "pip install 'quakestream[fast]'",
        subscriptions=subscriptions,
        enough_for=loops.ENOUGH_FOR_NUMPY,
    )
