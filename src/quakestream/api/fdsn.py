"""The FDSN event web service 1.2, as its clients expect it: https://www.fdsn.org/webservices/fdsnws-event-1.2.pdf.

`query` and `count` by GET, HEAD and POST (lines `key=value`); `version`, `catalogs`, `contributors`,
`application.wadl`, and a page of documentation. Errors are FDSN's plain text. A drill never looks real: `actual`
earthquakes alone, unless `mode` asks for others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import escape

import msgspec
from fastapi import HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse, Response
from fastapi.routing import APIRoute
from pydantic import ValidationError

from quakestream import clock
from quakestream.api import fdsn_page, pieces
from quakestream.api.fdsn_parameters import MAX_EVENTS, FdsnParameters
from quakestream.api.parameters import asof_seq
from quakestream.catalog import Catalog, EarthquakeFilter, Selection
from quakestream.errors import Rejected, Retryable
from quakestream.event import Mode, iso_time
from quakestream.formats import cap
from quakestream.formats.writing import WRITERS, About, geojson, parquet
from quakestream.formats.writing.quakeml import AUTHORITY
from quakestream.terms import Credits
from quakestream.web import HEAD_ONLY, Routes, approach, is_known, json_answer, read_body

PATH: Final = "/fdsnws/event/1"
VERSION: Final = "1.2.0"
MAX_QUERY_BYTES: Final = 8 * 1024
"""Of what follows the `?`: POST takes more."""
_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"description": HTTPStatus(status).phrase, "content": {"text/plain": {"schema": {"type": "string"}}}}
    for status in (400, 404, 413, 414, 503)
}
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The earthquakes that match",
        "content": {
            kind: {"schema": {"type": "string"}}
            for kind in ("application/xml", "text/plain", "text/csv", "application/vnd.google-earth.kml+xml")
        }
        | {"application/json": {"schema": {"type": "object"}}, cap.MEDIA_TYPE: {"schema": {"type": "string"}}}
        | {parquet.MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    },
    204: {"description": "Nothing matches"},
    **_ERRORS,
}
_COUNTED: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "How many",
        "content": {"text/plain": {"schema": {"type": "string"}}, "application/json": {"schema": {"type": "object"}}},
    },
    **_ERRORS,
}
_LINES: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "text/plain": {"schema": {"type": "string"}, "example": "starttime=2018-02-06\nminmagnitude=5\nformat=text"}
        },
    }
}


class _Xml(Response):
    media_type = "application/xml"


class _Wadl(Response):
    media_type = "application/vnd.sun.wadl+xml"


class _Route(APIRoute):
    """A route whose errors are FDSN's."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        asked = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                if len(request.scope["query_string"]) > MAX_QUERY_BYTES:
                    raise HTTPException(414, f"more than {MAX_QUERY_BYTES} bytes after the `?`: use POST")  # noqa: TRY301
                return await asked(request)
            except RequestValidationError as error:
                return _error(request, 400, "\n".join(_faults(error)))
            except Rejected as error:
                return _error(request, 400, str(error))
            except HTTPException as error:
                return _error(request, error.status_code, str(error.detail), error.headers)
            except Retryable as error:
                return _error(request, 503, str(error), {"Retry-After": "1"})

        return handled


def _faults(error: RequestValidationError) -> list[str]:
    told = []
    for fault in error.errors():
        names = fault.get("ctx", {}).get("parameters") or [str(part) for part in fault["loc"][1:2]]
        told.append(f"{', '.join(names)}: {fault['msg']}" if names else str(fault["msg"]))
    return told


def _error(request: Request, status: int, why: str, headers: Mapping[str, str] | None = None) -> Response:
    """An error as the specification writes it."""
    home = approach(request.scope).home
    asked = "".join(c if c.isprintable() else "?" for c in f"{home}{request.url.path}?{request.url.query}"[:2000])
    text = (
        f"Error {status}: {HTTPStatus(status).phrase}\n\n{why}\n\n"
        f"Usage details are available from {home}{PATH}/\n\nRequest:\n{asked.rstrip('?')}\n\n"
        f"Request Submitted:\n{iso_time(clock.now_ms())}\n\nService version:\n{VERSION}\n"
    )
    # it may quote what was sent, which may be no text: half of a surrogate pair is told as `?`
    return PlainTextResponse(text.encode("utf-8", "replace"), status, headers)


