"""The outbox: what is to be told, to whom, and what became of it; in the catalogue's database.

A notification is written in the transaction that moves the follower's cursor, so a crash neither loses nor doubles one.
Its life:

    queued ──► sending ──► sent | accepted ──► acknowledged
      ▲  │        │
      │  │        ├──► dead         refused, or tried often enough; can be sent again
      │  │        └──► queued       to be tried again, later
      │  ├──► superseded            a newer revision, or nothing, is to be said instead
      │  └──► expired
      └── a lease that ran out: its worker is gone, and it may have arrived

`sent` was handed to a service that tells no more; `accepted` was taken by the receiver itself. At least once: whoever
receives one twice sees the same `key`. Of one earthquake, a receiver has at most one on its way: what follows
waits for it (`waits_for`), so nothing older comes after a newer one.

What was told is what was sent or accepted; where an attempt may have arrived although nothing said so (`maybe_told`),
it counts as told: a retraction too many is better than one too few.

When one is due, over, or no longer its worker's is told by the catalogue's clock (`catalog/clock.py`), not by the
clocks of those who put in and take out: one of them that is wrong must not give up what is fresh. Times that they give
are by their own, and stored as far ahead of the catalogue's as they are ahead of that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Literal

import sqlalchemy as sa
from msgspec import Struct, structs
from sqlalchemy import Connection, and_, case, exists, or_, select, update

from quakestream.catalog.clock import present_ms
from quakestream.catalog.dialects import dialect_of
from quakestream.catalog.schema import earthquakes, notifications
from quakestream.catalog.sql import SqlCatalog
from quakestream.channels import Kind
from quakestream.event import Mode

State = Literal["queued", "sending", "sent", "accepted", "acknowledged", "superseded", "expired", "dead"]

TOLD: Final = ("sent", "accepted", "acknowledged")
OPEN: Final = ("queued", "sending")
CHUNK: Final = 500
"""Ids in one statement."""
FEW: Final = 8

_n = notifications.c
_told = or_(_n.state.in_(TOLD), _n.maybe_told)


class Notification(Struct, frozen=True, kw_only=True):
    """One message about one revision to one receiver of one subscription, as it is put in."""

    subscription: str
    earthquake: str
    """Its id; empty where it is about none."""
    revision: int
    seq: int
    kind: Kind
    mode: Mode
    channel: str
    target: str
    priority: int
    """0…9; 0 goes first."""
    facts: bytes
    """What it says beside the earthquake itself, as JSON."""
    next_ms: int
    expires_ms: int
    waits_for: int | None = None
    epoch: str = ""
    """Of the feed in which `seq` counts, and `revision`; empty where it is of no change."""

    @property
    def key(self) -> str:
        """By which a receiver knows it again: of subscription, earthquake, revision, kind, target and epoch."""
        parts = [self.subscription, self.earthquake, str(self.revision), self.kind, self.channel, self.target]
        parts += [self.epoch] if self.epoch else []
        return "ntf_" + hashlib.blake2b("\x00".join(parts).encode(), digest_size=16).hexdigest()


class Standing(Struct, frozen=True):
    """What one receiver was, or is to be, told of an earthquake."""

    notification: int
    key: str
    subscription: str
    channel: str
    target: str
    kind: Kind
    revision: int
    seq: int
    facts: bytes
    state: State
    maybe_told: bool
    waits_for: int | None
    priority: int
    next_ms: int
    epoch: str

    @property
    def told(self) -> bool:
        """Whether it arrived, or may have, or is on its way."""
        return self.state in TOLD or self.state == "sending" or self.maybe_told


class Leased(Struct, frozen=True):
    """One that a worker is to send before its lease ends."""

    notification: int
    key: str
    subscription: str
    earthquake: str
    revision: int
    seq: int
    kind: Kind
    mode: Mode
    channel: str
    target: str
    priority: int
    facts: bytes
    attempts: int
    """This one included."""
    created_ms: int
    expires_ms: int
    epoch: str
    """Of the feed in which `seq` counts; empty: not known."""


class Settled(Struct, frozen=True):
    """What became of an attempt."""

    notification: int
    state: Literal["sent", "accepted", "queued", "dead", "superseded"]
    why: str = ""
    maybe_told: bool = False
    next_ms: int = 0
    tried: bool = True
    """False: it was given back before anything was sent."""
    at_ms: int = 0
    """When `next_ms` was counted from, by the same clock, which may be set before this is stored; 0: from then."""


_STANDING: Final = [notifications.c[name] for name in Standing.__struct_fields__]
_LEASED: Final = [notifications.c[name] for name in Leased.__struct_fields__]
_SETTLED: Final[dict[str, Any]] = {
    "state": sa.bindparam("to"),
    "why": sa.bindparam("reason"),
    "maybe_told": or_(_n.maybe_told, sa.bindparam("maybe", type_=sa.Boolean)),
    "attempts": _n.attempts - sa.bindparam("untried", type_=sa.Integer),
    "next_ms": sa.bindparam("next"),
    "settled_ms": sa.bindparam("at"),
    "lease_owner": None,
    "lease_until_ms": None,
}
_SETTLE: Final = (
    update(notifications)
    .where(_n.notification == sa.bindparam("of"), _n.state == "sending", _n.lease_owner == sa.bindparam("owner"))
    .values(_SETTLED)
)
_SETTLE_ALIKE: Final = (
    update(notifications)
    .where(_n.notification.in_(sa.bindparam("all", expanding=True)))
    .where(_n.state == "sending", _n.lease_owner == sa.bindparam("owner"))
    .values(_SETTLED)
)


class Outbox:
    """The outbox of a catalogue. Safe between threads, processes and, on PostgreSQL, machines."""

    def __init__(self, catalog: SqlCatalog) -> None:
        self._catalog = catalog

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction for `put` and `supersede`; let its first statement write."""
        with self._catalog.writing() as connection:
            yield connection

    # --- the workers' side ----------------------------------------------------------------------------------------

    def turn(
        self,
        channel: str,
        owner: str,
        settled: Sequence[Settled],
        limit: int,
        *,
        now_ms: int,
        lease_ms: int,
        busy: Collection[str] = (),
    ) -> list[Leased]:
        """Store what became of what `owner` had, and lease it up to `limit` of what a channel has due, at once.

        Those of least `priority` come first. None goes to a target in `busy`.
        """
        if not settled and (limit == 0 or not self._any_due(channel, now_ms)):
            return []
        with self._catalog.writing() as connection:
            if settled:
                _settle(connection, owner, settled, now_ms)
            if limit == 0:
                return []
            leased = _lease(connection, channel, owner, limit, present_ms(connection, now_ms), lease_ms, busy)
            by_ms = now_ms - present_ms(connection, now_ms)
        return [
            structs.replace(one, created_ms=one.created_ms + by_ms, expires_ms=one.expires_ms + by_ms) for one in leased
        ]

    def _any_due(self, channel: str, now_ms: int) -> bool:
        """Without a write, which would wait for others."""
        due = select(_n.notification).where(sa.text("state = 'queued' AND waits_for IS NULL"), _n.channel == channel)
        with self._catalog.reading() as connection:
            due = due.where(_n.next_ms <= present_ms(connection, now_ms)).limit(1)
            return connection.execute(due).first() is not None

    def recover(self, now_ms: int, max_attempts: int, owner: str | None = None) -> int:
        """Have what was leased to workers that are gone, or to `owner` in an earlier life, tried again; how many."""
        often = _n.attempts >= max_attempts
        with self._catalog.writing() as connection:
            now_ms = present_ms(connection, now_ms)
            gone = _n.lease_until_ms <= now_ms
            lost = gone if owner is None else or_(gone, _n.lease_owner == owner)
            found = connection.execute(
                update(notifications)
                .where(_n.state == "sending", lost)
                .values(
                    state=case((often, "dead"), else_="queued"),
                    why="its worker was lost on the way",
                    maybe_told=True,
                    next_ms=now_ms,
                    settled_ms=now_ms,
                    lease_owner=None,
                    lease_until_ms=None,
                )
                .returning(_n.notification)
            )
            recovered = [row.notification for row in found]
            _release(connection, recovered, now_ms)
        return len(recovered)

    def expire(self, now_ms: int) -> int:
        """Give up what is still queued after its time; how many."""
        with self._catalog.writing() as connection:
            now_ms = present_ms(connection, now_ms)
            found = connection.execute(
                update(notifications)
                .where(_n.state == "queued", _n.expires_ms <= now_ms)
                .values(state="expired", why="not sent in time", settled_ms=now_ms, waits_for=None)
                .returning(_n.notification)
            )
            expired = [row.notification for row in found]
            _release(connection, expired, now_ms)
        return len(expired)

    # --- one by one, for people -------------------------------------------------------------------------------------

    def put_one(self, one: Notification, now_ms: int) -> str:
        """Put one in, outside of any earthquake's change; its key."""
        with self._catalog.writing() as connection:
            put(connection, [one], now_ms)
        return one.key

    def listed(
        self,
        *,
        subscription: str | None = None,
        receiver: tuple[str, str] | None = None,
        earthquake: str | None = None,
        state: State | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[dict[str, Any]]:
        """Notifications with all that is known of them, newest first; `before` one's number goes on.

        `receiver`: its channel and target.
        """
        channel, target = receiver or (None, None)
        wanted = [
            column == value
            for column, value in (
                (_n.subscription, subscription),
                (_n.channel, channel),
                (_n.target, target),
                (_n.earthquake, earthquake),
                (_n.state, state),
            )
            if value is not None
        ]
        if before is not None:
            wanted.append(_n.notification < before)
        found = select(notifications).where(*wanted).order_by(_n.notification.desc()).limit(limit)
        with self._catalog.reading() as connection:
            return [dict(row) for row in connection.execute(found).mappings()]

    def by_key(self, key: str) -> dict[str, Any] | None:
        """One notification; None: there is none of that key."""
        with self._catalog.reading() as connection:
            row = connection.execute(select(notifications).where(_n.key == key)).mappings().one_or_none()
        return None if row is None else dict(row)

    def counts(self) -> dict[str, int]:
        """How many there are in each state."""
        grouped = select(_n.state, sa.func.count()).group_by(_n.state)
        with self._catalog.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(grouped)}

    def acknowledge(self, key: str, now_ms: int) -> bool:
        """Somebody has read it: so have they all of that earthquake up to it. False: there is none that was told."""
        with self._catalog.writing() as connection:
            said = connection.execute(
                update(notifications)
                .where(_n.key == key, _told)
                .values(state="acknowledged", settled_ms=now_ms)
                .returning(_n.notification, _n.subscription, _n.earthquake)
            ).one_or_none()
            if said is None:
                return False
            connection.execute(
                update(notifications)
                .where(
                    _n.subscription == said.subscription,
                    _n.earthquake == said.earthquake,
                    _n.notification < said.notification,
                    _n.state.in_(TOLD),
                )
                .values(state="acknowledged", settled_ms=now_ms)
            )
            connection.execute(
                update(notifications)
                .where(
                    _n.subscription == said.subscription,
                    _n.earthquake == said.earthquake,
                    _n.state == "queued",
                    _n.kind == "reminder",
                )
                .values(state="superseded", why="it was acknowledged", settled_ms=now_ms)
            )
        return True

    def resend(self, keys: Sequence[str], now_ms: int, expires_ms: int) -> int:
        """Queue dead ones again; how many. Not those after which its receiver was told something newer."""
        later = notifications.alias()
        newer = (
            select(later.c.notification)
            .where(
                later.c.earthquake == _n.earthquake,
                later.c.subscription == _n.subscription,
                later.c.target == _n.target,
                later.c.notification > _n.notification,
                later.c.state.in_((*TOLD, *OPEN)),
                _n.earthquake != "",
            )
            .exists()
        )
        with self._catalog.writing() as connection:
            due_ms = present_ms(connection, now_ms)
            expires_ms += due_ms - now_ms
            return connection.execute(
                update(notifications)
                .where(_n.key.in_(keys), _n.state == "dead", ~newer)
                .values(state="queued", why="sent again by hand", attempts=0, next_ms=due_ms, expires_ms=expires_ms)
            ).rowcount

    def erase(self, subscriptions: Collection[str], receiver: tuple[str, str] | None = None) -> int:
        """Forget everything that was, or is to be, told to these subscriptions; how many notifications.

        `receiver`: channel and target; None: of all of them.
        """
        wanted: list[sa.ColumnElement[bool]] = [_n.subscription.in_(subscriptions)]
        if receiver is not None:
            wanted += [_n.channel == receiver[0], _n.target == receiver[1]]
        with self._catalog.writing() as connection:
            return connection.execute(sa.delete(notifications).where(*wanted)).rowcount

    def prune(self, before_ms: int, limit: int, *, now_ms: int | None = None) -> int:
        """Forget notifications that were settled before `before_ms`, at most `limit`; how many.

        `now_ms`: the caller's time, by whose clock that is; None: by the catalogue's.
        """
        with self._catalog.writing() as connection:
            if now_ms is not None:
                before_ms += present_ms(connection, now_ms) - now_ms
            old = (
                select(_n.notification)
                .where(_n.created_ms < before_ms, _n.state.not_in(OPEN))
                .order_by(_n.notification)
                .limit(limit)
            )
            return connection.execute(sa.delete(notifications).where(_n.notification.in_(old))).rowcount


