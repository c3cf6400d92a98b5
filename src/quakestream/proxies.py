"""What proxies before us say and do: of whom they speak, where a client saw us, and below which path.

- `PUBLIC_URL` may have a path, `https://example.org/quakes`. Whether the proxy takes it off or leaves it on makes no
  difference: what comes with it is looked at without it. Without `PUBLIC_URL`, `X-Forwarded-Prefix` says it.
- `X-Forwarded-*` is believed of the peers that `TRUSTED_PROXIES` lists, and of nobody else. Of each header the last
  value counts: the proxy wrote that one itself.

Who may ask is not decided by any of this: `guards` looks at the peer and at `Host` as they came. A trusted proxy's
`X-Forwarded-Host` must be a name of ours, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import unquote

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from quakestream import addresses
from quakestream.addresses import Networks
from quakestream.config import Settings
from quakestream.web import APPROACH, Approach, matches

MAX_PREFIX: Final = 200
_PREFIX: Final = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_PORTS: Final = {"http": "80", "https": "443"}


@dataclass(frozen=True, slots=True)
class Proxies:
    """What the settings say of what stands before us."""

    public_url: str = ""
    base_path: str = ""
    trusted: Networks = Networks(())  # noqa: RUF009 - it never changes

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the settings, which were checked, say."""
        networks = Networks(addresses.listed(settings.trusted_proxies))
        return cls(settings.public_url, settings.base_path(), networks)

    def approach(self, scope: Scope) -> Approach:
        """How a request came here."""
        headers = Headers(scope=scope)
        peer = (scope.get("client") or ("",))[0]
        scheme, host, client, base_path = str(scope["scheme"]), headers.get("host", ""), peer, self.base_path
        if self.trusted and peer in self.trusted:
            client = self._client(headers, peer)
            proto = _last(headers, "x-forwarded-proto").lower()
            scheme = proto if proto in _PORTS else scheme
            host = _forwarded_host(headers, scheme) or host
            prefix = _last(headers, "x-forwarded-prefix").rstrip("/")
            if not self.public_url and _is_prefix(prefix):
                base_path = prefix
        return Approach(f"{scheme}://{host}", base_path, client)

    def _client(self, headers: Headers, peer: str) -> str:
        """The last address that no proxy of ours is; where all are, the first of them."""
        client = peer
        for one in reversed(_all(headers, "x-forwarded-for")):
            address = addresses.address_of(_without_port(one))
            if address is None:
                break  # whoever wrote this, nothing before it can be believed
            client = str(address)
            if client not in self.trusted:
                break
        return client


class Proxied:
    """ASGI middleware: the outermost, for what is below it sees paths as routes have them."""

    def __init__(self, app: ASGIApp, proxies: Proxies) -> None:
        self._app = app
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take the base path off, and tell how the request came."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        found = self._proxies.approach(scope)
        scope = {**scope, APPROACH: found, "scheme": found.origin.partition(":")[0]}
        base, path = unquote(found.base_path), str(scope["path"])
        if (
            base and (path == base or path.startswith(f"{base}/")) and not matches(scope)
        ):  # of our own, one may begin with `/api`
            if path == base:  # what the page names lies beside it, not above
                query = scope["query_string"].decode("latin-1")
                name = found.base_path.rpartition("/")[2]
                await RedirectResponse(f"{name}/?{query}" if query else f"{name}/", 308)(scope, receive, send)
                return
            scope["path"] = path[len(base) :]
            scope["raw_path"] = b"/" + scope.get("raw_path", b"").split(b"/", base.count("/") + 1)[-1]
        await self._app(scope, receive, send)


def _forwarded_host(headers: Headers, scheme: str) -> str:
    host, port = _last(headers, "x-forwarded-host"), _last(headers, "x-forwarded-port")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port) or port == _PORTS[scheme] or re.search(r":[0-9]+$", host):
        return host
    return f"{host}:{port}"


def _is_prefix(text: str) -> bool:
    steps = text.split("/")
    return len(text) <= MAX_PREFIX and _PREFIX.fullmatch(text) is not None and not {".", ".."} & set(steps)


def _all(headers: Headers, name: str) -> list[str]:
    return [one.strip() for value in headers.getlist(name) for one in value.split(",")]


def _last(headers: Headers, name: str) -> str:
    found = _all(headers, name)
    return found[-1] if found else ""


def _without_port(text: str) -> str:
    """`192.0.2.7:4711` and `[2001:db8::1]:4711` without what some proxies add."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
