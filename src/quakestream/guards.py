"""Who may ask: looked at before any route, the same in both programs.

- `Host` must be a name of ours. A stranger's page whose name was made to lead to this machine ("DNS rebinding") is of
  the same origin to the browser; only the name tells. `/health/…` is free of it: it says nothing that matters, and
  orchestrators ask by address.
- A request that may change something and comes from another site's page is refused: by `Sec-Fetch-Site`, which browsers
  set and pages can't (https://www.w3.org/TR/fetch-metadata/), and by `Origin`.
- Control of the stream needs a token; without one set, it is for whoever sits at this machine.

What can't be told: a proxy on this machine that adds no header, speaks HTTP/1.1 and sends its upstream's name as `Host`
looks like a user of this machine. `PUBLIC_URL` says that there is one.
"""

from __future__ import annotations

import functools
import ipaddress
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
from quakestream.web import problem

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
HEALTH: Final = "/health/"
PREFLIGHT_S: Final = 600
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
        if settings.host not in addresses.EVERYWHERE:
            names.append(settings.host)
        if not addresses.is_loopback_name(settings.host.lower()):
            shut = f"HOST is {settings.host}"
        origins = frozenset(addresses.origin_of(one) for one in addresses.listed(control_origins))
        return cls(Hosts(names), frozenset(own), control_token, origins, shut)

    def warn(self) -> None:
        """Say once, at the start, what nobody can do."""
        if self.shut and not self.control_token:
            log.warning(f"{self.shut}: nobody may start or stop the stream over HTTP until CONTROL_TOKEN is set")  # noqa: G004

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

    def listed(self, headers: Headers) -> bool:
        """Whether `Origin` is one of `CONTROL_ORIGINS`."""
        return _origin(headers.getlist("origin")) in self.control_origins


class Guard:
    """ASGI middleware: whom `rules` keep out gets 421 or 403 with problem details; it is the outermost.

    Pages of `CONTROL_ORIGINS` may ask for `shared` paths, and read the answers (CORS); what a route itself asks of its
    callers, it asks of them too.
    """

    def __init__(self, app: ASGIApp, rules: Rules, shared: Iterable[str] = ()) -> None:
        self._app = app
        self._rules = rules
        self._shared = frozenset(shared)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look, then let in or refuse."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, path = Headers(scope=scope), str(scope["path"])
        if not path.startswith(HEALTH) and not self._known(headers):
            _refused("host", scope)
            why = f"{_shown(headers.get('host', ''))!r} is no name of this service: ALLOWED_HOSTS lists them"
            await problem(421, why, {"Connection": "close"})(scope, receive, send)
            return
        listed = path in self._shared and self._rules.listed(headers)
        asks = scope["method"] == "OPTIONS" and "access-control-request-method" in headers
        if asks and listed:
            await _permitted(headers)(scope, receive, send)
            return
        if (asks or scope["method"] not in SAFE_METHODS) and not listed and self._rules.crosses(headers):
            _refused("cross_site", scope)
            why = "this came from another site's page: where it is your own behind a proxy, set PUBLIC_URL"
            if path in self._shared:
                why += "; where it may control the stream, CONTROL_ORIGINS"
            await problem(403, why, {"Connection": "close"})(scope, receive, send)
            return
        await self._app(scope, receive, _readable(send, headers["origin"]) if listed else send)

    def _known(self, headers: Headers) -> bool:
        """Whether there is one `Host`, and it is ours."""
        return len(headers.getlist("host")) == 1 and _host(headers)[0] in self._rules.hosts


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
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    return ((address.version == 6 and address.ipv4_mapped) or address).is_loopback


def _cors(origin: str) -> Mapping[str, str]:
    return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}


def _permitted(headers: Headers) -> Response:
    """The answer to a preflight (https://fetch.spec.whatwg.org/#http-cors-protocol)."""
    return Response(
        status_code=204,
        headers={
            **_cors(headers["origin"]),
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": "authorization, content-type",
            "Access-Control-Max-Age": str(PREFLIGHT_S),
        },
    )


def _readable(send: Send, origin: str) -> Send:
    """Let a page of that origin read the answer."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            headers["Access-Control-Allow-Origin"] = origin
            headers.add_vary_header("Origin")
        await send(message)

    return sending
