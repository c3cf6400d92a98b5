"""Taking old documents out of the change feed, in steps so short that ingesting does not notice.

A change keeps its place, its time and its reason for ever; the document of one that was superseded goes, so the feed is
whole only from `first_seq` on. An earthquake's newest change keeps its document, which is the earthquake as it stands.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, bindparam, delete, func, insert, select, text, update

from quakestream.catalog.schema import changes, earthquakes, feed

PRUNED: Final = b""


def prune(connection: Connection, before_ms: int, limit: int) -> int:
    """Move the horizon over at most `limit` changes that were made before `before_ms`; how many it was."""
    connection.execute(update(feed).values(first_seq=feed.c.first_seq))  # whoever writes holds this row
    first = connection.execute(select(feed.c.first_seq)).scalar_one()
    oldest = select(changes.c.seq, changes.c.at_ms).where(changes.c.seq >= first).order_by(changes.c.seq).limit(limit)
    last = first - 1
    for row in connection.execute(oldest):
        if row.at_ms >= before_ms:
            break
        last = row.seq
    if last >= first:
        _take_documents(connection, first, last)
        connection.execute(update(feed).values(first_seq=last + 1))
    return int(last - first + 1)


def _take_documents(connection: Connection, first: int, last: int) -> None:
    """Of all changes up to `last` that the earthquakes which changed since `first` have left behind.

    A newest change that was kept is superseded by one that the horizon goes over later: so look back further than
    `first`. The rows are made anew, for SQLite gives no room back where a row only becomes shorter.
    """
    passed = select(changes.c.earthquake).distinct().where(changes.c.seq.between(first, last)).subquery()
    kept = [column for column in changes.c if column is not changes.c.document]
    superseded = (
        select(*kept)
        .join(passed, passed.c.earthquake == changes.c.earthquake)
        .join(earthquakes, earthquakes.c.earthquake == changes.c.earthquake)
        .where(changes.c.seq <= last, changes.c.seq < earthquakes.c.seq, func.length(changes.c.document) > 0)
    )
    rows = [{**row, "document": PRUNED} for row in connection.execute(superseded).mappings()]
    if rows:
        connection.execute(delete(changes).where(changes.c.seq == bindparam("of")), [{"of": r["seq"]} for r in rows])
        connection.execute(insert(changes), rows)


def size_bytes(connection: Connection) -> int:
    """What the catalogue takes of its disk; on SQLite, room for reuse left out."""
    free = connection.execute(text("PRAGMA freelist_count")).scalar_one() if _is_sqlite(connection) else 0
    return disk_bytes(connection, free_pages=free)


def disk_bytes(connection: Connection, free_pages: int = 0) -> int:
    """What the catalogue takes of its disk."""
    if _is_sqlite(connection):
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        return int((pages - free_pages) * connection.execute(text("PRAGMA page_size")).scalar_one())
    tables = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace = {}"
    return int(connection.execute(text(tables.format("current_schema()::regnamespace"))).scalar_one())


def vacuum(connection: Connection) -> None:
    """Give room that is not used back to the disk. Outside of a transaction."""
    on_sqlite = ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)")
    on_postgresql = ("SET default_transaction_read_only = off", "SET statement_timeout = 0", "VACUUM FULL ANALYZE")
    for statement in on_sqlite if _is_sqlite(connection) else on_postgresql:
        connection.execute(text(statement))


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"
