"""What the HTTP interfaces of both programs have in common.

`create_app` makes a FastAPI app that has it all: problem details (RFC 9457) for every error, a bound on bodies, answers
compressed for who takes it, `/health/live`, `/health/ready`, `/metrics`, and `/docs`, a page that loads nothing from
elsewhere. The program adds its own routes.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import functools
import hashlib
import html
import json
import re
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

import msgspec
import structlog
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Security
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic_core import PydanticCustomError
from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.gzip import (
    DEFAULT_EXCLUDED_CONTENT_TYPES,
    GZipMiddleware,
    GZipResponder,
    IdentityResponder,
)
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quakestream import packing, schemas, supervision
from quakestream.errors import QuakestreamError, Rejected, Retryable
from quakestream.secrecy import redacted_all

MAX_BODY_BYTES: Final = 64 * 1024
BODY_TIMEOUT_S: Final = 10.0
COMPRESS_FROM_BYTES: Final = 1024
COMPRESS_ASIDE_FROM_BYTES: Final = 32 * 1024
"""More would hold up the event loop for longer than 1 ms: a thread does it."""
COMPRESS_LEVEL: Final = 6
"""Of a list of earthquakes 9 makes 2 % less, and takes twice as long."""
PROBLEM_JSON: Final = "application/problem+json"

_encode = msgspec.json.Encoder().encode
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Readiness:
    """What `/health/ready` says: `degraded` still serves (200), `unavailable` does not (503)."""

    status: Literal["ok", "degraded", "unavailable"]
    details: Mapping[str, Any] = field(default_factory=dict)


def create_app(
    *,
    title: str,
    description: str,
    version: str,
    ready: Callable[[], Awaitable[Readiness]],
    max_body_bytes: int = MAX_BODY_BYTES,
    larger_bodies: Mapping[str, int] | None = None,
    not_found: Callable[[Request, str], Response | None] = lambda _request, _detail: None,
) -> FastAPI:
    """An app with everything but the program's own routes.

    `larger_bodies`: their bounds, by patterns of paths. `not_found`: a page in the place of the problem document where
    there is nothing, with what is said of it; None: the document.
    """
    app = _App(
        title=title,
        description=description,
        version=version,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(_each_once)],
    )
    app.add_middleware(Conditional)
    app.add_middleware(Compression)
    app.add_middleware(BodyLimit, max_bytes=max_body_bytes, larger=larger_bodies or {})
    app.add_middleware(Heads)
    _add_problems(app, not_found)
    _add_health(app, ready)
    _add_docs(app)
    return app


class Routes(APIRouter):
    """Routes of an app that `create_app` makes: what it asks of each is asked of these."""

    def __init__(self, **options: Any) -> None:
        super().__init__(dependencies=[Depends(_each_once)], **options)


def join(routes: Routes, to: FastAPI | Routes) -> None:
    """Put them in, as they are.

    `include_router` would make each of them anew at the first request, for what an app may ask of a router's routes:
    0.1 s of the event loop, in which live push stands still, where all routes of the consumer are asked.
    """
    to.routes.extend(routes.routes)


def json_answer(document: Any, status: int = 200) -> Response:
    """An object as JSON, quicker than by the framework."""
    return Response(_encode(document), status, media_type="application/json")


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> JSONResponse:
    """An error as RFC 9457 problem details."""
    said = redacted_all({"detail": detail} | more)
    document = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status} | said
    return _Problem(document, status, headers)


class _Problem(JSONResponse):
    media_type = PROBLEM_JSON

    def render(self, content: Any) -> bytes:
        """It may quote what was sent, which may be no text: half of a surrogate pair is told as `?`."""
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route that may answer with these errors."""
    content = {PROBLEM_JSON: {"schema": PROBLEM_SCHEMA}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


PROBLEM_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}


def key_guard(token: str, nobody: str) -> Callable[..., None]:
    """A dependency that lets in who has the key, `Authorization: Bearer …`; without a key set, 403 with `nobody`.

    It compares in a time that does not tell how much of a key is right.
    """

    def let_in(key: Annotated[HTTPAuthorizationCredentials | None, Security(HTTPBearer(auto_error=False))]) -> None:
        if not token:
            raise HTTPException(403, nobody)
        if key is None or not secrets.compare_digest(key.credentials.encode(), token.encode()):
            why = "a key is needed: `Authorization: Bearer …`" if key is None else "not the key"
            raise HTTPException(401, why, {"WWW-Authenticate": "Bearer"})

    return let_in


