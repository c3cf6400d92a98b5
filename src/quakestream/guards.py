"""Who may ask: looked at before any route, the same in both programs.

- `Host` must be a name of ours. A stranger's page whose name was made to lead to this machine ("DNS rebinding") is of
  the same origin to the browser; only the name tells. `/health/…` is free of it: it says nothing that matters, and
  orchestrators ask by address.
- A request that may change something and comes from another site's page is refused: by `Sec-Fetch-Site`, which browsers
  set and pages can't (https://www.w3.org/TR/fetch-metadata/), and by `Origin`.
- A WebSocket that another site's page opens is refused by its `Origin`: no cross-site rule of browsers holds for it.
  Names of ours (`ALLOWED_HOSTS`) and `CORS_ORIGINS` may. Who sends no `Origin` is no browser.
- Pages of `CORS_ORIGINS` may read what needs no key (https://fetch.spec.whatwg.org/#http-cors-protocol), without
  credentials.
- Control of the stream needs a token; without one set, it is for whoever sits at this machine.

What can't be told: a proxy on this machine that adds no header, speaks HTTP/1.1 and sends its upstream's name as `Host`
looks like a user of this machine. `PUBLIC_URL` says that there is one.
"""

from __future__ import annotations

import functools
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

import structlog
from fastapi import HTTPException, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quakestream import addresses
from quakestream.addresses import Hosts
from quakestream.config import Settings
from quakestream.telemetry import REQUESTS_REFUSED
from quakestream.web import approach, problem

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
HEALTH: Final = "/health/"
PREFLIGHT_S: Final = 600
READING: Final = ("GET", "HEAD")
READING_HEADERS: Final = "last-event-id, cache-control, content-type, if-none-match, x-requested-with, traceparent"
"""What a page may send when it reads: no key."""
EXPOSED: Final = "ETag, Link, Location, Retry-After, Quakestream-Seq, Quakestream-Epoch, Quakestream-Agencies"
"""What a page may read beside what every page may."""
PRIVATE: Final = ("/health/", "/metrics")
"""Paths that no other site's page reads: what is for this machine's keepers."""
CORS: Final = "quakestream.cors"
"""Where a scope has the headers by which its answer is readable, for what is sent past this middleware."""
LINES_A_SECOND: Final = 5.0
"""Of refusals in the log; the metric counts all of them."""
MAX_LOGGED: Final = 200
_FORWARDED: Final = frozenset(
    {"forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "client-ip", "true-client-ip"}
    | {"cf-connecting-ip", "cf-ray", "x-original-forwarded-for", "x-envoy-external-address", "x-original-host"}
)

Reason = Literal["host", "cross_site", "token", "not_local"]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings say of who may ask."""

    hosts: Hosts
    own_origins: frozenset[tuple[str, str, int]] = frozenset()
    """Beside the one that a request's `Host` tells: `PUBLIC_URL`'s, for a proxy may change `Host`."""
    control_token: str = field(default="", repr=False)
    control_origins: frozenset[tuple[str, str, int]] = frozenset()
    """Whose pages may control the stream, with the token."""
    cors_origins: frozenset[tuple[str, str, int]] = frozenset()
    """Whose pages may read what is public."""
    cors_everywhere: bool = False
    shut: str = ""
    """Why nobody is of this machine for sure, whoever it looks to be: a setting. Empty: it can be told."""

    @classmethod
    def of(cls, settings: Settings, *, control_token: str = "", control_origins: str = "") -> Rules:
        """As the settings, which were checked, say."""
        names = addresses.listed(settings.allowed_hosts)
        own: set[tuple[str, str, int]] = set()
        if settings.public_url:
            own.add(addresses.origin_of("/".join(settings.public_url.split("/")[:3])))
            names.append(next(iter(own))[1])
        shut = "PUBLIC_URL is set" if settings.public_url else ""
        host = settings.listens_on()
        if host not in addresses.EVERYWHERE:
            names.append(host)
        if not addresses.is_loopback_name(host.lower()):
            shut = f"HOST is {host}"
        origins = frozenset(addresses.origin_of(one) for one in addresses.listed(control_origins))
        readers = addresses.listed(settings.cors_origins)
        listed = frozenset(addresses.origin_of(one) for one in readers if one != "*")
        return cls(Hosts(names), frozenset(own), control_token, origins, listed, "*" in readers, shut)

    def warn(self, needs: Mapping[str, tuple[str, str]]) -> None:
        """Say once, at the start, in one line, that others can reach the program, and what nobody can do.

        `needs`: of each key its setting, what nobody may do without it, and the key.
        """
        unset = [f"{what} until {name} is set" for name, (what, key) in needs.items() if not key]
        if unset and self.shut.startswith("HOST"):
            read = "whoever reaches this machine may read what is public"
            log.warning(f"{self.shut}: {read}, and nobody may {', nor '.join(unset)}")  # noqa: G004
        elif self.shut and unset and "CONTROL_TOKEN" in unset[0]:
            log.warning(f"{self.shut}: nobody may {unset[0]}")  # noqa: G004

    def control(
        self,
        request: Request,
        key: Annotated[HTTPAuthorizationCredentials | None, Security(HTTPBearer(auto_error=False))],
    ) -> None:
        """A dependency of the routes that control the stream.

        Raises:
            HTTPException: 401, not the token; 403, none is set and it can't be told that a user of this machine asks.
        """
        if self.control_token:
            if key is None or not secrets.compare_digest(key.credentials.encode(), self.control_token.encode()):
                _refused("token", request.scope)
                why = "CONTROL_TOKEN is needed: `Authorization: Bearer …`" if key is None else "not CONTROL_TOKEN"
                raise HTTPException(401, why, {"WWW-Authenticate": "Bearer"})
            return
        if why := self.shut or self._elsewhere(request):
            _refused("not_local", request.scope, why=why)
            raise HTTPException(
                403, f"only a user of this machine may control the stream, and {why}: set CONTROL_TOKEN, and send it"
            )

    def _elsewhere(self, request: Request) -> str:
        """Why a request may not be of a user of this machine; empty: nothing says so."""
        headers = request.headers
        peer = request.client.host if request.client else ""
        forwarded = sorted(_forwarded(headers))
        if not _is_loopback_address(peer):
            return "this came from another one"
        if forwarded:
            return f"this came through a proxy ({', '.join(forwarded)})"
        if request.scope.get("http_version") == "1.0":
            return "this came as HTTP/1.0, as a proxy sends it"
        if not addresses.is_loopback_name(_host(headers)[0]):
            return "Host is not this machine's own name for itself"
        if not self._is_own(headers):
            return "this came from another page"
        return ""

    def crosses(self, headers: Headers) -> bool:
        """Whether a browser sent this for another site's page, or one that it does not name."""
        site = headers.get("sec-fetch-site", "none").lower()
        return site not in {"same-origin", "none"} or not self._is_own(headers)

    def _is_own(self, headers: Headers) -> bool:
        """Whether `Origin` is absent, or ours. `null` is ours only where the browser says that the page is."""
        origins = headers.getlist("origin")
        if not origins:
            return True
        if origins == ["null"]:
            return headers.get("sec-fetch-site", "").lower() == "same-origin"
        origin = _origin(origins)
        if origin is None:
            return False
        host, port = _host(headers)
        default = 443 if origin[0] == "https" else 80
        return origin in self.own_origins or origin[1:] == (host, port or default)

    def connects(self, headers: Headers) -> bool:
        """Whether a page of this `Origin` may open a WebSocket; who sends none is no page."""
        origin = _origin(headers.getlist("origin"))
        known = origin is not None and origin[1] in self.hosts
        return known or self._is_own(headers) or self.read_by(headers) is not None

    def read_by(self, headers: Headers) -> str | None:
        """What `Access-Control-Allow-Origin` is to say for a page of this `Origin`; None: it may not read."""
        origins = headers.getlist("origin")
        if len(origins) != 1:
            return None
        if self.cors_everywhere:
            return "*"
        return origins[0] if _origin(origins) in self.cors_origins else None

    def listed(self, headers: Headers) -> bool:
        """Whether `Origin` is one of `CONTROL_ORIGINS`."""
        return _origin(headers.getlist("origin")) in self.control_origins


class Guard:
    """ASGI middleware: whom `rules` keep out gets 421 or 403 with problem details; it is the outermost.

    Pages of `CONTROL_ORIGINS` may ask for `shared` paths, and read the answers (CORS); what a route itself asks of its
    callers, it asks of them too.
    """

    def __init__(
        self, app: ASGIApp, rules: Rules, shared: Iterable[str] = (), private: Iterable[str] = PRIVATE
    ) -> None:
        self._app = app
        self._rules = rules
        self._shared = frozenset(shared)
        self._private = tuple(private)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look, then let in or refuse."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, path = Headers(scope=scope), str(scope["path"])
        if not path.startswith(HEALTH) and not self._known(scope, headers):
            _refused("host", scope)
            host = headers.get("host", "")
            if _host(headers)[0] in self._rules.hosts:
                host = approach(scope).host  # the proxy says it
            why = f"{_shown(host)!r} is no name of this service: ALLOWED_HOSTS lists them"
            await problem(421, why, {"Connection": "close"})(scope, receive, send)
            return
        listed = path in self._shared and self._rules.listed(headers)
        asks = scope["method"] == "OPTIONS" and "access-control-request-method" in headers
        if asks and listed:
            await _permitted(headers["origin"], "GET, POST", "authorization, content-type")(scope, receive, send)
            return
        reader = self._rules.read_by(headers) if asks and self._may_be_read(path) else None
        if reader is not None and headers["access-control-request-method"] in READING:
            await _permitted(reader, ", ".join(READING), READING_HEADERS)(scope, receive, send)
            return
        if (asks or scope["method"] not in SAFE_METHODS) and not listed and self._rules.crosses(headers):
            _refused("cross_site", scope)
            why = "this came from another site's page: where it is your own behind a proxy, set PUBLIC_URL"
            if path in self._shared:
                why += "; where it may control the stream, CONTROL_ORIGINS"
            await problem(403, why, {"Connection": "close"})(scope, receive, send)
            return
        if headers.get("upgrade", "").lower() == "websocket" and not self._rules.connects(headers):
            _refused("cross_site", scope)
            why = "another site's page opened this WebSocket: CORS_ORIGINS lists those that may"
            await problem(403, why, {"Connection": "close"})(scope, receive, send)
            return
        origin = headers["origin"] if listed else self._reader(scope["method"], path, headers)
        if origin is None:
            await self._app(scope, receive, send)
            return
        more = _cors(origin)
        await self._app({**scope, CORS: more}, receive, _with(send, more))

    def _reader(self, method: str, path: str, headers: Headers) -> str | None:
        """For whose page the answer is readable: `*`, an origin, "" for nobody's; None: nothing is to be said of it."""
        if method not in SAFE_METHODS or not self._may_be_read(path):
            return None
        if self._rules.cors_everywhere:
            return "*"
        return (self._rules.read_by(headers) or "") if self._rules.cors_origins else None

    def _may_be_read(self, path: str) -> bool:
        return not path.startswith(self._private)

    def _known(self, scope: Scope, headers: Headers) -> bool:
        """Whether there is one `Host`, and it is ours; what a trusted proxy says of it likewise."""
        said = [_host(headers)[0], _host_of(approach(scope).host)[0]]
        return len(headers.getlist("host")) == 1 and all(host in self._rules.hosts for host in said)


def asker(request: Request) -> dict[str, Any]:
    """Who asks, for the log: every word of it may be a lie but `peer`."""
    return _asker(request.scope)


def _asker(scope: Scope) -> dict[str, Any]:
    headers = Headers(scope=scope)
    told: dict[str, Any] = {
        "peer": (scope.get("client") or ("",))[0],
        "asked": f"{scope['method']} {_shown(scope['path'])}",
        "host": _shown(headers.get("host", "")),
    }
    if (client := approach(scope).client) != told["peer"]:
        told["client"] = client
    for name in ("origin", "sec-fetch-site", "user-agent"):
        if name in headers:
            told[name.replace("-", "_")] = _shown(headers[name])
    if forwarded := _forwarded(headers):
        told["forwarded"] = forwarded
    return told


def _forwarded(headers: Headers) -> dict[str, str]:
    """What proxies say of whom they speak for."""
    found = {
        name: _shown(value) for name, value in headers.items() if name in _FORWARDED or name.startswith("x-forwarded")
    }
    return dict(list(found.items())[:10])


def _refused(reason: Reason, scope: Scope, **more: str) -> None:
    """Count a refusal and, a few times a second, log it."""
    REQUESTS_REFUSED.labels(reason).inc()
    left_out = _lines.allow(time.monotonic())
    if left_out is not None:
        unlogged = {"left_out_before": left_out} if left_out else {}
        log.warning("request refused", reason=reason, **_asker(scope), **more, **unlogged)


class _Sparingly:
    """Lets a few lines a second through; what it held back is told with the next one."""

    def __init__(self, a_second: float) -> None:
        self._a_second = a_second
        self._room = a_second
        self._at_s = 0.0
        self._held = 0

    def allow(self, now_s: float) -> int | None:
        """How many were held back since the last that was let through; None: this one is held back too."""
        self._room = min(self._a_second, self._room + (now_s - self._at_s) * self._a_second)
        self._at_s = now_s
        if self._room < 1:
            self._held += 1
            return None
        self._room -= 1
        held, self._held = self._held, 0
        return held


_lines: Final = _Sparingly(LINES_A_SECOND)


def _shown(text: str) -> str:
    """A stranger's words, for a log line or an answer: short, and nothing in it that acts on a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text[:MAX_LOGGED])


@functools.lru_cache(1024)
def _host_of(text: str) -> tuple[str, int | None]:
    try:
        return addresses.host_and_port(text)
    except ValueError:
        return "", None


def _host(headers: Headers) -> tuple[str, int | None]:
    """`Host`; an empty name where it is none."""
    return _host_of(headers.get("host", ""))


def _origin(origins: list[str]) -> tuple[str, str, int] | None:
    if len(origins) != 1:
        return None
    try:
        return addresses.origin_of(origins[0])
    except ValueError:
        return None


def _is_loopback_address(peer: str) -> bool:
    address = addresses.address_of(peer)
    return address is not None and address.is_loopback


def _cors(origin: str) -> dict[str, str]:
    """The headers by which a page of that origin may read an answer; `*`: any page; "": none may."""
    readable = {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": EXPOSED} if origin else {}
    return readable if origin == "*" else {**readable, "Vary": "Origin"}


def _permitted(origin: str, methods: str, headers: str) -> Response:
    """The answer to a preflight (https://fetch.spec.whatwg.org/#http-cors-protocol)."""
    return Response(
        status_code=204,
        headers={
            **_cors(origin),
            "Access-Control-Allow-Methods": methods,
            "Access-Control-Allow-Headers": headers,
            "Access-Control-Max-Age": str(PREFLIGHT_S),
        },
    )


def _with(send: Send, more: Mapping[str, str]) -> Send:
    """Send these headers too."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            for name, value in more.items():
                if name == "Vary":
                    headers.add_vary_header(value)
                else:
                    headers[name] = value
        await send(message)

    return sending
