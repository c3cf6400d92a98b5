"""Feeds for newsrooms and alerting systems: Atom with GeoRSS, and CAP 1.2. `actual` only, unless `mode=` asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import msgspec
from fastapi import HTTPException, Query, Request
from fastapi.responses import Response
from pydantic import Field

from quakestream import clock
from quakestream.api.parameters import FilterParameters
from quakestream.catalog import Catalog, Change
from quakestream.event import Mode
from quakestream.formats import atom, cap
from quakestream.web import Routes, approach, problems

MAX_ENTRIES: Final = 500
CAP_LEAST_MAGNITUDE: Final = 4.5
"""Of the feed of alerts, unless it is asked otherwise."""
_document = msgspec.json.Decoder(dict[str, Any])


class FeedParameters(FilterParameters):
    """Which earthquakes, and how many."""

    limit: Annotated[int, Field(ge=1, le=MAX_ENTRIES)] = 100


class _Atom(Response):
    media_type = atom.MEDIA_TYPE


class _Cap(Response):
    media_type = cap.MEDIA_TYPE


def feeds_router(
    catalog: Catalog, *, public_url: str, cap_sender: str, now_ms: Callable[[], int] = clock.now_ms
) -> Routes:
    """`/feeds/atom`, `/feeds/cap.atom`, `/feeds/cap/{id}.xml`. Links lead to `public_url`, or where a request went."""
    router = Routes(prefix="/feeds", tags=["feeds"])

    def base(request: Request) -> str:
        return public_url or approach(request.scope).home

    @router.get("/atom", summary="Earthquakes as Atom with GeoRSS", response_class=_Atom, responses=problems(503))
    def as_atom(request: Request, asked: Annotated[FeedParameters, Query()]) -> Response:
        """The newest that match; an entry's `updated` is its last change, so that a reader shows revisions."""
        home = base(request)

        def entry(one: dict[str, Any]) -> atom.Entry:
            page = atom.Link(f"{home}/?id={one['id']}", type="text/html")
            return atom.Entry(one, (page, atom.Link(f"{home}/feeds/cap/{one['id']}.xml", "alternate", cap.MEDIA_TYPE)))

        wanted = asked.wanted()
        mode = wanted.mode or "actual"
        page = catalog.earthquakes(replace(wanted, mode=mode), asked.limit)
        entries = [entry(_document.decode(document)) for document in page.earthquakes]
        return _feed(catalog, request, home, mode, "Earthquakes", entries)

    @router.get(
        "/cap.atom",
        summary="CAP messages as Atom",
        response_class=_Atom,
        responses=problems(503),
    )
    def as_cap_feed(request: Request, asked: Annotated[FeedParameters, Query()]) -> Response:
        """What changed last, newest first; each entry leads to its message.

        Of earthquakes that ever had magnitude 4.5 and more, unless `minmagnitude` says otherwise: one that has become
        smaller since is there as an Update, one that was withdrawn or merged away as a Cancel. A message is there until
        it expires, 24 hours after the change.
        """
        home = base(request)
        wanted = asked.wanted()
        if wanted.minmagnitude is None:
            wanted = replace(wanted, minmagnitude=CAP_LEAST_MAGNITUDE)
        expired_ms = now_ms() - cap.EXPIRES_H * 3_600_000
        wanted = replace(wanted, updatedafter_ms=max(wanted.updatedafter_ms or expired_ms, expired_ms))
        mode = wanted.mode or "actual"

        def entry(change: Change) -> atom.Entry:
            one = _document.decode(change.document)
            link = atom.Link(f"{home}/feeds/cap/{one['id']}.xml", type=cap.MEDIA_TYPE)
            return atom.Entry(one, (link,), into=change.into_id if change.type == "merged" else None)

        changes = catalog.lately_changed(replace(wanted, mode=mode), asked.limit)
        return _feed(catalog, request, home, mode, "Earthquakes as CAP 1.2", [entry(change) for change in changes])

    @router.get(
        "/cap/{earthquake_id}.xml",
        summary="The CAP message of an earthquake as it stands",
        response_class=_Cap,
        responses=problems(404, 503),
    )
    def as_cap(request: Request, earthquake_id: str) -> Response:
        """Alert, Update or Cancel, with references to those before. One that was merged away is a Cancel."""
        document = catalog.earthquake(earthquake_id)
        if document is None:
            raise HTTPException(404, f"there is no earthquake {earthquake_id}")
        if not _ever_stood(document):
            raise HTTPException(404, f"{earthquake_id} was withdrawn before it was published")
        history = [cap.Revision(number, at_ms) for number, at_ms in enumerate(catalog.revised_at(earthquake_id), 1)]
        into = catalog.merged_into(earthquake_id)
        web = f"{base(request)}/?id={into or earthquake_id}"
        return _Cap(cap.message(document, history, sender=cap_sender, web=web, into=into))

    return router


def _ever_stood(document: dict[str, Any]) -> bool:
    """Whether an earthquake was ever said to have happened: else there is nothing to cancel."""
    if document["status"] != "deleted":
        return True
    return any(step["event"] is not None and step["event"]["status"] != "deleted" for step in document["history"])


def _feed(
    catalog: Catalog, request: Request, home: str, mode: Mode, title: str, entries: Sequence[atom.Entry]
) -> Response:
    stands = catalog.feed()
    itself = f"{home}{request.url.path}"
    if request.query_params:
        itself += f"?{urlencode(request.query_params.multi_items())}"
    document = atom.feed(
        entries,
        id_=f"urn:quakestream:{stands.catalog_id}:{request.url.path.rpartition('/')[2]}",
        title=title if mode == "actual" else f"{mode.upper()}: {title}",
        updated_ms=max((entry.earthquake["changed"] for entry in entries), default=0),
        links=(atom.Link(itself, "self", atom.MEDIA_TYPE),),
    )
    return _Atom(document, headers={"Cache-Control": "no-cache"})