def fdsn_router(catalog: Catalog, *, public_url: str, cap_sender: str) -> Routes:
    """`/fdsnws/event/1/…`. Links lead to `public_url`, or where a request went."""
    router = Routes(prefix=PATH, tags=["fdsn"], route_class=_Route)
    turns = pieces.Turns()

    def answered(request: Request, asked: FdsnParameters) -> Response:
        return _answer(catalog, turns, request, asked, public_url or approach(request.scope).home, cap_sender)

    @router.get("/query", summary="Earthquakes, as an FDSN event service gives them", responses=_ANSWERS)
    def query(request: Request, asked: Annotated[FdsnParameters, Query()]) -> Response:
        """QuakeML unless `format` says otherwise. 413 where more than 20,000 match: ask for parts."""
        return answered(request, asked)

    @router.post("/query", summary="The same, asked by lines", responses=_ANSWERS, openapi_extra=_LINES)
    async def posted_query(request: Request) -> Response:
        """Lines `key=value`, with the parameters of GET."""
        asked = await _posted(request)
        return await asyncio.to_thread(answered, request, asked)

    @router.get("/count", summary="How many match", responses=_COUNTED)
    def count(asked: Annotated[FdsnParameters, Query()]) -> Response:
        """A number; with `format=geojson` as the USGS says it. `limit` and `offset` change nothing."""
        return _count(catalog, asked)

    @router.post("/count", summary="The same, asked by lines", responses=_COUNTED, openapi_extra=_LINES)
    async def posted_count(request: Request) -> Response:
        """Lines `key=value`, with the parameters of GET."""
        asked = await _posted(request)
        return await asyncio.to_thread(_count, catalog, asked)

    @router.get("/version", summary="Version of the service", response_class=PlainTextResponse)
    def version() -> str:
        """Of the specification that it follows, and its own."""
        return VERSION

    @router.get("/catalogs", summary="Names for `catalog`", response_class=_Xml, responses={503: _ERRORS[503]})
    def catalogs() -> Response:
        """The sources that have reported real earthquakes."""
        return _Xml(_listed("Catalog", catalog.sources("actual")[0]))

    @router.get("/contributors", summary="Names for `contributor`", response_class=_Xml, responses={503: _ERRORS[503]})
    def contributors() -> Response:
        """The agencies that have reported real earthquakes."""
        return _Xml(_listed("Contributor", catalog.sources("actual")[1]))

    @router.get("/application.wadl", summary="The service, described for its clients", response_class=_Wadl)
    def wadl(request: Request) -> Response:
        """Web Application Description Language."""
        return _Wadl(fdsn_page.wadl(f"{public_url or approach(request.scope).home}{PATH}/"))

    @router.get("/", include_in_schema=False)
    def page() -> Response:
        return fdsn_page.page()

    @router.get("/{name}", include_in_schema=False)
    def part(name: str) -> Response:
        return fdsn_page.part(name)

    return router


async def _posted(request: Request) -> FdsnParameters:
    """The parameters of a body of lines `key=value`, or of a form.

    Raises:
        HTTPException: it is too large, or does not come.
        RequestValidationError: they are wrong.
    """
    body = await read_body(request, with_nul=True)
    given = parse_qsl(request.url.query, keep_blank_values=True)
    for line in body.decode("utf-8", "replace").replace("\r", "\n").split("\n"):
        name, equals, value = line.partition("=")
        if "&" in line and equals:
            given += parse_qsl(line, keep_blank_values=True)
        elif equals:
            given.append((name.strip(), value.strip()))
        elif line.strip():
            fault = {"type": "line", "loc": ("body",), "msg": f"{line.strip()[:40]!r}: a line is key=value"}
            raise RequestValidationError([fault])
    names = [name for name, _ in given]
    if with_nul := [name for name, value in given if "\0" in name + value]:
        why = "has a NUL (U+0000): no text here has one"
        told = ("body", with_nul[0].replace("\0", "?"))
        raise RequestValidationError([{"type": "nul", "loc": told, "msg": why}])
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        why = "given more than once"
        raise RequestValidationError([{"type": "repeated", "loc": ("body", name), "msg": why} for name in repeated])
    try:
        return FdsnParameters.model_validate(dict(given))
    except ValidationError as error:
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in error.errors()]) from error


def _wanted(catalog: Catalog, asked: FdsnParameters) -> tuple[EarthquakeFilter, list[str] | None, int | None]:
    """The filter, the ids that `eventid` means, and the change that `asof` means; None: all, and the last one."""
    wanted = asked.wanted()
    wanted = replace(wanted, mode=wanted.mode or "actual")
    ids = None
    if asked.eventid is not None:
        found = _found(catalog, asked.eventid, wanted.mode)
        if not found and "%" in asked.eventid:  # some clients escape what is escaped for them once more
            found = _found(catalog, unquote(asked.eventid), wanted.mode)
        # what was merged away is now what it became; as of an earlier change it may have stood for itself
        ids = list(dict.fromkeys([*((catalog.merged_into(one) or one) for one in found), *found]))
    return wanted, ids, asof_seq(catalog, asked.asof)


def _found(catalog: Catalog, name: str, mode: Mode | None) -> list[str]:
    return catalog.find(name.removeprefix(f"{AUTHORITY}/event/"), mode)