async def read_body(request: Request, *, with_nul: bool = False) -> bytes:
    """The whole body, for routes that parse it themselves, whatever its content type is called.

    `with_nul`: a NUL is for whoever parses it to deal with.

    Raises:
        HTTPException: 400, it has a NUL, as it is or as JSON writes it; 408, it does not come; 413, it is too large.
    """
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            body = await request.body()
    except TimeoutError:
        raise HTTPException(408, f"the body did not come within {BODY_TIMEOUT_S:g} s") from None
    if not with_nul and (b"\0" in body or (b"\\u0000" in body and _ESCAPED_NUL.search(body))):
        raise HTTPException(400, "the body has a NUL (U+0000): no text here has one")
    return body


_ESCAPED_NUL: Final = re.compile(rb"(?<!\\)(\\\\)*\\u0000")


@dataclass(frozen=True, slots=True)
class Approach:
    """How a request came here, by what its proxy says where that is believed (`proxies.py`)."""

    origin: str
    """What the client sees: `https://quakes.example.org`."""
    base_path: str
    """What of the path the client sees is the proxy's, such as `/quakes`. Empty: nothing."""
    client: str
    """The client's address; empty: not known."""

    @property
    def host(self) -> str:
        """Of `origin`: with its port, where that is said."""
        return self.origin.partition("://")[2]

    @property
    def home(self) -> str:
        """Where the client sees what is `/` here, without the slash."""
        return f"{self.origin}{self.base_path}"


APPROACH: Final = "quakestream.approach"
"""Where a scope has it."""


def approach(scope: Scope) -> Approach:
    """How a request came here."""
    found: Approach | None = scope.get(APPROACH)
    if found is None:
        host = Headers(scope=scope).get("host", "localhost")
        found = Approach(f"{scope.get('scheme', 'http')}://{host}", "", (scope.get("client") or ("",))[0])
    return found


HEAD_ONLY: Final = "quakestream.head_only"
"""In the scope of a GET that is a HEAD: for routes whose answer would have no end."""