# --- the follower's side: on the connection of its own transaction ----------------------------------------------------


def put(connection: Connection, new: Sequence[Notification], now_ms: int) -> None:
    """Add notifications; those whose key is known change nothing."""
    if not new:
        return
    insert = dialect_of(connection).insert
    created_ms = present_ms(connection, now_ms)
    by_ms = created_ms - now_ms
    rows = [
        structs.asdict(one)
        | {"next_ms": one.next_ms + by_ms, "expires_ms": one.expires_ms + by_ms}
        | {"key": one.key, "state": "queued", "created_ms": created_ms}
        for one in new
    ]
    connection.execute(insert(notifications).on_conflict_do_nothing(), rows)


def standing(
    connection: Connection, earthquake: str, subscriptions: Collection[str], *, hold: bool = True
) -> list[Standing]:
    """What these subscriptions were, or are to be, told of an earthquake, in order; `hold`: against the workers."""
    found: list[Standing] = []
    listed = sorted(subscriptions)
    for begin in range(0, len(listed), CHUNK):
        asked = (
            select(*_STANDING)
            .where(_n.earthquake == earthquake, _n.subscription.in_(listed[begin : begin + CHUNK]))
            .where(or_(_n.state.in_(OPEN), _told))
            .order_by(_n.notification)
        )
        found += [Standing(*row) for row in connection.execute(asked.with_for_update() if hold else asked)]
    return found


