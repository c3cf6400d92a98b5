"""What a start body may make the service ask: listed URLs, at checked addresses, under names of one's own.

Who may start the stream chooses what is published, and so what subscribers are told; and a URL is asked from where the
service runs. What the operator's settings say (`AUTOSTART_SOURCES`, `USGS_FEED_URL`) may name any URL.

A name is looked up once for each connection, and the address that was checked is the one that is connected to: what it
resolves to the next time does not matter. Redirects are followed where the list allows them, as if they had been named.
"""

from __future__ import annotations

import asyncio
import re
import socket
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, Final

import httpcore
import httpx

from quakestream.addresses import UrlPrefix
from quakestream.channels.posting import check_url, is_public
from quakestream.errors import Rejected
from quakestream.sources.presets import AGENCIES, ALIASES, AUTHORITIES, OWN_PAGES, PRESETS

_PRESET_URLS: Final = {UrlPrefix.of(preset.url): name for name, preset in PRESETS.items()}
_OWN_PAGES: Final = {UrlPrefix.of(url): names for url, names in OWN_PAGES.items()}


class NotAllowedError(httpx.TransportError):
    """A request that is not made: its URL is not listed, or leads into one's own network."""


class SourceUrls:
    """The URLs that a start body may name: those of `SOURCE_URLS`, the presets', and what lies below them."""

    def __init__(self, listed: Sequence[str] = ()) -> None:
        """Raises:
        ValueError: one of them is no prefix, as `UrlPrefix.of` says.
        """
        self._prefixes = [*(UrlPrefix.of(url) for url in listed), *_PRESET_URLS]

    def check(self, url: str) -> None:
        """Raises:
        Rejected: it is not below one of them.
        """
        try:
            named = UrlPrefix.of(url)
        except ValueError as error:
            raise Rejected(f"url: {error}") from error
        if not any(prefix.holds(named) for prefix in self._prefixes):
            raise Rejected("url: not one that a start may name. SOURCE_URLS lists those that it may")

    def reaches(self, host: str, port: int, address: str) -> bool:
        """Whether to connect to `address` for a server that is on the list.

        The world's addresses, yes; others where the list itself has the address, or a name that only one's own network
        knows (`localhost`, `seiscomp`, `x.internal`).
        """
        if is_public(address):
            return True
        named = any((prefix.host, prefix.port) == (host, port) for prefix in self._prefixes)
        return named and _is_private(host)


def _is_private(host: str) -> bool:
    try:
        check_url(f"http://{f'[{host}]' if ':' in host else host}/", allow_private=False)
    except Rejected:
        return True
    return False


class GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's transport, which makes no request and no connection but those that `urls` allows."""

    def __init__(self, urls: SourceUrls, *, max_connections: int) -> None:
        super().__init__(trust_env=False)
        self._urls = urls
        # httpx hands no backend through; this is the pool that it makes itself, with one.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False),
            max_connections=max_connections,
            max_keepalive_connections=1,
            network_backend=_Backend(urls),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Ask, where the list allows it; so each redirect is looked at as well."""
        try:
            self._urls.check(str(request.url.copy_with(query=None, fragment=None)))
        except Rejected as error:
            raise NotAllowedError(str(error), request=request) from error
        return await super().handle_async_request(request)


class _Backend(httpcore.AnyIOBackend):
    """Connects to addresses that it has checked itself."""

    def __init__(self, urls: SourceUrls) -> None:
        self._urls = urls

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - as httpcore calls it
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """The first of a name's addresses that answers.

        Raises:
            httpcore.ConnectError: none does, or one is not to be connected to.
        """
        try:
            async with asyncio.timeout(timeout):
                found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"{host} is not found within {timeout:g} s") from error
        except OSError as error:
            raise httpcore.ConnectError(f"{host}: {error}") from error
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        for address in addresses:
            if not self._urls.reaches(host.lower().removesuffix("."), port, address):
                raise httpcore.ConnectError(f"{host} is {address}, in a network that SOURCE_URLS does not name")
        last: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                return await super().connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise last


def check_names(options: Any, label: str) -> None:
    """Whether a source with a `url`, a `source` and an `agency` calls its reports by a name that is its own.

    Raises:
        Rejected: it is an agency's, and this is not that agency's service.
    """
    own = _own_names(options)
    for field in ("source", "agency"):
        name = getattr(options, field)
        if name is not None and not agencies_in(name) <= own:
            raise Rejected(f"source {label}: {field}: {name!r} is an agency's own name, and this is not its service")


def _own_names(options: Any) -> frozenset[str]:
    """What the reports of an agency's own service or page may be called, be it named by its URL."""
    preset = getattr(options, "preset", None)
    if preset is None:
        try:
            named = UrlPrefix.of(options.url.partition("?")[0])
        except ValueError:
            return frozenset()
        if own := next((names for prefix, names in _OWN_PAGES.items() if prefix.holds(named)), None):
            return own
        preset = next((name for prefix, name in _PRESET_URLS.items() if prefix.holds(named)), None)
    if preset is None:
        return frozenset()
    others = {alias for alias, name in ALIASES.items() if name == preset}
    return frozenset({preset, PRESETS[preset].agency, *others})


def agencies_in(name: str) -> frozenset[str]:
    """Whose a name is, in whatever capitals and with whatever dots: `USGS`, `U.S.G.S.`, `USGS NEIC`; none: nobody's."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    words = re.findall(r"[a-z0-9]+", "".join(c for c in plain if not unicodedata.combining(c)))
    long = {word for word in words if len(word) > 3}  # shorter ones are words, too: `at`, `us`
    whole = "".join(words)
    return frozenset({whole, *long} & AGENCIES) | {authority for authority in AUTHORITIES if authority in whole}
