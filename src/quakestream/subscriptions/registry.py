"""The registry: subscriptions, the addresses that they use, and the keys of links; in the catalogue's database.

Every change of a subscription raises `version`, by which other threads and instances learn what is new: `since`. What
was removed leaves its id and no more. A receiver that has ended a subscription stays out of it, whoever puts it back.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets as chance
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import func, select, update
from ulid import ULID

from quakestream.catalog.dialects import dialect_of
from quakestream.catalog.schema import secrets, subscriptions
from quakestream.catalog.sql import SqlCatalog
from quakestream.errors import Rejected
from quakestream.subscriptions.addresses import Addresses, Use, drop_use, put_uses
from quakestream.subscriptions.subscription import Subscription, encode, parse

MAX_PAGE: Final = 1000
REGISTRY_LOCK: Final = 0x616C657274
"""PostgreSQL's advisory locks have numbers: `alert`."""
TOKEN_BYTES: Final = 16
_RECEIVERS: Final = "receivers"

_s = subscriptions.c


class Stored(Struct, frozen=True):
    """A subscription as it is stored; `document` is empty where it was removed."""

    id: str
    subscriber: str
    origin: str
    document: bytes
    compiled: bytes | None
    version: int
    created_ms: int
    changed_ms: int
    removed: bool
    ended: str
    """Receivers that want no more of it, by `Registry.receiver`, with spaces between."""

    def subscription(self) -> Subscription:
        """What was asked for, with its id."""
        return parse(self.document, stored=True).model_copy(update={"id": self.id})


_STORED: Final = [subscriptions.c[name] for name in Stored.__struct_fields__]


