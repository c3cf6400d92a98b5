"""Finding many earthquakes of one moment, to be read piece by piece; the same for SQLite and PostgreSQL.

A selection holds numbers alone: of each earthquake the change that describes it. As of an earlier change, what has not
changed since is found by the index of what stands, the rest by its documents of then (`matching.py`).
"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Select, func, select, tuple_

from quakestream.catalog import MAX_SELECTED, Account, EarthquakeFilter, Feed, Orderby, Selection
from quakestream.catalog.dialects import BINARY, dialect_of
from quakestream.catalog.finding import found_in_order, found_number, read_in_order
from quakestream.catalog.matching import FilterView, matches, standing_of
from quakestream.catalog.queries import MAX_IDS, read_feed
from quakestream.catalog.schema import changes, earthquakes, events, reporters, reports
from quakestream.errors import Rejected
from quakestream.event import Mode

_T = TypeVar("_T")
_Row = tuple[int, int, int, float | None]
"""seq, earthquake, origin time, magnitude."""
_SORTED: Final[dict[Orderby, Callable[[_Row], Any]]] = {
    "time": lambda row: (-row[2], -row[1]),
    "time-asc": lambda row: (row[2], row[1]),
    "magnitude": lambda row: (row[3] is None, -(row[3] or 0.0), -row[2], -row[1]),
    "magnitude-asc": lambda row: (row[3] is None, row[3] or 0.0, -row[2], -row[1]),
}
"""As `finding.order_of`."""


def read_selection(
    connection: Connection,
    wanted: EarthquakeFilter,
    limit: int | None,
    offset: int,
    orderby: Orderby,
    ids: Sequence[str] | None,
    asof_seq: int | None,
) -> Selection:
    """Which earthquakes match, on a connection on which all that is read is of one moment."""
    if limit is not None and not 1 <= limit <= MAX_SELECTED:
        raise Rejected(f"limit {limit}: within 1…{MAX_SELECTED}")
    stands = read_feed(connection)
    at_seq = stands.last_seq if asof_seq is None else asof_seq
    _check_asof(at_seq, stands)
    named = None if ids is None else ids[:MAX_IDS]
    if at_seq == stands.last_seq:
        rows = read_in_order(connection, wanted, orderby, _seqs, limit=limit, offset=offset - 1, ids=named)
        return Selection(stands, at_seq, array("q", (row[0] for row in rows)))
    then = sorted(_of_then(connection, wanted, ids, at_seq), key=_SORTED[orderby])
    # what was found of then stands between the others: no page begins before its place among those alone
    last = None if limit is None else offset - 1 + limit
    until = (earthquakes.c.seq <= at_seq,)
    still = connection.execute(found_in_order(connection, wanted, orderby, limit=last, ids=named, also=until))
    rows_of_then = [*((r.seq, r.earthquake, r.timestamp_ms, r.magnitude) for r in still), *then]
    merged = sorted(rows_of_then, key=_SORTED[orderby])
    return Selection(stands, at_seq, array("q", (row[0] for row in merged[offset - 1 : last])))


def _seqs(found: Select[Any], orderby: Orderby) -> Select[Any]:  # noqa: ARG001 - it has it
    return found.with_only_columns(found.selected_columns.seq, maintain_column_froms=True)


def read_count_selected(
    connection: Connection, wanted: EarthquakeFilter, ids: Sequence[str] | None, asof_seq: int | None
) -> tuple[Feed, int]:
    """How many match, and where the feed stands."""
    stands = read_feed(connection)
    named = None if ids is None else ids[:MAX_IDS]
    if asof_seq is None or asof_seq == stands.last_seq:
        return stands, found_number(connection, wanted, ids=named)
    _check_asof(asof_seq, stands)
    then = sum(1 for _ in _of_then(connection, wanted, ids, asof_seq))
    return stands, then + found_number(connection, wanted, ids=named, also=(earthquakes.c.seq <= asof_seq,))


def _check_asof(asof_seq: int, stands: Feed) -> None:
    if asof_seq > stands.last_seq:
        raise Rejected(f"there is no change {asof_seq} yet: the last one is {stands.last_seq}")


def _of_then(
    connection: Connection, wanted: EarthquakeFilter, ids: Sequence[str] | None, at_seq: int
) -> Iterator[_Row]:
    """What has changed since that change, and matched then."""
    later = select(changes.c.earthquake).where(changes.c.seq > at_seq).distinct().subquery()
    last = (
        select(func.max(changes.c.seq).label("seq"))
        .join(later, later.c.earthquake == changes.c.earthquake)
        .where(changes.c.seq <= at_seq)
        .group_by(changes.c.earthquake)
        .subquery()
    )
    found = select(changes.c.seq, changes.c.earthquake, changes.c.document).join(last, last.c.seq == changes.c.seq)
    with connection.execute(found.execution_options(yield_per=MAX_IDS)) as rows:
        for seq, earthquake, document in rows:
            if not document:
                raise Rejected(f"the catalogue as of change {at_seq} is no longer known: it was pruned")
            view: FilterView = standing_of(document)
            if matches(wanted, view) and (ids is None or view.id in ids):
                yield seq, earthquake, view.timestamp, view.magnitude


def read_told(
    connection: Connection, seqs: Sequence[int], at_seq: int, *, others: bool, history: bool = False
) -> list[Account]:
    """What these changes say, in order. Where one was pruned since it was selected, what its earthquake is now."""
    documents: dict[int, bytes] = {}
    for some in _batches(seqs):
        among = dialect_of(connection).among(changes.c.seq, some)
        rows = connection.execute(select(changes.c.seq, changes.c.document).where(among), execution_options=BINARY)
        documents |= {seq: document for seq, document in rows}  # noqa: C416 - a row is no pair to `dict`
    for seq in [seq for seq, document in documents.items() if not document]:
        of = select(changes.c.earthquake).where(changes.c.seq == seq).scalar_subquery()
        newest = select(earthquakes.c.seq).where(earthquakes.c.earthquake == of).scalar_subquery()
        documents[seq] = connection.execute(select(changes.c.document).where(changes.c.seq == newest)).scalar_one()
    told = [Account(documents[seq]) for seq in seqs]
    told = _with_others(connection, told, at_seq) if others else told
    return _with_history(connection, told, at_seq) if history else told


class _Reported(Struct, gc=False):
    """Whose reports an earthquake has, out of its document."""

    preferred: str
    events: list[str]
    mode: Mode


_reported_by: Final = msgspec.json.Decoder(_Reported).decode


def _with_others(connection: Connection, told: Sequence[Account], at_seq: int) -> list[Account]:
    """Each with the events of its reports that do not speak for it, as they stood after that change."""
    names: list[list[tuple[str, str, str]]] = []
    for one in told:
        view = _reported_by(one.document)
        keys = [] if len(view.events) < 2 else [key for key in view.events if key != view.preferred]
        names.append([(*_source_and_id(key), view.mode) for key in keys])
    latest: dict[tuple[str, str, str], tuple[tuple[int, bytes], bytes]] = {}
    said_by = dialect_of(connection).said_by
    for some in _batches(itertools.chain.from_iterable(names)):
        for source, id_, mode, updated_ms, digest, document in said_by(connection, some, at_seq):
            name, revision = (source, id_, mode), (updated_ms, bytes(digest))
            if name not in latest or latest[name][0] < revision:
                latest[name] = revision, document
    return [
        Account(one.document, tuple(latest[name][1] for name in of if name in latest))
        for one, of in zip(told, names, strict=True)
    ]


def _with_history(connection: Connection, told: Sequence[Account], at_seq: int) -> list[Account]:
    """Each with every event of its reports up to that change, and what came of it."""
    views = [standing_of(one.document) for one in told]
    names = [[(*_source_and_id(key), view.mode) for key in view.events] for view in views]
    steps: dict[tuple[str, str, str], list[tuple[int, int, bytes, bytes]]] = {}
    r, e, c = reports.c, events.c, changes.c
    for some in _batches(itertools.chain.from_iterable(names)):
        rows = connection.execute(
            select(r.source, r.id, r.mode, e.seq, e.updated_ms, e.content_hash, e.document, c.at_ms, c.type, c.why)
            .join(events, e.report == r.report)
            .join(changes, c.seq == e.seq, isouter=True)
            .where(tuple_(r.id, r.source, r.mode).in_([(id_, source, mode) for source, id_, mode in some]))
            .where(e.seq <= at_seq)
        )
        for source, id_, mode, seq, updated_ms, digest, document, at_ms, kind, why in rows:
            step = msgspec.json.encode(
                {"seq": seq, "time": at_ms, "what": kind, "why": why, "event": msgspec.Raw(document)}
            )
            steps.setdefault((source, id_, mode), []).append((seq, updated_ms, bytes(digest), step))
    return [
        msgspec.structs.replace(
            one, history=tuple(step[-1] for step in sorted(s for name in of for s in steps.get(name, ())))
        )
        for one, of in zip(told, names, strict=True)
    ]


def _batches(things: Iterable[_T]) -> Iterator[list[_T]]:
    left = iter(things)
    while batch := list(itertools.islice(left, MAX_IDS)):
        yield batch


def _source_and_id(key: str) -> tuple[str, str]:
    source, _, id_ = key.partition(":")
    return source, id_


def read_sources(connection: Connection, mode: Mode | None) -> tuple[list[str], list[str]]:
    """Who has reported: the sources, and the agencies."""
    here = [] if mode is None else [reporters.c.mode == mode]
    rows = connection.execute(select(reporters.c.source, reporters.c.agency).where(*here)).all()
    return sorted({row.source for row in rows}), sorted({row.agency for row in rows})