def told_of(connection: Connection, earthquake: str) -> set[str]:
    """The subscriptions that were, or are to be, told of an earthquake."""
    found = select(_n.subscription).distinct().where(_n.earthquake == earthquake, or_(_n.state.in_(OPEN), _told))
    return set(connection.execute(found).scalars())


def known_to_some(connection: Connection, ids: Collection[str]) -> set[str]:
    """Those of these earthquakes of which anybody was, or is to be, told."""
    told = exists().where(_n.earthquake == earthquakes.c.id, or_(_n.state.in_(OPEN), _told))
    found: set[str] = set()
    listed = sorted(ids)
    for begin in range(0, len(listed), CHUNK):
        asked = earthquakes.c.id.in_(listed[begin : begin + CHUNK])
        found.update(connection.execute(select(earthquakes.c.id).where(asked, told)).scalars())
    return found


def all_told(connection: Connection) -> list[str]:
    """Every earthquake of which anybody was, or is to be, told."""
    found = select(_n.earthquake).distinct().where(_n.earthquake != "", or_(_n.state.in_(OPEN), _told))
    return list(connection.execute(found).scalars())


def supersede(connection: Connection, ids: Iterable[int], why: str, now_ms: int) -> None:
    """Take back what is still queued."""
    listed = sorted(ids)
    for begin in range(0, len(listed), CHUNK):
        connection.execute(
            update(notifications)
            .where(_n.notification.in_(listed[begin : begin + CHUNK]), _n.state == "queued")
            .values(state="superseded", why=why, settled_ms=now_ms, waits_for=None)
        )