def _answer(
    catalog: Catalog, turns: pieces.Turns, request: Request, asked: FdsnParameters, home: str, cap_sender: str
) -> Response:
    if asked.format == "parquet" and not parquet.is_there():
        raise Rejected(f"format={parquet.MISSING}")
    wanted, ids, asof = _wanted(catalog, asked)
    most = MAX_EVENTS + 1 if asked.limit is None else min(asked.limit, MAX_EVENTS + 1)
    found = catalog.select(wanted, limit=most, offset=asked.offset, orderby=asked.orderby, ids=ids, asof_seq=asof)
    tag = f'W/"{found.feed.epoch}-{found.at_seq}-{asked.format}"'
    headers = {
        "Quakestream-Seq": str(found.at_seq),
        "Quakestream-Epoch": found.feed.epoch,
        "Cache-Control": "no-cache",
        "ETag": tag,
    }
    if len(found.seqs) > MAX_EVENTS:
        raise HTTPException(
            413,
            f"More than {MAX_EVENTS} earthquakes match, and no answer has more. Ask for parts: by time (starttime,"
            f" endtime), or by limit={MAX_EVENTS} and offset=1, {MAX_EVENTS + 1} …, with asof={found.at_seq} so that"
            " the parts join while events arrive.",
            headers,
        )
    # the USGS's clients ask many times for what may be nothing, and read a collection without features then
    empty = asked.format == "geojson" and asked.eventid is None and "nodata" not in asked.model_fields_set
    if not found.seqs and not empty:
        if asked.nodata == "404":
            raise HTTPException(404, "Nothing matches.", headers)
        return Response(status_code=204, headers=headers)
    if is_known(request.headers, tag):
        return Response(status_code=304, headers=headers)
    if asked.format == "cap":
        return _as_cap(catalog, found, home, cap_sender, headers)
    if asked.format == "geojson" and asked.eventid is not None and len(found.seqs) == 1:
        return _as_detail(catalog, found, home, headers)
    url = f"{home}{request.url.path}" + (f"?{request.url.query}" if request.url.query else "")
    mode = wanted.mode or "actual"
    about = About(
        url=url,
        home=home,
        count=len(found.seqs),
        made_ms=clock.now_ms(),
        title="Earthquakes" if mode == "actual" else f"{mode.upper()}: Earthquakes",
        more={"offset": asked.offset, "limit": asked.limit or MAX_EVENTS, "seq": found.at_seq, "mode": mode},
    )
    writer = WRITERS[asked.format](about)
    head_only = bool(request.scope.get(HEAD_ONLY))
    return pieces.answer(catalog, turns, found, writer, headers, home, mode, others=asked.others, head_only=head_only)


def _as_detail(catalog: Catalog, found: Selection, home: str, headers: Mapping[str, str]) -> Response:
    """One event by its id is a detail at the USGS: a feature with products, not a collection."""
    (account,) = catalog.told(found.seqs, found.at_seq, others=True)
    one = msgspec.json.decode(account.document)
    source, _, id_ = one["preferred"].partition(":")
    solutions = [{**one, "source": source, "id": id_}, *map(msgspec.json.decode, account.others)]
    answer = json_answer(geojson.detail(one, solutions, home))
    answer.headers.update(dict(headers) | Credits.of(one, *solutions).headers(home))
    return answer


def _as_cap(catalog: Catalog, found: Selection, home: str, cap_sender: str, headers: Mapping[str, str]) -> Response:
    """One message."""
    if len(found.seqs) > 1:
        raise Rejected(
            f"a CAP message is of one earthquake, and {len(found.seqs)} match: {home}/feeds/cap.atom has many"
        )
    one = msgspec.json.decode(catalog.told(found.seqs, found.at_seq)[0].document)
    made_ms = catalog.revised_at(one["id"])
    history = [cap.Revision(number, at_ms) for number, at_ms in enumerate(made_ms, 1)]
    message = cap.message(one, history, sender=cap_sender, web=f"{home}/?id={one['id']}")
    return Response(message, headers=dict(headers) | Credits.of(one).headers(home), media_type=cap.MEDIA_TYPE)


def _count(catalog: Catalog, asked: FdsnParameters) -> Response:
    wanted, ids, asof = _wanted(catalog, asked)
    stands, number = catalog.count_selected(wanted, ids=ids, asof_seq=asof)
    headers = {"Quakestream-Seq": str(stands.last_seq if asof is None else asof), "Quakestream-Epoch": stands.epoch}
    if asked.format == "geojson":
        answer = json_answer({"count": number, "maxAllowed": MAX_EVENTS})
        answer.headers.update(headers)
        return answer
    return PlainTextResponse(f"{number}\n", headers=headers)


def _listed(name: str, values: list[str]) -> str:
    entries = "".join(f"<{name}>{escape(cap.xml_line(value))}</{name}>\n" for value in values)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{name}s>\n{entries}</{name}s>\n'
