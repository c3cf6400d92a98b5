"""Taking old documents out of the change feed, in steps so short that ingesting does not notice.

A change keeps its place, its time and its reason for ever; the document of one that was superseded goes, so the feed is
whole only from `first_seq` on. An earthquake's newest change keeps its document, which is the earthquake as it stands.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

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