class Heads:
    """ASGI middleware: HEAD is what GET is, without the body, for every route."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask as GET, send the head on."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def head(message: Message) -> None:
            if message["type"] != "http.response.body":
                await send(message)
            elif not message.get("more_body", False):
                await send({"type": "http.response.body", "body": b""})

        await self._app({**scope, "method": "GET", HEAD_ONLY: True}, receive, head)


class BodyLimit:
    """ASGI middleware: a request's body has at most `max_bytes`, whatever its headers say."""

    def __init__(self, app: ASGIApp, max_bytes: int, larger: Mapping[str, int] | None = None) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._larger = [(re.compile(pattern), n) for pattern, n in (larger or {}).items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse by the length that is announced, else while it comes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        max_bytes = max((n for pattern, n in self._larger if pattern.fullmatch(path)), default=self._max_bytes)
        detail = f"a body has at most {max_bytes} bytes"
        headers = dict(scope["headers"])
        announced = headers.get(b"content-length", b"")
        if headers.get(b"content-encoding", b"identity").strip().lower() not in (b"", b"identity"):
            why = "a body is sent as it is: no Content-Encoding"
            await problem(415, why, {"Accept-Encoding": "identity", "Connection": "close"})(scope, receive, send)
            return
        if announced.isdigit() and int(announced) > max_bytes:
            await problem(413, detail, {"Connection": "close"})(scope, receive, send)
            return
        size = 0

        async def limited() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > max_bytes:
                raise HTTPException(413, detail)
            return message

        await self._app(scope, limited, send)


class Compression(GZipMiddleware):
    """ASGI middleware: Zstandard, Brotli or gzip for answers above 1 kB, as the client wishes (RFC 9110, 12.5.3).

    What is compressed already is left alone, and so is live push: it writes to the transport, past all middleware. Each
    part of an answer that is made while it is sent is sent whole.
    """

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app, COMPRESS_FROM_BYTES, COMPRESS_LEVEL, COMPRESS_ASIDE_FROM_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Choose, and say that the answer depends on it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        coding = wished_encoding(Headers(scope=scope), CODINGS)

        async def varying(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (200, 304):
                headers = MutableHeaders(raw=message["headers"])
                said = {name.strip().lower(): name.strip() for name in headers.get("vary", "").split(",")} | {
                    "accept-encoding": "Accept-Encoding"
                }
                if not _is_packed_itself(headers.get("content-type", "")):
                    headers["Vary"] = ", ".join(name for name in said.values() if name)
            await send(message)

        responder: ASGIApp
        if coding == "gzip":
            responder = GZipResponder(
                self.app,
                self.minimum_size,
                self.compresslevel,
                thread_minimum_size=self.thread_minimum_size,
                exclude_content_types=PACKED_TYPES,
            )
        elif coding is None:
            responder = IdentityResponder(self.app, self.minimum_size, exclude_content_types=PACKED_TYPES)
        else:
            responder = _Packing(self.app, coding)
        await responder(scope, receive, varying)


class _Packing(IdentityResponder):
    """What gzip's responder is, for the other codings."""

    def __init__(self, app: ASGIApp, coding: str) -> None:
        super().__init__(app, COMPRESS_FROM_BYTES, exclude_content_types=PACKED_TYPES)
        self.content_encoding = coding
        self._packer: packing.Packer | None = None

    async def apply_compression(self, body: bytes, *, more_body: bool) -> bytes:
        """The part, packed."""
        if self._packer is None:
            self._packer = packing.PACKERS[self.content_encoding]()
        if len(body) >= COMPRESS_ASIDE_FROM_BYTES:
            return await asyncio.to_thread(self._packer.pack, body, last=not more_body)
        return self._packer.pack(body, last=not more_body)


PACKED_TYPES: Final = (*DEFAULT_EXCLUDED_CONTENT_TYPES, "application/vnd.apache.parquet")
"""Answers that are packed in themselves, or live."""
CODINGS: Final = ("zstd", "br", "gzip")
"""By preference, where a client has none: Zstandard takes the least time, and a tenth less room than gzip."""


def _is_packed_itself(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind in PACKED_TYPES or f"{kind.partition('/')[0]}/*" in PACKED_TYPES


def accepted_encodings(headers: Mapping[str, str]) -> set[str]:
    """The content codings of a request's `Accept-Encoding` that are not refused by `q=0`."""
    return {name for name, weight in _wishes(headers).items() if weight > 0}


def wished_encoding(headers: Mapping[str, str], offered: Sequence[str]) -> str | None:
    """Which of the codings that are offered the client likes best, by `q`, then by their order; None: none of them.

    `*` stands for those that it does not name; of these gzip alone is taken, which everybody has.
    """
    wishes = _wishes(headers)
    if "*" in wishes:
        wishes.setdefault("gzip", wishes["*"])
    least = wishes.get("identity", 0.0)
    best = max(offered, key=lambda name: (wishes.get(name, 0.0), -offered.index(name)), default=None)
    if best is None or wishes.get(best, 0.0) <= 0.0 or wishes[best] < least:
        return None
    return best


def _wishes(headers: Mapping[str, str]) -> dict[str, float]:
    return _weights(headers.get("accept-encoding", ""))


@functools.lru_cache(256)
def _read_weights(text: str) -> tuple[tuple[str, float], ...]:
    found = []
    for coding in text[:1000].split(","):
        name, _, weight = coding.replace(" ", "").replace("\t", "").lower().partition(";")
        try:
            value = float(weight.removeprefix("q=")) if weight.startswith("q=") else 1.0
        except ValueError:
            value = 0.0
        if name:
            found.append(("gzip" if name == "x-gzip" else name, min(max(value, 0.0), 1.0)))
    return tuple(found)


def _weights(text: str) -> dict[str, float]:
    return dict(_read_weights(text))


_TAG: Final = re.compile(r'(?:W/)?("[^"]*")')


def is_known(headers: Mapping[str, str], tag: str, modified_ms: int | None = None) -> bool:
    """Whether who asks has this content (RFC 9110, 13.1.2 and 13.1.3). `modified_ms`: since when it is what it is."""
    tags = headers.get("if-none-match")
    if tags is not None:
        return tags.strip() == "*" or tag.removeprefix("W/") in _TAG.findall(tags)
    since = headers.get("if-modified-since")
    if since is None or modified_ms is None:
        return False
    try:
        return parsedate_to_datetime(since).timestamp() >= modified_ms // 1000
    except (ValueError, OverflowError):
        return False


class Conditional:
    """ASGI middleware: an answer to GET has an `ETag`, and is 304 for who has it already (RFC 9110, 13).

    What comes in one part gets the tag of its content, where it has none; what comes in parts has that of its route.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold the answer's head back until its tag is known."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        start: Message | None = None
        known = False

        async def tagged(message: Message) -> None:
            nonlocal start, known
            if message["type"] == "http.response.start" and message["status"] == 200:
                start = message
                return
            if start is None:
                if not known:
                    await send(message)
                return
            headers = MutableHeaders(raw=start.setdefault("headers", []))
            whole = message["type"] == "http.response.body" and not message.get("more_body", False)
            if whole and "etag" not in headers and headers.get("cache-control") != "no-store":
                digest = hashlib.blake2b(message.get("body", b""), digest_size=12).hexdigest()
                headers["ETag"] = f'W/"{digest}"'
                headers.setdefault("Cache-Control", "private, no-cache" if "authorization" in asked else "no-cache")
            since_ms = _time_ms(headers.get("last-modified"))
            if "etag" in headers and is_known(asked, headers["etag"], since_ms):
                start, known = None, True
                await not_modified(headers.raw, send)
                return
            begun, start = start, None
            await send(begun)
            await send(message)

        await self._app(scope, receive, tagged)


async def not_modified(raw: list[tuple[bytes, bytes]], send: Send) -> None:
    """Send 304 with those headers of an answer that it has too."""
    kept = [(name, value) for name, value in raw if name.lower() not in _OF_A_BODY]
    await send({"type": "http.response.start", "status": 304, "headers": kept})
    await send({"type": "http.response.body", "body": b""})


_OF_A_BODY: Final = frozenset({b"content-length", b"content-type", b"content-encoding", b"transfer-encoding"})


def _time_ms(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return round(parsedate_to_datetime(text).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def at_odds(parameters: Sequence[str], why: str) -> PydanticCustomError:
    """Parameters that don't go together: raised by a model's validator, each is named in the problem's `faults`."""
    return PydanticCustomError("at_odds", "{why}", {"why": why, "parameters": list(parameters)})


async def _each_once(request: Request) -> None:
    """No parameter has two values: to take one of them in silence would answer another question. None has a NUL.

    Raises:
        RequestValidationError: it has.
    """
    if "\0" in request.scope["path"]:
        raise RequestValidationError([{"type": "nul", "loc": ("path",), "msg": "has a NUL (%00)"}])
    query: bytes = request.scope["query_string"]
    if nul := _with_nul(query):
        raise RequestValidationError([{"type": "nul", "loc": ("query", n), "msg": "has a NUL (%00)"} for n in nul])
    if repeated := _repeated(query):
        why = "given more than once"
        raise RequestValidationError([{"type": "repeated", "loc": ("query", name), "msg": why} for name in repeated])


def _with_nul(query: bytes) -> list[str]:
    if b"%00" not in query and b"\0" not in query:
        return []
    named = [(name, value) for name, value in QueryParams(query).multi_items() if "\0" in name + value]
    return [name.replace("\0", "?") for name, _ in named]


@functools.lru_cache(1024)
def _repeated(query: bytes) -> tuple[str, ...]:
    names = Counter(name for name, _ in QueryParams(query).multi_items())
    return tuple(name for name, times in names.items() if times > 1)


class _App(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """FastAPI's description, except that bad input is 400 with problem details here, not 422."""
        if self.openapi_schema is None:
            schema = get_openapi(
                title=self.title, version=self.version, description=self.description, routes=self.routes
            )
            for _, _, operation in _operations(schema):
                if operation["responses"].pop("422", None):
                    described = operation["responses"].setdefault("400", {"description": "Bad Request"})
                    described.setdefault("content", {PROBLEM_JSON: {"schema": PROBLEM_SCHEMA}})
            for path, method, operation in _operations(schema):
                if not path.startswith("/health/"):  # what `guards` answers, wherever it stands before the app
                    kept_out = problems(421) if method == "GET" else problems(403, 421)
                    for status, answer in kept_out.items():
                        operation["responses"].setdefault(str(status), answer)
            _hoist(schema)
            _forbid_nul(schema)
            for unused in ("HTTPValidationError", "ValidationError"):
                schema.get("components", {}).get("schemas", {}).pop(unused, None)
            self.openapi_schema = schema
        return self.openapi_schema


def _hoist(schema: dict[str, Any]) -> None:
    """Put the definitions that bodies' schemas bring along where references lead: among the components."""
    shared: dict[str, Any] = schema.setdefault("components", {}).setdefault("schemas", {})
    for _, _, operation in _operations(schema):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            if "$defs" in content.get("schema", {}):
                body = copy.deepcopy(content["schema"])
                names = {name: _free(name, definition, shared) for name, definition in body["$defs"].items()}
                moved = json.dumps(body)
                for name, free in names.items():
                    moved = moved.replace(f'"#/$defs/{name}"', f'"#/components/schemas/{free}"')
                content["schema"] = json.loads(moved)
                shared |= {names[name]: one for name, one in content["schema"].pop("$defs").items()}


def _forbid_nul(schema: Mapping[str, Any]) -> None:
    """Say of parameters that are texts what holds for all of them: they have no NUL."""
    for _, _, operation in _operations(schema):
        for parameter in operation.get("parameters", ()):
            for one in (parameter["schema"], *parameter["schema"].get("anyOf", ())):
                if one.get("type") == "string" and not {"format", "pattern", "enum", "const"} & one.keys():
                    one["pattern"] = r"^[^\x00]*$"


def _free(name: str, definition: Mapping[str, Any], shared: Mapping[str, Any]) -> str:
    """The name, or one like it where it is another thing's."""
    return name if name not in shared or shared[name] == definition else f"{name}Asked"


def _operations(schema: Mapping[str, Any]) -> Iterable[tuple[str, str, dict[str, Any]]]:
    for path, item in schema.get("paths", {}).items():
        for method, operation in item.items():
            yield path, method.upper(), operation


def _add_problems(app: FastAPI, not_found: Callable[[Request, str], Response | None]) -> None:
    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, StarletteHTTPException)  # noqa: S101 - what it is registered for
        if error.status_code == HTTPStatus.NOT_FOUND and "endpoint" not in request.scope:
            slashed = _slashed(request)
            if slashed is not None:
                return slashed
        if error.status_code == HTTPStatus.NOT_FOUND:
            page = not_found(request, str(error.detail))
            if page is not None:
                return page
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            return problem(error.status_code, str(error.detail), {"Allow": ", ".join(_allowed(request.scope))})
        return problem(error.status_code, str(error.detail), error.headers)

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        told = [(_places(fault), fault["msg"]) for fault in error.errors()]
        faults = [{"at": at, "why": why} for places, why in told for at in places]
        return problem(400, "; ".join(f"{', '.join(places)}: {why}" for places, why in told), faults=faults)

    async def ours(_: Request, error: Exception) -> Response:
        if isinstance(error, Rejected):
            faults = [{"at": at, "why": why} for at, why in error.faults]
            return problem(400, str(error), faults=faults) if faults else problem(400, str(error))
        if isinstance(error, Retryable):
            return problem(503, str(error), {"Retry-After": "1"})
        log.error("unexpected error in a request", exc_info=error)
        return await unexpected(_, error)

    async def unexpected(_: Request, _error: Exception) -> Response:
        return problem(500, "unexpected error. The log of the program says more")

    app.add_exception_handler(StarletteHTTPException, http_error)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(QuakestreamError, ours)
    app.add_exception_handler(Exception, unexpected)


def matches(scope: Scope, *, fully: bool = False) -> bool:
    """Whether a path is one of the app's; `fully`: with this method."""
    routes: Sequence[BaseRoute] = scope["app"].routes
    found = (route.matches(scope)[0] for route in routes)
    return any(match is Match.FULL or (match is Match.PARTIAL and not fully) for match in found)


def _allowed(scope: Scope) -> list[str]:
    """The methods that a path has, of all its routes."""
    found = {method for method in _METHODS if matches({**scope, "method": method}, fully=True)}
    return sorted(found | {"HEAD"} if "GET" in found else found)


_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


def _slashed(request: Request) -> Response | None:
    """To the path that has a slash more or less at its end, where there is one.

    The address is relative, for a proxy may have us below a path of its own.
    """
    path: str = request.scope["path"]
    if path == "/":
        return None
    other = path[:-1] if path.endswith("/") else f"{path}/"
    if not matches({**request.scope, "path": other}):
        return None
    name = quote(other.rstrip("/").rpartition("/")[2])
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"../{name}{query}" if path.endswith("/") else f"{name}/{query}", 307)


def _places(fault: Mapping[str, Any]) -> list[str]:
    """Where a fault is: one place, or each of the parameters that are at odds."""
    where = ".".join(map(str, fault["loc"]))
    together: Sequence[str] = fault.get("ctx", {}).get("parameters", ())
    return [f"{where}.{name}" for name in together] or [where]


def _add_health(app: FastAPI, ready: Callable[[], Awaitable[Readiness]]) -> None:
    @app.get("/health/live", tags=["health"], summary="Whether the program turns")
    async def live() -> dict[str, str]:
        return {"status": "ok"}

    @app.get(
        "/health/ready",
        tags=["health"],
        summary="Whether the program can serve",
        responses={503: {"description": "No"}},
    )
    async def is_ready() -> JSONResponse:
        readiness = await ready()
        code = 503 if readiness.status == "unavailable" else 200
        failing = supervision.PROCESS.failing()
        status = "degraded" if failing and readiness.status == "ok" else readiness.status
        return JSONResponse(
            {"status": status, **redacted_all(readiness.details), "workers": redacted_all(failing)}, code
        )

    @app.get("/metrics", tags=["health"], summary="Metrics, for Prometheus", response_class=_Metrics)
    async def metrics() -> Response:
        return _Metrics(generate_latest())


class _Metrics(Response):
    media_type = CONTENT_TYPE_LATEST


def _add_docs(app: FastAPI) -> None:
    @app.get("/openapi.json", include_in_schema=False)
    async def description(request: Request) -> Response:
        base = approach(request.scope).base_path
        return JSONResponse(app.openapi() | ({"servers": [{"url": base}]} if base else {}))

    @app.get("/schemas/event.json", include_in_schema=False)
    async def event_schema() -> Response:
        return Response(schemas.document("event"), media_type="application/schema+json")

    @app.get("/asyncapi.json", include_in_schema=False)
    async def asyncapi() -> Response:
        return Response(schemas.document("asyncapi"), media_type="application/json")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
        policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'"
        headers = {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"}
        return HTMLResponse(docs_page(app.openapi()), headers=headers)


def docs_page(schema: Mapping[str, Any]) -> str:
    """The interface as one page that needs nothing else."""
    title, text = (html.escape(str(schema["info"].get(name, ""))) for name in ("title", "description"))
    operations = "\n".join(_operation(*operation) for operation in _operations(schema))
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>\n'
        f"<h1>{title} {html.escape(schema['info']['version'])}</h1>\n<p>{text}</p>\n"
        f'<p>For programs: <a href="openapi.json">openapi.json</a>, <a href="asyncapi.json">asyncapi.json</a>, '
        f'<a href="schemas/event.json">schemas/event.json</a></p>\n{operations}\n</html>\n'
    )


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    rows = [
        (f"{parameter['name']} ({parameter['in']})", parameter.get("description", ""))
        for parameter in operation.get("parameters", ())
    ]
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        fields = content.get("schema", {}).get("properties", {})
        rows += [(f"{name} ({kind})", about.get("description", "")) for name, about in fields.items()]
    rows += [(code, answer["description"]) for code, answer in operation["responses"].items()]
    table = "".join(f"<tr><th>{html.escape(str(a))}<td>{html.escape(str(b))}" for a, b in rows)
    summary, text = (html.escape(operation.get(name, "")) for name in ("summary", "description"))
    return f"<h2><code>{method} {html.escape(path)}</code> {summary}</h2>\n<p>{text}</p><table>{table}</table>"


_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}"
    "h2{font-size:1rem;border-top:1px solid;padding-top:1rem}code{font-size:1.1em}"
    "th{text-align:left;padding-right:1rem;font-weight:500;vertical-align:top}"
)