def move(connection: Connection, ids: Iterable[int], home: str) -> None:
    """What was, or is to be, told of one earthquake is of the one that it turned out to be."""
    listed = sorted(ids)
    for begin in range(0, len(listed), CHUNK):
        connection.execute(
            update(notifications).where(_n.notification.in_(listed[begin : begin + CHUNK])).values(earthquake=home)
        )


def told_lately(connection: Connection, subscription: str, since_ms: int) -> list[bytes]:
    """The facts of a subscription's first alerts since then."""
    found = select(_n.facts).where(
        _n.subscription == subscription,
        _n.kind == "alert",
        _n.created_ms > since_ms,
        or_(_n.state.in_(OPEN), _told),
    )
    return list(connection.execute(found).scalars())


# --- within the workers' transactions ---------------------------------------------------------------------------------


def _lease(
    connection: Connection, channel: str, owner: str, limit: int, now_ms: int, lease_ms: int, busy: Collection[str]
) -> list[Leased]:
    due = (
        select(_n.notification)
        # as text: the index of what is due is found by these very words
        .where(sa.text("state = 'queued' AND waits_for IS NULL"), _n.channel == channel)
        .where(_n.next_ms <= now_ms, _n.expires_ms > now_ms)
        .order_by(_n.priority, _n.next_ms)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    if busy:
        due = due.where(_n.target.not_in(sorted(busy)))
    rows = connection.execute(
        update(notifications)
        .where(_n.notification.in_(select(due.cte("due").c.notification)))
        .values(
            state="sending", lease_owner=owner, lease_until_ms=now_ms + lease_ms, attempts=notifications.c.attempts + 1
        )
        .returning(*_LEASED)
    )
    return sorted((Leased(*row) for row in rows), key=lambda one: (one.priority, one.notification))


def _settle(connection: Connection, owner: str, settled: Sequence[Settled], now_ms: int) -> None:
    settled_ms = present_ms(connection, now_ms)
    alike: dict[tuple[str, str, bool, int, bool], list[int]] = {}
    for s in settled:
        next_ms = s.next_ms + settled_ms - (s.at_ms or now_ms) if s.next_ms else 0
        alike.setdefault((s.state, s.why, s.maybe_told, next_ms, s.tried), []).append(s.notification)
    few: list[dict[str, Any]] = []
    for (state, why, maybe_told, next_ms, tried), ids in alike.items():
        values = {"owner": owner, "to": state, "reason": why, "maybe": maybe_told, "at": settled_ms}
        values |= {"next": next_ms, "untried": 0 if tried else 1}
        if len(ids) < FEW:
            few += [values | {"of": id_} for id_ in ids]
            continue
        for begin in range(0, len(ids), CHUNK):
            connection.execute(_SETTLE_ALIKE, values | {"all": ids[begin : begin + CHUNK]})
    if few:
        connection.execute(_SETTLE, few)
    _release(connection, [s.notification for s in settled], now_ms)


def _release(connection: Connection, settled: Sequence[int], now_ms: int) -> None:
    """Let go on what waited for these, each as what it is now that it is known what became of the one before."""
    after = notifications.alias()
    for begin in range(0, len(settled), CHUNK):
        waiting = connection.execute(
            select(after, _n.state.label("before"))
            .join(notifications, _n.notification == after.c.waits_for)
            .where(after.c.waits_for.in_(settled[begin : begin + CHUNK]))
        ).all()
        for row in waiting:
            if row.before == "queued":  # to be tried again, but there is something newer to say
                supersede(connection, [row.waits_for], "a newer one follows", now_ms)
            was_told = connection.execute(
                select(_n.notification)
                .where(
                    _n.earthquake == row.earthquake,
                    _n.subscription == row.subscription,
                    _n.channel == row.channel,
                    _n.target == row.target,
                    _n.notification != row.notification,
                    _told,
                )
                .limit(1)
            ).first()
            values: dict[str, Any] = {"waits_for": None}
            if was_told is None and row.kind == "cancellation":
                values |= {"state": "superseded", "why": "nothing was told that could be retracted"}
            elif was_told is None and row.kind == "update":
                values["kind"] = "alert"
            connection.execute(
                update(notifications)
                .where(and_(_n.notification == row.notification, _n.state == "queued"))
                .values(values)
            )
