"""The clock by which leases run and notifications expire: the database's, whatever the clocks of its users say.

Several programs share a catalogue, on several machines where it is on PostgreSQL. One whose clock is ahead must not
take the others' leases, nor give up what they have just put in. So who writes a lease, or a time after which something
is due or over, asks `present_ms` in its transaction. PostgreSQL has a clock. For SQLite it is the machine's time since
its start, which nobody sets, and the table `boots` has the wall clock's time at that start, as the first program saw
it: all programs share it. After another start, every lease is over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from quakestream import clock
from quakestream.catalog.schema import boots, followers, notifications

OPTION: Final = "quakestream_clock"
SET_MS: Final = 60_000
"""A wall clock that differs by more than this was set, or is wrong."""


class DatabaseClock(Protocol):
    """Tells the time on a connection."""

    def now_ms(self, connection: Connection) -> int:
        """Milliseconds since 1970 UTC, as this database has it."""


def present_ms(connection: Connection, now_ms: int) -> int:
    """The time by which leases run and what is queued expires.

    `now_ms`: the caller's own time, which holds where the catalogue was opened without a clock of its own.
    """
    own: DatabaseClock | None = connection.get_execution_options().get(OPTION)
    return now_ms if own is None else own.now_ms(connection)


def with_clock(engine: Engine, database_clock: DatabaseClock | None) -> Engine:
    """The engine, on whose connections `present_ms` asks this clock; None: it does not."""
    return engine if database_clock is None else engine.execution_options(**{OPTION: database_clock})


class PostgresqlClock:
    """The server's."""

    def now_ms(self, connection: Connection) -> int:
        """As of the statement, not of the transaction: that may have waited."""
        epoch_ms = func.extract("epoch", func.statement_timestamp()) * 1000
        return connection.execute(select(sa.cast(epoch_ms, sa.BigInteger))).scalar_one()


@dataclass(frozen=True, slots=True)
class BootClock:
    """A SQLite file's: the machine's."""

    wall_ms: Callable[[], int] = clock.now_ms
    boot_ms: Callable[[], int] = clock.boot_ms
    boot_id: Callable[[], str] = clock.boot_id

    def now_ms(self, connection: Connection) -> int:
        """The time of the machine's start as the file has it, and how long ago that was."""
        row = connection.execute(select(boots.c.boot, boots.c.began_ms)).first()
        if row is None or row.boot != self.boot_id():  # another file was put in this one's place
            return self.wall_ms()
        return int(row.began_ms) + self.boot_ms()

    def begin(self, connection: Connection, *, renew: bool) -> None:
        """Write down this start of the machine, in a transaction, unless it is known.

        After another start nobody who had a lease lives: all are over. `renew`: where the wall clock was set since, go
        by it from now on, and let all that is leased or queued last as long as it would have.
        """
        row = connection.execute(select(boots.c.boot, boots.c.began_ms)).first()
        began_ms = self.wall_ms() - self.boot_ms()
        if row is None or row.boot != self.boot_id():
            connection.execute(delete(boots))
            connection.execute(insert(boots).values(boot=self.boot_id(), began_ms=began_ms))
            connection.execute(update(followers).values(lease_until_ms=0))
            connection.execute(update(notifications).where(_sending()).values(lease_until_ms=0))
            return
        by_ms = began_ms - row.began_ms
        if not renew or abs(by_ms) <= SET_MS:
            return
        n = notifications.c
        connection.execute(update(boots).values(began_ms=began_ms))
        leased = followers.c.lease_until_ms
        connection.execute(update(followers).values(lease_until_ms=leased + by_ms))
        connection.execute(
            update(notifications)
            .where(sa.or_(_sending(), n.state == "queued"))
            .values(
                next_ms=n.next_ms + by_ms,
                expires_ms=n.expires_ms + by_ms,
                lease_until_ms=n.lease_until_ms + by_ms,
            )
        )


def _sending() -> sa.ColumnElement[bool]:
    return notifications.c.state == "sending"
