"""Addresses of persons, e-mail and telephones: asked once, told nothing before they said yes.

An address is known as long as a subscription uses it, and then forgotten. What a link carries is its `id`, drawn by
lot: the target itself may hold a password.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import unquote

import sqlalchemy as sa
from sqlalchemy import Connection, delete, insert, select, update

from quakestream.catalog.dialects import dialect_of
from quakestream.catalog.schema import address_uses, addresses
from quakestream.catalog.sql import SqlCatalog

CHUNK: Final = 1000
ID_BYTES: Final = 24

_a, _u = addresses.c, address_uses.c


class Use(NamedTuple):
    """One subscription's use of an address."""

    subscription: str
    channel: str
    target: str


class Addresses:
    """The addresses of a catalogue. Safe between threads."""

    def __init__(self, catalog: SqlCatalog) -> None:
        self._catalog = catalog

    def ids(self, targets: Collection[str]) -> dict[str, str]:
        """The ids of those of these that are known, by target."""
        found: dict[str, str] = {}
        with self._catalog.reading() as connection:
            for some in _chunks(targets):
                rows = connection.execute(select(_a.target, _a.id).where(_a.target.in_(some)))
                found.update((row.target, row.id) for row in rows)
        return found

    def known(self, id_: str) -> bool:
        """Whether there is an address of that id."""
        with self._catalog.reading() as connection:
            return connection.execute(select(_a.id).where(_a.id == id_)).first() is not None

    def confirm(self, id_: str, now_ms: int) -> bool:
        """It said yes; False: there is none of that id, or no more."""
        with self._catalog.writing() as connection:
            said = connection.execute(
                update(addresses).where(_a.id == id_).values(confirmed_ms=sa.func.coalesce(_a.confirmed_ms, now_ms))
            )
            return said.rowcount == 1

    def confirmed(self, targets: Collection[str]) -> dict[str, int]:
        """Which of these have said yes, and when, ms since 1970."""
        found: dict[str, int] = {}
        with self._catalog.reading() as connection:
            for some in _chunks(targets):
                yes = select(_a.target, _a.confirmed_ms).where(_a.target.in_(some), _a.confirmed_ms.is_not(None))
                found.update((row.target, row.confirmed_ms) for row in connection.execute(yes))
        return found

    def uses_of(self, address: str) -> list[Use]:
        """Every use of an address: of that target, or of those whose URL has it as a whole word, `me@example.org`.

        It looks at all there are, some 500,000 a second.
        """
        word = re.compile(rf"(?<![\w.+-]){re.escape(address.strip().removeprefix('+'))}(?![\w-]|\.\w)", re.IGNORECASE)
        every = select(_u.subscription, _u.channel, _u.target).order_by(_u.subscription, _u.channel, _u.target)
        with self._catalog.reading() as connection:
            uses = (Use(*row) for row in connection.execution_options(yield_per=CHUNK).execute(every))
            return [one for one in uses if one.target == address or word.search(unquote(one.target))]

    def any_unasked(self) -> bool:
        """Without a write, which would wait for others."""
        with self._catalog.reading() as connection:
            return connection.execute(select(_a.target).where(_UNASKED).limit(1)).first() is not None


_UNASKED: Final = sa.text("asked_ms = 0")


# --- on the connection of another's transaction -----------------------------------------------------------------------


def take_unasked(connection: Connection, now_ms: int) -> list[Use]:
    """Addresses that nobody has asked yet, each with one use; from now on they are asked."""
    taken = connection.execute(update(addresses).where(_UNASKED).values(asked_ms=now_ms).returning(_a.target)).scalars()
    found: dict[str, Use] = {}
    for some in _chunks(taken.all()):
        used = select(_u.subscription, _u.channel, _u.target).where(_u.target.in_(some)).order_by(_u.subscription)
        for row in connection.execute(used):
            found.setdefault(row.target, Use(*row))
    return list(found.values())


def put_uses(connection: Connection, wanted: Mapping[str, Collection[tuple[str, str]]]) -> None:
    """Have subscriptions use these addresses (channel and target), and no others; what nobody uses is forgotten."""
    before: set[str] = set()
    for some in _chunks(wanted):
        gone = delete(address_uses).where(_u.subscription.in_(some)).returning(_u.target)
        before.update(connection.execute(gone).scalars())
    uses = {Use(id_, channel, target) for id_, pairs in wanted.items() for channel, target in pairs}
    targets = {one.target for one in uses}
    if uses:
        connection.execute(insert(address_uses), [one._asdict() for one in sorted(uses)])
        new = [{"target": one, "id": secrets.token_urlsafe(ID_BYTES), "asked_ms": 0} for one in sorted(targets)]
        connection.execute(dialect_of(connection).insert(addresses).on_conflict_do_nothing(), new)
    _forget_unused(connection, before - targets)


def drop_use(connection: Connection, use: Use) -> None:
    """Have a subscription use an address no more."""
    connection.execute(delete(address_uses).where(*(_u[name] == value for name, value in use._asdict().items())))
    _forget_unused(connection, [use.target])


def _forget_unused(connection: Connection, targets: Collection[str]) -> None:
    used = select(_u.target).where(_u.target == _a.target).exists()
    for some in _chunks(targets):
        connection.execute(delete(addresses).where(_a.target.in_(some), ~used))


def _chunks(values: Collection[str]) -> Iterator[Sequence[str]]:
    listed = list(values)
    for begin in range(0, len(listed), CHUNK):
        yield listed[begin : begin + CHUNK]