class Registry:
    """The registry of a catalogue. Safe between threads."""

    def __init__(
        self,
        catalog: SqlCatalog,
        compile_: Callable[[Subscription], bytes] | None = None,
        addresses_of: Callable[[Subscription], Iterable[tuple[str, str]]] = lambda _: (),
    ) -> None:
        """`compile_`: how the geofence wants subscriptions; None: it is made later.

        `addresses_of`: channel and target of those that must say yes before they are told anything.
        """
        self.addresses = Addresses(catalog)
        self._catalog = catalog
        self._compile = compile_
        self._addresses_of = addresses_of
        self._keys: dict[str, bytes] = {}

    def put(self, subscription: Subscription, *, subscriber: str = "", origin: str = "api", now_ms: int) -> Stored:
        """Add a subscription, or change the one of its id."""
        return self.put_all([(subscription, subscriber)], origin=origin, now_ms=now_ms)[0]

    def put_all(self, wanted: Sequence[tuple[Subscription, str]], *, origin: str = "api", now_ms: int) -> list[Stored]:
        """Add or change many, each with its subscriber, in one transaction."""
        rows = [self._row(subscription, subscriber, origin, now_ms) for subscription, subscriber in wanted]
        self.key(_RECEIVERS)  # known before the transaction, which others wait for
        with self._catalog.writing() as connection:
            version = _next_version(connection)
            insert = dialect_of(connection).insert
            added = insert(subscriptions)
            changed = ("subscriber", "origin", "document", "compiled", "version", "changed_ms", "removed")
            connection.execute(
                added.on_conflict_do_update(index_elements=["id"], set_={n: added.excluded[n] for n in changed}),
                [row | {"version": version} for row in rows],
            )
            ids = [str(row["id"]) for row in rows]
            ended = {id_: set(one.split()) for id_, one in _ended(connection, ids).items()}
            put_uses(
                connection,
                {
                    id_: [pair for pair in self._addresses_of(one) if self.receiver(*pair) not in ended.get(id_, ())]
                    for id_, (one, _) in zip(ids, wanted, strict=True)
                },
            )
        stored = self.get_all(ids)
        return [stored[id_] for id_ in ids]

    def _row(self, subscription: Subscription, subscriber: str, origin: str, now_ms: int) -> dict[str, object]:
        id_ = subscription.id or f"sub_{ULID()}"
        return {
            "id": id_,
            "subscriber": subscriber,
            "origin": origin,
            "document": encode(subscription.model_copy(update={"id": None})),
            "compiled": self._compile(subscription) if self._compile else None,
            "created_ms": now_ms,
            "changed_ms": now_ms,
            "removed": False,
        }

    def get(self, id_: str) -> Stored | None:
        """One subscription; None: there is none, or it was removed."""
        with self._catalog.reading() as connection:
            row = connection.execute(select(*_STORED).where(_s.id == id_, _s.removed.is_(False))).one_or_none()
        return None if row is None else Stored(*row)

    def get_all(self, ids: Sequence[str]) -> dict[str, Stored]:
        """Those that there are, by id."""
        found: dict[str, Stored] = {}
        with self._catalog.reading() as connection:
            for begin in range(0, len(ids), MAX_PAGE):
                some = select(*_STORED).where(_s.id.in_(ids[begin : begin + MAX_PAGE]), _s.removed.is_(False))
                found |= {row[0]: Stored(*row) for row in connection.execute(some)}
        return found

    def versions(self, ids: Sequence[str]) -> dict[str, int]:
        """The versions of those that there are."""
        found: dict[str, int] = {}
        with self._catalog.reading() as connection:
            for begin in range(0, len(ids), MAX_PAGE):
                some = select(_s.id, _s.version).where(_s.id.in_(ids[begin : begin + MAX_PAGE]), _s.removed.is_(False))
                found |= {row[0]: row[1] for row in connection.execute(some)}
        return found

    def remove(self, ids: Sequence[str], now_ms: int) -> int:
        """Remove subscriptions, and forget what they asked for; how many there were."""
        with self._catalog.writing() as connection:
            version = _next_version(connection)
            gone = connection.execute(
                update(subscriptions)
                .where(_s.id.in_(ids), _s.removed.is_(False))
                .values(removed=True, document=b"", compiled=None, subscriber="", version=version, changed_ms=now_ms)
                .values(ended="")
            )
            put_uses(connection, dict.fromkeys(ids, ()))
            return gone.rowcount

    def forget_removed(self, before_ms: int, limit: int = 1000) -> int:
        """Forget that there were subscriptions that were removed before; how many. By then all have learned it.

        The newest version stays: the next one is counted from it.
        """
        newest = select(func.max(_s.version)).scalar_subquery()
        old = select(_s.id).where(_s.removed, _s.changed_ms < before_ms, _s.version < newest).limit(limit)
        with self._catalog.writing() as connection:
            return connection.execute(sa.delete(subscriptions).where(_s.id.in_(old))).rowcount

    def end(self, use: Use, without: Callable[[Subscription], Subscription] | None, now_ms: int) -> None:
        """A receiver wants no more of a subscription; `without` takes it out; None: the document is another's."""
        self.key(_RECEIVERS)
        with self._catalog.writing() as connection:
            version = _next_version(connection)
            asked = select(*_STORED).where(_s.id == use.subscription, _s.removed.is_(False))
            row = connection.execute(asked).one_or_none()
            if row is None:
                return
            stored = Stored(*row)
            ended = {*stored.ended.split(), self.receiver(use.channel, use.target)}
            document = stored.document
            if without is not None:
                document = encode(without(stored.subscription()).model_copy(update={"id": None}))
            connection.execute(
                update(subscriptions)
                .where(_s.id == use.subscription)
                .values(ended=" ".join(sorted(ended)), document=document, version=version, changed_ms=now_ms)
            )
            drop_use(connection, use)

    def listed(self, subscriber: str | None = None, after: str = "", limit: int = 100) -> list[Stored]:
        """Subscriptions by id, those after `after`."""
        wanted = select(*_STORED).where(_s.removed.is_(False), _s.id > after).order_by(_s.id).limit(limit)
        if subscriber is not None:
            wanted = wanted.where(_s.subscriber == subscriber)
        with self._catalog.reading() as connection:
            return [Stored(*row) for row in connection.execute(wanted)]

    def ids_of(self, origin: str) -> set[str]:
        """The ids of all that came from there."""
        with self._catalog.reading() as connection:
            found = connection.execute(select(_s.id).where(_s.origin == origin, _s.removed.is_(False)))
            return set(found.scalars())

    def count(self) -> int:
        """How many there are."""
        with self._catalog.reading() as connection:
            counted = select(func.count()).select_from(subscriptions).where(_s.removed.is_(False))
            return connection.execute(counted).scalar_one()

    def since(self, version: int, limit: int = MAX_PAGE) -> list[Stored]:
        """What was changed or removed after that version, in order: some `limit`, and all of the last version."""
        with self._catalog.reading() as connection:
            last = connection.execute(
                select(_s.version).where(_s.version > version).order_by(_s.version).limit(1).offset(limit - 1)
            ).scalar_one_or_none()
            wanted = select(*_STORED).where(_s.version > version)
            if last is not None:
                wanted = wanted.where(_s.version <= last)
            return [Stored(*row) for row in connection.execute(wanted.order_by(_s.version, _s.id))]

    def everything(self) -> Iterator[Stored]:
        """All that there are, by id, a page at a time."""
        after = ""
        while page := self.listed(after=after, limit=MAX_PAGE):
            yield from page
            after = page[-1].id

    # --- keys -----------------------------------------------------------------------------------------------------

    def key(self, name: str, make: Callable[[], bytes] = lambda: chance.token_bytes(32)) -> bytes:
        """A key that all instances on this database have in common, made when it is first asked for."""
        if name not in self._keys:
            with self._catalog.writing() as connection:
                insert = dialect_of(connection).insert
                connection.execute(insert(secrets).values(name=name, value=make()).on_conflict_do_nothing())
                self._keys[name] = connection.execute(
                    select(secrets.c.value).where(secrets.c.name == name)
                ).scalar_one()
        return self._keys[name]

    def token(self, purpose: str, of: str) -> str:
        """What a link carries, so that only who got it can use it: `of`, sealed for that purpose, for all to read."""
        # keyed BLAKE2b: a microsecond, where an HMAC lets go of Python's lock and waits to have it again
        sealed = hashlib.blake2b(f"{purpose}\0{of}".encode(), key=self.key("links"), digest_size=TOKEN_BYTES)
        return base64.urlsafe_b64encode(sealed.digest() + of.encode()).decode().rstrip("=")

    def opened(self, purpose: str, token: str) -> str:
        """What a link's token was made of.

        Raises:
            Rejected: it was not made here, or for another purpose.
        """
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            of = raw[TOKEN_BYTES:].decode()
        except ValueError as error:
            raise Rejected("not a link of ours") from error
        if not hmac.compare_digest(self.token(purpose, of), token):
            raise Rejected("not a link of ours")
        return of

    def receiver(self, channel: str, target: str) -> str:
        """A receiver's name in links and lists, by which nobody learns its address."""
        made = hashlib.blake2b(f"{channel}\0{target}".encode(), key=self.key(_RECEIVERS), digest_size=TOKEN_BYTES)
        return made.hexdigest()

    def webhook_secret(self, subscription: str, fields: Mapping[str, object] | None = None) -> str:
        """With which a subscription's webhooks are signed: its own, or one that is made of its id and our key."""
        own = (fields or {}).get("secret")
        if isinstance(own, str) and own:
            return own
        made = hashlib.blake2b(subscription.encode(), key=self.key("webhooks"), digest_size=24)
        return "whsec_" + base64.b64encode(made.digest()).decode()


def _ended(connection: sa.Connection, ids: Sequence[str]) -> dict[str, str]:
    """Of those of these that some receiver has ended, which."""
    found: dict[str, str] = {}
    for begin in range(0, len(ids), MAX_PAGE):
        some = select(_s.id, _s.ended).where(_s.id.in_(ids[begin : begin + MAX_PAGE]), _s.ended != "")
        found |= {row.id: row.ended for row in connection.execute(some)}
    return found


def _next_version(connection: sa.Connection) -> int:
    """The next version; whoever asks holds it alone until its transaction ends."""
    dialect_of(connection).hold(connection, subscriptions, REGISTRY_LOCK)
    highest: int = connection.execute(select(func.coalesce(func.max(_s.version), 0))).scalar_one()
    return highest + 1
